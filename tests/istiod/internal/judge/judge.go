// Package judge asks istiod what a mesh dump means: which Sidecar, scope and routes a proxy gets.
package judge

import (
	"encoding/json"
	"testing"
	"time"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/serviceregistry/util/label"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config/constants"
	"k8s.io/apimachinery/pkg/runtime"

	"recommend-sidecars/tests/istiod/internal/dump"
)

// The fake server would take a proxy for release 1.23, without what came since.
const defaultIstioVersion = "1.31.0"

const quietRounds = 5

// Request asks about several meshes, each with an istiod of its own, and about Sidecars to be stored.
type Request struct {
	Cases     []Case            `json:"cases"`
	Manifests []json.RawMessage `json:"manifests"`
}

// Case asks about proxies of one mesh.
type Case struct {
	MeshDir string `json:"mesh_dir"`
	// Cluster names the Kubernetes cluster of MeshDir, which configures istiod; empty for a mesh of one.
	Cluster cluster.ID `json:"kubernetes_cluster"`
	// Remotes are the other Kubernetes clusters, in the order in which istiod came to know them.
	Remotes []Remote `json:"remotes"`
	// SidecarDir holds Sidecars that are applied to the mesh, as kubectl would.
	SidecarDir string `json:"sidecar_dir"`
	// PreviousMeshDir is what the mesh was when the proxies were last sent something, for pushes.
	PreviousMeshDir string  `json:"previous_mesh_dir"`
	Proxies         []Proxy `json:"proxies"`
	// Cost asks what a push of everything to all of the proxies takes.
	Cost bool `json:"cost"`
}

// Remote is a Kubernetes cluster whose workloads are in the mesh, but not its configuration.
type Remote struct {
	Cluster cluster.ID `json:"kubernetes_cluster"`
	MeshDir string     `json:"mesh_dir"`
}

// Proxy is one proxy of a mesh and the calls made through it.
type Proxy struct {
	// Cluster names its Kubernetes cluster in a mesh of several.
	Cluster   cluster.ID        `json:"kubernetes_cluster"`
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Type      model.NodeType    `json:"type"`
	Labels    map[string]string `json:"labels"`
	IPs       []string          `json:"ips"`
	// Metadata is what the agent sends, such as DNS_CAPTURE; ISTIO_VERSION and CLUSTER_ID have defaults.
	Metadata json.RawMessage `json:"metadata"`
	// Clusters asks for the names of all Envoy clusters, and of those that the listeners name.
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
	Size     *Size    `json:"size"`
	// Cost is that of all proxies of a case, in the first verdict.
	Cost       Cost            `json:"cost"`
	ConfigDump json.RawMessage `json:"config_dump"`
	Calls      []Resolution    `json:"calls"`
	Pushes     []Push          `json:"pushes"`
	// Targets are the services ("namespace/hostname") that select the proxy.
	Targets []string `json:"targets"`
}

// Run judges one mesh.
func Run(t *testing.T, c Case) []Verdict {
	server := start(t, c)
	var previous *xds.FakeDiscoveryServer
	if c.PreviousMeshDir != "" {
		previous = start(t, Case{MeshDir: c.PreviousMeshDir})
	}
	proxies := make([]*model.Proxy, 0, len(c.Proxies))
	verdicts := make([]Verdict, 0, len(c.Proxies))
	for _, p := range c.Proxies {
		proxy := setup(t, server, p)
		if previous != nil {
			proxy.PrevSidecarScope = setup(t, previous, p).SidecarScope
		}
		proxies = append(proxies, proxy)
		verdicts = append(verdicts, judge(t, server, proxy, p))
	}
	if c.Cost {
		verdicts[0].Cost = costOf(t, server, proxies)
	}
	return verdicts
}

func start(t *testing.T, c Case) *xds.FakeDiscoveryServer {
	mesh := load(t, c.MeshDir)
	if c.SidecarDir != "" {
		if err := mesh.ApplySidecars(c.SidecarDir); err != nil {
			t.Fatal(err)
		}
	}
	home := c.Cluster
	if home == "" {
		home = constants.DefaultClusterName
	}
	meshes := []kubernetesCluster{{home, mesh}}
	objects := map[cluster.ID][]runtime.Object{home: mesh.Objects}
	for _, remote := range c.Remotes {
		meshes = append(meshes, kubernetesCluster{remote.Cluster, load(t, remote.MeshDir)})
		objects[remote.Cluster] = meshes[len(meshes)-1].mesh.Objects
	}
	server := xds.NewFakeDiscoveryServer(t, xds.FakeOptions{
		DefaultClusterName:         home,
		KubernetesObjectsByCluster: objects,
		Configs:                    mesh.Configs,
		MeshConfig:                 mesh.Config,
	})
	entries := server.ServiceEntryRegistry
	if len(meshes) > 1 || mesh.Config.GetServiceEntryVisibility() != nil {
		entries = asInProduction(t, server, meshes)
	}
	settle(t, server)
	entries.ResyncEDS() // of two updates of one service the older may have come last
	server.Discovery.ConfigUpdate(&model.PushRequest{Forced: true})
	settle(t, server)
	return server
}

// settle waits until nothing has arrived for a while: the fake server does not wait for the pods and
// WorkloadEntries that ServiceEntries select.
func settle(t *testing.T, server *xds.FakeDiscoveryServer) {
	for quiet := 0; quiet < quietRounds; quiet++ {
		before := server.Discovery.InboundUpdates.Load()
		time.Sleep(time.Millisecond)
		server.EnsureSynced(t)
		if server.Discovery.InboundUpdates.Load() != before {
			quiet = 0
		}
	}
}

func load(t *testing.T, dir string) *dump.Mesh {
	mesh, err := dump.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return mesh
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
	labels := p.Labels
	if p.Cluster != "" {
		metadata.ClusterID = p.Cluster
		labels = label.AugmentLabels(labels, p.Cluster, "", "", "")
	}
	if metadata.ClusterID == "" {
		metadata.ClusterID = constants.DefaultClusterName
	}
	return server.SetupProxy(&model.Proxy{
		Type:            p.Type,
		ID:              p.Name + "." + p.Namespace,
		ConfigNamespace: p.Namespace,
		Labels:          labels,
		IPAddresses:     p.IPs,
		Metadata:        metadata,
	})
}
