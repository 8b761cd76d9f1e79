"""Istio's objects that decide which services there are and where calls go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from recommender.mesh.objects.kubernetes import Endpoint, ServicePort
from recommender.mesh.objects.meta import Labels, ObjectMeta
from recommender.mesh.request_match import ANY_REQUEST, RequestMatch
from recommender.mesh.route_settings import NO_SETTINGS, RouteSettings


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """Describe an Istio ServiceEntry; `export_to` None means the mesh's default.

    `allocated` holds the addresses that istiod gave to each host that has none (`status`).
    """

    meta: ObjectMeta
    hosts: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    location: str = "MESH_EXTERNAL"
    resolution: str = "NONE"
    endpoints: tuple[Endpoint, ...] = ()
    workload_selector: Labels | None = None
    export_to: tuple[str, ...] | None = None
    allocated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkloadEntry:
    """Describe an Istio WorkloadEntry; `address` may be a host name.

    One with a `service_account` has a proxy.
    """

    meta: ObjectMeta
    address: str
    labels: Labels = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    service_account: str = ""
    locality: str = ""


UNKNOWN_SERVICE: Final = "UnknownService"
"""The host of a backend that is none, and the name of its cluster (`GetDestinationCluster`)."""


@dataclass(frozen=True, slots=True)
class WorkloadGroup:
    """Describe an Istio WorkloadGroup by the labels of the virtual machines that it lets join."""

    meta: ObjectMeta
    labels: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Destination:
    """Describe where a VirtualService route sends a call; `host` as written.

    `weight` is None where none is written, and for a mirror, but 0 for one that gets nothing.
    """

    host: str
    subset: str = ""
    port: int | None = None
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """Describe a route match: what it asks of the proxy and its listener, and of the `request`.

    `precedence` orders the matches of Gateway API routes, the highest first.
    """

    name: str = ""
    gateways: tuple[str, ...] = ()
    source_namespace: str | None = None
    source_labels: Labels = field(default_factory=dict)
    port: int | None = None
    sni_hosts: tuple[str, ...] = ()
    destination_subnets: tuple[str, ...] = ()
    request: RequestMatch = ANY_REQUEST
    precedence: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Describe one http, tcp or tls route of a VirtualService.

    `delegate` is the (namespace, name) of the VirtualService that an http route delegates to;
    `rewrite_authority` what the route puts in place of the caller's authority, empty for a rewrite
    of the path alone; `header_authorities` those that its headers put there, None without headers,
    and `destination_authorities` those that the headers of destinations do. `has_mirror` tells that
    the first of the mirrors is the field `mirror`; `mirror_is_off` that it gets nothing, by
    `mirrorPercentage` or else the older `mirrorPercent`, None for one that is not written.
    `settings` is what else an http route does.
    """

    protocol: Literal["http", "tcp", "tls"]
    name: str = ""
    matches: tuple[RouteMatch, ...] = ()
    destinations: tuple[Destination, ...] = ()
    mirrors: tuple[Destination, ...] = ()
    has_mirror: bool = False
    mirror_is_off: tuple[bool | None, bool | None] = (None, None)
    delegate: tuple[str, str] | None = None
    rewrite_authority: str | None = None
    header_authorities: tuple[str, ...] | None = None
    destination_authorities: tuple[str, ...] = ()
    settings: RouteSettings = NO_SETTINGS

    @property
    def used_mirrors(self) -> tuple[Destination, ...]:
        """List the mirrors that get anything (`MirrorPercent`, `MirrorPercentByPolicy`)."""
        is_off = next((off for off in self.mirror_is_off if off is not None), False)
        used = [mirror for mirror in self.mirrors if mirror.weight != 0]
        return tuple(used[1:] if self.has_mirror and is_off else used)

    @property
    def authorities(self) -> tuple[str, ...]:
        """List the authorities that a request may be sent with instead of the caller's."""
        rewritten = (self.rewrite_authority,) if self.rewrite_authority else ()
        return (*rewritten, *(self.header_authorities or ()), *self.destination_authorities)


@dataclass(frozen=True, slots=True)
class VirtualService:
    """Describe an Istio VirtualService; hosts as written, short names not yet expanded.

    `gateway_api` marks one made from a route of the Gateway API whose parent is a Service
    or ServiceEntry; its short names were expanded as it was made.
    """

    meta: ObjectMeta
    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    export_to: tuple[str, ...] | None = None
    gateway_api: bool = False


@dataclass(frozen=True, slots=True)
class EdgeObject:
    """Describe what brings calls into a mesh from outside, beside VirtualServices.

    That is a Gateway or its ListenerSet, a route, EnvoyFilter or extension attached to one, or an
    Ingress. `hosts` are the services that it leads to; `namespaces` those of what else it names,
    such as a Gateway or a certificate.
    """

    meta: ObjectMeta
    kind: str
    hosts: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DestinationRule:
    """Describe an Istio DestinationRule.

    `subsets` maps their names to the labels of their endpoints, in order. `traffic_policy` tells
    whether it has one for all subsets, `connection_pool` and `outlier_detection` whether any policy
    has settings for that, `http_options` whether one sets Envoy's options for HTTP, which clusters
    have at ports of any protocol then. `tls_modes` maps ports, or 0 for all others, to how
    connections are secured. `config_maps` are the namespaces of those with certificates for it.
    """

    meta: ObjectMeta
    host: str
    subsets: Mapping[str, Labels] = field(default_factory=dict)
    connection_pool: bool = False
    workload_selector: Labels | None = None
    export_to: tuple[str, ...] | None = None
    http_options: bool = False
    outlier_detection: bool = False
    traffic_policy: bool = False
    tls_modes: Mapping[int, str] = field(default_factory=dict)
    config_maps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EgressListener:
    """Describe one egress listener of a Sidecar."""

    hosts: tuple[str, ...]
    port: int | None = None
    port_protocol: str | None = None
    bind: str = ""
    capture_mode: str = "DEFAULT"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Describe an existing Istio Sidecar.

    `workload_selector` is None when the field is absent, empty when it selects everything.
    `other_spec` holds the spec without `workloadSelector` and `egress`, as read, so that it can
    be written out again unchanged; `spec` all of it, None where there was no manifest.
    """

    meta: ObjectMeta
    workload_selector: Labels | None = None
    egress: tuple[EgressListener, ...] = ()
    other_spec: Mapping[str, object] = field(default_factory=dict)
    spec: Mapping[str, object] | None = field(default=None, compare=False)
