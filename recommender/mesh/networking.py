"""Convert Istio's traffic resources: VirtualService, DestinationRule, ServiceEntry, Sidecar.

Each API version of a kind has the same fields. Names and fields: istio.io/api networking.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Literal

from recommender.mesh import fields
from recommender.mesh.authority_headers import header_authorities
from recommender.mesh.credentials import config_map_namespaces
from recommender.mesh.fields import FieldError, Fields
from recommender.mesh.objects import (
    Destination,
    DestinationRule,
    EgressListener,
    Endpoint,
    Labels,
    ObjectMeta,
    Route,
    RouteMatch,
    ServiceEntry,
    ServicePort,
    Sidecar,
    VirtualService,
    WorkloadEntry,
    WorkloadGroup,
)
from recommender.mesh.request_match import request_match
from recommender.mesh.route_settings import route_settings

_MOST_SPEC_DEPTH: Final = 50


def virtual_service(meta: ObjectMeta, document: Fields) -> VirtualService:
    """Convert a VirtualService.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    spec = fields.mapping(document, "spec")

    def http(entry: Fields) -> Route:
        return _http_route(entry, meta.namespace)

    return VirtualService(
        meta=meta,
        hosts=fields.texts(spec, "hosts"),
        gateways=fields.texts(spec, "gateways"),
        routes=(
            *fields.each(spec, "http", http),
            *fields.each(spec, "tls", lambda entry: _plain_route(entry, "tls")),
            *fields.each(spec, "tcp", lambda entry: _plain_route(entry, "tcp")),
        ),
        export_to=_export_to(spec),
    )


def destination_rule(meta: ObjectMeta, document: Fields) -> DestinationRule:
    """Convert a DestinationRule.

    Raises:
        FieldError: A field has a type that the resource's schema refuses, or there is no host.
    """
    spec = fields.mapping(document, "spec")
    subsets = fields.mappings(spec, "subsets")
    selector = fields.optional_mapping(spec, "workloadSelector")
    policies = {name for holder in (spec, *subsets) for name in _policies(holder)}
    policy = fields.optional_mapping(spec, "trafficPolicy")
    return DestinationRule(
        meta=meta,
        host=fields.required_text(spec, "host"),
        subsets={fields.required_text(s, "name"): fields.labels(s, "labels") for s in subsets},
        connection_pool="connectionPool" in policies,
        http_options="HTTP options" in policies,
        outlier_detection="outlierDetection" in policies,
        traffic_policy=policy is not None,
        tls_modes=_tls_modes(policy or {}),
        workload_selector=None if selector is None else fields.labels(selector, "matchLabels"),
        export_to=_export_to(spec),
        config_maps=config_map_namespaces(spec),
    )


def service_entry(meta: ObjectMeta, document: Fields) -> ServiceEntry:
    """Convert a ServiceEntry.

    Raises:
        FieldError: A field has a type that the resource's schema refuses, or there is no host.
    """
    spec = fields.mapping(document, "spec")
    hosts = fields.texts(spec, "hosts")
    if not hosts:
        raise FieldError("hosts is missing")
    return ServiceEntry(
        meta=meta,
        hosts=hosts,
        addresses=fields.texts(spec, "addresses"),
        ports=fields.each(spec, "ports", _service_entry_port),
        location=fields.text(spec, "location") or "MESH_EXTERNAL",
        resolution=fields.text(spec, "resolution") or "NONE",
        endpoints=fields.each(spec, "endpoints", _workload_entry),
        workload_selector=_workload_selector(spec),
        export_to=_export_to(spec),
        allocated=_allocated(fields.mapping(document, "status")),
    )


