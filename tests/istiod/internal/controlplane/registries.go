package controlplane

import (
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/serviceregistry"
	"istio.io/istio/pilot/pkg/serviceregistry/aggregate"
	"istio.io/istio/pilot/pkg/serviceregistry/provider"
	"istio.io/istio/pilot/pkg/serviceregistry/serviceentry"
	"istio.io/istio/pilot/pkg/serviceregistry/util/label"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/kube/krt"
	"istio.io/istio/pkg/kube/multicluster"
	"istio.io/istio/pkg/test"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"recommend-sidecars/tests/istiod/internal/dump"
)

type kubernetesCluster struct {
	id   cluster.ID
	mesh *dump.Mesh
}

// asInProduction does what istiod's own start does and the fake server leaves out (serviceregistry
// kube/controller/multicluster.go): registries in the order of the Kubernetes clusters, and a
// ServiceEntry registry that knows the namespaces where istiod is configured, and the pods and
// WorkloadEntries of every Kubernetes cluster.
func asInProduction(
	t test.Failer, server *xds.FakeDiscoveryServer, clusters []kubernetesCluster,
) *serviceentry.Controller {
	registries := server.Env().ServiceDiscovery.(*aggregate.Controller)
	for _, each := range clusters[1:] {
		moveToEnd(registries, each.id)
	}
	entries := serviceEntryRegistry(t, server, clusters[0])
	for place, each := range clusters {
		// The registry reads the WorkloadEntries of the first itself.
		for _, instance := range workloadInstances(each, clusters[0].mesh.Config, place > 0) {
			entries.WorkloadInstanceHandler(instance, model.EventAdd)
		}
	}
	return entries
}

// moveToEnd takes the Kubernetes registries out of the order of a Go map.
func moveToEnd(registries *aggregate.Controller, id cluster.ID) {
	var found serviceregistry.Instance
	for _, registry := range registries.GetRegistries() {
		if registry.Provider() == provider.Kubernetes && registry.Cluster() == id {
			found = registry
		}
	}
	registries.DeleteRegistry(id, provider.Kubernetes)
	registries.AddRegistry(found)
}

func serviceEntryRegistry(
	t test.Failer, server *xds.FakeDiscoveryServer, home kubernetesCluster,
) *serviceentry.Controller {
	namespaces := []runtime.Object{}
	for _, object := range home.mesh.Objects {
		if namespace, ok := object.(*corev1.Namespace); ok {
			namespaces = append(namespaces, namespace)
		}
	}
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	client := kube.NewFakeClient(namespaces...)
	clients := multicluster.NewController(multicluster.ControllerOptions{
		Client:          client,
		ClusterID:       home.id,
		SystemNamespace: home.mesh.Config.GetRootNamespace(),
		MeshConfig:      server.Env().Watcher,
		Debugger:        krt.GlobalDebugHandler,
	})
	if err := clients.Run(stop); err != nil {
		t.Fatal(err)
	}
	client.RunAndWait(stop)
	entries := serviceentry.NewController(
		server.Store(), server.Discovery, clients, server.Env().Watcher,
		serviceentry.WithClusterID(home.id), serviceentry.WithKRTDebugger(krt.GlobalDebugHandler))
	server.Env().ServiceDiscovery.(*aggregate.Controller).UpdateRegistry(entries, stop)
	go entries.Run(stop)
	kube.WaitForCacheSync("service entries", stop, entries.HasSynced)
	return entries
}

// workloadInstances lists what ServiceEntries can select in the namespaces that istiod looks at.
func workloadInstances(
	from kubernetesCluster, config *meshconfig.MeshConfig, withEntries bool,
) []*model.WorkloadInstance {
	found := []*model.WorkloadInstance{}
	hidden := from.mesh.HiddenNamespaces(config)
	for _, object := range from.mesh.Objects {
		if pod, ok := object.(*corev1.Pod); ok && pod.Status.PodIP != "" && !hidden[pod.Namespace] {
			instance := workloadInstance(from.id, pod.ObjectMeta, pod.Status.PodIP, pod.Labels)
			instance.Kind = model.PodKind
			found = append(found, instance)
		}
	}
	for _, each := range from.mesh.Configs {
		if entry, ok := each.Spec.(*networking.WorkloadEntry); ok && withEntries && !hidden[each.Namespace] {
			meta := metav1.ObjectMeta{Namespace: each.Namespace, Name: each.Name}
			instance := workloadInstance(from.id, meta, entry.Address, entry.Labels)
			instance.Kind = model.WorkloadEntryKind
			found = append(found, instance)
		}
	}
	return found
}

func workloadInstance(
	id cluster.ID, meta metav1.ObjectMeta, address string, labels map[string]string,
) *model.WorkloadInstance {
	return &model.WorkloadInstance{
		Name:      meta.Name,
		Namespace: meta.Namespace,
		Endpoint: &model.IstioEndpoint{
			Addresses: []string{address},
			Labels:    label.AugmentLabels(labels, id, "", "", ""),
			Namespace: meta.Namespace,
			Locality:  model.Locality{ClusterID: id},
		},
	}
}
