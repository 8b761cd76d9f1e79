"""What there is in a namespace that istiod watches."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from recommender.discovery.model import Contents, Watched
from recommender.mesh import Mesh, ObjectMeta
from recommender.mesh.objects import (
    AuthorizationPolicy,
    DestinationRule,
    EdgeObject,
    EnvoyFilter,
    Extension,
    PeerAuthentication,
    RequestAuthentication,
    ServiceEntry,
    Sidecar,
    Telemetry,
    VirtualService,
    WorkloadEntry,
    WorkloadGroup,
)

IstioObject = (
    VirtualService
    | DestinationRule
    | ServiceEntry
    | WorkloadEntry
    | WorkloadGroup
    | Sidecar
    | Telemetry
    | AuthorizationPolicy
    | PeerAuthentication
    | RequestAuthentication
    | EnvoyFilter
    | Extension
    | EdgeObject
)


def istio_objects(mesh: Mesh) -> Iterator[tuple[str, ObjectMeta]]:
    """Yield every object beside Services, endpoints and pods that istiod reads, with its kind."""
    groups: tuple[Iterable[IstioObject], ...] = (
        mesh.virtual_services,
        mesh.destination_rules,
        mesh.service_entries,
        mesh.workload_entries,
        mesh.workload_groups,
        mesh.sidecars,
        mesh.telemetries,
        mesh.authorization_policies,
        mesh.peer_authentications,
        mesh.request_authentications,
        mesh.envoy_filters,
        mesh.extensions,
        mesh.edge_objects,
    )
    for group in groups:
        for each in group:
            yield _kind(each), each.meta


def _kind(each: IstioObject) -> str:
    if isinstance(each, EdgeObject | Extension):
        return each.kind
    is_route = isinstance(each, VirtualService) and each.gateway_api
    return "Gateway API route" if is_route else type(each).__name__


def placed_namespaces(mesh: Mesh) -> set[tuple[str, str]]:
    """List every namespace with its Kubernetes cluster: those that are there, and are named."""
    found = {(n.meta.kubernetes_cluster, n.meta.name) for n in mesh.namespaces}
    found |= {(w.meta.kubernetes_cluster, w.id.namespace) for w in mesh.workloads}
    metas = [pod.meta for pod in mesh.pods] + [service.meta for service in mesh.services]
    metas += [each.meta for each in mesh.endpoint_slices]
    metas += [meta for _, meta in istio_objects(mesh)]
    return found | {(meta.kubernetes_cluster, meta.namespace) for meta in metas}


def contents_by_namespace(mesh: Mesh) -> Mapping[str, Contents]:
    """Count what is in each namespace, over all Kubernetes clusters.

    A Service that several Kubernetes clusters have counts once.
    """
    services = Counter(namespace for namespace, _ in _distinct_services(mesh))
    pods = Counter(pod.meta.namespace for pod in mesh.pods if not pod.has_ended)
    endpoints: Counter[str] = Counter()
    for each in mesh.endpoint_slices:
        endpoints[each.meta.namespace] += sum(len(e.addresses) for e in each.endpoints)
    objects: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, meta in istio_objects(mesh):
        objects[meta.namespace][kind] += 1
    names = {*services, *pods, *endpoints, *objects}
    return {
        name: Contents(
            services[name], pods[name], endpoints[name], dict(sorted(objects[name].items()))
        )
        for name in sorted(names)
    }


def _distinct_services(mesh: Mesh) -> set[tuple[str, str]]:
    return {(service.meta.namespace, service.meta.name) for service in mesh.services}


def watched(contents: Iterable[Contents]) -> Watched:
    """Sum up what there is in some namespaces."""
    each = list(contents)
    return Watched(
        namespaces=len(each),
        services=sum(c.services for c in each),
        pods=sum(c.pods for c in each),
        endpoints=sum(c.endpoints for c in each),
        objects=sum(sum(c.objects.values()) for c in each),
    )
