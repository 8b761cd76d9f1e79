package meshcost

import (
	"crypto/sha256"
	"hash"
	"strings"
	"sync"
	"testing"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
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

// sample is what a proxy of a workload asks for, and a digest of what it gets for outbound calls.
type sample struct {
	endpoints sets.String
	routes    sets.String
	digest    [sha256.Size]byte
}

type generator struct {
	t      *testing.T
	server *xds.FakeDiscoveryServer
	start  time.Time // what istiod caches is told apart by it
}

// generateForWorkloads learns what one proxy of each workload asks for.
func generateForWorkloads(
	t *testing.T, server *xds.FakeDiscoveryServer, proxies []*model.Proxy, workloads map[string][]int,
) map[string]sample {
	g := generator{t, server, time.Now()}
	samples, mutex := map[string]sample{}, sync.Mutex{}
	names := []string{}
	for name := range workloads {
		names = append(names, name)
	}
	inParallel(names, func(name string) {
		found := g.sample(proxies[workloads[name][0]])
		mutex.Lock()
		defer mutex.Unlock()
		samples[name] = found
	})
	return samples
}

func (g generator) sample(proxy *model.Proxy) sample {
	found := sample{endpoints: sets.New[string](), routes: sets.New[string]()}
	hash := sha256.New()
	clusters := g.generate(proxy, v3.ClusterType, nil)
	for _, each := range clusters {
		c := xdstest.UnmarshalAny[cluster.Cluster](g.t, each.Resource)
		if c.GetType() == cluster.Cluster_EDS {
			found.endpoints.Insert(c.Name)
		}
	}
	listeners := g.generate(proxy, v3.ListenerType, nil)
	outbound := []*listener.Listener{}
	for _, each := range listeners {
		outbound = append(outbound, xdstest.UnmarshalAny[listener.Listener](g.t, each.Resource))
	}
	found.routes.InsertAll(xdstest.ExtractRoutesFromListeners(outbound)...)
	add(hash, clusters)
	add(hash, listeners)
	add(hash, g.generate(proxy, v3.EndpointType, found.endpoints))
	add(hash, g.generate(proxy, v3.RouteType, found.routes))
	hash.Sum(found.digest[:0])
	return found
}

// add leaves out what has to do with inbound calls alone.
func add(hash hash.Hash, resources model.Resources) {
	named := map[string][]byte{}
	for _, each := range resources {
		if !strings.HasPrefix(each.Name, "inbound|") && each.Name != model.VirtualInboundListenerName {
			named[each.Name] = each.Resource.Value
		}
	}
	names := sets.New[string]()
	for name := range named {
		names.Insert(name)
	}
	for _, name := range sets.SortedList(names) {
		hash.Write([]byte(name))
		hash.Write(named[name])
	}
}

// pushAll generates and encodes what every single proxy is sent, as a push of everything does. istiod's
// cache is empty at first, and fills as it does in istiod.
func pushAll(
	t *testing.T, server *xds.FakeDiscoveryServer, proxies []*model.Proxy,
	workloads map[string][]int, samples map[string]sample,
) ([]Sent, Work) {
	type job struct {
		place int
		sample
	}
	jobs := []job{}
	for name, places := range workloads {
		for _, place := range places {
			jobs = append(jobs, job{place, samples[name]})
		}
	}
	server.Discovery.Cache.ClearAll()
	g := generator{t, server, time.Now()}
	sent := make([]Sent, len(proxies))
	work := timed(func() {
		inParallel(jobs, func(j job) {
			proxy := proxies[j.place]
			sent[j.place] = Sent{
				Clusters:  g.push(proxy, v3.ClusterType, nil),
				Endpoints: g.push(proxy, v3.EndpointType, j.endpoints),
				Listeners: g.push(proxy, v3.ListenerType, nil),
				Routes:    g.push(proxy, v3.RouteType, j.routes),
			}
		})
	})
	return sent, work
}

func (g generator) push(proxy *model.Proxy, typeURL string, names sets.String) Amount {
	resources := g.generate(proxy, typeURL, names)
	response := &discovery.DeltaDiscoveryResponse{TypeUrl: typeURL, Resources: resources}
	if _, err := proto.Marshal(response); err != nil {
		g.t.Error(err)
	}
	amount := Amount{Resources: len(resources)}
	for _, each := range resources {
		amount.Bytes += len(each.Resource.Value)
	}
	return amount
}

func (g generator) generate(proxy *model.Proxy, typeURL string, names sets.String) model.Resources {
	generate := g.server.Discovery.Generators[typeURL]
	watched := &model.WatchedResource{TypeUrl: typeURL, ResourceNames: names, Wildcard: names == nil}
	request := &model.PushRequest{Forced: true, Push: g.server.PushContext(), Start: g.start}
	resources, _, err := generate.Generate(proxy, watched, request)
	if err != nil {
		g.t.Error(err)
	}
	return resources
}
