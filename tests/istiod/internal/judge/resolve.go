package judge

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/simulation"
	"istio.io/istio/pilot/pkg/xds/endpoints"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pilot/test/xdstest"
	"istio.io/istio/pkg/wellknown"
)

const nameResolver = "envoy.filters.http.dynamic_forward_proxy"

// Call is what an application sends: to an address and port, over http, http2, tcp or tls.
type Call struct {
	Address  string            `json:"address"`
	Port     int               `json:"port"`
	Protocol string            `json:"protocol"`
	Host     string            `json:"host"`
	SNI      string            `json:"sni"`
	Path     string            `json:"path"`
	Method   string            `json:"method"`
	Headers  map[string]string `json:"headers"`
}

// Resolution is the way a call takes through the proxy.
type Resolution struct {
	Listener    string    `json:"listener"`
	FilterChain string    `json:"filter_chain"`
	RouteConfig string    `json:"route_config"`
	VirtualHost string    `json:"virtual_host"`
	Domains     []string  `json:"domains"`
	Route       string    `json:"route"`
	RouteNumber int       `json:"route_number"` // in its virtual host, from 1
	RouteDigest string    `json:"route_digest"`
	Status      uint32    `json:"status"` // of a direct response
	Redirect    bool      `json:"redirect"`
	Clusters    []Cluster `json:"clusters"`
	Mirrors     []Cluster `json:"mirrors"`
	Filters     string    `json:"filters"` // digest of the filters that the call passes
	Error       string    `json:"error"`
}

// Cluster is an Envoy cluster that a route names. Digest is of its configuration and endpoints.
type Cluster struct {
	Name   string `json:"name"`
	Weight uint32 `json:"weight"`
	Exists bool   `json:"exists"`
	Digest string `json:"digest"`
}

// Resolver follows the calls of one proxy.
type Resolver struct {
	t          *testing.T
	server     *xds.FakeDiscoveryServer
	proxy      *model.Proxy
	simulation *simulation.Simulation
	routes     map[string]*route.RouteConfiguration
	clusters   map[string]*cluster.Cluster
	refused    map[string]bool // by the name of the listener
}

// NewResolver asks istiod for all that a proxy is sent.
func NewResolver(t *testing.T, server *xds.FakeDiscoveryServer, proxy *model.Proxy) *Resolver {
	s := simulation.NewSimulation(t, server, proxy)
	s.Routes = uniqueRoutes(server, proxy, s.Listeners)
	refused := map[string]bool{}
	for _, l := range s.Listeners {
		refused[l.Name] = l.Name != model.VirtualInboundListenerName && isRefused(l)
	}
	return &Resolver{
		t:          t,
		server:     server,
		proxy:      proxy,
		simulation: s,
		routes:     xdstest.ExtractRouteConfigurations(s.Routes),
		clusters:   xdstest.ExtractClusters(s.Clusters),
		refused:    refused,
	}
}

// uniqueRoutes asks once per name: istiod answers a repeated name in one request with other domains.
func uniqueRoutes(
	server *xds.FakeDiscoveryServer, proxy *model.Proxy, listeners []*listener.Listener,
) []*route.RouteConfiguration {
	names := xdstest.ExtractRoutesFromListeners(listeners)
	slices.Sort(names)
	request := &model.PushRequest{Push: server.PushContext()}
	resources, _ := server.ConfigGen.BuildHTTPRoutes(proxy, request, slices.Compact(names))
	configs := make([]*route.RouteConfiguration, 0, len(resources))
	for _, resource := range resources {
		config := xdstest.SilentlyUnmarshalAny[route.RouteConfiguration](resource.Resource)
		for _, host := range config.GetVirtualHosts() {
			for i, domain := range host.Domains {
				host.Domains[i] = strings.ToLower(domain) // as Envoy does with both sides
			}
		}
		configs = append(configs, config)
	}
	return configs
}

