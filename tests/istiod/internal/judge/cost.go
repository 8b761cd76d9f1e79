package judge

import (
	"math"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"istio.io/istio/pilot/pkg/model"
	v3 "istio.io/istio/pilot/pkg/xds/v3"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pilot/test/xdstest"
	"istio.io/istio/pkg/util/sets"
)

// Cost is what a push of everything to some proxies takes istiod: seconds of CPU to work out the scopes of
// Sidecars, and to generate and encode so many bytes.
type Cost struct {
	ScopeSeconds float64 `json:"scope_seconds"`
	PushSeconds  float64 `json:"push_seconds"`
	Bytes        int     `json:"bytes"`
}

// scopeRuns is how often scopes are worked out, of which the quickest counts: it is milliseconds.
const scopeRuns = 10

// costOf measures one push. Scopes are worked out when the first proxy asks for them
// (PILOT_ENABLE_LAZY_SIDECAR_EVALUATION). istiod's cache is empty at first, and fills as it goes.
func costOf(t *testing.T, server *xds.FakeDiscoveryServer, proxies []*model.Proxy) Cost {
	cost := Cost{ScopeSeconds: math.Inf(1)}
	var fresh *model.PushContext
	for range scopeRuns {
		fresh = model.NewPushContext()
		fresh.InitContext(server.Env(), nil, nil)
		runtime.GC()
		cost.ScopeSeconds = min(cost.ScopeSeconds, processorSeconds(func() {
			for _, proxy := range proxies {
				proxy.SetSidecarScope(fresh)
			}
		}))
	}
	routes := make([]sets.String, 0, len(proxies))
	for _, proxy := range proxies {
		proxy.LastPushContext = fresh
		routes = append(routes, sets.New(xdstest.ExtractRoutesFromListeners(server.Listeners(proxy))...))
	}
	server.Discovery.Cache.ClearAll()
	runtime.GC()
	start := time.Now()
	cost.PushSeconds = processorSeconds(func() {
		for i, proxy := range proxies {
			cost.Bytes += pushed(t, server, proxy, fresh, start, routes[i])
		}
	})
	return cost
}

// pushed generates and encodes what a proxy is sent, and returns the bytes for outbound calls.
func pushed(
	t *testing.T, server *xds.FakeDiscoveryServer, proxy *model.Proxy, push *model.PushContext,
	start time.Time, routes sets.String,
) int {
	bytes := 0
	generate := func(typeURL string, names sets.String) model.Resources {
		watched := &model.WatchedResource{TypeUrl: typeURL, ResourceNames: names, Wildcard: names == nil}
		request := &model.PushRequest{Forced: true, Push: push, Start: start}
		found, _, err := server.Discovery.Generators[typeURL].Generate(proxy, watched, request)
		if err != nil {
			t.Error(err)
		}
		for _, each := range found {
			if _, err := proto.Marshal(each); err != nil {
				t.Error(err)
			}
			if !strings.HasPrefix(each.Name, "inbound|") && each.Name != model.VirtualInboundListenerName {
				bytes += len(each.Resource.Value)
			}
		}
		return found
	}
	endpoints := sets.New[string]()
	for _, each := range generate(v3.ClusterType, nil) {
		if strings.HasPrefix(each.Name, "outbound|") {
			endpoints.Insert(each.Name)
		}
	}
	generate(v3.EndpointType, endpoints)
	generate(v3.ListenerType, nil)
	generate(v3.RouteType, routes)
	return bytes
}

func processorSeconds(work func()) float64 {
	begin := processorTime()
	work()
	return (processorTime() - begin).Seconds()
}

func processorTime() time.Duration {
	usage := syscall.Rusage{}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
