// Package workloadcert hands workload certificates to proxies over SDS, as the agent beside a proxy does.
package workloadcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secret "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	secretType  = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
	workload    = "default"
	root        = "ROOTCA"
	trustDomain = "cluster.local"
	validity    = 24 * time.Hour
	clockSkew   = time.Hour
	serialBits  = 120
)

// Authority signs certificates; its key never leaves the process.
type Authority struct {
	secret.UnimplementedSecretDiscoveryServiceServer

	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes a self-signed root.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := certificateTemplate()
	if err != nil {
		return nil, err
	}
	template.Subject = pkix.Name{Organization: []string{trustDomain}}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{certificate: certificate, key: key}, nil
}

// StreamSecrets answers one proxy. The node tells who asks: there is no attestation here.
func (a *Authority) StreamSecrets(stream secret.SecretDiscoveryService_StreamSecretsServer) error {
	var node *core.Node
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if request.GetNode() != nil {
			node = request.GetNode()
		}
		if request.GetErrorDetail() != nil {
			return fmt.Errorf("proxy %s refused a secret: %s", node.GetId(), request.GetErrorDetail())
		}
		if request.GetVersionInfo() != "" {
			continue // an acknowledgement: certificates are not rotated within a recording
		}
		response, err := a.respond(node, request.GetResourceNames())
		if err != nil {
			return err
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}

func (a *Authority) respond(node *core.Node, names []string) (*discovery.DiscoveryResponse, error) {
	response := &discovery.DiscoveryResponse{TypeUrl: secretType, VersionInfo: "1", Nonce: "1"}
	for _, name := range names {
		s, err := a.secret(node, name)
		if err != nil {
			return nil, err
		}
		resource, err := anypb.New(s)
		if err != nil {
			return nil, err
		}
		response.Resources = append(response.Resources, resource)
	}
	return response, nil
}

func (a *Authority) secret(node *core.Node, name string) (*tls.Secret, error) {
	switch name {
	case root:
		return &tls.Secret{Name: name, Type: &tls.Secret_ValidationContext{
			ValidationContext: &tls.CertificateValidationContext{
				TrustedCa: inline(certificatePEM(a.certificate.Raw)),
			},
		}}, nil
	case workload:
		chain, key, err := a.issue(identity(node))
		if err != nil {
			return nil, err
		}
		return &tls.Secret{Name: name, Type: &tls.Secret_TlsCertificate{
			TlsCertificate: &tls.TlsCertificate{
				CertificateChain: inline(chain),
				PrivateKey:       inline(key),
			},
		}}, nil
	default:
		return nil, fmt.Errorf("proxy %s asks for the unknown secret %q", node.GetId(), name)
	}
}

func (a *Authority) issue(id *url.URL) (chain, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template, err := certificateTemplate()
	if err != nil {
		return nil, nil, err
	}
	template.URIs = []*url.URL{id}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER})
	return certificatePEM(der), key, nil
}

func identity(node *core.Node) *url.URL {
	metadata := node.GetMetadata().GetFields()
	namespace := metadata["NAMESPACE"].GetStringValue()
	account := metadata["SERVICE_ACCOUNT"].GetStringValue()
	return &url.URL{Scheme: "spiffe", Host: trustDomain, Path: "/ns/" + namespace + "/sa/" + account}
}

func certificateTemplate() (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		NotBefore:    now.Add(-clockSkew),
		NotAfter:     now.Add(validity),
	}, nil
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func inline(data []byte) *core.DataSource {
	return &core.DataSource{Specifier: &core.DataSource_InlineBytes{InlineBytes: data}}
}
