"""How much configuration a scope costs a proxy: resources by xDS type, and bytes.

The counts are istiod's. The bytes are an estimate of what istiod's push log calls the size: the
protobuf encoding of the resources, without the envelope that delivers them. They are what is
counted times `SizeCoefficients`. What a proxy is sent for inbound calls does not depend on its
scope and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from recommender.istio.call import ProxyConfig
from recommender.istio.outbound_clusters import Discovery
from recommender.istio.outbound_listeners import has_catch_all, passes_through
from recommender.istio.size_amounts import OutboundResources, size_amounts


@dataclass(frozen=True, slots=True)
class SizeCoefficients:
    """Say how many bytes each thing adds to what a proxy is sent.

    A `*_byte` is per byte of a name: how often the name is repeated. The defaults are fitted to
    istiod 1.31 by `python -m tests.istio.config_size_fit`, which prints how far off they are.
    """

    # CDS: a cluster by how Envoy learns its endpoints, and what may come with it.
    eds_cluster: float = 435
    original_dst_cluster: float = 308
    dns_cluster: float = 528
    forward_proxy_cluster: float = 532
    cluster_host_byte: float = 7
    mutual_tls: float = 373
    service_account: float = 28
    http2_options: float = 152
    destination_rule: float = 78
    outlier_detection: float = 70
    subset_cluster: float = 28
    resolved_endpoint: float = 139
    static_cluster: float = 251
    # EDS: a ClusterLoadAssignment, its endpoints, and the name of each one's workload.
    load_assignment: float = 3
    load_assignment_name_byte: float = 1
    locality: float = 10
    endpoint: float = 51
    endpoint_address_byte: float = 1
    endpoint_workload_byte: float = 1
    foreign_endpoint: float = 24
    mutual_tls_endpoint: float = 63
    # LDS: the filter chains of listeners, and what each of them reports.
    http_chain: float = 2127
    tcp_chain: float = 240
    pass_through_chain: float = 314
    chain_cluster_byte: float = 2
    text_access_log: float = 663
    json_access_log: float = 1182
    tracing: float = 210
    virtual_outbound: float = 531
    # RDS: a route configuration, its virtual hosts with a route each, and what else those have.
    route_configuration: float = 30
    catch_all_virtual_host: float = 44
    virtual_host: float = 284
    domain: float = 2
    virtual_host_byte: float = 1
    further_route: float = 305
    retry_on_byte: float = 1
    answered_route: float = -223
    virtual_service_route: float = 83
    route_cluster: float = -24
    route_cluster_byte: float = 2


DEFAULT_COEFFICIENTS = SizeCoefficients()
ESTIMATE_ERRORS: Mapping[str, tuple[float, float]] = {
    "cds": (0.02, 0.05),
    "eds": (0.02, 0.05),
    "lds": (0.02, 0.05),
    "rds": (0.02, 0.06),
}
"""How far estimates are off by xDS type, as shares of the true bytes: half and 95 % of the proxies.

A test measures it on meshes that had no part in the fit, and fails where it is more.
"""


@dataclass(frozen=True, slots=True)
class ConfigSize:
    """Tell what a proxy is sent for its outbound calls, by xDS type.

    `clusters` are those of services, subsets among them, and `static_clusters` those that every
    proxy has; `load_assignments` hold `endpoints`. `listeners` with their `filter_chains` are
    those of services, without `virtualOutbound`. `cds_bytes` and `lds_bytes` are with what every
    proxy has.
    """

    clusters: int
    static_clusters: int
    load_assignments: int
    endpoints: int
    listeners: int
    filter_chains: int
    route_configurations: int
    virtual_hosts: int
    routes: int
    cds_bytes: int
    eds_bytes: int
    lds_bytes: int
    rds_bytes: int

    @property
    def bytes(self) -> int:
        """Return the bytes of all types."""
        return self.cds_bytes + self.eds_bytes + self.lds_bytes + self.rds_bytes

    def times(self, number: int) -> ConfigSize:
        """Return what so many proxies are sent."""
        return ConfigSize(*(getattr(self, name) * number for name in _FIELDS))

    def plus(self, other: ConfigSize) -> ConfigSize:
        """Return what both are together."""
        return ConfigSize(*(getattr(self, name) + getattr(other, name) for name in _FIELDS))


_FIELDS = tuple(field.name for field in fields(ConfigSize))
NO_CONFIG = ConfigSize(*(0 for _ in _FIELDS))
"""What no proxy is sent."""


def config_size(
    config: ProxyConfig, coefficients: SizeCoefficients = DEFAULT_COEFFICIENTS
) -> ConfigSize:
    """Count what a proxy is sent for its outbound calls, and estimate it in bytes.

    The counts are those of istiod 1.31, but for what an EnvoyFilter adds or removes, a Sidecar's
    listener for HTTP_PROXY, whose routes are counted as those of its port, and what
    `outbound_clusters` names.
    """
    return size_of_resources(config, OutboundResources.of(config), coefficients)


def size_of_resources(
    config: ProxyConfig,
    resources: OutboundResources,
    coefficients: SizeCoefficients = DEFAULT_COEFFICIENTS,
) -> ConfigSize:
    """Count some resources of a proxy, and estimate them in bytes."""
    amounts = size_amounts(config, resources)
    sent = [c for c in resources.clusters if c.discovery is Discovery.EDS]
    hosts = [host for found in resources.routes.values() for host in found]
    catch_all = sum(map(has_catch_all, resources.routes))
    return ConfigSize(
        clusters=len(resources.clusters),
        static_clusters=resources.static_clusters,
        load_assignments=len(sent),
        endpoints=sum(len(cluster.endpoints) for cluster in sent),
        listeners=len(resources.listeners),
        filter_chains=sum(len(x.chains) + passes_through(x) for x in resources.listeners),
        route_configurations=len(resources.routes),
        virtual_hosts=len(hosts) + catch_all,
        routes=sum(len(host.routes) for host in hosts) + catch_all,
        cds_bytes=_bytes(amounts.cds, coefficients),
        eds_bytes=_bytes(amounts.eds, coefficients),
        lds_bytes=_bytes(amounts.lds, coefficients),
        rds_bytes=_bytes(amounts.rds, coefficients),
    )


def _bytes(amounts: Mapping[str, int], coefficients: SizeCoefficients) -> int:
    return round(sum(float(getattr(coefficients, name)) * n for name, n in amounts.items()))
