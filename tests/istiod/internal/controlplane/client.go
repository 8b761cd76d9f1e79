package controlplane

import (
	"fmt"

	"istio.io/istio/pkg/kube"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
)

// fakeClient does without managed fields, which take milliseconds for every object and play no part here.
func fakeClient(objects ...runtime.Object) kube.Client {
	ofKubernetes, others := []runtime.Object{}, []runtime.Object{}
	for _, object := range objects {
		if _, _, err := scheme.Scheme.ObjectKinds(object); err == nil {
			ofKubernetes = append(ofKubernetes, object)
		} else {
			others = append(others, object)
		}
	}
	client := kube.NewFakeClient(others...)
	tracker := client.Kube().(*fake.Clientset).Tracker()
	for _, object := range ofKubernetes {
		if err := tracker.Add(object); err != nil {
			panic(fmt.Sprintf("the fake client does not take an object: %v", err))
		}
	}
	return client
}
