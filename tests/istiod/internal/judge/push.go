package judge

import (
	"slices"
	"testing"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/xds"
	"istio.io/istio/pkg/config/schema/kind"
	"istio.io/istio/pkg/util/sets"
)

// Key names what changed; for a ServiceEntry and for Endpoints the name is the host.
type Key struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// Push tells whether a proxy is sent anything, and which of the changes are why.
type Push struct {
	Needed bool  `json:"needed"`
	Keys   []Key `json:"keys"`
}

func pushes(t *testing.T, proxy *model.Proxy, push *model.PushContext, changes [][]Key) []Push {
	answers := make([]Push, 0, len(changes))
	for _, changed := range changes {
		updated := sets.New[model.ConfigKey]()
		for _, key := range changed {
			updated.Insert(model.ConfigKey{
				Kind: kindNamed(t, key.Kind), Name: key.Name, Namespace: key.Namespace,
			})
		}
		filtered, needed := xds.DefaultProxyNeedsPush(
			proxy, &model.PushRequest{ConfigsUpdated: updated, Push: push})
		answer := Push{Needed: needed, Keys: []Key{}}
		for key := range filtered.ConfigsUpdated {
			answer.Keys = append(answer.Keys, Key{key.Kind.String(), key.Name, key.Namespace})
		}
		answers = append(answers, answer)
	}
	return answers
}

func kindNamed(t *testing.T, name string) kind.Kind {
	found := kind.FromString(name)
	if found == kind.Unknown {
		t.Fatalf("istiod does not know the kind %q", name)
	}
	return found
}

func targets(proxy *model.Proxy) []string {
	found := []string{}
	for _, target := range proxy.ServiceTargets {
		found = append(found, target.Service.Attributes.Namespace+"/"+string(target.Service.Hostname))
	}
	slices.Sort(found)
	return slices.Compact(found)
}
