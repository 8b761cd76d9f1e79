"""The virtual hosts of a Sidecar's listener for HTTP_PROXY: of all ports of all it imports.

Source: istio networking/core/httproute.go (`BuildSidecarOutboundVirtualHosts` with listener port 0,
`generateVirtualHostDomains`, `mergeAllVirtualHosts`) and networking/core/route/route.go
(`buildSidecarVirtualHostsForVirtualService`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from recommender.istio.host_names import is_wildcard
from recommender.istio.listener_scope import ListenerScope
from recommender.istio.protocols import Protocol, protocol_of
from recommender.istio.proxy import Proxy
from recommender.istio.registry import RegistryService, Resolution, ServiceKey
from recommender.istio.routes import BuiltRoute, cluster_name, http_routes
from recommender.istio.virtual_hosts import (
    MostSpecific,
    TakenNames,
    VirtualHost,
    alternative_names,
    concerns,
    separated,
)
from recommender.mesh.objects import EgressListener, VirtualService

_ANY_PORT = 0
_DEFAULT_PORT = 80
"""The port that a name stands for which has none."""


class _Host(NamedTuple):
    """Hold a host at a port; `service` is None for one of a VirtualService alone."""

    name: str
    port: int
    service: RegistryService | None
    virtual_service: VirtualService | None
    routes: tuple[BuiltRoute, ...]


def is_http_proxy(listener: EgressListener) -> bool:
    """Tell whether an egress listener of a Sidecar is a proxy for HTTP."""
    return protocol_of(listener.port_protocol or "") is Protocol.HTTP_PROXY


def http_proxy_hosts(listener: ListenerScope, proxy: Proxy, domain: str) -> tuple[VirtualHost, ...]:
    """Build the virtual hosts; those of other ports than 80 are known by names with their port.

    Which port of a host has the name without one istiod leaves to the order of a Go map where a
    VirtualService has several; here it is the lowest.
    """
    hosts = list(_hosts(listener, proxy))
    taken = TakenNames({name for host in hosts for name in (host.name, f"{host.name}:{host.port}")})
    built: list[VirtualHost] = []
    for host in hosts:
        name = f"{host.name}:{host.port}"
        domains, alternative = _domains(host, proxy, domain)
        kept = taken.take(name, domains, alternative)
        if host.port != _DEFAULT_PORT:
            kept = tuple(each for each in kept if ":" in each)
        if kept:
            key = host.service.key if host.service else None
            vs, aliases = host.virtual_service, _aliases(host, kept)
            built.append(VirtualHost(name, host.name, kept, host.routes, key, vs, aliases))
    return tuple(built)


def _aliases(host: _Host, kept: tuple[str, ...]) -> dict[str, ServiceKey]:
    return {
        domain: alias
        for alias in (host.service.aliases if host.service else ())
        for domain in (alias.hostname, f"{alias.hostname}:{host.port}")
        if domain in kept
    }


def _hosts(listener: ListenerScope, proxy: Proxy) -> Iterator[_Host]:
    services = {service.hostname: service for service in listener.services}
    routed = list(_routed_hosts(listener, proxy, services))
    yield from routed
    served = {host.service.hostname for host in routed if host.service}
    for name, service in sorted(services.items()):
        if name in served or service.resolution is Resolution.ALIAS:
            continue
        for port in _http_ports(service):
            routes = (BuiltRoute("default", (cluster_name(name, port),)),)
            yield _Host(name, port, service, None, routes)


def _routed_hosts(
    listener: ListenerScope, proxy: Proxy, services: Mapping[str, RegistryService]
) -> Iterator[_Host]:
    """Yield the hosts of VirtualServices at each port that a service of theirs has."""
    wildcards = [name for name in services if is_wildcard(name)]
    index = MostSpecific.of(listener)
    for vs in listener.virtual_services:
        if not concerns(vs, services, wildcards):
            continue
        routes = http_routes(vs, proxy, _ANY_PORT, services.get)
        alone, matching = separated(vs, services, index)
        homes = {proxy.namespace, *(service.namespace for service in matching)}
        if not routes or (vs.gateway_api and vs.meta.namespace not in homes):
            continue
        for port, found in sorted(_by_port(matching).items()):
            yield from (_Host(name, port, None, vs, routes) for name in alone)
            yield from (_Host(s.hostname, port, s, vs, routes) for s in found)


def _by_port(services: tuple[RegistryService, ...]) -> Mapping[int, list[RegistryService]]:
    found: dict[int, list[RegistryService]] = defaultdict(list)
    for service in services:
        for port in _http_ports(service):
            found[port].append(service)
    return found


def _http_ports(service: RegistryService) -> list[int]:
    return [port.number for port in service.ports if port.protocol.may_be_http]


def _domains(host: _Host, proxy: Proxy, domain: str) -> tuple[list[str], set[str]]:
    """List the domains of a host, with the port and without, and the alternative ones of these."""
    service = host.service
    if service is None:
        return [host.name], set()

    def with_port(name: str) -> tuple[str, str]:
        return name, f"{name}:{host.port}"

    names = (service.hostname, *(alias.hostname for alias in service.aliases))
    others = [o for name in names for o in alternative_names(name, proxy.namespace, domain)]
    alternative = [each for other in others for each in with_port(other)]
    domains = [each for name in names for each in with_port(name)] + alternative
    if service.kubernetes and service.resolution is Resolution.PASSTHROUGH:
        domains += [f"*.{name}" for name in domains]
    addresses = proxy.reachable(service)
    written = [f"[{a}]" if ":" in a and "/" not in a else a for a in addresses]
    domains += [each for address in written for each in with_port(address)]
    return domains, set(alternative)
