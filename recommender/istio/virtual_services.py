"""VirtualServices as a sidecar proxy sees them: names completed, delegates merged, exported.

Source: istio model/virtualservice.go, model/virtualservice_controller.go
`mergeVirtualServices`, model/push_context.go `initVirtualServices`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from recommender.istio.delegates import delegated_routes
from recommender.istio.export_to import NOBODY, PRIVATE, PUBLIC
from recommender.istio.host_names import expand_short_name
from recommender.istio.proxy import MESH_GATEWAY
from recommender.istio.virtual_service_index import VirtualServiceIndex
from recommender.mesh.objects import Destination, Mesh, Route, VirtualService


@dataclass(frozen=True, slots=True)
class MeshVirtualServices:
    """Hold the VirtualServices bound to the mesh gateway, oldest first, by who may see them.

    Most namespaces see the same, which is indexed once.
    """

    private: Mapping[str, tuple[VirtualService, ...]]
    exported: Mapping[str, tuple[VirtualService, ...]]
    public: tuple[VirtualService, ...]
    _visible: dict[str, VirtualServiceIndex] = field(default_factory=dict, compare=False)
    _distinct: dict[tuple[int, ...], VirtualServiceIndex] = field(
        default_factory=dict, compare=False
    )

    def source_labels(self) -> frozenset[tuple[str, str]]:
        """Return every pod label that some route match asks for."""
        groups = (*self.private.values(), *self.exported.values(), self.public)
        return frozenset(
            label
            for group in groups
            for vs in group
            for route in vs.routes
            for match in route.matches
            for label in match.source_labels.items()
        )

    def visible_from(self, namespace: str) -> VirtualServiceIndex:
        """Return what a client namespace may see, in order of precedence."""
        if namespace not in self._visible:
            ordered = tuple(self._ordered(namespace))
            key = tuple(map(id, ordered))
            if key not in self._distinct:
                self._distinct[key] = VirtualServiceIndex.of(ordered)
            self._visible[namespace] = self._distinct[key]
        return self._visible[namespace]

    def _ordered(self, namespace: str) -> Iterator[VirtualService]:
        """Yield in order of precedence: private, exported to the namespace, public.

        Within each group the Gateway API routes of the client's own namespace come first
        (`SelectVirtualServices`, unified scoping).
        """
        groups = (self.private.get(namespace, ()), self.exported.get(namespace, ()), self.public)
        for group in groups:
            own_routes = [v.gateway_api and v.meta.namespace == namespace for v in group]
            yield from (v for v, own in zip(group, own_routes, strict=True) if own)
            yield from (v for v, own in zip(group, own_routes, strict=True) if not own)


def build_virtual_services(mesh: Mesh) -> MeshVirtualServices:
    """Complete, merge and group the VirtualServices of a mesh."""
    default = mesh.config.default_virtual_service_export_to
    completed = [_completed(vs, mesh.cluster_domain) for vs in mesh.virtual_services]
    delegates = {(v.meta.namespace, v.meta.name): v for v in completed if not v.hosts}
    roots = [
        _with_delegates(v, delegates, default)
        for v in completed
        if v.hosts and (not v.gateways or MESH_GATEWAY in v.gateways)
    ]
    roots.sort(key=lambda v: v.meta.age)
    private: dict[str, list[VirtualService]] = defaultdict(list)
    exported: dict[str, list[VirtualService]] = defaultdict(list)
    public: list[VirtualService] = []
    for vs in roots:
        targets = _export_targets(vs, default)
        if PUBLIC in targets:
            public.append(vs)
        elif NOBODY not in targets:
            for target in sorted(targets):
                (private if target == vs.meta.namespace else exported)[target].append(vs)
    return MeshVirtualServices(
        {namespace: tuple(found) for namespace, found in private.items()},
        {namespace: tuple(found) for namespace, found in exported.items()},
        tuple(public),
    )


def destinations(vs: VirtualService, client_namespace: str) -> dict[str, set[int]]:
    """List the hosts a VirtualService pulls into a client's scope, with the ports it names.

    Port 0 stands for every port. Source: `virtualServiceDestinationsFilteredBySourceNamespace`:
    `sourceNamespace` counts for http routes only, and a route is skipped as soon as one match
    names another namespace and none names the client's.
    """
    found: dict[str, set[int]] = defaultdict(set)
    for route in vs.routes:
        if route.protocol == "http" and _meant_for_others(route, client_namespace):
            continue
        for destination in route.destinations + route.mirrors:
            found[destination.host].add(destination.port or 0)
    return dict(found)


def _meant_for_others(route: Route, client_namespace: str) -> bool:
    sources = {m.source_namespace for m in route.matches if m.source_namespace}
    return bool(sources) and client_namespace not in sources


def _export_targets(vs: VirtualService, default: tuple[str, ...]) -> set[str]:
    own = vs.meta.namespace
    return {own if target == PRIVATE else target for target in vs.export_to or default}


def _completed(vs: VirtualService, domain: str) -> VirtualService:
    """Expand short names against the VirtualService's own namespace."""
    namespace = vs.meta.namespace
    if vs.gateway_api:
        return vs

    def complete(destination: Destination) -> Destination:
        return replace(destination, host=expand_short_name(destination.host, namespace, domain))

    return replace(
        vs,
        hosts=tuple(expand_short_name(host, namespace, domain) for host in vs.hosts),
        routes=tuple(
            replace(
                route,
                destinations=tuple(map(complete, route.destinations)),
                mirrors=tuple(map(complete, route.mirrors)),
            )
            for route in vs.routes
        ),
    )


def _with_delegates(
    root: VirtualService,
    delegates: Mapping[tuple[str, str], VirtualService],
    default: tuple[str, ...],
) -> VirtualService:
    """Put the routes of each delegate that the root's namespace may see in the place of its route.

    A delegate that is missing or not exported drops only the route that names it.
    """
    routes: list[Route] = []
    for route in root.routes:
        if route.delegate is None:
            routes.append(route)
            continue
        delegate = delegates.get(route.delegate)
        if delegate and _export_targets(delegate, default) & {PUBLIC, root.meta.namespace}:
            routes += delegated_routes(root, route, delegate)
    return replace(root, routes=tuple(routes))
