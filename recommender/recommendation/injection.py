"""Whether the pods to come of a workload will have a proxy.

Source: istio pkg/kube/inject/inject.go `injectRequired`: the pod's own label or annotation first,
then the namespace's label; a revision label on either stands for an enabled one.
"""

from __future__ import annotations

from recommender.mesh import MeshIndex, Workload

INJECTION_LABEL = "istio-injection"
REVISION_LABEL = "istio.io/rev"
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
