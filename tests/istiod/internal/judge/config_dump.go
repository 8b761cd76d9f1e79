package judge

import (
	"encoding/json"
	"testing"

	admin "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"
)

// configDumpOf writes what istiod would answer a proxy as Envoy's /config_dump?include_eds does.
func configDumpOf(
	t *testing.T, server *xds.FakeDiscoveryServer, proxy *model.Proxy,
) json.RawMessage {
	clusters, listeners := server.Clusters(proxy), server.Listeners(proxy)
	clusterDump := &admin.ClustersConfigDump{}
	for _, each := range clusters {
		clusterDump.DynamicActiveClusters = append(clusterDump.DynamicActiveClusters,
			&admin.ClustersConfigDump_DynamicCluster{VersionInfo: "1", Cluster: packed(t, each)})
	}
	listenerDump := &admin.ListenersConfigDump{}
	for _, each := range listeners {
		listenerDump.DynamicListeners = append(listenerDump.DynamicListeners,
			&admin.ListenersConfigDump_DynamicListener{
				Name: each.Name,
				ActiveState: &admin.ListenersConfigDump_DynamicListenerState{
					VersionInfo: "1", Listener: packed(t, each),
				},
			})
	}
	routeDump := &admin.RoutesConfigDump{}
	for _, each := range uniqueRoutes(server, proxy, listeners) {
		routeDump.DynamicRouteConfigs = append(routeDump.DynamicRouteConfigs,
			&admin.RoutesConfigDump_DynamicRouteConfig{
				VersionInfo: "1", RouteConfig: packed(t, each),
			})
	}
	endpointDump := &admin.EndpointsConfigDump{}
	for _, each := range loadAssignments(server, proxy, clusters) {
		endpointDump.DynamicEndpointConfigs = append(endpointDump.DynamicEndpointConfigs,
			&admin.EndpointsConfigDump_DynamicEndpointConfig{
				VersionInfo: "1", EndpointConfig: packed(t, each),
			})
	}
	dump := &admin.ConfigDump{Configs: []*anypb.Any{
		packed(t, &admin.BootstrapConfigDump{Bootstrap: bootstrapOf(t, proxy)}),
		packed(t, clusterDump), packed(t, endpointDump),
		packed(t, listenerDump), packed(t, routeDump),
	}}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(dump)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func bootstrapOf(t *testing.T, proxy *model.Proxy) *bootstrap.Bootstrap {
	metadata, err := structpb.NewStruct(map[string]any{
		"ISTIO_VERSION": proxy.Metadata.IstioVersion,
		"NAMESPACE":     proxy.ConfigNamespace,
	})
	if err != nil {
		t.Fatal(err)
	}
	id := "sidecar~" + proxy.IPAddresses[0] + "~" + proxy.ID + "~" +
		proxy.ConfigNamespace + ".svc.cluster.local"
	return &bootstrap.Bootstrap{Node: &core.Node{Id: id, Metadata: metadata}}
}

func packed(t *testing.T, message proto.Message) *anypb.Any {
	found, err := anypb.New(message)
	if err != nil {
		t.Fatal(err)
	}
	return found
}