def workload_entry(meta: ObjectMeta, document: Fields) -> WorkloadEntry:
    """Convert a WorkloadEntry; its labels are those of the spec and, before them, its own.

    Source: istio serviceregistry/serviceentry/conversion.go `ConvertWorkloadEntry`.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    spec = fields.mapping(document, "spec")
    labels = {**fields.labels(spec, "labels"), **meta.labels}
    return WorkloadEntry(
        meta,
        fields.text(spec, "address"),
        labels,
        _ports(spec),
        fields.text(spec, "serviceAccount"),
        fields.text(spec, "locality"),
    )


def workload_group(meta: ObjectMeta, document: Fields) -> WorkloadGroup:
    """Convert a WorkloadGroup; the labels of its template come before those of its metadata.

    Source: istio istioctl/pkg/workload/workload.go (`createMeshConfig`), which tells the proxy of a
    virtual machine its labels; those count first (autoregistration `workloadEntryFromGroup`).

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    spec = fields.mapping(document, "spec")
    metadata, template = fields.mapping(spec, "metadata"), fields.mapping(spec, "template")
    return WorkloadGroup(
        meta, {**fields.labels(metadata, "labels"), **fields.labels(template, "labels")}
    )


def sidecar(meta: ObjectMeta, document: Fields) -> Sidecar:
    """Convert a Sidecar, keeping what is not about its scope as it was read.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    spec = fields.mapping(document, "spec")
    other = {k: v for k, v in spec.items() if k not in ("workloadSelector", "egress")}
    if _deeper_than(spec, _MOST_SPEC_DEPTH):
        raise FieldError("spec is nested too deep")
    return Sidecar(
        meta=meta,
        workload_selector=_workload_selector(spec),
        egress=fields.each(spec, "egress", _egress_listener),
        other_spec=other,
        spec=spec,
    )


def _http_route(entry: Fields, namespace: str) -> Route:
    delegate = fields.optional_mapping(entry, "delegate")
    mirror = fields.optional_mapping(entry, "mirror")
    mirrors = [] if mirror is None else [_destination(mirror)]
    older = fields.integer(entry, "mirrorPercent")
    rewrite = fields.optional_mapping(entry, "rewrite")
    headers = fields.optional_mapping(entry, "headers")
    return Route(
        protocol="http",
        name=fields.text(entry, "name"),
        matches=fields.each(entry, "match", _match),
        destinations=fields.each(entry, "route", _route_destination),
        mirrors=(*mirrors, *fields.each(entry, "mirrors", _mirror)),
        has_mirror=mirror is not None,
        mirror_is_off=(
            _is_zero(entry, "mirrorPercentage"),
            None if older is None else not older,
        ),
        delegate=None
        if delegate is None
        else (
            fields.text(delegate, "namespace") or namespace,
            fields.required_text(delegate, "name"),
        ),
        rewrite_authority=None if rewrite is None else fields.text(rewrite, "authority"),
        header_authorities=None if headers is None else header_authorities(headers),
        destination_authorities=tuple(
            authority
            for destination in fields.mappings(entry, "route")
            for authority in header_authorities(fields.mapping(destination, "headers"))
        ),
        settings=route_settings(entry),
    )


def _plain_route(entry: Fields, protocol: Literal["tls", "tcp"]) -> Route:
    return Route(
        protocol=protocol,
        matches=fields.each(entry, "match", _match),
        destinations=fields.each(entry, "route", _route_destination),
    )


def _match(entry: Fields) -> RouteMatch:
    return RouteMatch(
        name=fields.text(entry, "name"),
        gateways=fields.texts(entry, "gateways"),
        source_namespace=fields.text(entry, "sourceNamespace") or None,
        source_labels=fields.labels(entry, "sourceLabels"),
        port=fields.port(entry, "port") or None,
        sni_hosts=fields.texts(entry, "sniHosts"),
        destination_subnets=fields.subnets(entry, "destinationSubnets"),
        request=request_match(entry),
    )


def _route_destination(entry: Fields) -> Destination:
    found = _destination(fields.mapping(entry, "destination"))
    return replace(found, weight=fields.integer(entry, "weight"))


def _mirror(entry: Fields) -> Destination:
    found = _destination(fields.mapping(entry, "destination"))
    return replace(found, weight=0 if _is_zero(entry, "percentage") else None)


def _is_zero(entry: Fields, name: str) -> bool | None:
    """Tell whether a percentage is nothing, None where there is none."""
    percentage = fields.optional_mapping(entry, name)
    return None if percentage is None else not percentage.get("value")


def _destination(entry: Fields) -> Destination:
    return Destination(
        host=fields.required_text(entry, "host"),
        subset=fields.text(entry, "subset"),
        port=fields.port(fields.mapping(entry, "port"), "number") or None,
    )


# Source: istio networking/core/cluster_traffic_policy.go (`applyConnectionPool`).
_HTTP_OPTIONS: Final = (
    ("http", "idleTimeout"),
    ("http", "maxRequestsPerConnection"),
    ("http", "maxConcurrentStreams"),
    ("http", "http2KeepAlive"),
    ("http", "h2UpgradePolicy"),
    ("http", "useClientProtocol"),
    ("tcp", "idleTimeout"),
    ("tcp", "maxConnectionDuration"),
)


def _policies(holder: Fields) -> Iterator[str]:
    """Name what a DestinationRule or one of its subsets sets, at any port."""
    policy = fields.mapping(holder, "trafficPolicy")
    for level in (policy, *fields.mappings(policy, "portLevelSettings")):
        for name in ("connectionPool", "outlierDetection"):
            if fields.optional_mapping(level, name) is not None:
                yield name
        pool = fields.mapping(level, "connectionPool")
        if any(name in fields.mapping(pool, of) for of, name in _HTTP_OPTIONS):
            yield "HTTP options"


def _tls_modes(policy: Fields) -> dict[int, str]:
    """Map ports, or 0 for all others, to the TLS mode; a port has its own settings alone.

    The first of a port count. Source: istio networking/util (`GetPortLevelTrafficPolicy`).
    """
    levels = {0: policy}
    for level in fields.mappings(policy, "portLevelSettings"):
        number = fields.integer(fields.mapping(level, "port"), "number")
        if number:
            levels.setdefault(number, level)
    modes = {port: _tls_mode(level) for port, level in levels.items()}
    return {port: mode for port, mode in modes.items() if mode or port}


def _tls_mode(level: Fields) -> str:
    tls = fields.optional_mapping(level, "tls")
    return "" if tls is None else fields.text(tls, "mode") or "DISABLE"


def _allocated(status: Fields) -> dict[str, tuple[str, ...]]:
    """Read the addresses in the status; an entry that names no host is of no use."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in fields.mappings(status, "addresses"):
        host, value = fields.text(entry, "host"), fields.text(entry, "value")
        if host and value and fields.addresses({"value": [value]}, "value"):
            found[host] = (*found.get(host, ()), value)
    return found


