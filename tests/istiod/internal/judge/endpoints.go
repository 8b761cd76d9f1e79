package judge

import (
	"cmp"
	"slices"
	"testing"

	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// sortEndpoints gives endpoints a stable order: istiod's is that of a Go map.
func sortEndpoints(t *testing.T, assignment *endpoint.ClusterLoadAssignment) {
	for _, locality := range assignment.GetEndpoints() {
		slices.SortFunc(locality.LbEndpoints, func(a, b *endpoint.LbEndpoint) int {
			return cmp.Compare(digest(t, a), digest(t, b))
		})
	}
}
