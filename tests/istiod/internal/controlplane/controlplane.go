// Package controlplane runs the discovery server of istiod over a mesh dump.
package controlplane

import (
	"errors"
	"net"

	"istio.io/istio/pilot/pkg/features"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/test"

	"recommend-sidecars/tests/istiod/internal/dump"
)

// ErrIstioOnlyFilters tells that proxies would be sent filters that only Istio's build of Envoy has.
var ErrIstioOnlyFilters = errors.New(
	"set PILOT_ENABLE_ALPN_FILTER=false and PILOT_ENABLE_METADATA_EXCHANGE=false: " +
		"a stock Envoy refuses Istio's own filters")

// Serve answers ADS on the listener. The caller stops it by ending the process or failing t.
func Serve(t test.Failer, mesh *dump.Mesh, listener net.Listener) (*xds.FakeDiscoveryServer, error) {
	if features.ALPNFilter || features.MetadataExchange {
		return nil, ErrIstioOnlyFilters
	}
	if mesh.Config.DefaultProviders != nil {
		// The Prometheus provider is the filter istio.stats: again Istio's own, and no part of a log.
		mesh.Config.DefaultProviders.Metrics = nil
	}
	return xds.NewFakeDiscoveryServer(t, xds.FakeOptions{
		KubernetesObjects: mesh.Objects,
		Configs:           mesh.Configs,
		MeshConfig:        mesh.Config,
		ListenerBuilder:   func() (net.Listener, error) { return listener, nil },
	}), nil
}
