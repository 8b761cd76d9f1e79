"""Namespaces where Istio may give pods to come a proxy though no label asks for it.

The Helm value `enableNamespacesByDefault` adds a webhook that does so. Where the dump has Istio's
webhooks they tell; else pods that have a proxy which no label asks for make it likely. Source:
istio manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from recommender.istio.label_selectors import selector_matches
from recommender.mesh import Mesh, MeshIndex, Namespace, Pod, Workload
from recommender.mesh.objects import InjectionWebhook
from recommender.mesh.proxies import injection
from recommender.recommendation.injection import INJECTION_LABEL, REVISION_LABEL

_NEVER: Final = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")
_ASKING: Final = (INJECTION_LABEL, REVISION_LABEL)


def injected_by_default(index: MeshIndex) -> Iterator[tuple[str, str]]:
    """Yield the namespaces where a pod without labels may be given a proxy, and why."""
    webhooks = _webhooks(index.mesh)
    guesses = dict(unasked_proxies(index))
    for namespace in index.mesh.namespaces:
        cluster, name = namespace.meta.kubernetes_cluster, namespace.meta.name
        if cluster in webhooks:
            chosen = [each.name for each in webhooks[cluster] if _is_asked(each, namespace)]
            if chosen:
                yield name, f"webhook {chosen[0]}"
        elif cluster in guesses and not _asks(namespace) and name not in _NEVER:
            yield name, f"no label, as where {guesses[cluster].workload} is, which has proxies"


def unasked_proxies(index: MeshIndex) -> Iterator[tuple[str, Pod]]:
    """Yield a pod with a proxy that no label asks for, of each Kubernetes cluster that has one.

    Where the dump has Istio's webhooks they tell better.
    """
    told = _webhooks(index.mesh)
    found: dict[str, Pod] = {}
    for pod in index.mesh.pods:
        if pod.meta.kubernetes_cluster not in told and _is_unasked(pod, index):
            found.setdefault(pod.meta.kubernetes_cluster, pod)
    yield from found.items()


def _webhooks(mesh: Mesh) -> dict[str, list[InjectionWebhook]]:
    found: dict[str, list[InjectionWebhook]] = {}
    for each in mesh.injection_webhooks:
        found.setdefault(each.meta.kubernetes_cluster, []).extend(each.webhooks)
    return found


def _is_asked(webhook: InjectionWebhook, namespace: Namespace) -> bool:
    """Tell whether a webhook is asked about a pod without labels in a namespace."""
    is_chosen = selector_matches(webhook.namespaces, namespace.meta.labels)
    return is_chosen and selector_matches(webhook.pods, {})


def _asks(namespace: Namespace) -> bool:
    """Tell whether a namespace has its own word on injection."""
    return any(label in namespace.meta.labels for label in _ASKING)


def _is_unasked(pod: Pod, index: MeshIndex) -> bool:
    """Tell whether a pod has a proxy for which neither it, nor its namespace, nor a hand asked."""
    cluster = pod.meta.kubernetes_cluster
    namespace = index.namespaces.get((cluster, pod.meta.namespace))
    if pod.proxy != "sidecar" or namespace is None or _asks(namespace):
        return False
    if injection(pod.meta.labels, pod.meta.annotations) is not None:
        return False
    if REVISION_LABEL in pod.meta.labels:
        return False
    copies = index.copies.get(pod.workload, ())
    return not any(_is_by_hand(copy) for copy in copies if copy.meta.kubernetes_cluster == cluster)


def _is_by_hand(workload: Workload) -> bool:
    """Tell whether a pod template has the proxy itself, or asks for one."""
    asks = workload.injection is not None or REVISION_LABEL in (workload.template_labels or {})
    return workload.proxy is not None or asks
