"""The outbound listeners of a proxy at one port, and how they merge or shut each other out.

Source: istio networking/core/listener.go (`buildSidecarOutboundListeners`,
`buildSidecarOutboundListener`, `mergeTCPFilterChains`, `buildListenerFromEntry`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from recommender.istio.endpoints import is_address
from recommender.istio.filter_chains import (
    ChainContext,
    FilterChain,
    ServiceAtPort,
    http_chain,
    tcp_chains,
)
from recommender.istio.host_names import is_subset
from recommender.istio.listener_scope import ListenerScope
from recommender.istio.protocols import Protocol, protocol_of
from recommender.istio.proxy import Proxy
from recommender.istio.registry import RegistryPort, RegistryService, Resolution
from recommender.istio.sidecar_scope import SidecarScope

RESERVED_PORTS = frozenset({15001, 15006, 15021, 15090})
LOCAL_HOST = "127.0.0.1"


@dataclass(slots=True)
class OutboundListener:
    """Hold a listener while it is built: `protocol` decides what may still join it."""

    address: str
    port: int
    protocol: Protocol
    chains: list[FilterChain] = field(default_factory=list)
    locked: bool = False
    matched: set[tuple[bool, frozenset[str], frozenset[str]]] = field(default_factory=set)

    def join(self, chains: Iterable[FilterChain]) -> None:
        """Take the chains that match what none of the others does."""
        for chain in chains:
            if chain.matched() not in self.matched:
                self.chains.append(chain)
                self.matched.add(chain.matched())

    @property
    def name(self) -> str:
        """Return Envoy's name of the listener."""
        return f"{self.address}_{self.port}"

    def chain_for(self, address: str, *, http: bool, server_name: str | None) -> FilterChain | None:
        """Choose the chain for a connection as Envoy does, None for the pass-through chain.

        Envoy narrows by destination subnet, then by server name, then by what the inspectors saw;
        only when nothing is left the chain that matches all is taken.
        """
        limited = [chain for chain in self.chains if not chain.matches_all]
        if not limited:
            return self.chains[0]
        found = _narrowed_by_name(_narrowed_by_subnet(limited, address), server_name)
        found = [c for c in found if c.plain_http and http] or [
            c for c in found if not c.plain_http
        ]
        if found:
            return found[0]
        return next((chain for chain in self.chains if chain.matches_all), None)


@dataclass(frozen=True, slots=True)
class Bound:
    """Hold what wants to listen at one address and port: by egress listener, in order."""

    at: ServiceAtPort
    extra: tuple[str, ...]
    imported: ListenerScope


def bound_services(scope: SidecarScope, proxy: Proxy, port: int) -> dict[str, list[Bound]]:
    """List for each address what wants to listen there at a port number."""
    found: dict[str, list[Bound]] = defaultdict(list)
    for imported in scope.listeners:
        for at, extra in _bound(imported, proxy, port):
            bound = Bound(at, extra, imported)
            for address in (at.bind, *extra):
                found[address].append(bound)
    return found


def outbound_listener(
    bound: Iterable[Bound], scope: SidecarScope, proxy: Proxy, domain: str, address: str
) -> OutboundListener | None:
    """Build the listener of an address from what wants to listen there."""
    listeners: dict[str, OutboundListener] = {}
    last: ListenerScope | None = None
    for each in bound:
        if each.imported is not last and each.imported.listener.port is None:
            for listener in listeners.values():
                listener.locked = True
        last = each.imported
        context = ChainContext(proxy, each.imported, scope.services, domain)
        _add(listeners, each.at, each.extra, context)
    return listeners.get(address)


def endpoint_listener(
    scope: SidecarScope,
    proxy: Proxy,
    service: RegistryService,
    port: int,
    address: str,
    domain: str,
) -> OutboundListener | None:
    """Build the listener that an endpoint of a headless service would have, None for HTTP."""
    number = next((p for p in service.ports if p.number == port and _is_direct(p)), None)
    if number is None:
        return None
    imported = scope.listeners[-1]
    found: dict[str, OutboundListener] = {}
    context = ChainContext(proxy, imported, scope.services, domain)
    _add(found, ServiceAtPort(service, number, address, ()), (), context)
    return found.get(address)


def _bound(
    imported: ListenerScope, proxy: Proxy, port: int
) -> Iterator[tuple[ServiceAtPort, tuple[str, ...]]]:
    """Yield each service at the port with the address it binds, and its further addresses."""
    listener = imported.listener
    if listener.port is not None and listener.port != port:
        return
    bind = listener.bind or (LOCAL_HOST if listener.capture_mode == "NONE" else "")
    candidates = imported.at_port(port) if listener.port is None else imported.services
    for service in candidates:
        if service.resolution is Resolution.ALIAS:
            continue
        numbers = [number for number in service.ports if number.number == port]
        if listener.port is not None:
            numbers = [RegistryPort(port, "", protocol_of(listener.port_protocol or ""))]
        for number in numbers:  # one port may be there for UDP and for TCP
            if _is_reserved(number, bind, proxy):
                continue
            if listener.port is None and not bind and _has_endpoint_listeners(service, number):
                for address in service.endpoints.get(port, ()):
                    if is_address(address) and address not in proxy.addresses[:1]:
                        yield ServiceAtPort(service, number, address, ()), ()
                continue
            yield _at_own_address(service, number, bind, proxy)


