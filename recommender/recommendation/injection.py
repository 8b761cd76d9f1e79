"""Whether the pods to come of a workload will have a proxy, and proxies that are in no pod.

Source: istio pkg/kube/inject/inject.go `injectRequired`: the pod's own label or annotation first,
then the namespace's label; a revision label on either stands for an enabled one.
"""

from __future__ import annotations

from collections.abc import Iterator

from recommender.mesh import Mesh, MeshIndex, Workload
from recommender.mesh.objects import WorkloadEntry

INJECTION_LABEL = "istio-injection"
REVISION_LABEL = "istio.io/rev"
_VIRTUAL_MACHINE = ("istio.io/autoRegistrationGroup", "istio.io/workloadController")
_YES = ("true", "yes", "on", "enabled")


def proxy_to_come(workload: Workload, index: MeshIndex) -> bool:
    """Tell whether Istio would inject a proxy into the pods of a workload."""
    if workload.host_network:
        return False
    if workload.proxy is not None:
        return True
    if workload.injection is not None:
        return workload.injection.lower() in _YES
    namespace = index.namespaces.get((workload.meta.kubernetes_cluster, workload.id.namespace))
    labels = namespace.meta.labels if namespace else {}
    if INJECTION_LABEL in labels:
        return labels[INJECTION_LABEL].lower() in _YES
    return REVISION_LABEL in labels or REVISION_LABEL in (workload.template_labels or {})


def virtual_machines(mesh: Mesh, namespace: str) -> Iterator[str]:
    """Name what brings proxies into a namespace that are in no pod."""
    for entry in mesh.workload_entries:
        if entry.meta.namespace == namespace and is_virtual_machine(entry):
            yield f"the virtual machine {namespace}/{entry.meta.name}"
    for group in mesh.workload_groups:
        if group.meta.namespace == namespace:
            yield f"the virtual machines of {namespace}/{group.meta.name}"


def is_virtual_machine(entry: WorkloadEntry) -> bool:
    """Tell whether a proxy made a WorkloadEntry when it came, or has one by its service account.

    Source: istio pilot/pkg/autoregistration; the API says that an account asks for a sidecar.
    """
    is_registered = any(key in entry.meta.annotations for key in _VIRTUAL_MACHINE)
    return is_registered or bool(entry.service_account)
