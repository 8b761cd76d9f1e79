"""The outbound listeners of a proxy at one port, and how they merge or shut each other out.

Source: istio networking/core/listener.go (`buildSidecarOutboundListeners`,
`buildSidecarOutboundListener`, `mergeTCPFilterChains`, `buildListenerFromEntry`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from recommender.istio.binding import ServiceAtPort, is_direct
from recommender.istio.filter_chains import (
    ChainContext,
    FilterChain,
    are_refused,
    http_chain,
    tcp_chains,
)
from recommender.istio.host_names import is_subset
from recommender.istio.protocols import Protocol
from recommender.istio.proxy import Proxy
from recommender.istio.registry import RegistryService
from recommender.istio.sidecar_scope import SidecarScope


@dataclass(slots=True)
class OutboundListener:
    """Hold a listener while it is built: `protocol` decides what may still join it.

    Once it is built `is_refused` tells that Envoy refuses it and keeps what it had, if anything.
    """

    address: str
    port: int
    protocol: Protocol
    chains: list[FilterChain] = field(default_factory=list)
    locked: bool = False
    is_refused: bool = False
    matched: set[tuple[bool, frozenset[str], frozenset[str]]] = field(default_factory=set)

    def join(self, chains: Iterable[FilterChain]) -> None:
        """Take the chains that match what none of the others does."""
        self.matched = self.matched or {chain.matched() for chain in self.chains}
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
        only when nothing is left the chain that matches all is taken, of several the last.
        """
        limited = [chain for chain in self.chains if not chain.matches_all]
        found = _narrowed_by_name(_narrowed_by_subnet(limited, address), server_name)
        found = [c for c in found if c.plain_http and http] or [
            c for c in found if not c.plain_http
        ]
        if found:
            return found[0]
        return next((chain for chain in reversed(self.chains) if chain.matches_all), None)


def outbound_listener(
    scope: SidecarScope, proxy: Proxy, domain: str, address: str, port: int
) -> OutboundListener | None:
    """Build the listener of an address and port from what wants to listen there."""
    listeners: dict[str, OutboundListener] = {}
    for imported in scope.listeners:
        bound = imported.bound_at(proxy, port, address)
        if not bound:
            continue
        if imported.listener.port is None:
            for listener in listeners.values():
                listener.locked = True
        context = ChainContext(proxy, imported, scope.services, domain)
        for at in bound:
            _add(listeners, at, context)
    return _built(listeners.get(address))


def endpoint_listener(
    scope: SidecarScope,
    proxy: Proxy,
    service: RegistryService,
    port: int,
    address: str,
    domain: str,
) -> OutboundListener | None:
    """Build the listener that an endpoint of a headless service would have, None for HTTP."""
    number = next((p for p in service.ports if p.number == port and is_direct(p)), None)
    if number is None:
        return None
    imported = scope.listeners[-1]
    found: dict[str, OutboundListener] = {}
    context = ChainContext(proxy, imported, scope.services, domain)
    _add(found, ServiceAtPort(service, number, address), context)
    return _built(found.get(address))


def _built(listener: OutboundListener | None) -> OutboundListener | None:
    if listener is not None:
        listener.is_refused = are_refused(listener.chains)
    return listener


def _add(
    listeners: dict[str, OutboundListener],
    at: ServiceAtPort,
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
    if protocol.is_http and at.bind == context.proxy.wildcard:
        becomes = Protocol.SNIFFED
    if current is None or (protocol is Protocol.SNIFFED and current.protocol.is_http):
        made = OutboundListener(at.bind, at.port.number, becomes)
        made.chains += chains
        listeners.update((address, made) for address in (at.bind, *at.extra))
        return
    current.join(chains)
    if current.protocol.is_tcp != protocol.is_tcp:
        current.protocol = Protocol.SNIFFED


def _chains(at: ServiceAtPort, context: ChainContext) -> list[FilterChain]:
    protocol = at.port.protocol
    chains: list[FilterChain] = []
    if not protocol.is_http and protocol is not Protocol.HTTP_PROXY:
        chains += tcp_chains(at, context)
    if not protocol.is_tcp:
        chains.append(http_chain(at, context.proxy))
    return chains


def _is_shut_out(current: Protocol, incoming: Protocol) -> bool:
    """Tell whether a listener takes nothing of a protocol: it has it, or may not be sniffed."""
    if not incoming.is_tcp and not current.is_tcp:
        return incoming.is_http or not current.is_http
    server_first = (Protocol.MONGO, Protocol.MYSQL)
    return incoming is not current and (current in server_first or incoming in server_first)


def _narrowed_by_subnet(chains: list[FilterChain], address: str) -> list[FilterChain]:
    """Keep the chains of the smallest subnet that holds the address, else those without any."""
    networks = [list(chain.networks()) for chain in chains]
    if not any(networks):
        return chains
    target = ip_address(address)
    best: list[FilterChain] = []
    longest = -1
    for chain, limits in zip(chains, networks, strict=True):
        for subnet in map(ip_network, limits):
            if target.version != subnet.version or target not in subnet:
                continue
            if subnet.prefixlen > longest:
                best, longest = [], subnet.prefixlen
            if subnet.prefixlen == longest:
                best.append(chain)
    return best or [chain for chain, limits in zip(chains, networks, strict=True) if not limits]


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
