"""The outbound Envoy clusters that a proxy is sent, with their endpoints (CDS and EDS).

Source: istio networking/core/cluster.go (`buildOutboundClusters`, `convertResolution`),
cluster_builder.go (`applyDestinationRule`, `buildSubsetCluster`, `buildCluster`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from recommender.istio.destination_rules import MergedRule
from recommender.istio.endpoint_index import ServiceEndpoint
from recommender.istio.protocols import Protocol
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.registry import RegistryPort, RegistryService, Resolution
from recommender.istio.routes import cluster_name
from recommender.istio.sidecar_scope import ScopeRules
from recommender.mesh.objects import Labels


class Discovery(Enum):
    """Name how Envoy learns the endpoints of a cluster (Envoy's `DiscoveryType`)."""

    EDS = "EDS"
    DNS = "STRICT_DNS or LOGICAL_DNS"
    ORIGINAL_DST = "ORIGINAL_DST"
    FORWARD_PROXY = "dynamic_forward_proxy"


@dataclass(frozen=True, slots=True)
class OutboundCluster:
    """Describe an Envoy cluster: of a port of a service, or of a subset of its DestinationRule.

    `endpoints` are those of its ClusterLoadAssignment, which is a resource of its own with EDS and
    part of the cluster by DNS. `destination_rule` is the one of its service.
    """

    service: RegistryService
    port: RegistryPort
    subset: str
    discovery: Discovery
    endpoints: Sequence[ServiceEndpoint]
    destination_rule: MergedRule | None

    @property
    def name(self) -> str:
        """Return Envoy's name of the cluster."""
        return cluster_name(self.service.hostname, self.port.number, self.subset)


_BY_RESOLUTION = {
    Resolution.CLIENT_SIDE_LB: Discovery.EDS,
    Resolution.DNS: Discovery.DNS,
    Resolution.DNS_ROUND_ROBIN: Discovery.DNS,
    Resolution.PASSTHROUGH: Discovery.ORIGINAL_DST,
    Resolution.DYNAMIC_DNS: Discovery.EDS,
}


def outbound_clusters(config: ProxyConfig) -> list[OutboundCluster]:
    """List the outbound clusters of a proxy, those of a service together.

    Not looked at are a trafficPolicy with the load balancer PASSTHROUGH, which makes an EDS cluster
    one of the original destination, endpoints of other networks, and internalTrafficPolicy.
    """
    return [
        cluster
        for service, rule in services_with_rules(config)
        for cluster in clusters_of(config.rules, service, rule)
    ]


def services_with_rules(
    config: ProxyConfig,
) -> Iterator[tuple[RegistryService, MergedRule | None]]:
    """Yield the services that a proxy has clusters of, with the DestinationRule of each."""
    for service in config.scope.services.values():
        if service.resolution is not Resolution.ALIAS:
            yield service, config.rules.destination_rules.chosen(config.proxy, service)


def clusters_of(
    rules: ScopeRules, service: RegistryService, rule: MergedRule | None
) -> Iterator[OutboundCluster]:
    """Yield the clusters of a service, the same for every proxy that uses a DestinationRule."""
    discovery = _BY_RESOLUTION[service.resolution]
    subsets: Mapping[str, Labels] = rule.subsets if rule else {}
    if service.resolves_names:
        discovery, subsets = Discovery.FORWARD_PROXY, {}
    for port in service.ports:
        if not _has_cluster(port, discovery):
            continue
        for name, labels in (("", {}), *subsets.items()):
            endpoints = _endpoints(rules, service, port, discovery, labels)
            # By DNS there is none without endpoints, and where a cluster has none no subset has.
            if endpoints or discovery is not Discovery.DNS:
                yield OutboundCluster(service, port, name, discovery, endpoints, rule)


def _has_cluster(port: RegistryPort, discovery: Discovery) -> bool:
    if discovery is Discovery.FORWARD_PROXY:
        return port.protocol.is_http or port.protocol is Protocol.TLS
    return port.protocol is not Protocol.UDP


def _endpoints(
    rules: ScopeRules,
    service: RegistryService,
    port: RegistryPort,
    discovery: Discovery,
    labels: Labels,
) -> list[ServiceEndpoint]:
    if discovery in (Discovery.EDS, Discovery.DNS):
        return rules.endpoints().of_cluster(service, port, labels)
    return []
