package meshcost

import (
	"slices"

	"istio.io/istio/pilot/pkg/model"
	pilotxds "istio.io/istio/pilot/pkg/xds"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/config/schema/kind"
	"istio.io/istio/pkg/util/sets"
)

// Reach tells how many proxies, in all pods, a change of one object is pushed to. Kind is Service, VirtualService or
// DestinationRule; the name of a Service is its host.
type Reach struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Proxies   int    `json:"proxies"`
}

// reachOfChanges asks for every service, VirtualService and DestinationRule.
func reachOfChanges(
	server *xds.FakeDiscoveryServer, asked []Proxy, proxies []*model.Proxy,
) []Reach {
	changes := []Reach{}
	for _, service := range server.Env().ServiceDiscovery.Services() {
		changes = append(changes, Reach{
			Kind: "Service", Namespace: service.Attributes.Namespace, Name: string(service.Hostname),
		})
	}
	for _, each := range []config.GroupVersionKind{gvk.VirtualService, gvk.DestinationRule} {
		for _, found := range server.Store().List(each, model.NamespaceAll) {
			changes = append(changes, Reach{Kind: each.Kind, Namespace: found.Namespace, Name: found.Name})
		}
	}
	places := make([]int, len(changes))
	for place := range changes {
		places[place] = place
	}
	inParallel(places, func(place int) {
		changes[place].Proxies = reached(server.PushContext(), asked, proxies, changes[place])
	})
	slices.SortFunc(changes, func(a, b Reach) int {
		return slices.Compare([]string{a.Kind, a.Namespace, a.Name}, []string{b.Kind, b.Namespace, b.Name})
	})
	return changes
}

func reached(push *model.PushContext, asked []Proxy, proxies []*model.Proxy, change Reach) int {
	key := model.ConfigKey{Namespace: change.Namespace, Name: change.Name}
	if key.Kind = kind.FromString(change.Kind); change.Kind == "Service" {
		key.Kind = kind.ServiceEntry
	}
	count := 0
	for place, proxy := range proxies {
		request := &model.PushRequest{ConfigsUpdated: sets.New(key), Push: push}
		if _, needed := pilotxds.DefaultProxyNeedsPush(proxy, request); needed {
			count += asked[place].Pods
		}
	}
	return count
}