func (r *Resolver) clusterNames() []string {
	names := make([]string, 0, len(r.clusters))
	for name := range r.clusters {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// clustersNamedByListeners finds what filters, tracers and access logs send to, wherever they are nested.
func (r *Resolver) clustersNamedByListeners() []string {
	named := []string{}
	for _, l := range r.simulation.Listeners {
		raw, err := proto.Marshal(l)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, name := range r.clusterNames() {
			if bytes.Contains(raw, []byte(name)) {
				named = append(named, name)
			}
		}
	}
	slices.Sort(named)
	return slices.Compact(named)
}

// inboundDigest is of the inbound listener, which holds its routes, and of the clusters behind it.
func (r *Resolver) inboundDigest() string {
	parts := []proto.Message{}
	for _, l := range r.simulation.Listeners {
		if l.Name == model.VirtualInboundListenerName {
			parts = append(parts, l)
		}
	}
	for _, name := range r.clusterNames() {
		if strings.HasPrefix(name, "inbound|") {
			parts = append(parts, r.clusters[name])
		}
	}
	return digest(r.t, parts...)
}

// Resolve takes listener, filter chain and virtual host from Istio's simulation of Envoy. The rest is
// done here, because the simulation ignores headers, weights, mirrors and missing clusters.
func (r *Resolver) Resolve(call Call) Resolution {
	var chain *listener.FilterChain
	input := simulation.Call{
		Address:    call.Address,
		Port:       call.Port,
		Path:       call.Path,
		Protocol:   simulation.Protocol(call.Protocol),
		HostHeader: strings.ToLower(call.Host),
		Sni:        strings.ToLower(call.SNI),
		CallMode:   simulation.CallModeOutbound,
		CustomListenerValidations: []simulation.CustomFilterChainValidation{
			func(matched *listener.FilterChain) error { chain = matched; return nil },
		},
	}
	if call.Protocol == "tls" {
		input.Protocol, input.TLS = simulation.TCP, simulation.TLS
	}
	result := r.simulation.Run(input)
	if r.refused[result.ListenerMatched] {
		return Resolution{Listener: result.ListenerMatched, Error: errRefused.Error()}
	}
	resolution := Resolution{
		Listener:    result.ListenerMatched,
		FilterChain: result.FilterChainMatched,
		RouteConfig: result.RouteConfigMatched,
		VirtualHost: result.VirtualHostMatched,
	}
	switch {
	case result.VirtualHostMatched != "":
		r.followRoutes(&resolution, call)
	case result.Error != nil:
		resolution.Error = result.Error.Error()
	default:
		r.followTCP(&resolution, chain)
	}
	if chain != nil {
		resolution.Filters = r.filtersDigest(chain, resolution.Clusters)
	}
	return resolution
}

// filtersDigest leaves out the HTTP filter that resolves names where no cluster asks for it: Envoy passes by it.
func (r *Resolver) filtersDigest(chain *listener.FilterChain, clusters []Cluster) string {
	filters := make([]proto.Message, 0, len(chain.Filters))
	for _, filter := range chain.Filters {
		if filter.Name != wellknown.HTTPConnectionManager || slices.ContainsFunc(clusters, r.resolvesNames) {
			filters = append(filters, filter)
			continue
		}
		manager := xdstest.ExtractHTTPConnectionManager(r.t, chain)
		manager.HttpFilters = slices.DeleteFunc(manager.HttpFilters, func(f *hcm.HttpFilter) bool {
			return f.Name == nameResolver
		})
		filters = append(filters, manager)
	}
	return digest(r.t, filters...)
}

func (r *Resolver) resolvesNames(c Cluster) bool {
	return r.clusters[c.Name].GetClusterType().GetName() == "envoy.clusters.dynamic_forward_proxy"
}

func (r *Resolver) followTCP(resolution *Resolution, chain *listener.FilterChain) {
	proxy := xdstest.ExtractTCPProxy(r.t, chain)
	if name := proxy.GetCluster(); name != "" {
		resolution.Clusters = []Cluster{r.cluster(name, 0)}
	}
	for _, c := range proxy.GetWeightedClusters().GetClusters() {
		resolution.Clusters = append(resolution.Clusters, r.cluster(c.Name, c.Weight))
	}
}

func (r *Resolver) followRoutes(resolution *Resolution, call Call) {
	hosts := r.routes[resolution.RouteConfig].GetVirtualHosts()
	i := slices.IndexFunc(hosts, func(h *route.VirtualHost) bool { return h.Name == resolution.VirtualHost })
	resolution.Domains = hosts[i].Domains
	number := matchRoute(r.t, hosts[i].Routes, call)
	if number < 0 {
		resolution.Error = simulation.ErrNoRoute.Error()
		return
	}
	matched := hosts[i].Routes[number]
	resolution.RouteNumber = number + 1
	resolution.Route = matched.Name
	shared := proto.CloneOf(hosts[i])
	shared.Name, shared.Domains, shared.Routes = "", nil, nil
	resolution.RouteDigest = digest(r.t, matched, shared)
	resolution.Status = matched.GetDirectResponse().GetStatus()
	resolution.Redirect = matched.GetRedirect() != nil
	action := matched.GetRoute()
	if name := action.GetCluster(); name != "" {
		resolution.Clusters = []Cluster{r.cluster(name, 0)}
	}
	for _, c := range action.GetWeightedClusters().GetClusters() {
		resolution.Clusters = append(resolution.Clusters, r.cluster(c.Name, c.Weight.GetValue()))
	}
	for _, mirror := range action.GetRequestMirrorPolicies() {
		resolution.Mirrors = append(resolution.Mirrors, r.cluster(mirror.Cluster, 0))
	}
}

func (r *Resolver) cluster(name string, weight uint32) Cluster {
	config, exists := r.clusters[name]
	found := Cluster{Name: name, Weight: weight, Exists: exists}
	if !exists {
		return found
	}
	found.Digest = digest(r.t, config)
	if config.GetEdsClusterConfig() != nil {
		builder := endpoints.NewEndpointBuilder(name, r.proxy, r.server.PushContext())
		assignment := builder.BuildClusterLoadAssignment(r.server.Discovery.Env.EndpointIndex)
		sortEndpoints(r.t, assignment)
		found.Digest = digest(r.t, config, assignment)
	}
	return found
}
