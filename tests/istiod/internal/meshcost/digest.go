package meshcost

import (
	"crypto/sha256"
	"hash"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	accesslog "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcp "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xdstest"
)

const rusageThread = 1 // RUSAGE_THREAD of getrusage(2)

// digest covers what is sent, without what reports about calls, which names the workload.
type digest [sha256.Size]byte

// halves are of all that decides where a proxy's outbound calls go, and of what is for inbound calls.
type halves struct {
	outbound, inbound digest
}

func digestOf(t *testing.T, found generated, inbound bool) digest {
	sum, result := sha256.New(), digest{}
	for _, resources := range []model.Resources{found.clusters, found.endpoints, found.routes} {
		add(sum, resources, inbound, func(value *anypb.Any) []byte { return value.Value })
	}
	add(sum, found.listeners, inbound, func(value *anypb.Any) []byte {
		return withoutReports(t, xdstest.UnmarshalAny[listener.Listener](t, value))
	})
	sum.Sum(result[:0])
	return result
}

// add writes the resources of a half in the order of their names.
func add(sum hash.Hash, resources model.Resources, inbound bool, encoding func(*anypb.Any) []byte) {
	ordered := slices.Clone(resources)
	slices.SortFunc(ordered, func(a, b *discovery.Resource) int { return strings.Compare(a.Name, b.Name) })
	for _, each := range ordered {
		if isInbound(each.Name) == inbound {
			sum.Write([]byte(each.Name))
			sum.Write(encoding(each.Resource))
		}
	}
}

func isInbound(name string) bool {
	return strings.HasPrefix(name, "inbound|") || name == model.VirtualInboundListenerName
}

func withoutReports(t *testing.T, l *listener.Listener) []byte {
	l.AccessLog = []*accesslog.AccessLog{}
	for _, chain := range append(l.FilterChains, l.DefaultFilterChain) {
		for _, filter := range chain.GetFilters() {
			config := filter.GetTypedConfig()
			switch {
			case config.MessageIs(&hcm.HttpConnectionManager{}):
				manager := xdstest.UnmarshalAny[hcm.HttpConnectionManager](t, config)
				manager.AccessLog, manager.Tracing = nil, nil
				config.Value = encoded(t, manager)
			case config.MessageIs(&tcp.TcpProxy{}):
				proxy := xdstest.UnmarshalAny[tcp.TcpProxy](t, config)
				proxy.AccessLog = nil
				config.Value = encoded(t, proxy)
			}
		}
	}
	return encoded(t, l)
}

func encoded(t *testing.T, message proto.Message) []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		t.Error(err)
	}
	return raw
}

func processorTime(of int) time.Duration {
	usage := syscall.Rusage{}
	if err := syscall.Getrusage(of, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
