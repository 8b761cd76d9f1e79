package dump

import (
	"slices"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/kclient"
	"istio.io/istio/pkg/kube/namespace"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// HiddenNamespaces lists the namespaces that istiod's own filter hides under a configuration.
func (m *Mesh) HiddenNamespaces(config *meshconfig.MeshConfig) map[string]bool {
	hidden := map[string]bool{}
	if len(config.GetDiscoverySelectors()) == 0 {
		return hidden
	}
	namespaces := []runtime.Object{}
	for _, object := range m.Objects {
		if each, ok := object.(*corev1.Namespace); ok {
			namespaces = append(namespaces, each)
		}
	}
	stop := make(chan struct{})
	defer close(stop)
	client := kclient.New[*corev1.Namespace](kube.NewFakeClient(namespaces...))
	filter := namespace.NewDiscoveryNamespacesFilter(client, meshwatcher.NewTestWatcher(config), stop)
	for _, each := range namespaces {
		name := each.(*corev1.Namespace).Name
		hidden[name] = !filter.Filter(name)
	}
	return hidden
}

// leaveOutHidden leaves out Istio's objects in hidden namespaces: istiod's informers do that themselves,
// the fake server's store of configurations does not.
func (m *Mesh) leaveOutHidden() {
	hidden := m.HiddenNamespaces(m.Config)
	m.Configs = slices.DeleteFunc(m.Configs, func(c config.Config) bool { return hidden[c.Namespace] })
}
