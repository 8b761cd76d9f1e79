package controlplane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/config/schema/kind"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	decisionTimeout = 60 * time.Second
	addedPort       = 7999
)

// ErrUndecided tells that istiod has not decided about every connected proxy in time.
var ErrUndecided = errors.New("istiod did not decide about every connected proxy")

// Change names an object of the mesh that is changed: a Service, VirtualService or DestinationRule.
type Change struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Decision tells which of the connected proxies istiod pushed a change to, by their names.
type Decision struct {
	Pushed []string `json:"pushed"`
	Spared []string `json:"spared"`
}

// Changer changes objects while proxies are connected, and notes for whom istiod needs a push.
type Changer struct {
	server *xds.FakeDiscoveryServer

	mutex   sync.Mutex
	key     model.ConfigKey
	decided map[string]bool // by the name of the proxy
}

// NewChanger listens to the decisions of a server that no proxy has connected to yet.
func NewChanger(server *xds.FakeDiscoveryServer) *Changer {
	changer := &Changer{server: server}
	needsPush := server.Discovery.ProxyNeedsPush
	server.Discovery.ProxyNeedsPush = func(
		proxy *model.Proxy, request *model.PushRequest,
	) (*model.PushRequest, bool) {
		changed := request.ConfigsUpdated
		filtered, needed := needsPush(proxy, request)
		changer.mutex.Lock()
		defer changer.mutex.Unlock()
		if changed.Contains(changer.key) {
			changer.decided[proxy.ID] = changer.decided[proxy.ID] || needed
		}
		return filtered, needed
	}
	return changer
}

// Apply changes an object so that what proxies are sent for it changes, and waits for the decisions.
func (c *Changer) Apply(change Change) (Decision, error) {
	key, store, err := c.prepare(change)
	if err != nil {
		return Decision{}, err
	}
	c.mutex.Lock()
	c.key, c.decided = key, map[string]bool{}
	c.mutex.Unlock()
	if err := store(); err != nil {
		return Decision{}, err
	}
	deadline := time.Now().Add(decisionTimeout)
	for time.Now().Before(deadline) {
		if decision, done := c.decision(); done {
			return decision, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return Decision{}, fmt.Errorf("%w: %v", ErrUndecided, change)
}

func (c *Changer) decision() (Decision, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	decision := Decision{Pushed: []string{}, Spared: []string{}}
	for name, needed := range c.decided {
		if needed {
			decision.Pushed = append(decision.Pushed, name)
		} else {
			decision.Spared = append(decision.Spared, name)
		}
	}
	slices.Sort(decision.Pushed)
	slices.Sort(decision.Spared)
	return decision, len(c.decided) >= len(c.server.Discovery.Clients())
}

// prepare returns the key by which istiod knows what changes, and what changes it.
func (c *Changer) prepare(change Change) (model.ConfigKey, func() error, error) {
	key := model.ConfigKey{Kind: kind.FromString(change.Kind), Name: change.Name, Namespace: change.Namespace}
	switch change.Kind {
	case "Service":
		services := c.server.KubeClient().Kube().CoreV1().Services(change.Namespace)
		service, err := services.Get(context.Background(), change.Name, metav1.GetOptions{})
		if err != nil {
			return key, nil, err
		}
		key.Kind = kind.ServiceEntry
		key.Name = fmt.Sprintf("%s.%s.svc.cluster.local", change.Name, change.Namespace)
		return key, func() error {
			changed := service.DeepCopy()
			port := corev1.ServicePort{Name: "http-added", Port: addedPort, Protocol: corev1.ProtocolTCP}
			changed.Spec.Ports = append(changed.Spec.Ports, port)
			_, err := services.Update(context.Background(), changed, metav1.UpdateOptions{})
			return err
		}, nil
	case "VirtualService":
		return c.prepareConfig(key, gvk.VirtualService, func(spec config.Spec) {
			for _, route := range spec.(*networking.VirtualService).Http {
				route.Timeout = durationpb.New(route.Timeout.AsDuration() + time.Second)
			}
		})
	case "DestinationRule":
		return c.prepareConfig(key, gvk.DestinationRule, func(spec config.Spec) {
			rule := spec.(*networking.DestinationRule)
			rule.TrafficPolicy = &networking.TrafficPolicy{
				OutlierDetection: &networking.OutlierDetection{
					Consecutive_5XxErrors: wrapperspb.UInt32(uint32(9 + len(rule.Subsets))),
				},
			}
		})
	default:
		return key, nil, fmt.Errorf("cannot change the kind %q: Service, VirtualService or DestinationRule", change.Kind)
	}
}

func (c *Changer) prepareConfig(
	key model.ConfigKey, kind config.GroupVersionKind, edit func(config.Spec),
) (model.ConfigKey, func() error, error) {
	found := c.server.Store().Get(kind, key.Name, key.Namespace)
	if found == nil {
		return key, nil, fmt.Errorf("the mesh has no %s %s/%s", kind.Kind, key.Namespace, key.Name)
	}
	return key, func() error {
		changed := found.DeepCopy()
		edit(changed.Spec)
		_, err := c.server.Store().Update(changed)
		return err
	}, nil
}
