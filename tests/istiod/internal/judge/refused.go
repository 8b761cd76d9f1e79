package judge

import (
	"errors"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"istio.io/istio/pilot/pkg/networking/util"
)

var errRefused = errors.New("Envoy refuses the listener") //nolint:staticcheck // the name of a product

// lookup is one way by which Envoy finds a filter chain of an outbound listener.
type lookup struct {
	port                                       uint32
	subnet, serverName, transport, application string
}

// isRefused tells whether Envoy would not take a listener, by the rules of its
// filter_chain_manager_impl.cc: each lookup may lead to one chain, a wildcard is the first label.
func isRefused(l *listener.Listener) bool {
	taken := map[lookup]bool{}
	for _, chain := range l.FilterChains {
		match := chain.GetFilterChainMatch()
		for _, name := range match.GetServerNames() {
			if strings.Contains(strings.TrimPrefix(name, "*."), "*") {
				return true
			}
		}
		for _, key := range lookups(match) {
			if taken[key] {
				return true
			}
			taken[key] = true
		}
	}
	return false
}

func lookups(match *listener.FilterChainMatch) []lookup {
	var found []lookup
	port := match.GetDestinationPort().GetValue()
	for _, subnet := range orNone(subnets(match.GetPrefixRanges())) {
		for _, name := range orNone(match.GetServerNames()) {
			for _, application := range orNone(match.GetApplicationProtocols()) {
				name := strings.ToLower(name)
				found = append(found, lookup{port, subnet, name, match.GetTransportProtocol(), application})
			}
		}
	}
	return found
}

func subnets(ranges []*core.CidrRange) []string {
	var found []string
	for _, r := range ranges {
		prefix, err := util.AddrStrToPrefix(r.AddressPrefix)
		if err != nil {
			continue
		}
		masked, err := prefix.Addr().Prefix(int(r.PrefixLen.GetValue()))
		if err == nil {
			found = append(found, masked.String())
		}
	}
	return found
}

func orNone(values []string) []string {
	if len(values) == 0 {
		return []string{""}
	}
	return values
}
