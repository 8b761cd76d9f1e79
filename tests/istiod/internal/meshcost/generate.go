package meshcost

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"istio.io/istio/pilot/pkg/model"
	v3 "istio.io/istio/pilot/pkg/xds/v3"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pilot/test/xdstest"
	"istio.io/istio/pkg/util/sets"
)

// Sent is what a proxy is sent, by xDS type.
type Sent struct {
	Clusters  Amount `json:"cds"`
	Endpoints Amount `json:"eds"`
	Listeners Amount `json:"lds"`
	Routes    Amount `json:"rds"`
}

// Amount counts resources. Bytes are those of their encoding, as istiod's push log counts them.
type Amount struct {
	Resources int `json:"resources"`
	Bytes     int `json:"bytes"`
}

// generated is what a proxy is sent.
type generated struct {
	clusters, endpoints, listeners, routes model.Resources
}

type generator struct {
	t      *testing.T
	server *xds.FakeDiscoveryServer
	start  time.Time // what istiod caches is told apart by it
}

// pushAll generates and encodes what every proxy is sent, as a push of everything does. istiod's cache is
// empty at first, and fills as it does in istiod. The digests' time does not count.
func pushAll(
	t *testing.T, server *xds.FakeDiscoveryServer, proxies []*model.Proxy,
) ([]Sent, []halves, Work) {
	places := make([]int, len(proxies))
	for place := range proxies {
		places[place] = place
	}
	server.Discovery.Cache.ClearAll()
	g := generator{t, server, time.Now()}
	sent, digests := make([]Sent, len(proxies)), make([]halves, len(proxies))
	var spent atomic.Int64
	work := timed(func() {
		inParallel(places, func(place int) {
			found := g.push(proxies[place])
			sent[place] = found.amounts()
			begin := processorTime(rusageThread)
			digests[place] = halves{digestOf(t, found, false), digestOf(t, found, true)}
			spent.Add(int64(processorTime(rusageThread) - begin))
		})
	})
	work.CPUSeconds -= time.Duration(spent.Load()).Seconds()
	return sent, digests, work
}

// push generates and encodes. Of clusters, those of services get their endpoints by EDS: the mesh of the
// benchmark has no headless services and no hosts that Envoy looks up.
func (g generator) push(proxy *model.Proxy) generated {
	found := generated{
		clusters:  g.generate(proxy, v3.ClusterType, nil),
		listeners: g.generate(proxy, v3.ListenerType, nil),
	}
	names := sets.New[string]()
	for _, each := range found.clusters {
		if strings.HasPrefix(each.Name, "outbound|") {
			names.Insert(each.Name)
		}
	}
	found.endpoints = g.generate(proxy, v3.EndpointType, names)
	listeners := []*listener.Listener{}
	for _, each := range found.listeners {
		listeners = append(listeners, xdstest.UnmarshalAny[listener.Listener](g.t, each.Resource))
	}
	names = sets.New(xdstest.ExtractRoutesFromListeners(listeners)...)
	found.routes = g.generate(proxy, v3.RouteType, names)
	return found
}

func (g generator) generate(proxy *model.Proxy, typeURL string, names sets.String) model.Resources {
	watched := &model.WatchedResource{TypeUrl: typeURL, ResourceNames: names, Wildcard: names == nil}
	request := &model.PushRequest{Forced: true, Push: g.server.PushContext(), Start: g.start}
	resources, _, err := g.server.Discovery.Generators[typeURL].Generate(proxy, watched, request)
	if err != nil {
		g.t.Error(err)
	}
	response := &discovery.DeltaDiscoveryResponse{TypeUrl: typeURL, Resources: resources}
	if _, err := proto.Marshal(response); err != nil {
		g.t.Error(err)
	}
	return resources
}

func (g generated) amounts() Sent {
	return Sent{amountOf(g.clusters), amountOf(g.endpoints), amountOf(g.listeners), amountOf(g.routes)}
}

func amountOf(resources model.Resources) Amount {
	amount := Amount{Resources: len(resources)}
	for _, each := range resources {
		amount.Bytes += len(each.Resource.Value)
	}
	return amount
}
