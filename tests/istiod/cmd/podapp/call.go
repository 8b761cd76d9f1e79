package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

const callTimeout = 20 * time.Second

// call is a number of equal requests (http, grpc) or connections (tls, tcp).
type call struct {
	Protocol string            `json:"protocol"`
	Address  string            `json:"address"`
	Host     string            `json:"host"`
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Headers  map[string]string `json:"headers"`
	Agent    string            `json:"agent"`
	Count    int               `json:"count"`
}

// run makes the requests and counts how they ended.
func (c call) run() (map[string]int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	once, err := c.requester()
	if err != nil {
		return nil, err
	}
	outcomes := map[string]int{}
	for range c.Count {
		outcome, err := once(ctx)
		if err != nil {
			outcome = "error: " + err.Error()
		}
		outcomes[outcome]++
	}
	return outcomes, nil
}

func (c call) requester() (func(context.Context) (string, error), error) {
	switch c.Protocol {
	case "http", "tls":
		return c.overHTTP(), nil
	case "grpc":
		return c.overGRPC()
	case "tcp":
		return c.overTCP, nil
	default:
		return nil, fmt.Errorf("unknown protocol %q: http, tls, grpc or tcp", c.Protocol)
	}
}

// overHTTP keeps one connection for plain HTTP; with TLS each request has a connection of its own, since
// a proxy that cannot look inside logs connections.
func (c call) overHTTP() func(context.Context) (string, error) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", c.Address)
		},
		// The outside API of a recording has a certificate nobody signed.
		TLSClientConfig:   &tls.Config{ServerName: c.Host, InsecureSkipVerify: true}, //nolint:gosec
		DisableKeepAlives: c.Protocol == "tls",
	}}
	scheme := map[string]string{"http": "http", "tls": "https"}[c.Protocol]
	return func(ctx context.Context) (string, error) {
		request, err := http.NewRequestWithContext(ctx, c.Method, scheme+"://"+c.Host+c.Path, nil)
		if err != nil {
			return "", err
		}
		request.Header.Set("User-Agent", c.Agent)
		for key, value := range c.Headers {
			request.Header.Set(key, value)
		}
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		return strconv.Itoa(response.StatusCode), err
	}
}

func (c call) overGRPC() (func(context.Context) (string, error), error) {
	connection, err := grpc.NewClient("passthrough:///"+c.Address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority(c.Host), grpc.WithUserAgent(c.Agent))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (string, error) {
		ctx = metadata.NewOutgoingContext(ctx, metadata.New(c.Headers))
		err := connection.Invoke(ctx, c.Path, &emptypb.Empty{}, &emptypb.Empty{})
		return status.Code(err).String(), nil
	}, nil
}

// overTCP sends a line and waits for it to come back.
func (c call) overTCP(ctx context.Context) (string, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.Address)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := connection.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	if _, err := io.WriteString(connection, "hello\n"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return "", err
	}
	if line != "hello\n" {
		return "wrong echo", nil
	}
	return "echo", nil
}
