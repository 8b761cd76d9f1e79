"""How much configuration a scope costs a proxy: resources by xDS type, and bytes.

The counts are istiod's. The bytes are an estimate of what istiod's push log calls the size: the
protobuf encoding of the resources, without the envelope that delivers them. They are what is
counted times `SizeCoefficients`. What a proxy is sent for inbound calls does not depend on its
scope and is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter

from recommender.istio.destination_rules import MergedRule
from recommender.istio.outbound_clusters import Discovery, clusters_of, services_with_rules
from recommender.istio.outbound_listeners import has_catch_all, passes_through
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.registry import RegistryService
from recommender.istio.size_amounts import OutboundResources, size_amounts


@dataclass(frozen=True, slots=True)
class SizeCoefficients:
    """Say how many bytes each thing adds to what a proxy is sent.

    A `*_byte` is per byte of a name: how often the name is repeated. The defaults are fitted to
    istiod 1.31 on random meshes by `python -m tests.istio.config_size_fit`, which prints how far
    off they are there and on other meshes.
    """

    # CDS: a cluster by how Envoy learns its endpoints, and what may come with it.
    eds_cluster: float = 359
    original_dst_cluster: float = 348
    dns_cluster: float = 519
    forward_proxy_cluster: float = 440
    cluster_name_byte: float = 1
    service_name_byte: float = 1
    mesh_external: float = 13
    mutual_tls: float = 246
    mutual_tls_match: float = 182
    service_account: float = 31
    service_account_byte: float = 1
    tls_origination: float = 314
    http_options: float = 141
    destination_rule: float = 74
    destination_rule_byte: float = 1
    outlier_detection: float = 20
    subset_cluster: float = 12
    resolved_endpoint: float = 45
    resolved_endpoint_byte: float = 1
    static_cluster: float = 254
    # EDS: a ClusterLoadAssignment, its endpoints, and what telemetry calls each one.
    load_assignment: float = 2
    load_assignment_name_byte: float = 1
    locality: float = 8
    named_locality: float = 4
    locality_byte: float = 1
    endpoint: float = 48
    endpoint_address_byte: float = 1
    endpoint_name_byte: float = 1
    mutual_tls_endpoint: float = 56
    # LDS: the filter chains of listeners, and what each of them reports.
    http_chain: float = 2110
    tcp_chain: float = 246
    pass_through_chain: float = 326
    chain_cluster_byte: float = 2
    text_access_log: float = 663
    json_access_log: float = 1178
    tracing: float = 190
    virtual_outbound: float = 540
    # RDS: a route configuration, its virtual hosts with their routes, and what those choose from.
    route_configuration: float = 15
    catch_all_virtual_host: float = 63
    refusing_virtual_host: float = -22
    resolving_virtual_host: float = 27
    virtual_host: float = 5
    domain: float = 2
    virtual_host_byte: float = 1
    route: float = 254
    route_name_byte: float = 1
    route_cluster_byte: float = 1
    operation_byte: float = 1
    answered_route: float = -232
    split_cluster: float = 8
    mirror: float = 15
    fault: float = 114
    cors_policy: float = 116
    header_operation: float = 7
    rewrite: float = 1
    settings_byte: float = 1
    retry_on_byte: float = 1
    route_without_retries: float = -227
    virtual_service_route: float = 84
    virtual_service_byte: float = 1
    matcher: float = 14
    match_byte: float = 1


DEFAULT_COEFFICIENTS = SizeCoefficients()
ESTIMATE_ERRORS: Mapping[str, tuple[float, float]] = {
    "cds": (0.01, 0.02),
    "eds": (0.01, 0.02),
    "lds": (0.01, 0.03),
    "rds": (0.01, 0.02),
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

    def bytes_of(self, xds: str) -> int:
        """Return the bytes of one type: `cds`, `eds`, `lds` or `rds`."""
        return int(getattr(self, f"{xds}_bytes"))

    def times(self, number: int) -> ConfigSize:
        """Return what so many proxies are sent."""
        return ConfigSize(*(getattr(self, name) * number for name in _FIELDS))

    def plus(self, other: ConfigSize) -> ConfigSize:
        """Return what both are together."""
        return sum_of((self, other))


_FIELDS = tuple(each.name for each in fields(ConfigSize))
_values = attrgetter(*_FIELDS)
NO_CONFIG = ConfigSize(*(0 for _ in _FIELDS))
"""What no proxy is sent."""


def sum_of(sizes: Iterable[ConfigSize]) -> ConfigSize:
    """Sum up sizes; none is all zeros."""
    return ConfigSize(*map(sum, zip(_values(NO_CONFIG), *map(_values, sizes), strict=True)))


def config_size(
    config: ProxyConfig, coefficients: SizeCoefficients = DEFAULT_COEFFICIENTS
) -> ConfigSize:
    """Count what a proxy is sent for its outbound calls, and estimate it in bytes.

    The counts are those of istiod 1.31, but for what an EnvoyFilter adds or removes, and what
    `outbound_clusters` names.
    """
    return size_of_resources(config, OutboundResources.of(config), coefficients)


@dataclass(slots=True)
class ConfigSizer:
    """Estimate many configurations; what the clusters of a service add is worked out once."""

    coefficients: SizeCoefficients = DEFAULT_COEFFICIENTS
    _known: dict[tuple[int, ...], tuple[object, ConfigSize]] = field(default_factory=dict)

    def size(self, config: ProxyConfig) -> ConfigSize:
        """Count and estimate as `config_size` does."""
        others = OutboundResources.without_clusters(config)
        found = [size_of_resources(config, others, self.coefficients)]
        found += (self._of_service(config, *each) for each in services_with_rules(config))
        return sum_of(found)

    def _of_service(
        self, config: ProxyConfig, service: RegistryService, rule: MergedRule | None
    ) -> ConfigSize:
        """Estimate clusters once; what names them is kept as long as that, since `id` does."""
        named = (config.rules, service, rule)
        key = tuple(map(id, named))
        if key in self._known:
            return self._known[key][1]
        resources = OutboundResources(clusters=list(clusters_of(*named)))
        size = size_of_resources(config, resources, self.coefficients)
        # One of which a scope has but some ports was made for that scope, and is not met again.
        if any(service is each for each in config.rules.registry.objects.get(service.key, ())):
            self._known[key] = (named, size)
        return size


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
