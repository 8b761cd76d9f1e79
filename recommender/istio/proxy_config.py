"""What istiod sends to a proxy: its listeners, virtual hosts and services, made when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from recommender.istio.authority import Authority, limited_to
from recommender.istio.http_filters import filters_for
from recommender.istio.http_proxy_hosts import is_http_proxy
from recommender.istio.listener_scope import ListenerScope
from recommender.istio.listeners import OutboundListener, outbound_listener
from recommender.istio.proxy import ALLOW_ANY, Proxy
from recommender.istio.registry import RegistryService
from recommender.istio.resolution import OutboundCall, Resolution
from recommender.istio.sidecar_scope import ScopeRules, SidecarScope
from recommender.istio.virtual_hosts import (
    VirtualHosts,
    index_virtual_hosts,
    virtual_hosts,
    what_decides,
)
from recommender.mesh.objects import EgressListener


@dataclass(slots=True)
class SharedHosts:
    """Hold what the proxies of one namespace have in common whatever they import.

    `hosts` are virtual hosts by all that decides about them.
    """

    hosts: dict[tuple[object, ...], VirtualHosts] = field(default_factory=dict)
    _authorities: dict[str, Authority] = field(default_factory=dict)

    def authority(self, text: str, namespace: str, domain: str) -> Authority:
        """Return an authority with the names that it may stand for."""
        found = self._authorities.get(text)
        if found is None:
            found = self._authorities[text] = Authority.of(text, namespace, domain)
        return found


@dataclass(slots=True)
class ProxyConfig:
    """Hold what istiod sends to a proxy, made port by port when it is first asked for.

    `resolved` remembers where calls go; proxies of one namespace may have the same `shared`.
    """

    rules: ScopeRules
    scope: SidecarScope
    proxy: Proxy
    outbound_traffic_policy: str = ALLOW_ANY
    shared: SharedHosts = field(default_factory=SharedHosts)
    resolved: dict[OutboundCall, Resolution] = field(default_factory=dict)
    _listeners: dict[tuple[str, int], OutboundListener | None] = field(default_factory=dict)
    _virtual_hosts: dict[tuple[str, int], VirtualHosts] = field(default_factory=dict)
    _imported: dict[str, RegistryService] = field(default_factory=dict)
    _http_services: dict[int, list[RegistryService]] = field(default_factory=dict)
    _bound: tuple[EgressListener, ...] | None = None
    _service_count: int | None = None

    @property
    def domain(self) -> str:
        """Return the DNS domain of the Kubernetes cluster."""
        return self.rules.mesh.cluster_domain

    def listener(self, address: str, port: int) -> OutboundListener | None:
        """Return the outbound listener of an address and port."""
        if (address, port) not in self._listeners:
            made = outbound_listener(self.scope, self.proxy, self.domain, address, port)
            self._listeners[address, port] = made
        return self._listeners[address, port]

    def virtual_hosts(self, port: int, authority: str) -> VirtualHosts:
        """Return the virtual hosts of a port's route configuration that could take an authority."""
        if (authority, port) not in self._virtual_hosts:
            whole = listener_for_routes(self.scope, port)
            made = self._made(whole, port, authority) if whole else VirtualHosts({}, ())
            self._virtual_hosts[authority, port] = made
        return self._virtual_hosts[authority, port]

    def _made(self, whole: ListenerScope, port: int, authority: str) -> VirtualHosts:
        proxy = self.proxy
        part = limited_to(whole, self.shared.authority(authority, proxy.namespace, self.domain))
        key = what_decides(part, proxy, port, whole)
        made = self.shared.hosts.get(key) if key is not None else None
        if made is None:
            made = index_virtual_hosts(virtual_hosts(part, proxy, port, self.domain, whole))
            if key is not None:
                self.shared.hosts[key] = made
        return made

    def takes_bound(self, port: int) -> bool:
        """Tell whether an egress listener that is bound may take calls to a port."""
        if self._bound is None:
            listeners = (imported.listener for imported in self.scope.listeners)
            self._bound = tuple(filter(is_bound, listeners))
        return any(listener.port in (None, port) for listener in self._bound)

    @property
    def service_count(self) -> int:
        """Return how many services the proxy has Envoy clusters of."""
        if self._service_count is None:
            services = self.scope.services.values()
            self._service_count = sum(service.alias_for is None for service in services)
        return self._service_count

    def imported(self, hostname: str) -> RegistryService | None:
        """Return the service of a host name that some egress listener imports."""
        if not self._imported:
            self._imported |= self.scope.listener_services()
        return self._imported.get(hostname)

    def entries_at(self, address: str) -> list[RegistryService]:
        """List the hosts of ServiceEntries with an address that some egress listener imports."""
        return [
            entry
            for entry in self.rules.registry.entries_at.get(address, ())
            if (found := self.imported(entry.hostname)) is not None and found.key == entry.key
        ]

    def http_services_at(self, port: int) -> list[RegistryService]:
        """List the services that some egress listener imports for HTTP at a port."""
        if port not in self._http_services:
            at_port = (service for made in self.scope.listeners for service in made.at_port(port))
            self._http_services[port] = [
                service
                for service in at_port
                if self.imported(service.hostname) is service
                and service.alias_for is None
                and (found := service.port(port)) is not None
                and found.protocol.is_http
            ]
        return self._http_services[port]

    def may_filter_otherwise(self, found: Resolution, port: int) -> bool:
        """Tell whether a call would meet other filters if what it calls came first."""
        called = self.imported(found.host) if found.host and found.service else None
        return any(
            (number := service.port(port)) is not None
            and filters_for(service, number).for_call(is_resolved=found.is_resolved)
            != found.filters
            for service in ([called] if called else self.http_services_at(port))
        )


def listener_for_routes(scope: SidecarScope, port: int) -> ListenerScope | None:
    """Return the egress listener that a port's routes are made from (`GetEgressListenerForRDS`)."""
    for imported in scope.listeners:
        if imported.listener.port in (None, port):
            return imported
    return None


def is_bound(listener: EgressListener) -> bool:
    """Tell whether a Sidecar opens a port of its own on the pod, bound or as an HTTP proxy."""
    return bool(listener.bind) or listener.capture_mode == "NONE" or is_http_proxy(listener)
