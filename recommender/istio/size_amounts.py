"""What adds to the size of the configuration that a proxy is sent for its outbound calls.

Source of what a resource consists of: istio networking/core/cluster_builder.go, listener.go,
httproute.go, networking/core/route/route.go, route/retry/retry.go,
xds/endpoints/endpoint_builder.go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recommender.istio.call import ProxyConfig
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
from recommender.istio.proxy import DYNAMIC_DNS
from recommender.istio.telemetry import OutboundTelemetry, outbound_telemetry
from recommender.istio.virtual_hosts import VirtualHost

_STATIC_CLUSTERS = 3  # BlackHoleCluster, PassthroughCluster, InboundPassthroughCluster
_DEFAULT_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
_VIRTUAL_OUTBOUND_CHAINS = 2
_TLS_MODE_LABEL = "security.istio.io/tlsMode"
_HTTP2_NAMES = frozenset(("grpc", "http2"))
_CLUSTER_KINDS = {
    Discovery.EDS: "eds_cluster",
    Discovery.ORIGINAL_DST: "original_dst_cluster",
    Discovery.DNS: "dns_cluster",
    Discovery.FORWARD_PROXY: "forward_proxy_cluster",
}


@dataclass(frozen=True, slots=True)
class SizeAmounts:
    """Count by xDS type what adds to the size: the name of a coefficient -> how often."""

    cds: Mapping[str, int]
    eds: Mapping[str, int]
    lds: Mapping[str, int]
    rds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OutboundResources:
    """Hold the resources that a proxy is sent for its outbound calls.

    `static_clusters` counts the clusters that every proxy has, `virtual_outbound` the listener.
    """

    clusters: list[OutboundCluster]
    listeners: list[OutboundListener]
    routes: Mapping[str, tuple[VirtualHost, ...]]
    static_clusters: int
    virtual_outbound: int = 1

    @classmethod
    def of(cls, config: ProxyConfig) -> OutboundResources:
        """Build the resources."""
        listeners = outbound_listeners(config)
        dynamic = config.outbound_traffic_policy == DYNAMIC_DNS
        return cls(
            outbound_clusters(config),
            listeners,
            route_configurations(config, listeners),
            _STATIC_CLUSTERS + dynamic,
        )


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
        rds=_of_routes(resources.routes),
    )


def _of_clusters(index: EndpointIndex, clusters: Iterable[OutboundCluster]) -> Counter[str]:
    found: Counter[str] = Counter()
    for cluster in clusters:
        service, rule = cluster.service, cluster.destination_rule
        found[_CLUSTER_KINDS[cluster.discovery]] += 1
        found["cluster_host_byte"] += len(service.hostname)
        found["http2_options"] += _has_http2_options(cluster) or _has_http_pool(cluster)
        found["outlier_detection"] += rule is not None and rule.outlier_detection
        found["destination_rule"] += rule is not None
        found["subset_cluster"] += bool(cluster.subset)
        if _has_mutual_tls(index, cluster):
            found["mutual_tls"] += 1
            found["service_account"] += len(index.service_accounts(service.key))
        if cluster.discovery is Discovery.DNS:
            found["resolved_endpoint"] += len(cluster.endpoints)
    return found


def _has_http2_options(cluster: OutboundCluster) -> bool:
    """Guess from the port's name; a sniffed port has options for either version of HTTP."""
    port = cluster.port
    named = port.name.partition("-")[0].lower() in _HTTP2_NAMES
    return port.protocol is Protocol.SNIFFED or (port.protocol is Protocol.HTTP and named)


def _has_http_pool(cluster: OutboundCluster) -> bool:
    """Tell whether a DestinationRule sets options of HTTP for a cluster that speaks it."""
    rule = cluster.destination_rule
    return rule is not None and rule.http_pool and cluster.port.protocol is Protocol.HTTP


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
        found["locality"] += bool(cluster.endpoints)
        found["load_assignment_name_byte"] += len(cluster.name)
        found["endpoint"] += len(cluster.endpoints)
        found["endpoint_address_byte"] += sum(len(e.address) for e in cluster.endpoints)
        found["endpoint_workload_byte"] += sum(len(e.workload) for e in cluster.endpoints)
        found["foreign_endpoint"] += sum(not e.workload for e in cluster.endpoints)
        if not cluster.service.mesh_external:
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


def _of_routes(routes: Mapping[str, Iterable[VirtualHost]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, hosts in routes.items():
        found["route_configuration"] += 1
        found["catch_all_virtual_host"] += has_catch_all(name)
        for host in hosts:
            found["virtual_host"] += 1
            found["virtual_host_byte"] += len(host.name)
            if has_catch_all(name):  # the only host of a sniffed service has the domain *
                domains = (*host.domains, *([f"{host.host}."] if host.service else []))
                found["domain"] += len(domains)
                found["virtual_host_byte"] += sum(map(len, domains))
            found["further_route"] += len(host.routes) - 1
            found["retry_on_byte"] += sum(
                len(route.retry_on) - len(_DEFAULT_RETRY_ON)
                for route in host.routes
                if route.retry_on and route.clusters
            )
            found["answered_route"] += sum(not route.clusters for route in host.routes)
            found["virtual_service_route"] += len(host.routes) * (host.virtual_service is not None)
            clusters = [c for route in host.routes for c in (*route.clusters, *route.mirrors)]
            found["route_cluster"] += len(clusters)
            found["route_cluster_byte"] += sum(map(len, clusters))
    return found
