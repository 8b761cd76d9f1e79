package meshcost

import (
	"fmt"
	"testing"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"

	"recommend-sidecars/tests/istiod/internal/judge"
)

// resolveCalls follows the calls of every proxy. Proxies that are sent the same for outbound calls share
// the work, and each distinct call is followed once.
func resolveCalls(
	t *testing.T, server *xds.FakeDiscoveryServer, asked []Proxy, proxies []*model.Proxy,
	digests []halves,
) ([]judge.Resolution, [][]int, int) {
	groups := map[digest][]int{}
	for place, sent := range digests {
		groups[sent.outbound] = append(groups[sent.outbound], place)
	}
	resolutions := []judge.Resolution{}
	calls := make([][]int, len(asked))
	for _, places := range groups {
		resolver := judge.NewResolver(t, server, proxies[places[0]])
		known := map[string]int{}
		for _, place := range places {
			for _, call := range asked[place].Calls {
				key := fmt.Sprintf("%v", call) // fmt sorts the keys of maps
				number, ok := known[key]
				if !ok {
					number = len(resolutions)
					known[key] = number
					resolutions = append(resolutions, resolver.Resolve(call))
				}
				calls[place] = append(calls[place], number)
			}
		}
	}
	return resolutions, calls, len(groups)
}
