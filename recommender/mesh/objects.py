"""The objects of a mesh, as frozen dataclasses.

Only what decides scope, routes and selectors is kept; names follow the Kubernetes and Istio
APIs. Everything here is plain data: rules live in `recommender.istio`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from recommender.mesh.request_match import ANY_REQUEST, RequestMatch
from recommender.mesh.route_settings import NO_SETTINGS, RouteSettings

Labels = Mapping[str, str]
LabelSelector = tuple[tuple[str, str, tuple[str, ...]], ...]
"""The requirements of a selector: a key, an operator and values each."""
ProxyKind = Literal["sidecar", "gateway", "waypoint", "ztunnel"]


NO_TIME = datetime.min.replace(tzinfo=UTC)
"""Stands for the creation of an object whose source does not tell it."""


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """Name one object and say where it was read.

    `created` is the creationTimestamp (UTC), None where the source has none (a GitOps folder).
    `origin` is the file the object came from, for messages only; `kubernetes_cluster` the name of
    the Kubernetes cluster it is of, empty where its source has none.
    """

    namespace: str
    name: str
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)
    created: datetime | None = None
    origin: str = field(default="", compare=False, repr=False)
    kubernetes_cluster: str = field(default="", repr=False)

    @property
    def age(self) -> tuple[datetime, str, str]:
        """Return what orders objects from old to young, those of one second by name, as istiod."""
        return (self.created or NO_TIME, self.name, self.namespace)


@dataclass(frozen=True, slots=True)
class Namespace:
    """Describe a Kubernetes namespace."""

    meta: ObjectMeta


@dataclass(frozen=True, slots=True)
class Node:
    """Describe a Kubernetes node; `locality` is `region/zone/subzone`, empty if it has none."""

    meta: ObjectMeta
    locality: str = ""


@dataclass(frozen=True, slots=True, order=True)
class WorkloadId:
    """Identify a workload: the topmost controller of its pods, or the bare pod itself."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True)
class Pod:
    """Describe a pod.

    `workload` is the topmost controller that makes pods like this one. `proxy` is None for a pod
    without an Istio proxy. A `host_network` pod shares its node's addresses with others; `node` is
    the name of that, empty for a pod without one.
    """

    meta: ObjectMeta
    workload: WorkloadId
    ips: tuple[str, ...] = ()
    proxy: ProxyKind | None = None
    phase: str = ""
    service_account: str = "default"
    host_network: bool = False
    node: str = ""

    @property
    def has_ended(self) -> bool:
        """Tell whether its containers have stopped for good."""
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Workload:
    """Describe a workload and the pod template it makes pods from.

    `selector` is `spec.selector.matchLabels` (immutable for a Deployment, empty where the kind
    has none); `template_labels` the labels of new pods, None when only pods are known and no
    controller object was in the dump. `proxy` is what the template's containers show, before
    injection: usually None for a sidecar; `injection` is the pod template's
    `sidecar.istio.io/inject` label or annotation, None when absent. Istio never injects a
    `host_network` pod. `service_account` is the template's too.
    """

    id: WorkloadId
    meta: ObjectMeta
    selector: Labels = field(default_factory=dict)
    template_labels: Labels | None = None
    template_annotations: Labels = field(default_factory=dict)
    proxy: ProxyKind | None = None
    injection: str | None = None
    host_network: bool = False
    service_account: str = "default"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """Describe one port of a Service or ServiceEntry.

    `target_port` is a number, a container port's name, or None (same as `number`).
    """

    number: int
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str | None = None
    target_port: int | str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """Describe a Kubernetes Service.

    `cluster_ips` is empty for a headless Service (`clusterIP: None`) and for ExternalName.
    """

    meta: ObjectMeta
    type: str = "ClusterIP"
    cluster_ips: tuple[str, ...] = ()
    headless: bool = False
    selector: Labels = field(default_factory=dict)
    ports: tuple[ServicePort, ...] = ()
    external_name: str | None = None