def _service_entry_port(entry: Fields) -> ServicePort:
    return ServicePort(
        number=fields.required_port(entry, "number"),
        name=fields.text(entry, "name"),
        protocol=fields.text(entry, "protocol"),  # empty: istiod sniffs
        target_port=fields.port(entry, "targetPort") or None,
    )


def _workload_entry(entry: Fields) -> Endpoint:
    address = fields.text(entry, "address")
    return Endpoint(
        addresses=(address,) if address else (),
        labels=fields.labels(entry, "labels"),
        ports=_ports(entry),
        locality=fields.text(entry, "locality"),
    )


def _ports(workload_entry: Fields) -> dict[str, int]:
    ports = fields.mapping(workload_entry, "ports")
    return {name: fields.required_port(ports, name) for name in sorted(ports)}


def _egress_listener(entry: Fields) -> EgressListener:
    port = fields.optional_mapping(entry, "port")
    return EgressListener(
        hosts=fields.texts(entry, "hosts"),
        port=None if port is None else fields.port(port, "number") or 0,
        port_protocol=None if port is None else fields.text(port, "protocol"),
        bind=fields.text(entry, "bind"),
        capture_mode=fields.text(entry, "captureMode") or "DEFAULT",
    )


def _workload_selector(spec: Fields) -> Labels | None:
    selector = fields.optional_mapping(spec, "workloadSelector")
    return None if selector is None else fields.labels(selector, "labels")


def _export_to(spec: Fields) -> tuple[str, ...] | None:
    """Read `exportTo`; an empty list is as good as none (`len(exportTo) == 0` in istiod)."""
    return fields.texts(spec, "exportTo") or None


def _deeper_than(value: object, most: int) -> bool:
    layer = [value]
    for _ in range(most):
        containers = [item for item in layer if isinstance(item, dict | list)]
        if not containers:
            return False
        layer = [
            inner
            for item in containers
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return True