def _is_reserved(port: RegistryPort, bind: str, proxy: Proxy) -> bool:
    wide = bind == proxy.wildcard or (not bind and port.protocol is Protocol.HTTP)
    return wide and port.number in RESERVED_PORTS


def _has_endpoint_listeners(service: RegistryService, port: RegistryPort) -> bool:
    """Tell whether each endpoint has a listener; a ServiceEntry without any has one for all."""
    direct = service.resolution is Resolution.PASSTHROUGH and not service.addresses
    if not direct or not _is_direct(port):
        return False
    return service.selector is not None or bool(service.endpoints.get(port.number))


def _is_direct(port: RegistryPort) -> bool:
    """Tell whether a headless service's endpoints are listened to one by one at a port."""
    return port.protocol.is_tcp or port.protocol is Protocol.SNIFFED


def _at_own_address(
    service: RegistryService, port: RegistryPort, bind: str, proxy: Proxy
) -> tuple[ServiceAtPort, tuple[str, ...]]:
    """Bind a service: HTTP everywhere, else at its virtual IP, its CIDR, or everywhere."""
    if bind:
        return ServiceAtPort(service, port, bind, ()), ()
    addresses = proxy.reachable(service)
    if port.protocol in (Protocol.HTTP, Protocol.HTTP_PROXY) or not addresses:
        return ServiceAtPort(service, port, proxy.wildcard, ()), ()
    if "/" in addresses[0]:
        return ServiceAtPort(service, port, proxy.wildcard, addresses), ()
    return ServiceAtPort(service, port, addresses[0], ()), addresses[1:]


def _add(
    listeners: dict[str, OutboundListener],
    at: ServiceAtPort,
    extra: tuple[str, ...],
    context: ChainContext,
) -> None:
    """Add a service to its listener, or leave it out where the one that is there forbids it."""
    protocol = at.port.protocol
    current = listeners.get(at.bind)
    if protocol is Protocol.UDP or (current is not None and current.locked):
        return
    if current is not None and _is_shut_out(current.protocol, protocol):
        return
    chains = _chains(at, context)
    becomes = protocol
    if protocol is Protocol.HTTP and at.bind == context.proxy.wildcard:
        becomes = Protocol.SNIFFED
    if current is None or (protocol is Protocol.SNIFFED and current.protocol is Protocol.HTTP):
        made = OutboundListener(at.bind, at.port.number, becomes)
        made.chains += chains
        made.matched.update(chain.matched() for chain in chains)
        listeners.update((address, made) for address in (at.bind, *extra))
        return
    current.join(chains)
    if current.protocol.is_tcp != protocol.is_tcp:
        current.protocol = Protocol.SNIFFED


def _chains(at: ServiceAtPort, context: ChainContext) -> list[FilterChain]:
    protocol = at.port.protocol
    chains: list[FilterChain] = []
    if protocol not in (Protocol.HTTP, Protocol.HTTP_PROXY):
        chains += tcp_chains(at, context)
    if not protocol.is_tcp:
        chains.append(http_chain(at, context.proxy))
    return chains


def _is_shut_out(current: Protocol, incoming: Protocol) -> bool:
    """Tell whether a listener takes nothing of a protocol: it has it, or may not be sniffed."""
    if not incoming.is_tcp and not current.is_tcp:
        return incoming is Protocol.HTTP or current is not Protocol.HTTP
    server_first = (Protocol.MONGO, Protocol.MYSQL)
    return incoming is not current and (current in server_first or incoming in server_first)


def _narrowed_by_subnet(chains: list[FilterChain], address: str) -> list[FilterChain]:
    """Keep the chains of the smallest subnet that holds the address, else those without any."""
    target = ip_address(address)
    best: list[FilterChain] = []
    longest = -1
    for chain in chains:
        for subnet in (ip_network(text, strict=False) for text in chain.subnets):
            if target.version != subnet.version or target not in subnet:
                continue
            if subnet.prefixlen > longest:
                best, longest = [], subnet.prefixlen
            if subnet.prefixlen == longest:
                best.append(chain)
    return best or [chain for chain in chains if not chain.subnets]


def _narrowed_by_name(chains: list[FilterChain], server_name: str | None) -> list[FilterChain]:
    """Keep the chains of the most specific server name, else those without any."""
    best: list[FilterChain] = []
    longest = -1
    for chain in chains if server_name else ():
        for name in chain.server_names:
            if not is_subset(server_name or "", name.lower()):
                continue
            size = len(name) if name.startswith("*") else 10_000
            if size > longest:
                best, longest = [], size
            if size == longest:
                best.append(chain)
    return best or [c for c in chains if not c.server_names or "*" in c.server_names]