@dataclass(frozen=True, slots=True)
class EndpointPort:
    """Describe one port of an EndpointSlice."""

    number: int
    name: str = ""
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Describe one endpoint of an EndpointSlice or ServiceEntry.

    `pod` is the (namespace, name) of the target pod, if it names one. One that is `terminating` is
    not ready and will not be again. `locality` is that of a ServiceEntry's, `zone` that of an
    EndpointSlice's.
    """

    addresses: tuple[str, ...]
    ready: bool = True
    terminating: bool = False
    pod: tuple[str, str] | None = None
    labels: Labels = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    locality: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class EndpointSlice:
    """Describe an EndpointSlice; `service` is the name of the Service it belongs to."""

    meta: ObjectMeta
    service: str
    ports: tuple[EndpointPort, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Destination:
    """Describe where a VirtualService route sends a call; `host` as written.

    `weight` is None for a mirror, and where none is written.
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
    of the path alone. `has_mirror` tells that the first of the mirrors is the field `mirror`;
    `retry_on` is what `retries` says instead of istiod's default, `settings` what else an http
    route does.
    """

    protocol: Literal["http", "tcp", "tls"]
    name: str = ""
    matches: tuple[RouteMatch, ...] = ()
    destinations: tuple[Destination, ...] = ()
    mirrors: tuple[Destination, ...] = ()
    has_mirror: bool = False
    delegate: tuple[str, str] | None = None
    rewrite_authority: str | None = None
    retry_on: str = ""
    settings: RouteSettings = NO_SETTINGS


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

    That is a Gateway or its ListenerSet, a route or an EnvoyFilter that is attached to one, an
    Ingress, or a WorkloadGroup, which lets virtual machines join. `hosts` are the services that it
    leads to; `namespaces` those of what else it names, such as a Gateway or a certificate.
    """

    meta: ObjectMeta
    kind: str
    hosts: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DestinationRule:
    """Describe an Istio DestinationRule; `connection_pool` tells whether any is set.

    `tls_modes` maps ports, or 0 for all others, to how connections are secured. `http_options`
    tells that one of them sets Envoy's options for HTTP, which clusters have at
    ports of any protocol then, `outlier_detection` that there is any.

    `subsets` maps their names to the labels of their endpoints, in order.
    """

    meta: ObjectMeta
    host: str
    subsets: Mapping[str, Labels] = field(default_factory=dict)
    connection_pool: bool = False
    workload_selector: Labels | None = None
    export_to: tuple[str, ...] | None = None
    http_options: bool = False
    outlier_detection: bool = False
    tls_modes: Mapping[int, str] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class TelemetryEntry:
    """Describe one entry of a Telemetry's tracing or accessLogging list.

    `mode` is `match.mode`: CLIENT, SERVER or CLIENT_AND_SERVER (also when absent). `disabled` is
    `disableSpanReporting` or `disabled`, None when absent. Without `providers` or `disabled` it
    inherits. `filtered` tells that only some access log lines are written.
    """

    providers: tuple[str, ...] = ()
    mode: str = "CLIENT_AND_SERVER"
    disabled: bool | None = None
    filtered: bool = False


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Describe what decides a Telemetry's extension providers.

    `tracing` and `access_logging` hold one item per entry of those lists, in order.
    """

    meta: ObjectMeta
    selector: Labels = field(default_factory=dict)
    tracing: tuple[TelemetryEntry, ...] = ()
    access_logging: tuple[TelemetryEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorizationPolicy:
    """Describe an AuthorizationPolicy; `provider` is set for action CUSTOM."""

    meta: ObjectMeta
    selector: Labels = field(default_factory=dict)
    action: str = "ALLOW"
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class PeerAuthentication:
    """Describe a PeerAuthentication; without a selector it is for its whole namespace."""

    meta: ObjectMeta
    selector: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequestAuthentication:
    """Describe a RequestAuthentication by the hosts of its `jwksUri`s."""

    meta: ObjectMeta
    jwks_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvoyFilter:
    """Describe an EnvoyFilter by the outbound cluster names its patches mention."""

    meta: ObjectMeta
    workload_selector: Labels = field(default_factory=dict)
    clusters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InjectionWebhook:
    """Describe a webhook that gives pods to come a proxy, by the namespaces and pods it chooses."""

    name: str
    namespaces: LabelSelector = ()
    pods: LabelSelector = ()


@dataclass(frozen=True, slots=True)
class InjectionWebhooks:
    """Hold the webhooks of Istio's injector that a MutatingWebhookConfiguration has."""

    meta: ObjectMeta
    webhooks: tuple[InjectionWebhook, ...]


@dataclass(frozen=True, slots=True)
class AccessLogFormat:
    """Describe the format of an access log as configured.

    `text` is its format string and `labels` its JSON; istiod has a default of either for an
    empty one, and of text for neither.
    """

    text: str | None = None
    labels: Mapping[str, object] | None = None
    omits_empty: bool = False


