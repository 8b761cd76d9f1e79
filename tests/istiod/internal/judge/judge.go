// Package judge asks istiod what a mesh dump means: which Sidecar, scope and routes a proxy gets.
package judge

import (
	"encoding/json"
	"testing"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"

	"recommend-sidecars/tests/istiod/internal/dump"
)

// The fake server would take a proxy for release 1.23, without what came since.
const defaultIstioVersion = "1.31.0"

// Request asks about several meshes; each has an istiod of its own.
type Request struct {
	Cases []Case `json:"cases"`
}

// Case asks about proxies of one mesh.
type Case struct {
	MeshDir string `json:"mesh_dir"`
	// SidecarDir holds Sidecars that are applied to the mesh, as kubectl would.
	SidecarDir string  `json:"sidecar_dir"`
	Proxies    []Proxy `json:"proxies"`
}

// Proxy is one proxy of a mesh and the calls made through it.
type Proxy struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Type      model.NodeType    `json:"type"`
	Labels    map[string]string `json:"labels"`
	IPs       []string          `json:"ips"`
	// Metadata is what the agent sends, such as DNS_CAPTURE; ISTIO_VERSION and CLUSTER_ID have defaults.
	Metadata json.RawMessage `json:"metadata"`
	// Clusters asks for the names of all Envoy clusters, and of those that the listeners name.
	Clusters bool   `json:"clusters"`
	Calls    []Call `json:"calls"`
}

// Response has one item per case, and in it one per proxy.
type Response struct {
	Cases [][]Verdict `json:"cases"`
}

// Verdict is what istiod configures a proxy with.
type Verdict struct {
	Scope
	Clusters []string     `json:"clusters"`
	Named    []string     `json:"named"`
	Calls    []Resolution `json:"calls"`
}

// Run judges one mesh.
func Run(t *testing.T, c Case) []Verdict {
	mesh, err := dump.Load(c.MeshDir)
	if err != nil {
		t.Fatal(err)
	}
	if c.SidecarDir != "" {
		if err := mesh.ApplySidecars(c.SidecarDir); err != nil {
			t.Fatal(err)
		}
	}
	server := xds.NewFakeDiscoveryServer(t, xds.FakeOptions{
		KubernetesObjects: mesh.Objects,
		Configs:           mesh.Configs,
		MeshConfig:        mesh.Config,
	})
	verdicts := make([]Verdict, 0, len(c.Proxies))
	for _, p := range c.Proxies {
		verdicts = append(verdicts, judge(t, server, p))
	}
	return verdicts
}

func judge(t *testing.T, server *xds.FakeDiscoveryServer, p Proxy) Verdict {
	proxy := setup(t, server, p)
	verdict := Verdict{Scope: scopeOf(proxy, server.PushContext())}
	if len(p.Calls) == 0 && !p.Clusters {
		return verdict
	}
	resolver := newResolver(t, server, proxy)
	if p.Clusters {
		verdict.Clusters = resolver.clusterNames()
		verdict.Named = resolver.clustersNamedByListeners()
	}
	for _, call := range p.Calls {
		verdict.Calls = append(verdict.Calls, resolver.resolve(call))
	}
	return verdict
}

func setup(t *testing.T, server *xds.FakeDiscoveryServer, p Proxy) *model.Proxy {
	metadata := &model.NodeMetadata{}
	if len(p.Metadata) > 0 {
		if err := json.Unmarshal(p.Metadata, metadata); err != nil {
			t.Fatal(err)
		}
	}
	metadata.Namespace = p.Namespace
	metadata.Labels = p.Labels
	if metadata.IstioVersion == "" {
		metadata.IstioVersion = defaultIstioVersion
	}
	if metadata.ClusterID == "" {
		metadata.ClusterID = "Kubernetes"
	}
	return server.SetupProxy(&model.Proxy{
		Type:            p.Type,
		ID:              p.Name + "." + p.Namespace,
		ConfigNamespace: p.Namespace,
		Labels:          p.Labels,
		IPAddresses:     p.IPs,
		Metadata:        metadata,
	})
}
