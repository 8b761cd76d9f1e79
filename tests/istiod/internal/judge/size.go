package judge

import (
	"cmp"
	"slices"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/xds/endpoints"
	"istio.io/istio/pilot/test/xds"
)

// Size is what a proxy is sent, by xDS type and in the order of the names.
type Size struct {
	Clusters  []Resource `json:"clusters"`
	Endpoints []Resource `json:"endpoints"`
	Listeners []Resource `json:"listeners"`
	Routes    []Resource `json:"routes"`
}

// Resource is one resource. Bytes are those of its encoding, as istiod's push log counts them. Parts
// are the endpoints of a cluster or load assignment, the filter chains of a listener, or the virtual
// hosts of a route configuration; Routes the routes in those.
type Resource struct {
	Name   string `json:"name"`
	Bytes  int    `json:"bytes"`
	Parts  int    `json:"parts"`
	Routes int    `json:"routes"`
}

// sizeOf measures what istiod would answer a proxy that asks for all it is told of.
func sizeOf(server *xds.FakeDiscoveryServer, proxy *model.Proxy) *Size {
	clusters, listeners := server.Clusters(proxy), server.Listeners(proxy)
	return &Size{
		Clusters:  measured(clusters, measureCluster),
		Endpoints: measured(loadAssignments(server, proxy, clusters), measureLoadAssignment),
		Listeners: measured(listeners, measureListener),
		Routes:    measured(uniqueRoutes(server, proxy, listeners), measureRoutes),
	}
}

func measured[T proto.Message](found []T, measure func(T) Resource) []Resource {
	resources := make([]Resource, 0, len(found))
	for _, each := range found {
		resource := measure(each)
		resource.Bytes = proto.Size(each)
		resources = append(resources, resource)
	}
	slices.SortFunc(resources, func(a, b Resource) int { return cmp.Compare(a.Name, b.Name) })
	return resources
}

func loadAssignments(
	server *xds.FakeDiscoveryServer, proxy *model.Proxy, clusters []*cluster.Cluster,
) []*endpoint.ClusterLoadAssignment {
	found := []*endpoint.ClusterLoadAssignment{}
	for _, c := range clusters {
		if c.GetType() == cluster.Cluster_EDS {
			builder := endpoints.NewEndpointBuilder(c.Name, proxy, server.PushContext())
			found = append(found, builder.BuildClusterLoadAssignment(server.Discovery.Env.EndpointIndex))
		}
	}
	return found
}

func measureCluster(c *cluster.Cluster) Resource {
	resource := measureLoadAssignment(c.GetLoadAssignment())
	resource.Name = c.Name
	return resource
}

func measureLoadAssignment(assignment *endpoint.ClusterLoadAssignment) Resource {
	resource := Resource{Name: assignment.GetClusterName()}
	for _, locality := range assignment.GetEndpoints() {
		resource.Parts += len(locality.LbEndpoints)
	}
	return resource
}

func measureListener(l *listener.Listener) Resource {
	resource := Resource{Name: l.Name, Parts: len(l.FilterChains)}
	if l.DefaultFilterChain != nil {
		resource.Parts++
	}
	return resource
}

func measureRoutes(config *route.RouteConfiguration) Resource {
	resource := Resource{Name: config.Name, Parts: len(config.VirtualHosts)}
	for _, host := range config.VirtualHosts {
		resource.Routes += len(host.Routes)
	}
	return resource
}