@dataclass(frozen=True, slots=True)
class ExtensionProvider:
    """Describe an entry of MeshConfig extensionProviders.

    `kind` is the API's field name (`opentelemetry`, `envoyExtAuthzGrpc`, `envoyFileAccessLog`
    …); `service` is `[<namespace>/]<hostname>`, empty for a provider without a service;
    `log_format` is None where no access log with a format is written, and for the built-in
    provider that writes as MeshConfig says.
    """

    name: str
    kind: str
    service: str = ""
    port: int = 0
    log_format: AccessLogFormat | None = None

    @property
    def json_log(self) -> bool:
        """Tell whether an access log is written as JSON."""
        return self.log_format is not None and self.log_format.labels is not None


@dataclass(frozen=True, slots=True)
class ServiceEntryVisibility:
    """Describe MeshConfig serviceEntryVisibility.

    A visibility is the API's word. Each of the `policies` has one, and the selectors of namespaces
    that must all match; None stands for a rule of another kind, which none matches.
    """

    applies_to_sidecars: bool = False
    default: str = ""
    policies: tuple[tuple[str, tuple[LabelSelector | None, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """Describe the parts of MeshConfig that decide scope.

    `outbound_traffic_policy` is the mode; the export lists are the mesh's defaults.
    """

    root_namespace: str = "istio-system"
    trust_domain: str = "cluster.local"
    outbound_traffic_policy: str = "ALLOW_ANY"
    default_service_export_to: tuple[str, ...] = ("*",)
    default_virtual_service_export_to: tuple[str, ...] = ("*",)
    default_destination_rule_export_to: tuple[str, ...] = ("*",)
    extension_providers: tuple[ExtensionProvider, ...] = ()
    default_tracing_providers: tuple[str, ...] = ()
    default_access_logging_providers: tuple[str, ...] = ()
    access_log_file: str = ""
    access_log_format: AccessLogFormat = field(default_factory=AccessLogFormat)
    dns_capture: bool = False
    discovery_selectors: tuple[LabelSelector, ...] = ()
    ingress_class: str = "istio"
    service_entry_visibility: ServiceEntryVisibility = field(default_factory=ServiceEntryVisibility)

    @property
    def access_log(self) -> Literal["", "TEXT", "JSON"]:
        """Return the encoding of what every proxy logs where no Telemetry says otherwise."""
        if not self.access_log_file:
            return ""
        return "TEXT" if self.access_log_format.labels is None else "JSON"


@dataclass(frozen=True, slots=True, order=True)
class MeshNote:
    """Say what of a mesh source was not used, or what the dump lacks, and where.

    `is_loss` marks an object that was meant to count and could not be used.
    """

    reason: str
    where: str
    count: int = 1
    is_loss: bool = False


@dataclass(frozen=True, slots=True)
class Mesh:
    """Hold every object of a mesh that the tool knows, each tuple sorted by namespace and name.

    `istio_version` is istiod's version as (major, minor), None when the dump does not tell.
    `kubernetes_clusters` names the Kubernetes clusters in istiod's order: the first holds what
    configures istiod. Of namespaces, nodes, workloads, pods, services, endpoint slices and workload
    entries each Kubernetes cluster may have its own of one name, in this order. `elsewhere` names
    what would configure istiod if it were in the first: the kind of each object, and its metadata.
    """

    config: MeshConfig = field(default_factory=MeshConfig)
    cluster_domain: str = "cluster.local"
    istio_version: tuple[int, int] | None = None
    namespaces: tuple[Namespace, ...] = ()
    workloads: tuple[Workload, ...] = ()
    pods: tuple[Pod, ...] = ()
    services: tuple[Service, ...] = ()
    endpoint_slices: tuple[EndpointSlice, ...] = ()
    service_entries: tuple[ServiceEntry, ...] = ()
    workload_entries: tuple[WorkloadEntry, ...] = ()
    virtual_services: tuple[VirtualService, ...] = ()
    destination_rules: tuple[DestinationRule, ...] = ()
    sidecars: tuple[Sidecar, ...] = ()
    telemetries: tuple[Telemetry, ...] = ()
    authorization_policies: tuple[AuthorizationPolicy, ...] = ()
    envoy_filters: tuple[EnvoyFilter, ...] = ()
    peer_authentications: tuple[PeerAuthentication, ...] = ()
    request_authentications: tuple[RequestAuthentication, ...] = ()
    edge_objects: tuple[EdgeObject, ...] = ()
    injection_webhooks: tuple[InjectionWebhooks, ...] = ()
    elsewhere: tuple[tuple[str, ObjectMeta], ...] = ()
    notes: tuple[MeshNote, ...] = ()
    kubernetes_clusters: tuple[str, ...] = ("",)
    nodes: tuple[Node, ...] = ()
