"""Namespaces that stay because objects of namespaces that stay name them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from recommender.discovery.model import NamespaceNeed, NeedKind
from recommender.discovery.names import NamespacesOf
from recommender.istio.host_names import expand_short_name
from recommender.istio.proxy import outbound_traffic_policy
from recommender.mesh import Mesh, Sidecar, VirtualService
from recommender.mesh.objects import EnvoyFilter, Extension

Found = tuple[str, NamespaceNeed]


@dataclass(frozen=True, slots=True)
class References:
    """Hold by namespace what its objects name in others."""

    by_namespace: Mapping[str, tuple[Found, ...]]

    @classmethod
    def of(cls, mesh: Mesh, names: NamespacesOf) -> References:
        """Collect the references of a mesh."""
        found: dict[str, dict[Found, None]] = defaultdict(dict)
        for home, kind, detail, namespaces in _all(mesh, names):
            for namespace in sorted(namespaces - {home}):
                found[home][namespace, NamespaceNeed(kind, detail)] = None
        return cls({home: tuple(each) for home, each in found.items()})

    def of_namespace(self, namespace: str) -> tuple[Found, ...]:
        """List what the objects of a namespace need elsewhere."""
        return self.by_namespace.get(namespace, ())


_Reference = tuple[str, NeedKind, str, set[str]]


def _all(mesh: Mesh, names: NamespacesOf) -> Iterator[_Reference]:
    for vs in mesh.virtual_services:
        yield vs.meta.namespace, "virtual service", _named(vs), _destinations(vs, mesh, names)
    for each in mesh.edge_objects:
        home = each.meta.namespace
        led_to = {namespace for host in each.hosts for namespace in names.of_host(host, home)}
        yield home, "gateway", f"{each.kind} {home}/{each.meta.name}", led_to | {*each.namespaces}
    for service in mesh.services:
        if service.external_name:
            target = names.of_host(service.external_name)
            detail = f"ExternalName {service.meta.namespace}/{service.meta.name}"
            yield service.meta.namespace, "alias", detail, target
    for part in mesh.endpoint_slices:
        # istiod leaves out an endpoint whose pod it does not see.
        pods = {endpoint.pod[0] for endpoint in part.endpoints if endpoint.pod}
        detail = f"endpoints of Service {part.meta.namespace}/{part.service}"
        yield part.meta.namespace, "endpoint", detail, pods
    for rule in mesh.destination_rules:
        detail = f"DestinationRule {rule.meta.namespace}/{rule.meta.name}"
        yield rule.meta.namespace, "certificate", detail, {*rule.config_maps}
    extensions: list[EnvoyFilter | Extension] = [*mesh.envoy_filters, *mesh.extensions]
    for extension in extensions:
        hosts = (cluster.split("|", 3)[-1] for cluster in extension.clusters)
        detail = f"{extension.kind} {extension.meta.namespace}/{extension.meta.name}"
        named = {namespace for host in hosts for namespace in names.of_host(host)}
        yield extension.meta.namespace, "provider", detail, named
    # Where istiod lets Envoy fetch keys, that takes the Envoy cluster of a service of the mesh.
    for request in mesh.request_authentications:
        detail = f"RequestAuthentication {request.meta.namespace}/{request.meta.name}"
        named = {namespace for host in request.jwks_hosts for namespace in names.of_host(host)}
        yield request.meta.namespace, "provider", detail, named
    for sidecar in mesh.sidecars:
        yield from _of_sidecar(sidecar, mesh, names)


def _named(vs: VirtualService) -> str:
    kind = "route" if vs.gateway_api else "VirtualService"
    return f"{kind} {vs.meta.namespace}/{vs.meta.name}"


def _destinations(vs: VirtualService, mesh: Mesh, names: NamespacesOf) -> set[str]:
    """List the namespaces that a VirtualService can lead to, those of delegates among them."""
    home, domain = vs.meta.namespace, mesh.cluster_domain
    found = {route.delegate[0] for route in vs.routes if route.delegate}
    for route in vs.routes:
        for destination in (*route.destinations, *route.mirrors):
            found |= names.of_host(expand_short_name(destination.host, home, domain), home)
    return found


def _of_sidecar(sidecar: Sidecar, mesh: Mesh, names: NamespacesOf) -> Iterator[_Reference]:
    """Yield what a Sidecar names: somebody, or an earlier run, wanted it in scope."""
    home = sidecar.meta.namespace
    named = f"Sidecar {home}/{sidecar.meta.name}"
    _, egress_proxy = outbound_traffic_policy(mesh.config, sidecar)
    if egress_proxy is not None:
        yield home, "egress proxy", named, names.of_host(egress_proxy)
    hosts = {host for listener in sidecar.egress for host in listener.hosts}
    yield home, "sidecar", named, {ns for host in hosts for ns in names.of_entry(host)}
