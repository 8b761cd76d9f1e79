"""The filter chains that a service port adds to an outbound listener.

Source: istio networking/core/tls.go (`buildSidecarOutboundTLSFilterChainOpts`,
`buildSidecarOutboundTCPFilterChainOpts`) and listener.go (`buildSidecarOutboundHTTPListenerOpts`,
`conflictsWith`, `isMatchAll`, `toFilterChainMatch`); what Envoy refuses: its
filter_chain_manager_impl.cc (`setupFilterChainMatcher`, `addFilterChainForSourcePorts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import product

from recommender.istio.binding import ServiceAtPort
from recommender.istio.http_filters import NO_FILTERS, HttpFilters, filters_for
from recommender.istio.listener_scope import ListenerScope
from recommender.istio.protocols import Protocol
from recommender.istio.proxy import Proxy, matches_source
from recommender.istio.registry import RegistryService, ServiceKey
from recommender.istio.routes import cluster_name, tcp_clusters
from recommender.istio.virtual_hosts import alternative_names
from recommender.mesh.objects import Route, RouteMatch, VirtualService

_UNSPECIFIED = "0.0.0.0"  # noqa: S104 - nothing listens there


@dataclass(frozen=True, slots=True)
class FilterChain:
    """Describe one filter chain: what it matches, and where it leads.

    `route_config` is set for HTTP; `clusters` for anything else. `plain_http` matches requests
    that the HTTP inspector recognised; without it an HTTP chain takes whatever comes, and it has
    the `filters` that its `service` asks for.
    """

    service: ServiceKey
    clusters: tuple[str, ...] = ()
    route_config: str | None = None
    virtual_service: VirtualService | None = None
    server_names: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    plain_http: bool = False
    filters: HttpFilters = NO_FILTERS

    @property
    def matches_all(self) -> bool:
        """Tell whether nothing limits the chain (`isMatchAll`)."""
        any_name = not self.server_names or "*" in self.server_names
        return any_name and not self.subnets and not self.plain_http

    def matched(self) -> tuple[bool, frozenset[str], frozenset[str]]:
        """Return what the chain matches; of chains that match the same istiod keeps the first."""
        return self.plain_http, frozenset(self.server_names) - {"*"}, frozenset(self.networks())

    def lookups(self) -> Iterator[tuple[bool, str, str]]:
        """Yield each server name in each subnet by which Envoy looks the chain up."""
        any_name = "*" in self.server_names
        names = () if any_name else (name.lower() for name in self.server_names)
        for name, network in product(list(names) or [""], list(self.networks()) or [""]):
            yield self.plain_http, name, network

    def networks(self) -> Iterator[str]:
        """Yield the subnets that limit the chain: `0.0.0.0`, of whatever length, does not."""
        for subnet in self.subnets:
            if subnet.partition("/")[0] != _UNSPECIFIED:
                yield str(ip_network(subnet, strict=False))


def are_refused(chains: Iterable[FilterChain]) -> bool:
    """Tell whether Envoy refuses a listener with some filter chains.

    It does where two of them are looked up by the same name in the same subnet, or one twice, and
    where a name has a wildcard that is no first label. The chain that matches all is the default.
    """
    limited = [chain for chain in chains if not chain.matches_all]
    found = [key for chain in limited for key in chain.lookups()]
    partial = any("*" in name.removeprefix("*.") for _, name, _ in found)
    return partial or len(set(found)) < len(found)


@dataclass(frozen=True, slots=True)
class ChainContext:
    """Hold what filter chains are made with: the proxy, and what its scope has."""

    proxy: Proxy
    listener: ListenerScope
    scope_services: Mapping[str, RegistryService]
    domain: str


def http_chain(at: ServiceAtPort, proxy: Proxy) -> FilterChain:
    """Build the HTTP chain: one route configuration per port, or one per sniffed virtual IP."""
    own = at.port.protocol is Protocol.SNIFFED and at.bind != proxy.wildcard
    number = str(at.port.number)
    everywhere = at.bind == proxy.wildcard and at.port.protocol is not Protocol.HTTP_PROXY
    return FilterChain(
        at.service.key,
        route_config=f"{at.service.hostname}:{number}" if own else number,
        plain_http=everywhere or at.port.protocol is Protocol.SNIFFED,
        filters=filters_for(at.service, at.port),
    )


def tcp_chains(at: ServiceAtPort, context: ChainContext) -> list[FilterChain]:
    """Build the chains of a port that is not HTTP, as its VirtualServices or the service say."""
    concerning = context.listener.virtual_services_for(at.service.hostname)
    if at.port.protocol is Protocol.TLS:
        return _tls_chains(at, context, concerning) or [_tls_default(at, context)]
    return _tcp_chains(at, context, concerning)


def _tls_chains(
    at: ServiceAtPort, context: ChainContext, virtual_services: list[VirtualService]
) -> list[FilterChain]:
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], FilterChain] = {}
    subnets = at.subnets
    for vs, route in _routes(virtual_services, "tls"):
        for match in route.matches:
            if not matches_source(match, context.proxy, at.port.number, http=False):
                continue
            # istiod keeps the subnets of one match for those that follow it.
            subnets = match.destination_subnets or subnets
            key = (match.sni_hosts, match.destination_subnets)
            chain = _routed(at, context, vs, route, subnets, match.sni_hosts)
            found.setdefault(key, chain)
    return list(found.values())


def _tls_default(at: ServiceAtPort, context: ChainContext) -> FilterChain:
    """Send a TLS port to its service; the server name matters where the address tells nothing."""
    service = at.service
    names: tuple[str, ...] = ()
    addresses = context.proxy.reachable(service)
    addressed = addresses and "/" not in addresses[0]
    nowhere = not addressed and (bool(addresses) or at.bind == context.proxy.wildcard)
    if at.subnets or nowhere or service.resolves_names:
        names = (service.hostname, *_alias_names(service, context))
    return _to_service(at, server_names=names)


def _alias_names(service: RegistryService, context: ChainContext) -> list[str]:
    return [
        name
        for alias in service.aliases
        for name in (
            alias.hostname,
            f"{alias.hostname}.",
            *alternative_names(alias.hostname, context.proxy.namespace, context.domain),
        )
    ]


def _tcp_chains(
    at: ServiceAtPort, context: ChainContext, virtual_services: list[VirtualService]
) -> list[FilterChain]:
    """Take tcp routes up to the first without destination subnets, else end at the service."""
    chains: list[FilterChain] = []
    for vs, route in _routes(virtual_services, "tcp"):
        held = [
            match
            for match in route.matches or (RouteMatch(),)
            if matches_source(match, context.proxy, at.port.number, http=False)
        ]
        if any(not match.destination_subnets for match in held):
            return [*chains, _routed(at, context, vs, route, at.subnets)]
        subnets = tuple(subnet for match in held for subnet in match.destination_subnets)
        if subnets:
            chains.append(_routed(at, context, vs, route, subnets))
            if sorted(subnets) == sorted(at.subnets):
                return chains
    return [*chains, _to_service(at)]


def _routes(
    virtual_services: list[VirtualService], protocol: str
) -> Iterator[tuple[VirtualService, Route]]:
    for vs in virtual_services:
        for route in vs.routes:
            if route.protocol == protocol and route.destinations:
                yield vs, route


def _routed(
    at: ServiceAtPort,
    context: ChainContext,
    vs: VirtualService,
    route: Route,
    subnets: tuple[str, ...],
    server_names: tuple[str, ...] = (),
) -> FilterChain:
    clusters = tcp_clusters(route, at.port.number, context.scope_services)
    return FilterChain(
        at.service.key,
        clusters,
        virtual_service=vs,
        server_names=server_names,
        subnets=subnets,
    )


def _to_service(at: ServiceAtPort, server_names: tuple[str, ...] = ()) -> FilterChain:
    """Send to the service: at its only port, else at the listener's."""
    ports = at.service.ports
    port = ports[0].number if len(ports) == 1 else at.port.number
    cluster = cluster_name(at.service.hostname, port)
    return FilterChain(at.service.key, (cluster,), server_names=server_names, subnets=at.subnets)
