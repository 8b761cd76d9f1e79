"""What of a mesh of several Kubernetes clusters the model cannot know, or takes from one alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain

from recommender.istio.export_to import declared_export_to
from recommender.mesh.objects import Labels, Mesh, MeshNote, Pod, Service
from recommender.mesh.topology import CLUSTER_LABEL, asked_labels

_DIFFERS = "differs between Kubernetes clusters: istiod takes what its own has, else the first"
_BY_CHANCE = "differs between remote Kubernetes clusters: istiod takes the one that it met first"
_OWN_ISTIOD = "has an istiod of its own, taken to be configured as the first: it needs each Sidecar"
_NO_SUCH_NAME = f"asks for a {CLUSTER_LABEL} that no mesh source is named after"
_NO_NAMESPACE = "not where istiod is configured, where the Sidecars of its workloads have to be"
_ONE_OF_A_NAME = (
    "there in several Kubernetes clusters, of which istiod lets a ServiceEntry select one"
)


def kubernetes_cluster_notes(mesh: Mesh) -> list[MeshNote]:
    """Note where a proof is weaker since a mesh has several Kubernetes clusters."""
    if not any(mesh.kubernetes_clusters):
        return []
    found = [MeshNote(_NO_SUCH_NAME, where) for where in sorted(set(_asking_for_unknown(mesh)))]
    if len(mesh.kubernetes_clusters) > 1:
        found += _of_differing_services(mesh)
        found += [MeshNote(_OWN_ISTIOD, name) for name in further_istiods(mesh)]
        found += [MeshNote(_NO_NAMESPACE, f"Namespace {name}") for name in _lacking(mesh)]
        found += [MeshNote(_ONE_OF_A_NAME, where) for where in _selected_of_a_name(mesh)]
    return found


def _asking_for_unknown(mesh: Mesh) -> Iterator[str]:
    """Name what chooses proxies by the name of a Kubernetes cluster that there is not."""
    for kind, meta, labels in asked_labels(mesh):
        if labels.get(CLUSTER_LABEL, mesh.kubernetes_clusters[0]) not in mesh.kubernetes_clusters:
            yield f"{kind} {meta.namespace}/{meta.name}"


def _of_differing_services(mesh: Mesh) -> Iterator[MeshNote]:
    """Note the Services whose copies are not alike in what istiod takes from the first."""
    copies: dict[tuple[str, str], list[Service]] = defaultdict(list)
    for service in mesh.services:
        copies[service.meta.namespace, service.meta.name].append(service)
    for (namespace, name), found in copies.items():
        for other in found[1:]:
            if _decisive(other) != _decisive(found[0]):
                cluster = other.meta.kubernetes_cluster
                at_home = found[0].meta.kubernetes_cluster == mesh.kubernetes_clusters[0]
                reason = _DIFFERS if at_home else _BY_CHANCE
                yield MeshNote(reason, f"Service {namespace}/{name} in {cluster}")


def _decisive(service: Service) -> tuple[object, ...]:
    ports = tuple((p.number, p.name, p.protocol, p.app_protocol) for p in service.ports)
    return (ports, service.headless, service.external_name, declared_export_to(service))


def further_istiods(mesh: Mesh) -> list[str]:
    """Name the Kubernetes clusters beside the first that run an istiod, which their proxies ask."""
    if len(mesh.kubernetes_clusters) == 1:
        return []
    pods = ((pod.meta.kubernetes_cluster, pod.meta.labels) for pod in mesh.pods)
    templates = ((w.meta.kubernetes_cluster, w.template_labels or {}) for w in mesh.workloads)
    found = {name for name, labels in chain(pods, templates) if labels.get("app") == "istiod"}
    return [name for name in mesh.kubernetes_clusters[1:] if name in found]


def _lacking(mesh: Mesh) -> list[str]:
    """Name the namespaces of workloads that the first Kubernetes cluster has not."""
    home = mesh.kubernetes_clusters[0]
    known = {n.meta.name for n in mesh.namespaces if n.meta.kubernetes_cluster == home}
    return sorted({workload.id.namespace for workload in mesh.workloads} - known) if known else []


def _selected_of_a_name(mesh: Mesh) -> Iterator[str]:
    """Name the pods of which a ServiceEntry may select several of one name."""
    pods: dict[tuple[str, str], list[Pod]] = defaultdict(list)
    for pod in mesh.pods:
        pods[pod.meta.namespace, pod.meta.name].append(pod)
    selectors: dict[str, list[Labels]] = defaultdict(list)
    for entry in mesh.service_entries:
        if entry.workload_selector is not None:
            selectors[entry.meta.namespace].append(entry.workload_selector)
    for (namespace, name), found in pods.items():
        if len(found) > 1 and any(
            selector.items() <= pod.meta.labels.items()
            for selector in selectors[namespace]
            for pod in found
        ):
            yield f"Pod {namespace}/{name}"
