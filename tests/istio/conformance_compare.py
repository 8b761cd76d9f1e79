"""Where the model and istiod differ about a proxy's scope, and about a call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from itertools import chain

from recommender.istio.call import resolve_call
from recommender.istio.listener_scope import ListenerScope
from recommender.istio.protocols import Protocol
from recommender.istio.proxy import Proxy, outbound_traffic_policy
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.registry import RegistryService, ServiceKey
from recommender.istio.resolution import Fate, OutboundCall, Resolution
from recommender.istio.routes import BuiltRoute
from recommender.istio.sidecar_scope import (
    ScopeRules,
    select_sidecar,
    sidecar_scope,
)
from recommender.mesh.topology import CLUSTER_LABEL
from tests.istio.judge import JudgedCall, JudgedProxy
from tests.istio.verdicts import EnvoyCluster, JudgedListener, JudgedService, Verdict
from tests.istio.verdicts import Resolution as Judged

STATIC = {"PassthroughCluster": Fate.PASSTHROUGH, "BlackHoleCluster": Fate.BLACKHOLE}
PROTOCOLS = {
    "HTTP": Protocol.HTTP,
    "HTTP2": Protocol.HTTP,
    "GRPC": Protocol.HTTP,
    "HTTPS": Protocol.TLS,
    "GRPC-Web": Protocol.GRPC_WEB,
    "HTTP_PROXY": Protocol.HTTP_PROXY,
    "TLS": Protocol.TLS,
    "TCP": Protocol.TCP,
    "Redis": Protocol.TCP,
    "Mongo": Protocol.MONGO,
    "MySQL": Protocol.MYSQL,
    "UDP": Protocol.UDP,
    "UnsupportedProtocol": Protocol.SNIFFED,
}
REFUSED = "Envoy refuses the listener"

Identity = tuple[object, ...]


def resolve(rules: ScopeRules, call: JudgedCall) -> tuple[Resolution, Resolution]:
    """Resolve a call by the model, with its method and path, and as `resolve_flow` does."""
    config = config_of(rules, call)
    flow = outbound_call(call)
    request = replace(flow, method=call.method, path=call.path)
    return resolve_call(config, request), resolve_call(config, flow)


def resolve_flow(rules: ScopeRules, call: JudgedCall) -> Resolution:
    """Resolve a call as the recommendation does, which knows neither method nor path."""
    return resolve_call(config_of(rules, call), outbound_call(call))


def is_left_to_chance(rules: ScopeRules, call: JudgedCall) -> bool:
    """Tell whether istiod itself does not send a call the same way in every run.

    Of several objects of one host and namespace a Sidecar of exact hosts imports one, the last
    that Go's map of them yields; and of several hosts that claim a domain as an alternative name
    the first in the order of such a map has it.
    """
    config = config_of(rules, call)
    ours = resolve_call(config, outbound_call(call))
    met = {service for _, service in ours.clusters} | {ours.service}
    return ours.by_chance or any(
        key in met or _may_be_at(service, call.address)
        for key in config.scope.by_chance
        for service in rules.registry.objects[key]
    )


def _may_be_at(service: RegistryService, address: str) -> bool:
    """Tell whether a service has a listener of its own for an address."""
    addresses = chain(service.addresses, *service.addresses_in.values())
    networks = (ip_network(each, strict=False) for each in addresses)
    endpoints = {each for found in service.endpoints.values() for each in found}
    return address in endpoints or any(ip_address(address) in network for network in networks)


def proxy_of(judged: JudgedProxy | JudgedCall) -> Proxy:
    """Return the proxy that is asked, or that makes a call, by the labels that istiod knows."""
    cluster = judged.kubernetes_cluster
    labels = {**judged.labels, CLUSTER_LABEL: cluster} if cluster else judged.labels
    return Proxy(judged.namespace, labels, tuple(judged.ips), cluster)


def config_of(rules: ScopeRules, call: JudgedCall) -> ProxyConfig:
    """Return what the proxy that makes a call is sent."""
    proxy = proxy_of(call)
    sidecar = select_sidecar(rules, proxy.namespace, proxy.labels)
    scope = sidecar_scope(rules, call.namespace, sidecar.egress if sidecar else ())
    mode, _ = outbound_traffic_policy(rules.mesh.config, sidecar)
    return ProxyConfig(rules, scope, proxy, mode)


def outbound_call(call: JudgedCall) -> OutboundCall:
    """Put a call as a flow does: the authority without its port, all in lower case."""
    return OutboundCall(
        address=call.address,
        port=call.port,
        http=call.protocol.startswith("http"),
        authority=call.host.lower().partition(":")[0] or None,
        server_name=call.sni.lower() or None,
    )


def call_difference(rules: ScopeRules, call: JudgedCall, istiod: Judged) -> str:
    """Say how the two answers about a call differ, nothing where they agree."""
    ours, flow = resolve(rules, call)
    if ours.fate is Fate.NOT_MODELLED:
        return ""
    fate = fate_of(istiod)
    if fate not in _possible_fates(ours):
        return f"{ours.fate}, istiod {fate}"
    if fate not in (Fate.ROUTED, Fate.ANSWERED, Fate.NO_ROUTE):
        return ""
    if (ours.virtual_host or "") != istiod.virtual_host:
        return f"virtual host {ours.virtual_host}, istiod {istiod.virtual_host}"
    if istiod.virtual_host:
        return _route_difference(ours, flow.routes, istiod)
    return _cluster_difference(ours, istiod)


def _possible_fates(ours: Resolution) -> set[Fate]:
    """List what may become of a request: each route that it may take has a fate of its own."""
    if not ours.routes:
        return {ours.fate}
    fates = {Fate.ROUTED if r.clusters or r.mirrors else Fate.ANSWERED for r in ours.routes}
    return fates | ({Fate.NO_ROUTE} if ours.may_miss else set())


def fate_of(istiod: Judged) -> Fate:
    """Read the fate from istiod's answer."""
    if istiod.error == REFUSED:
        return Fate.REFUSED_LISTENER
    names = [cluster.name for cluster in istiod.clusters]
    if names and names[0] in STATIC:
        return STATIC[names[0]]
    if istiod.virtual_host == "block_all":
        return Fate.BLACKHOLE
    if names:
        return Fate.ROUTED
    if istiod.error == "protocol error":
        return Fate.NO_HTTP
    return Fate.NO_ROUTE if istiod.error or not istiod.virtual_host else Fate.ANSWERED


