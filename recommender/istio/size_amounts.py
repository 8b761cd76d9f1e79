"""What adds to the size of the configuration that a proxy is sent for its outbound calls.

Source of what a resource consists of: istio networking/core/cluster_builder.go, cluster_tls.go,
listener.go, httproute.go, networking/core/route/route.go, route/retry/retry.go,
xds/endpoints/endpoint_builder.go, mtls_checker.go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from recommender.istio.endpoint_index import EndpointIndex, ServiceEndpoint
from recommender.istio.listeners import OutboundListener
from recommender.istio.outbound_clusters import Discovery, OutboundCluster, outbound_clusters
from recommender.istio.outbound_listeners import (
    has_catch_all,
    outbound_listeners,
    passes_through,
    route_configurations,
)
from recommender.istio.protocols import Protocol
from recommender.istio.proxy import DYNAMIC_DNS, REGISTRY_ONLY
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.routes import BuiltRoute
from recommender.istio.telemetry import OutboundTelemetry, outbound_telemetry
from recommender.istio.virtual_hosts import VirtualHost
from recommender.mesh.objects import UNKNOWN_SERVICE, VirtualService
from recommender.mesh.route_settings import NO_SETTINGS, Retries, RouteSettings

_STATIC_CLUSTERS = 3  # BlackHoleCluster, PassthroughCluster, InboundPassthroughCluster
_DEFAULT_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
_VIRTUAL_OUTBOUND_CHAINS = 2
_TLS_MODE_LABEL = "security.istio.io/tlsMode"
_ISTIO_MUTUAL = "ISTIO_MUTUAL"
_TLS_OF_ITS_OWN = ("SIMPLE", "MUTUAL")
_HTTP2_NAMES = frozenset(("grpc", "http2"))
_CLUSTER_KINDS = {
    Discovery.EDS: "eds_cluster",
    Discovery.ORIGINAL_DST: "original_dst_cluster",
    Discovery.DNS: "dns_cluster",
    Discovery.FORWARD_PROXY: "forward_proxy_cluster",
}
_TIMES_NAMED = {
    Discovery.EDS: 3,
    Discovery.ORIGINAL_DST: 2,
    Discovery.DNS: 3,
    Discovery.FORWARD_PROXY: 2,
}
"""How often a cluster holds its own name, but for the SNI of mutual TLS."""


@dataclass(frozen=True, slots=True)
class SizeAmounts:
    """Count by xDS type what adds to the size: the name of a coefficient -> how often."""

    cds: Mapping[str, int]
    eds: Mapping[str, int]
    lds: Mapping[str, int]
    rds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OutboundResources:
    """Hold the resources that a proxy is sent for its outbound calls, by default none.

    `static_clusters` counts the clusters that every proxy has, `virtual_outbound` the listener.
    """

    clusters: Sequence[OutboundCluster] = ()
    listeners: Sequence[OutboundListener] = ()
    routes: Mapping[str, tuple[VirtualHost, ...]] = field(default_factory=dict)
    static_clusters: int = 0
    virtual_outbound: int = 0

    @classmethod
    def of(cls, config: ProxyConfig) -> OutboundResources:
        """Build the resources."""
        return replace(cls.without_clusters(config), clusters=outbound_clusters(config))

    @classmethod
    def without_clusters(cls, config: ProxyConfig) -> OutboundResources:
        """Build all resources but the clusters of services."""
        listeners = outbound_listeners(config)
        dynamic = config.outbound_traffic_policy == DYNAMIC_DNS
        return cls(
            listeners=listeners,
            routes=route_configurations(config, listeners),
            static_clusters=_STATIC_CLUSTERS + dynamic,
            virtual_outbound=1,
        )

    def each(self) -> Iterator[tuple[str, str, OutboundResources]]:
        """Yield the resources of services one by one, with the xDS type and the name of each."""
        for cluster in self.clusters:
            only = OutboundResources(clusters=[cluster])
            yield "cds", cluster.name, only
            if cluster.discovery is Discovery.EDS:
                yield "eds", cluster.name, only
        for listener in self.listeners:
            yield "lds", listener.name, OutboundResources(listeners=[listener])
        for name, hosts in self.routes.items():
            yield "rds", name, OutboundResources(routes={name: hosts})


def size_amounts(config: ProxyConfig, resources: OutboundResources) -> SizeAmounts:
    """Count what adds to the size of resources."""
    proxy, rules = config.proxy, config.rules
    telemetry = outbound_telemetry(rules, proxy.namespace, proxy.labels)
    clusters = _of_clusters(rules.endpoints(), resources.clusters)
    clusters["static_cluster"] += resources.static_clusters
    sent = (c for c in resources.clusters if c.discovery is Discovery.EDS)
    return SizeAmounts(
        cds=clusters,
        eds=_of_load_assignments(sent),
        lds=_of_listeners(resources, telemetry),
        rds=_of_routes(
            resources.routes, config.outbound_traffic_policy, rules.mesh.config.default_retries
        ),
    )


def _of_clusters(index: EndpointIndex, clusters: Iterable[OutboundCluster]) -> Counter[str]:
    found: Counter[str] = Counter()
    for cluster in clusters:
        service, rule = cluster.service, cluster.destination_rule
        found[_CLUSTER_KINDS[cluster.discovery]] += 1
        found["cluster_name_byte"] += _TIMES_NAMED[cluster.discovery] * len(cluster.name)
        found["service_name_byte"] += sum(map(len, (*service.key, service.name, cluster.subset)))
        found["mesh_external"] += service.mesh_external
        found["http_options"] += _has_http_options(cluster)
        found["subset_cluster"] += bool(cluster.subset)
        if rule is not None:
            found["destination_rule"] += 1
            found["destination_rule_byte"] += sum(map(len, rule.sources[0]))
            found["outlier_detection"] += rule.outlier_detection
        _add_tls(found, index, cluster)
        if cluster.discovery is Discovery.DNS:
            found["resolved_endpoint"] += len(cluster.endpoints)
            each = ((e.address, e.reported_as) for e in cluster.endpoints)
            found["resolved_endpoint_byte"] += sum(len(name) for names in each for name in names)
    return found


def _add_tls(found: Counter[str], index: EndpointIndex, cluster: OutboundCluster) -> None:
    """Count how connections are secured: as a DestinationRule says, else by mutual TLS.

    Where no rule says it the proxy tells by the endpoint whether it takes mutual TLS.
    """
    mode = _tls_mode(cluster)
    found["tls_origination"] += mode in _TLS_OF_ITS_OWN
    if mode == _ISTIO_MUTUAL or (not mode and _has_mutual_tls(index, cluster)):
        accounts = index.service_accounts(cluster.service.key)
        is_matched = not mode and cluster.discovery is not Discovery.ORIGINAL_DST
        found["mutual_tls"] += 1
        found["mutual_tls_match"] += is_matched
        found["cluster_name_byte"] += len(cluster.name)
        found["service_account"] += len(accounts)
        found["service_account_byte"] += sum(len(ns) + len(name) for ns, name in accounts)


def _tls_mode(cluster: OutboundCluster) -> str:
    rule = cluster.destination_rule
    return "" if rule is None else rule.tls_mode(cluster.port.number)


def _has_http_options(cluster: OutboundCluster) -> bool:
    """Guess from the port's name, unless a DestinationRule sets them.

    A sniffed port has options for either version of HTTP.
    """
    port, rule = cluster.port, cluster.destination_rule
    named = port.name.partition("-")[0].lower() in _HTTP2_NAMES
    by_port = port.protocol is Protocol.SNIFFED or (port.protocol.is_http and named)
    return by_port or (rule is not None and rule.http_options)


def _has_mutual_tls(index: EndpointIndex, cluster: OutboundCluster) -> bool:
    """Tell whether a cluster is ready for mutual TLS, as it is unless a policy forbids it.

    Where istiod does not choose the endpoint, all of them must be.
    """
    service = cluster.service
    if service.mesh_external:
        return False
    if cluster.discovery is not Discovery.ORIGINAL_DST:
        return True
    endpoints = index.of_cluster(service, cluster.port, {})
    return bool(endpoints) and all(map(_takes_mutual_tls, endpoints))


def _takes_mutual_tls(endpoint: ServiceEndpoint) -> bool:
    return endpoint.labels.get(_TLS_MODE_LABEL) == "istio"


def _of_load_assignments(clusters: Iterable[OutboundCluster]) -> Counter[str]:
    found: Counter[str] = Counter()
    for cluster in clusters:
        found["load_assignment"] += 1
        localities = {each.locality for each in cluster.endpoints}
        found["locality"] += len(localities)
        found["named_locality"] += sum(map(bool, localities))
        found["locality_byte"] += sum(len(each.replace("/", "")) for each in localities)
        found["load_assignment_name_byte"] += len(cluster.name)
        found["endpoint"] += len(cluster.endpoints)
        found["endpoint_address_byte"] += sum(len(e.address) for e in cluster.endpoints)
        found["endpoint_name_byte"] += sum(len(e.reported_as) for e in cluster.endpoints)
        if _tls_mode(cluster) in ("", _ISTIO_MUTUAL):
            found["mutual_tls_endpoint"] += sum(map(_takes_mutual_tls, cluster.endpoints))
    return found


def _of_listeners(resources: OutboundResources, telemetry: OutboundTelemetry) -> Counter[str]:
    found: Counter[str] = Counter(virtual_outbound=resources.virtual_outbound)
    chains = _VIRTUAL_OUTBOUND_CHAINS * resources.virtual_outbound
    for listener in resources.listeners:
        found["pass_through_chain"] += passes_through(listener)
        chains += len(listener.chains) + passes_through(listener)
        for chain in listener.chains:
            found["http_chain" if chain.route_config else "tcp_chain"] += 1
            found["chain_cluster_byte"] += sum(map(len, chain.clusters))
    found["tracing"] = found["http_chain"] * telemetry.tracing
    found["text_access_log"] = chains * telemetry.text_logs
    found["json_access_log"] = chains * telemetry.json_logs
    return found


def _of_routes(
    routes: Mapping[str, Iterable[VirtualHost]],
    outbound_traffic_policy: str,
    default_retries: Retries | None,
) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, hosts in routes.items():
        found["route_configuration"] += 1
        if has_catch_all(name):
            found["catch_all_virtual_host"] += 1
            found["refusing_virtual_host"] += outbound_traffic_policy == REGISTRY_ONLY
            found["resolving_virtual_host"] += outbound_traffic_policy == DYNAMIC_DNS
        else:
            found["virtual_host_byte"] += len(name)
        for host in hosts:
            found["virtual_host"] += 1
            found["virtual_host_byte"] += len(host.name)
            if has_catch_all(name):  # the only host of a sniffed service has the domain *
                domains = [*host.domains, *_absolute_names(host)]
                found["domain"] += len(domains)
                found["virtual_host_byte"] += sum(map(len, domains))
            for route in host.routes:
                _add_route(found, route, default_retries)
            if host.virtual_service is not None:
                _add_virtual_service(found, host.virtual_service, host)
    return found


def _absolute_names(host: VirtualHost) -> Iterator[str]:
    """Yield the names with a trailing dot that a service and its aliases have beside the others.

    Source: `GenerateAltVirtualHosts`; pods of a headless service have names below these too.
    """
    if host.service is None:
        return
    port = host.name.removeprefix(host.host)
    for name in (host.host, *{alias.hostname for alias in host.aliases.values()}):
        for relative, end in product((name, f"*.{name}"), ("", port)):
            if relative + end in host.domains:
                yield f"{relative}.{end}"


def _add_route(found: Counter[str], route: BuiltRoute, default_retries: Retries | None) -> None:
    """Count what a route chooses from; one cluster names the traced operation by host and port."""
    clusters = route.clusters
    found["route"] += 1
    found["route_name_byte"] += len(route.name)
    found["answered_route"] += not clusters
    found["split_cluster"] += len(clusters) if len(clusters) > 1 else 0
    found["mirror"] += len(route.mirrors)
    found["route_cluster_byte"] += sum(map(len, (*clusters, *route.mirrors)))
    if len(clusters) == 1 and clusters[0] != UNKNOWN_SERVICE:
        _, port, _, host = clusters[0].split("|", 3)
        found["operation_byte"] += len(host) + len(port)
    if clusters:
        _add_retries(found, route.settings.retries or default_retries)
    if route.settings is not NO_SETTINGS:
        _add_settings(found, route.settings)


def _add_settings(found: Counter[str], settings: RouteSettings) -> None:
    """Count what else a route does; with an answer of its own nothing is asked of a destination."""
    answer = settings.answer
    each = [
        ("fault", settings.fault),
        ("cors_policy", settings.cors_policy),
        ("header_operation", settings.headers),
    ]
    if answer is not None:
        found["settings_byte"] += answer.text
    else:
        each += [
            ("rewrite", settings.rewrite),
            ("header_operation", settings.destination_headers),
        ]
    for name, setting in each:
        if setting is not None:
            found[name] += setting.number
            found["settings_byte"] += setting.text


def _add_retries(found: Counter[str], retries: Retries | None) -> None:
    """Count how retries differ from istiod's default ones (`ConvertPolicy`)."""
    if retries is None:
        return
    found["route_without_retries"] += not retries.attempts
    if retries.attempts and retries.on:
        found["retry_on_byte"] += len(retries.on) - len(_DEFAULT_RETRY_ON)


def _add_virtual_service(found: Counter[str], vs: VirtualService, host: VirtualHost) -> None:
    """Count what routes hold of their VirtualService: its name, and what they ask of a request.

    Without a single cluster it names the traced operation, with the port of the virtual host.
    """
    named_by_it = len(vs.meta.name) + len(host.name.rpartition(":")[2])
    for route in host.routes:
        match = route.match
        found["virtual_service_route"] += 1
        found["virtual_service_byte"] += len(vs.meta.namespace) + len(vs.meta.name)
        found["operation_byte"] += named_by_it if len(route.clusters) != 1 else 0
        named = (*match.headers, *match.without_headers, *match.query_params)
        single = [each for each in (match.method, match.authority, match.scheme) if each]
        found["matcher"] += len(named) + len(single)
        found["match_byte"] += sum(len(name) + len(each.value) for name, each in named)
        found["match_byte"] += sum(len(each.value) for each in single)
        found["match_byte"] += 2 * len(match.uri.value) if match.uri else 0  # the operation too
