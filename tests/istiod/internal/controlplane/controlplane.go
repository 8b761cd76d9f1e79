// Package controlplane runs the discovery server of istiod over a mesh dump.
package controlplane

import (
	"errors"
	"net"
	"time"

	"istio.io/istio/pilot/pkg/features"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/test"
	"k8s.io/apimachinery/pkg/runtime"

	"recommend-sidecars/tests/istiod/internal/dump"
)

const quietRounds = 5

// ErrIstioOnlyFilters tells that proxies would be sent filters that only Istio's build of Envoy has.
var ErrIstioOnlyFilters = errors.New(
	"set PILOT_ENABLE_ALPN_FILTER=false and PILOT_ENABLE_METADATA_EXCHANGE=false: " +
		"a stock Envoy refuses Istio's own filters")

// Mesh names the dumps of a mesh.
type Mesh struct {
	MeshDir string `json:"mesh_dir"`
	// Cluster names the Kubernetes cluster of MeshDir, which configures istiod; empty for a mesh of one.
	Cluster cluster.ID `json:"kubernetes_cluster"`
	// Remotes are the other Kubernetes clusters, in the order in which istiod came to know them.
	Remotes []Remote `json:"remotes"`
	// SidecarDir holds Sidecars that are applied to the mesh, as kubectl would.
	SidecarDir string `json:"sidecar_dir"`
}

// Remote is a Kubernetes cluster whose workloads are in the mesh, but not its configuration.
type Remote struct {
	Cluster cluster.ID `json:"kubernetes_cluster"`
	MeshDir string     `json:"mesh_dir"`
}

// Serve answers ADS for stock Envoys on the listener. The caller stops it by ending the process or failing t.
func Serve(t test.Failer, mesh Mesh, listener net.Listener) (*xds.FakeDiscoveryServer, error) {
	if features.ALPNFilter || features.MetadataExchange {
		return nil, ErrIstioOnlyFilters
	}
	return start(t, mesh, func(home *dump.Mesh, options *xds.FakeOptions) {
		if home.Config.DefaultProviders != nil {
			// The Prometheus provider is the filter istio.stats: again Istio's own, and no part of a log.
			home.Config.DefaultProviders.Metrics = nil
		}
		options.ListenerBuilder = func() (net.Listener, error) { return listener, nil }
	})
}

// Start answers nobody but this process.
func Start(t test.Failer, mesh Mesh) (*xds.FakeDiscoveryServer, error) {
	return start(t, mesh, func(*dump.Mesh, *xds.FakeOptions) {})
}

func start(
	t test.Failer, mesh Mesh, change func(*dump.Mesh, *xds.FakeOptions),
) (*xds.FakeDiscoveryServer, error) {
	meshes, err := load(mesh)
	if err != nil {
		return nil, err
	}
	home := meshes[0]
	objects := map[cluster.ID][]runtime.Object{}
	for _, each := range meshes {
		objects[each.id] = each.mesh.Objects
	}
	options := xds.FakeOptions{
		DefaultClusterName:         home.id,
		KubernetesObjectsByCluster: objects,
		Configs:                    home.mesh.Configs,
		MeshConfig:                 home.mesh.Config,
		KubeClientBuilder:          fakeClient,
	}
	change(home.mesh, &options)
	server := xds.NewFakeDiscoveryServer(t, options)
	entries := server.ServiceEntryRegistry
	if len(meshes) > 1 || home.mesh.Config.GetServiceEntryVisibility() != nil {
		entries = asInProduction(t, server, meshes)
	}
	settle(t, server)
	entries.ResyncEDS() // of two updates of one service the older may have come last
	server.Discovery.ConfigUpdate(&model.PushRequest{Forced: true})
	settle(t, server)
	return server, nil
}

func load(mesh Mesh) ([]kubernetesCluster, error) {
	home := mesh.Cluster
	if home == "" {
		home = constants.DefaultClusterName
	}
	found := []kubernetesCluster{}
	for _, each := range append([]Remote{{home, mesh.MeshDir}}, mesh.Remotes...) {
		loaded, err := dump.Load(each.MeshDir)
		if err != nil {
			return nil, err
		}
		found = append(found, kubernetesCluster{each.Cluster, loaded})
	}
	if mesh.SidecarDir != "" {
		return found, found[0].mesh.ApplySidecars(mesh.SidecarDir)
	}
	return found, nil
}

// settle waits until nothing has arrived for a while: the fake server does not wait for the pods and
// WorkloadEntries that ServiceEntries select.
func settle(t test.Failer, server *xds.FakeDiscoveryServer) {
	for quiet := 0; quiet < quietRounds; quiet++ {
		before := server.Discovery.InboundUpdates.Load()
		time.Sleep(time.Millisecond)
		server.EnsureSynced(t)
		if server.Discovery.InboundUpdates.Load() != before {
			quiet = 0
		}
	}
}
