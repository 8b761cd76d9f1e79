"""The objects of a mesh, as frozen dataclasses.

Only what decides scope, routes and selectors is kept; names follow the Kubernetes and Istio
APIs. Everything here is plain data: rules live in `recommender.istio`.
"""

from recommender.mesh.objects.kubernetes import (
    Capture,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    InjectionWebhook,
    InjectionWebhooks,
    Namespace,
    Node,
    Pod,
    ProxyKind,
    Service,
    ServicePort,
    Workload,
    WorkloadId,
)
from recommender.mesh.objects.mesh import Mesh, MeshNote
from recommender.mesh.objects.mesh_config import (
    AccessLogFormat,
    ExtensionProvider,
    MeshConfig,
    ServiceEntryVisibility,
)
from recommender.mesh.objects.meta import NO_TIME, Labels, LabelSelector, ObjectMeta
from recommender.mesh.objects.networking import (
    UNKNOWN_SERVICE,
    Destination,
    DestinationRule,
    EdgeObject,
    EgressListener,
    Route,
    RouteMatch,
    ServiceEntry,
    Sidecar,
    VirtualService,
    WorkloadEntry,
    WorkloadGroup,
)
from recommender.mesh.objects.policies import (
    AuthorizationPolicy,
    EnvoyFilter,
    Extension,
    PeerAuthentication,
    RequestAuthentication,
    Telemetry,
    TelemetryEntry,
)

__all__ = [
    "NO_TIME",
    "UNKNOWN_SERVICE",
    "AccessLogFormat",
    "AuthorizationPolicy",
    "Capture",
    "Destination",
    "DestinationRule",
    "EdgeObject",
    "EgressListener",
    "Endpoint",
    "EndpointPort",
    "EndpointSlice",
    "EnvoyFilter",
    "Extension",
    "ExtensionProvider",
    "InjectionWebhook",
    "InjectionWebhooks",
    "LabelSelector",
    "Labels",
    "Mesh",
    "MeshConfig",
    "MeshNote",
    "Namespace",
    "Node",
    "ObjectMeta",
    "PeerAuthentication",
    "Pod",
    "ProxyKind",
    "RequestAuthentication",
    "Route",
    "RouteMatch",
    "Service",
    "ServiceEntry",
    "ServiceEntryVisibility",
    "ServicePort",
    "Sidecar",
    "Telemetry",
    "TelemetryEntry",
    "VirtualService",
    "Workload",
    "WorkloadEntry",
    "WorkloadGroup",
    "WorkloadId",
]
