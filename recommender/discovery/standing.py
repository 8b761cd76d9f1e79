"""Namespaces that stay whatever the logs say: what runs there, and what the mesh names.

A hidden namespace is worth nothing to istiod: it watches neither its Services and pods nor its
Istio objects and Secrets, and no longer keeps the ConfigMap `istio-ca-root-cert` there, without
which no new pod with a proxy starts. Source: istio pilot/pkg/bootstrap/server.go
(`SetObjectFilter`), and what takes `ObjectFilter`: serviceregistry/kube/controller/controller.go,
endpointslice.go and namespacecontroller.go, config/kube/crdclient/client.go,
config/kube/gateway/controller.go, credentials/kube/secrets.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from recommender.discovery.contents import placed_namespaces
from recommender.discovery.injected import injected_by_default
from recommender.discovery.model import NamespaceNeed
from recommender.discovery.names import NamespacesOf, is_namespace_name
from recommender.istio.proxy import MESH_GATEWAY
from recommender.mesh import Labels, Mesh, MeshIndex
from recommender.mesh.objects import Pod, Service, ServiceEntry, WorkloadEntry
from recommender.recommendation.injection import (
    INJECTION_LABEL,
    REVISION_LABEL,
    is_virtual_machine,
    proxy_to_come,
)
from recommender.service_graph import Graph
from recommender.settings import Settings

_API_SERVER: Final = ("default", "kubernetes")
_DNS: Final = "kube-system"
_UNUSED: Final = ("kube-node-lease", "kube-public")
_AMBIENT: Final = ("istio.io/dataplane-mode", "istio.io/use-waypoint")
_YES: Final = ("true", "yes", "on", "enabled")

Found = Iterator[tuple[str, NamespaceNeed]]


def standing_needs(
    mesh: Mesh, index: MeshIndex, graph: Graph, settings: Settings, names: NamespacesOf
) -> Found:
    """Yield the namespaces that must stay, with the reason."""
    yield from _of_the_house(mesh)
    yield from _with_proxies(index, graph)
    yield from _to_be_injected(index)
    for namespace, why in injected_by_default(index):
        yield namespace, NamespaceNeed("default injection", why)
    yield from _ambient(mesh)
    yield from _at_the_edge(mesh)
    for what, meta in mesh.elsewhere:
        detail = f"{what} {meta.name} in {meta.kubernetes_cluster}"
        yield meta.namespace, NamespaceNeed("elsewhere", detail)
    yield from _not_told(mesh)
    for provider in mesh.config.extension_providers:
        for service in provider.services:
            home, slash, host = service.rpartition("/")
            for namespace in [home] if slash else names.of_host(host):
                yield namespace, NamespaceNeed("provider", f"extension provider {provider.name}")
    for entry in settings.pinned_hosts:
        for namespace in names.of_entry(entry):
            yield namespace, NamespaceNeed("pinned", f"{entry} in the settings")


def _of_the_house(mesh: Mesh) -> Found:
    """Keep what runs the mesh, and what every pod asks: the API server and DNS."""
    yield mesh.config.root_namespace, NamespaceNeed("root namespace", "rootNamespace of the mesh")
    pods = [(pod.meta.namespace, pod.meta.labels) for pod in mesh.pods]
    templates = [(w.id.namespace, w.template_labels or {}) for w in mesh.workloads]
    services = [(service.meta.namespace, service.meta.labels) for service in mesh.services]
    for namespace, labels in (*pods, *templates, *services):
        if labels.get("app") == "istiod":
            yield namespace, NamespaceNeed("root namespace", "istiod runs there")
    yield _DNS, NamespaceNeed("system", "the DNS of the Kubernetes cluster")
    yield _API_SERVER[0], NamespaceNeed("system", "the API server's Service is there")
    known = {namespace.meta.name for namespace in mesh.namespaces}
    for name in filter(known.__contains__, _UNUSED):
        yield name, NamespaceNeed("system", "Kubernetes made it; nothing is saved without it")


def _with_proxies(index: MeshIndex, graph: Graph) -> Found:
    for id_, copies in index.copies.items():
        kinds = {pod.proxy for pod in index.pods_by_workload.get(id_, ()) if pod.proxy}
        kinds |= {copy.proxy for copy in copies if copy.proxy}
        for kind in sorted(kinds):
            named = "sidecar proxies" if kind == "sidecar" else kind
            yield id_.namespace, NamespaceNeed("proxy", f"{named} of {id_}")
    for id_, node in graph.nodes(data=True):
        if node["kind"] == "workload" and node["pods"]:
            yield id_.namespace, NamespaceNeed("logged", str(id_))
    for pod in graph.graph["unknown_pods"]:
        yield pod.namespace, NamespaceNeed("logged", f"pod {pod.name}")
    for entry in index.mesh.workload_entries:
        if is_virtual_machine(entry):
            detail = f"virtual machine {entry.meta.name}"
            yield entry.meta.namespace, NamespaceNeed("proxy", detail)
    for group in index.mesh.workload_groups:
        yield group.meta.namespace, NamespaceNeed("proxy", f"WorkloadGroup {group.meta.name}")


def _to_be_injected(index: MeshIndex) -> Found:
    """Keep where Istio would give pods to come a proxy; a namespace may have none today."""
    for namespace in index.mesh.namespaces:
        labels = namespace.meta.labels
        label = INJECTION_LABEL if INJECTION_LABEL in labels else REVISION_LABEL
        if label in labels and (label == REVISION_LABEL or labels[label].lower() in _YES):
            yield namespace.meta.name, NamespaceNeed("injection", f"label {label}={labels[label]}")
    for id_, copies in index.copies.items():
        if any(proxy_to_come(copy, index) for copy in copies):
            yield id_.namespace, NamespaceNeed("injection", f"pods to come of {id_}")


def _ambient(mesh: Mesh) -> Found:
    for namespace in mesh.namespaces:
        for label in _ambient_labels(namespace.meta.labels):
            yield namespace.meta.name, NamespaceNeed("ambient", f"label {label}")
    groups: tuple[tuple[str, Iterable[Pod | Service | ServiceEntry | WorkloadEntry]], ...] = (
        ("Pod", mesh.pods),
        ("Service", mesh.services),
        ("ServiceEntry", mesh.service_entries),
        ("WorkloadEntry", mesh.workload_entries),
    )
    for kind, objects in groups:
        for each in objects:
            for label in _ambient_labels(each.meta.labels):
                detail = f"label {label} of {kind} {each.meta.name}"
                yield each.meta.namespace, NamespaceNeed("ambient", detail)
    for workload in mesh.workloads:
        for label in _ambient_labels(workload.template_labels or {}):
            yield workload.id.namespace, NamespaceNeed("ambient", f"label {label} of {workload.id}")


def _ambient_labels(labels: Labels) -> Iterator[str]:
    for key in _AMBIENT:
        if labels.get(key, "none") != "none":
            yield f"{key}={labels[key]}"


def _at_the_edge(mesh: Mesh) -> Found:
    """Keep what configures gateways: what they serve, no log of a quiet time shows."""
    for vs in mesh.virtual_services:
        gateways = [name for name in vs.gateways if name != MESH_GATEWAY]
        if gateways:
            detail = f"VirtualService {vs.meta.name} is bound to {', '.join(gateways)}"
            yield vs.meta.namespace, NamespaceNeed("gateway", detail)
    for each in mesh.edge_objects:
        yield each.meta.namespace, NamespaceNeed("gateway", f"{each.kind} {each.meta.name}")


def _not_told(mesh: Mesh) -> Found:
    """Keep what no selector can be made for: its labels are not known, or it cannot be."""
    known = {(n.meta.kubernetes_cluster, n.meta.name) for n in mesh.namespaces}
    for cluster, name in sorted(placed_namespaces(mesh)):
        if (cluster, name) not in known:
            yield name, NamespaceNeed("not in the dump", "its labels are not known")
        elif not is_namespace_name(name):
            yield name, NamespaceNeed("not in the dump", "not a Kubernetes name")
