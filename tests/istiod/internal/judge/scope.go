package judge

import (
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/serviceregistry/provider"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/config/schema/kind"
)

// Scope is a SidecarScope: the Sidecar ("namespace/name", empty for none) and what it imports.
type Scope struct {
	Sidecar   string     `json:"sidecar"`
	Listeners []Listener `json:"listeners"`
	Services  []Service  `json:"services"`
}

// Listener is one egress listener; its VirtualServices ("namespace/name") are in order of precedence.
type Listener struct {
	Port            uint32    `json:"port"`
	Services        []Service `json:"services"`
	VirtualServices []string  `json:"virtual_services"`
}

// Service is a registry service as a scope holds it.
type Service struct {
	Namespace  string   `json:"namespace"`
	Name       string   `json:"name"`
	Hostname   string   `json:"hostname"`
	Kubernetes bool     `json:"kubernetes"`
	Ports      []Port   `json:"ports"`
	Addresses  []string `json:"addresses"`
	Aliases    []string `json:"aliases"`
}

// Port is a port of a service; Protocol is istiod's word for it.
type Port struct {
	Number   int    `json:"number"`
	Name     string `json:"name"`
	Protocol string `json:"protocol"`
}

func scopeOf(proxy *model.Proxy, push *model.PushContext) Scope {
	sidecar := proxy.SidecarScope
	scope := Scope{
		Sidecar:   sidecarName(proxy, push.Mesh.GetRootNamespace()),
		Listeners: []Listener{},
		Services:  services(proxy, sidecar.Services()),
	}
	for _, l := range sidecar.EgressListeners {
		listener := Listener{
			Port:            l.IstioListener.GetPort().GetNumber(),
			Services:        services(proxy, l.Services()),
			VirtualServices: []string{},
		}
		for _, vs := range l.VirtualServices() {
			listener.VirtualServices = append(listener.VirtualServices, vs.Namespace+"/"+vs.Name)
		}
		scope.Listeners = append(scope.Listeners, listener)
	}
	return scope
}

// sidecarName looks for the namespace among the scope's dependencies: the scope only keeps the name.
func sidecarName(proxy *model.Proxy, rootNamespace string) string {
	scope := proxy.SidecarScope
	if scope.Sidecar == nil {
		return ""
	}
	for _, namespace := range []string{proxy.ConfigNamespace, rootNamespace} {
		key := model.ConfigKey{Kind: kind.Sidecar, Name: scope.Name, Namespace: namespace}
		if scope.DependsOnConfig(key, rootNamespace) {
			return namespace + "/" + scope.Name
		}
	}
	return "?/" + scope.Name
}

func services(proxy *model.Proxy, found []*model.Service) []Service {
	result := make([]Service, 0, len(found))
	for _, s := range found {
		result = append(result, service(proxy, s))
	}
	return result
}

func service(proxy *model.Proxy, s *model.Service) Service {
	result := Service{
		Namespace:  s.Attributes.Namespace,
		Name:       s.Attributes.Name,
		Hostname:   string(s.Hostname),
		Kubernetes: s.Attributes.ServiceRegistry == provider.Kubernetes,
		Ports:      []Port{},
		Addresses:  []string{},
		Aliases:    []string{},
	}
	for _, p := range s.Ports {
		result.Ports = append(result.Ports, Port{p.Port, p.Name, string(p.Protocol)})
	}
	for _, address := range s.GetAllAddressesForProxy(proxy) {
		if address != constants.UnspecifiedIP {
			result.Addresses = append(result.Addresses, address)
		}
	}
	for _, alias := range s.Attributes.Aliases {
		result.Aliases = append(result.Aliases, alias.Namespace+"/"+string(alias.Hostname))
	}
	return result
}
