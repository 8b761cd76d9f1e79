// Package meshcost measures what istiod sends every proxy of a mesh, and what that costs istiod.
package meshcost

import (
	"encoding/hex"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"

	"recommend-sidecars/tests/istiod/internal/controlplane"
	"recommend-sidecars/tests/istiod/internal/judge"
)

// Request asks about one mesh.
type Request struct {
	Mesh    controlplane.Mesh `json:"mesh"`
	Proxies []Proxy           `json:"proxies"`
}

// Proxy is a proxy and the calls made through it. It stands for all pods of its workload, which are sent
// the same.
type Proxy struct {
	controlplane.Proxy
	Pods  int          `json:"pods"`
	Calls []judge.Call `json:"calls"`
}

// Response tells what was measured. Sent and Calls are by proxy, in the order of the request; a call is
// a place in Resolutions.
type Response struct {
	// Load is the start of istiod, Context one full push context, Scopes the scope of every proxy, and
	// Push everything that the proxies of the request are sent, once and with nothing cached.
	Load    Work `json:"load"`
	Context Work `json:"context"`
	Scopes  Work `json:"scopes"`
	Push    Work `json:"push"`
	// HeapBytes is what is in use with all scopes built, after garbage was collected.
	HeapBytes   uint64             `json:"heap_bytes"`
	Sent        []Sent             `json:"sent"`
	Reach       []Reach            `json:"reach"`
	Resolutions []judge.Resolution `json:"resolutions"`
	Calls       [][]int            `json:"calls"`
	// Inbound has a digest of what each proxy is sent for inbound calls.
	Inbound []string `json:"inbound"`
	// Alike is how many different configurations for outbound calls there are.
	Alike int `json:"alike"`
}

// Work is a piece of work; CPU seconds are those of all threads.
type Work struct {
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"`
}

// Run measures one mesh.
func Run(t *testing.T, request Request) Response {
	response := Response{}
	var server *xds.FakeDiscoveryServer
	response.Load = timed(func() {
		var err error
		if server, err = controlplane.Start(t, request.Mesh); err != nil {
			t.Fatal(err)
		}
	})
	proxies := connect(t, server, request.Proxies)
	response.Context, response.Scopes, response.HeapBytes = buildScopes(server, proxies)
	var digests []halves
	response.Sent, digests, response.Push = pushAll(t, server, proxies)
	for _, each := range digests {
		response.Inbound = append(response.Inbound, hex.EncodeToString(each.inbound[:8]))
	}
	response.Reach = reachOfChanges(server, request.Proxies, proxies)
	response.Resolutions, response.Calls, response.Alike = resolveCalls(
		t, server, request.Proxies, proxies, digests)
	return response
}

func connect(t *testing.T, server *xds.FakeDiscoveryServer, asked []Proxy) []*model.Proxy {
	proxies := make([]*model.Proxy, 0, len(asked))
	for _, each := range asked {
		proxy, err := controlplane.Connect(server, each.Proxy)
		if err != nil {
			t.Fatal(err)
		}
		proxies = append(proxies, proxy)
	}
	return proxies
}

// buildScopes does again what a push of everything begins with. Scopes of Sidecars are built when the
// first proxy asks for them (PILOT_ENABLE_LAZY_SIDECAR_EVALUATION), so they are not in the context.
func buildScopes(server *xds.FakeDiscoveryServer, proxies []*model.Proxy) (Work, Work, uint64) {
	fresh := model.NewPushContext()
	context := timed(func() { fresh.InitContext(server.Env(), nil, nil) })
	scopes := timed(func() {
		for _, proxy := range proxies {
			proxy.SetSidecarScope(fresh)
		}
	})
	for _, proxy := range proxies {
		proxy.SetSidecarScope(server.PushContext())
		proxy.PrevSidecarScope = nil
	}
	fresh = nil
	runtime.GC()
	stats := runtime.MemStats{}
	runtime.ReadMemStats(&stats)
	return context, scopes, stats.HeapAlloc
}

func timed(work func()) Work {
	begin, processor := time.Now(), processorTime(syscall.RUSAGE_SELF)
	work()
	return Work{time.Since(begin).Seconds(), (processorTime(syscall.RUSAGE_SELF) - processor).Seconds()}
}

// inParallel does the same work for each item, on all processors.
func inParallel[T any](items []T, work func(T)) {
	queue := make(chan T)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Add(1)
		go func() {
			runtime.LockOSThread() // for the time of the thread
			defer workers.Done()
			for item := range queue {
				work(item)
			}
		}()
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	workers.Wait()
}
