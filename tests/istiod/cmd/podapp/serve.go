package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

const readTimeout = 10 * time.Second

// port is one port an application listens on.
type port struct {
	Port     int    `json:"port"`
	Protocol string `json:"protocol"`
}

// open starts to listen and returns what answers.
func (p port) open() (serve func() error, err error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(p.Port)))
	if err != nil {
		return nil, err
	}
	switch p.Protocol {
	case "http":
		return func() error { return serveHTTP(listener) }, nil
	case "tls":
		certificate, err := selfSigned()
		if err != nil {
			return nil, err
		}
		config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		return func() error { return serveHTTP(tls.NewListener(listener, config)) }, nil
	case "grpc":
		return func() error { return serveGRPC(listener) }, nil
	case "tcp":
		return func() error { return serveEcho(listener) }, nil
	default:
		return nil, fmt.Errorf("unknown protocol %q: http, tls, grpc or tcp", p.Protocol)
	}
}

// serveHTTP answers 200, or what the query parameter "status" asks for.
func serveHTTP(listener net.Listener) error {
	server := &http.Server{
		ReadHeaderTimeout: readTimeout,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status, err := strconv.Atoi(r.URL.Query().Get("status"))
			if err != nil {
				status = http.StatusOK
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "{}\n")
		}),
	}
	return server.Serve(listener)
}

// serveGRPC answers every method with one empty message.
func serveGRPC(listener net.Listener) error {
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		for {
			err := stream.RecvMsg(&emptypb.Empty{})
			if errors.Is(err, io.EOF) {
				return stream.SendMsg(&emptypb.Empty{})
			}
			if err != nil {
				return err
			}
		}
	}))
	return server.Serve(listener)
}

func serveEcho(listener net.Listener) error {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			_, _ = io.Copy(connection, connection)
		}()
	}
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