def _route_difference(ours: Resolution, whole: Sequence[BuiltRoute], istiod: Judged) -> str:
    """Compare the route that istiod matched with those that the model thinks possible.

    `whole` are all routes of the virtual host: the one with istiod's number must be the same, and
    possible. Answers that were kept before there were numbers have none.
    """
    if istiod.error:
        return ""
    found = (istiod.route, _names(istiod.clusters), _names(istiod.mirrors))
    number = istiod.route_number
    possible = [route for route in whole[number - 1 : number] if route in ours.routes]
    routes = [(r.name, r.clusters, r.mirrors) for r in (possible if number else ours.routes)]
    if found not in routes:
        return f"the route {found}, number {number}, is not among {ours.routes} of {whole}"
    return _missing_cluster(ours, istiod)


def _cluster_difference(ours: Resolution, istiod: Judged) -> str:
    """Compare the clusters of a call that no route decides about."""
    names, theirs = {cluster.name for cluster in ours.clusters}, set(_names(istiod.clusters))
    missing = _missing_cluster(ours, istiod)
    return missing or ("" if names == theirs else f"clusters {sorted(names)}, {sorted(theirs)}")


def _missing_cluster(ours: Resolution, istiod: Judged) -> str:
    """Name a cluster that only one of the two says the proxy has."""
    exists = {cluster.name: cluster.service is not None for cluster in ours.clusters}
    for cluster in (*istiod.clusters, *istiod.mirrors):
        if exists.get(cluster.name) is not cluster.exists:
            return f"{cluster} is not among {exists}"
    return ""


def _names(clusters: Sequence[EnvoyCluster]) -> tuple[str, ...]:
    return tuple(cluster.name for cluster in clusters)


def scope_differences(rules: ScopeRules, proxy: JudgedProxy, verdict: Verdict) -> list[str]:
    """Say what the model and istiod see differently for one proxy."""
    known = proxy_of(proxy)
    chosen = select_sidecar(rules, known.namespace, known.labels)
    name = f"{chosen.meta.namespace}/{chosen.meta.name}" if chosen else ""
    if name != verdict.sidecar:
        return [f"Sidecar {name}, istiod {verdict.sidecar}"]
    scope = sidecar_scope(rules, proxy.namespace, chosen.egress if chosen else ())
    comparison = _Comparison(rules, known)
    lines = []
    for model, istiod in zip(scope.listeners, verdict.listeners, strict=True):
        lines += comparison.of_listeners(model, istiod)
    return lines + comparison.of_services(
        "scope services", tuple(scope.services.values()), verdict.services
    )


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Compare services of model and istiod by everything that decides their configuration.

    Addresses only count where a host has one object in its namespace: of several, with exact
    hosts, istiod keeps one by chance.
    """

    rules: ScopeRules
    proxy: Proxy

    def of_listeners(self, model: ListenerScope, istiod: JudgedListener) -> list[str]:
        ours = [f"{v.meta.namespace}/{v.meta.name}" for v in model.virtual_services]
        if ours != list(istiod.virtual_services):
            return [f"VirtualServices {ours}, istiod {istiod.virtual_services}"]
        return self.of_services("listener services", model.services, istiod.services) or (
            self.of_order(model.services, istiod.services)
        )

    def of_services(
        self, what: str, model: Sequence[RegistryService], istiod: Sequence[JudgedService]
    ) -> list[str]:
        ours, theirs = Counter(map(self.ours, model)), Counter(map(self.theirs, istiod))
        more, fewer = ours - theirs, theirs - ours
        return [f"{what}: too many {list(more)}, missing {list(fewer)}"] if more or fewer else []

    def of_order(
        self, model: Sequence[RegistryService], istiod: Sequence[JudgedService]
    ) -> list[str]:
        """Compare the order; that of several objects of one host, age and namespace is chance."""
        theirs = [(service.namespace, service.name) for service in istiod]
        ours = [(service.namespace, service.name) for service in model]
        return [] if ours == theirs else [f"order of services {ours}, istiod {theirs}"]

    def ours(self, service: RegistryService) -> Identity:
        ports = tuple((p.number, p.name, p.protocol) for p in service.ports)
        aliases = tuple(sorted(map(str, service.aliases)))
        addresses = self.addresses(service.key, self.proxy.reachable(service))
        return (*service.key, service.kubernetes, ports, aliases, addresses)

    def theirs(self, service: JudgedService) -> Identity:
        ports = tuple((p.number, p.name, PROTOCOLS[p.protocol]) for p in service.ports)
        aliases = tuple(sorted(service.aliases))
        key = ServiceKey(service.namespace, service.hostname)
        return (*key, service.kubernetes, ports, aliases, self.addresses(key, service.addresses))

    def addresses(self, key: ServiceKey, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return addresses if len(self.rules.registry.objects.get(key, ())) == 1 else ()
