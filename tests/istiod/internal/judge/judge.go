// Package judge asks istiod what a mesh dump means: which Sidecar, scope and routes a proxy gets.
package judge

import (
	"encoding/json"
	"testing"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"

	"recommend-sidecars/tests/istiod/internal/controlplane"
)

// Request asks about several meshes, each with an istiod of its own, and about Sidecars to be stored.
type Request struct {
	Cases     []Case            `json:"cases"`
	Manifests []json.RawMessage `json:"manifests"`
}

// Case asks about proxies of one mesh.
type Case struct {
	controlplane.Mesh
	// PreviousMeshDir is what the mesh was when the proxies were last sent something, for pushes.
	PreviousMeshDir string  `json:"previous_mesh_dir"`
	Proxies         []Proxy `json:"proxies"`
	// Cost asks what a push of everything to all of the proxies takes.
	Cost bool `json:"cost"`
}

// Proxy is one proxy of a mesh and the calls made through it.
type Proxy struct {
	controlplane.Proxy
	// Clusters asks for the names of all Envoy clusters, of those that the listeners name, and for addresses.
	Clusters bool `json:"clusters"`
	// Size asks for the size of everything that the proxy is sent.
	Size bool `json:"size"`
	// ConfigDump asks for everything that the proxy is sent, as its Envoy would print it.
	ConfigDump bool   `json:"config_dump"`
	Calls      []Call `json:"calls"`
	// Changes are lists of what changed at once; each is asked for a push.
	Changes [][]Key `json:"changes"`
}

// Response has one item per case, and in it one per proxy, and one per manifest.
type Response struct {
	Cases       [][]Verdict  `json:"cases"`
	Validations []Validation `json:"validations"`
}

// Verdict is what istiod configures a proxy with.
type Verdict struct {
	Scope
	Clusters []string `json:"clusters"`
	Named    []string `json:"named"`
	// Addresses are what a proxy that captures DNS answers for each name.
	Addresses map[string][]string `json:"addresses"`
	Size      *Size               `json:"size"`
	// Cost is that of all proxies of a case, in the first verdict.
	Cost       *Cost           `json:"cost"`
	ConfigDump json.RawMessage `json:"config_dump"`
	Calls      []Resolution    `json:"calls"`
	// Inbound is a digest of what a proxy does with calls that it receives.
	Inbound string `json:"inbound"`
	Pushes  []Push `json:"pushes"`
	// Targets are the services ("namespace/hostname") that select the proxy.
	Targets []string `json:"targets"`
}

// Run judges one mesh.
func Run(t *testing.T, c Case) []Verdict {
	server := start(t, c.Mesh)
	var previous *xds.FakeDiscoveryServer
	if c.PreviousMeshDir != "" {
		previous = start(t, controlplane.Mesh{MeshDir: c.PreviousMeshDir})
	}
	proxies := make([]*model.Proxy, 0, len(c.Proxies))
	verdicts := make([]Verdict, 0, len(c.Proxies))
	for _, p := range c.Proxies {
		proxy := connect(t, server, p.Proxy)
		if previous != nil {
			proxy.PrevSidecarScope = connect(t, previous, p.Proxy).SidecarScope
		}
		proxies = append(proxies, proxy)
		verdicts = append(verdicts, judge(t, server, proxy, p))
	}
	if c.Cost {
		cost := costOf(t, server, proxies)
		verdicts[0].Cost = &cost
	}
	return verdicts
}

func start(t *testing.T, mesh controlplane.Mesh) *xds.FakeDiscoveryServer {
	server, err := controlplane.Start(t, mesh)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func connect(t *testing.T, server *xds.FakeDiscoveryServer, p controlplane.Proxy) *model.Proxy {
	proxy, err := controlplane.Connect(server, p)
	if err != nil {
		t.Fatal(err)
	}
	return proxy
}

func judge(t *testing.T, server *xds.FakeDiscoveryServer, proxy *model.Proxy, p Proxy) Verdict {
	verdict := Verdict{Scope: scopeOf(proxy, server.PushContext())}
	if len(p.Changes) > 0 {
		verdict.Pushes = pushes(t, proxy, server.PushContext(), p.Changes)
		verdict.Targets = targets(proxy)
	}
	if p.Size {
		verdict.Size = sizeOf(server, proxy)
	}
	if p.ConfigDump {
		verdict.ConfigDump = configDumpOf(t, server, proxy)
	}
	if len(p.Calls) == 0 && !p.Clusters {
		return verdict
	}
	resolver := NewResolver(t, server, proxy)
	if p.Clusters {
		verdict.Clusters = resolver.clusterNames()
		verdict.Named = resolver.clustersNamedByListeners()
		verdict.Addresses = map[string][]string{}
		for name, info := range server.ConfigGen.BuildNameTable(proxy, server.PushContext()).GetTable() {
			verdict.Addresses[name] = info.GetIps()
		}
	}
	for _, call := range p.Calls {
		verdict.Calls = append(verdict.Calls, resolver.Resolve(call))
	}
	verdict.Inbound = resolver.inboundDigest()
	return verdict
}
