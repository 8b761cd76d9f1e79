"""Where a call of a proxy goes: listener, route, Envoy clusters.

```
address:port ─> listener ─┬─> HTTP: route configuration ─> virtual host ─> routes ─> clusters
                          ├─> TCP or TLS: filter chain ─> clusters
                          └─> neither: pass-through or black hole
```

Source: istio pilot/pkg/simulation/traffic.go, networking/core/listener_builder.go
(`buildOutboundCatchAllNetworkFilterChains`), httproute.go (`buildCatchAllVirtualHost`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

from recommender.istio.authority import Authority, limited_to
from recommender.istio.filter_chains import FilterChain
from recommender.istio.http_filters import NO_FILTERS, HttpFilters, filters_for
from recommender.istio.http_proxy_hosts import is_http_proxy
from recommender.istio.listener_scope import ListenerScope
from recommender.istio.listeners import OutboundListener, endpoint_listener, outbound_listener
from recommender.istio.proxy import ALLOW_ANY, DYNAMIC_DNS, Proxy
from recommender.istio.registry import RegistryService, ServiceKey
from recommender.istio.route_match import Request
from recommender.istio.routes import BuiltRoute, possible_routes
from recommender.istio.sidecar_scope import ScopeRules, SidecarScope
from recommender.istio.virtual_hosts import (
    VirtualHosts,
    index_virtual_hosts,
    virtual_hosts,
    what_decides,
)
from recommender.mesh.objects import UNKNOWN_SERVICE, EgressListener, Labels, VirtualService

VIRTUAL_OUTBOUND = "virtualOutbound"


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


class Fate(Enum):
    """Name what becomes of a call."""

    ROUTED = "routed"
    ANSWERED = "answered by the proxy"
    PASSTHROUGH = "passes through"
    BLACKHOLE = "is refused"
    NO_ROUTE = "finds no route"
    NO_HTTP = "is not the HTTP that is expected"
    REFUSED_LISTENER = "meets a listener that Envoy refuses"
    NOT_MODELLED = "goes through a bound listener of a Sidecar, which is not modelled"


_UNTOLD = (Fate.NOT_MODELLED, Fate.REFUSED_LISTENER)


@dataclass(frozen=True, slots=True)
class OutboundCall:
    """Describe a call as its caller makes it: names in lower case, no port in `authority`.

    None means that something is not known. `headless_host` names a headless service whose
    endpoint the address once was, where a log tells so. Without `method` and `path`, which is as
    Envoy logs it, the call stands for every request of its authority.
    """

    address: str | None
    port: int
    http: bool
    authority: str | None = None
    server_name: str | None = None
    headless_host: str | None = None
    method: str | None = None
    path: str | None = None


class Cluster(NamedTuple):
    """Name an Envoy cluster and the service behind it, None where the proxy lacks the cluster."""

    name: str
    service: ServiceKey | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """Say where a call goes.

    `service` is whose listener or virtual host took the call, None for a VirtualService's own
    host; `host` the host name of that; `alias` the ExternalName the caller used. `first` is the
    service that an HTTP listener has its filters for, `filters` what of them the call meets,
    `is_resolved` that Envoy looks up the name that is called. `by_chance` tells that another
    service could have taken it, as istiod leaves it to the order of a Go map.
    `routes` are those that the request may take, the first of them that matches; `may_miss` tells
    that perhaps none does, which Envoy answers with 404.
    """

    fate: Fate
    listener: str
    http: bool = False
    route_config: str | None = None
    virtual_host: str | None = None
    routes: tuple[BuiltRoute, ...] = ()
    clusters: frozenset[Cluster] = frozenset()
    service: ServiceKey | None = None
    host: str | None = None
    alias: ServiceKey | None = None
    virtual_service: VirtualService | None = None
    first: ServiceKey | None = None
    filters: HttpFilters = NO_FILTERS
    is_resolved: bool = False
    by_chance: bool = False
    may_miss: bool = False

    def same_outcome(self, other: Resolution) -> bool:
        """Tell whether a caller would see no difference.

        Calls that are not routed are alike when they end alike: at which listener a call passes
        through changes what the access log can name, not where the call goes. Where one went at a
        refused listener depends on what the proxy had before, so none is like another.
        """
        if self.fate is not other.fate or self.fate in _UNTOLD:
            return False
        if self.fate not in (Fate.ROUTED, Fate.ANSWERED):
            return True
        return self._outcome() == other._outcome()

    def _outcome(self) -> tuple[object, ...]:
        vs = self.virtual_service
        decided_by = (vs.meta.namespace, vs.meta.name) if vs else None
        named = (self.http, self.virtual_host, self.service, self.alias, decided_by)
        return (*named, self.routes, self.clusters, self.filters)


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


def resolve_call(config: ProxyConfig, call: OutboundCall) -> Resolution:
    """Tell where a call goes."""
    found = config.resolved.get(call)
    if found is None:
        if call.headless_host and call.headless_host not in config.rules.registry.headless:
            # It decides nothing then, and most calls name one.
            found = resolve_call(config, replace(call, headless_host=None))
        else:
            found = _resolve(config, call)
        config.resolved[call] = found
    return found


def _resolve(config: ProxyConfig, call: OutboundCall) -> Resolution:
    if config.takes_bound(call.port):
        return Resolution(Fate.NOT_MODELLED, VIRTUAL_OUTBOUND)
    listener = _find_listener(config, call)
    if listener is None:
        return Resolution(_unknown_fate(config), VIRTUAL_OUTBOUND)
    if listener.is_refused:
        service = listener.chains[0].service
        return Resolution(
            Fate.REFUSED_LISTENER, listener.name, service=service, host=service.hostname
        )
    chain = listener.chain_for(
        call.address or listener.address, http=call.http, server_name=call.server_name
    )
    if chain is None:
        return Resolution(_unknown_fate(config), listener.name)
    if chain.route_config is None:
        return _through_chain(config, listener, chain)
    if not call.http:
        key = chain.service
        return Resolution(Fate.NO_HTTP, listener.name, service=key, host=key.hostname)
    return _through_routes(config, call, listener, chain)


def _find_listener(config: ProxyConfig, call: OutboundCall) -> OutboundListener | None:
    """Find the listener of the address, then that of an endpoint, then that of any address."""
    if call.address in config.proxy.addresses:
        return None
    found = config.listener(call.address, call.port) if call.address else None
    if found is not None:
        return found
    if call.address and call.headless_host:
        service = config.imported(call.headless_host)
        if service and service.headless and not config.proxy.reachable(service):
            found = endpoint_listener(
                config.scope, config.proxy, service, call.port, call.address, config.domain
            )
            if found is not None:
                return found
    return config.listener(config.proxy.wildcard, call.port)


def is_bound(listener: EgressListener) -> bool:
    """Tell whether a Sidecar opens a port of its own on the pod, bound or as an HTTP proxy."""
    return bool(listener.bind) or listener.capture_mode == "NONE" or is_http_proxy(listener)


def _unknown_fate(config: ProxyConfig) -> Fate:
    allowed = config.outbound_traffic_policy in (ALLOW_ANY, DYNAMIC_DNS)
    return Fate.PASSTHROUGH if allowed else Fate.BLACKHOLE


def _through_chain(
    config: ProxyConfig, listener: OutboundListener, chain: FilterChain
) -> Resolution:
    return Resolution(
        Fate.ROUTED,
        listener.name,
        clusters=_clusters(config, chain.clusters),
        service=chain.service,
        host=chain.service.hostname,
        virtual_service=chain.virtual_service,
    )


def _through_routes(
    config: ProxyConfig, call: OutboundCall, listener: OutboundListener, chain: FilterChain
) -> Resolution:
    name = chain.route_config or ""
    authority = call.authority or ""
    own_host, own, _ = name.rpartition(":")
    if own:
        # The route configuration of one sniffed virtual IP: its service takes any authority.
        lower = own_host.lower()
        found = config.virtual_hosts(call.port, lower).with_domain(lower)
        if found is None:
            return Resolution(
                Fate.NO_ROUTE,
                listener.name,
                http=True,
                route_config=name,
                service=chain.service,
                host=chain.service.hostname,
            )
    else:
        found = config.virtual_hosts(call.port, authority).find(authority)
        if found is None:
            fate = _unknown_fate(config)
            return Resolution(fate, listener.name, http=True, route_config=name)
    request = Request(call.authority, call.method, call.path)
    routes, is_taken = possible_routes(found.routes, request)
    names = [cluster for r in routes for cluster in (*r.clusters, *r.mirrors)]
    fate = Fate.ROUTED if names else Fate.ANSWERED
    clusters = _clusters(config, names)
    is_resolved = _is_resolved(config, clusters)
    return Resolution(
        fate if routes else Fate.NO_ROUTE,
        listener.name,
        http=True,
        route_config=name,
        virtual_host=found.name,
        routes=routes,
        clusters=clusters,
        service=found.service,
        host=found.host,
        alias=None if own else found.aliases.get(authority),
        virtual_service=found.virtual_service,
        first=chain.service,
        filters=chain.filters.for_call(is_resolved=is_resolved),
        is_resolved=is_resolved,
        by_chance=not own and authority in found.contested,
        may_miss=not is_taken,
    )


def _is_resolved(config: ProxyConfig, clusters: Iterable[Cluster]) -> bool:
    keys = (cluster.service for cluster in clusters)
    return any(config.scope.services[key.hostname].resolves_names for key in keys if key)


def looks_for_http(config: ProxyConfig, call: OutboundCall) -> bool:
    """Tell whether plain HTTP at a call's address would be treated unlike other bytes."""
    listener = _find_listener(config, call)
    if listener is None:
        return False
    address = call.address or listener.address
    chains = (listener.chain_for(address, http=http, server_name=None) for http in (True, False))
    as_http, as_bytes = chains
    return as_http is not as_bytes


def _clusters(config: ProxyConfig, names: Iterable[str]) -> frozenset[Cluster]:
    return frozenset(Cluster(name, _service_behind(config, name)) for name in names)


def _service_behind(config: ProxyConfig, cluster: str) -> ServiceKey | None:
    """Find the service that has a cluster: the host in scope, with that port and subset.

    One resolved by DNS has none without an endpoint (networking/core `buildCluster`).
    """
    if cluster == UNKNOWN_SERVICE:
        return None
    _, port, subset, host = cluster.split("|", 3)
    service = config.scope.services.get(host)
    if service is None or service.alias_for is not None or service.port(int(port)) is None:
        return None
    labels: Labels = {}
    if subset:
        rule = config.rules.destination_rules.chosen(config.proxy, service)
        if rule is None or subset not in rule.subsets:
            return None
        labels = rule.subsets[subset]
    resolved = service.resolved_labels
    if resolved is not None and not any(labels.items() <= each.items() for each in resolved):
        return None
    return service.key
