"""The kinds of objects that count, and what converts each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Protocol

from recommender.mesh import edge, kubernetes, networking, policies, webhooks
from recommender.mesh.fields import Fields
from recommender.mesh.gateway_api import GatewayRoute, gateway_route
from recommender.mesh.mesh_config import MeshConfigMap, mesh_config_map
from recommender.mesh.objects import (
    AuthorizationPolicy,
    DestinationRule,
    EndpointSlice,
    EnvoyFilter,
    Extension,
    InjectionWebhooks,
    Namespace,
    Node,
    ObjectMeta,
    PeerAuthentication,
    RequestAuthentication,
    Service,
    ServiceEntry,
    Sidecar,
    Telemetry,
    VirtualService,
    WorkloadEntry,
)
from recommender.mesh.workloads import CONTROLLER_KINDS, Controller, PodObject, controller, pod


class NamedObject(Protocol):
    """Stand for any of the frozen dataclasses with a `meta`."""

    @property
    def meta(self) -> ObjectMeta:
        """Name the object."""


Converter = Callable[[ObjectMeta, Fields], NamedObject | None]
Kinds = Mapping[tuple[str, str], Converter]
"""What converts an object, by its API group and kind."""

# Two kinds bear one name; other groups are old names of the same kinds.
GATEWAY_API_GATEWAY: Final = ("gateway.networking.k8s.io", "Gateway")
CLUSTER_SET_KINDS: Final = ("ServiceExport", "ServiceImport")
"""Kinds of multi-cluster Services, which are not modelled."""
CLUSTER_SCOPED: Final = ("Namespace", "Node", "IngressClass", "MutatingWebhookConfiguration")
"""Kinds whose objects are in no namespace."""
OF_MANY: Final = ("ConfigMap", "MutatingWebhookConfiguration")
"""Kinds of which an object that is of no use is one of other programs."""
EXPECTED: Final = (Namespace, Service, PodObject)
"""What every dump has if it is whole."""
OF_EACH_CLUSTER: Final = (
    *EXPECTED,
    Node,
    EndpointSlice,
    WorkloadEntry,
    Controller,
    MeshConfigMap,
    InjectionWebhooks,
    edge.IngressClass,
)
"""What counts of every Kubernetes cluster, not only of the first."""
OF_ONE_REVISION: Final = (
    VirtualService,
    DestinationRule,
    ServiceEntry,
    WorkloadEntry,
    Sidecar,
    EnvoyFilter,
    Extension,
    Telemetry,
    AuthorizationPolicy,
    PeerAuthentication,
    RequestAuthentication,
    GatewayRoute,
)
"""What an istiod of another revision than that of its label does not see."""


def kinds_that_count(cluster_domain: str) -> Kinds:
    """List the kinds that count by API group; every version of a kind has the same fields."""
    istio = "networking.istio.io"
    kinds: dict[tuple[str, str], Converter] = {
        ("", "Namespace"): kubernetes.namespace,
        ("", "Node"): kubernetes.node,
        ("", "Service"): kubernetes.service,
        ("", "Pod"): pod,
        ("", "ConfigMap"): mesh_config_map,
        ("discovery.k8s.io", "EndpointSlice"): kubernetes.endpoint_slice,
        (istio, "VirtualService"): networking.virtual_service,
        (istio, "DestinationRule"): networking.destination_rule,
        (istio, "ServiceEntry"): networking.service_entry,
        (istio, "WorkloadEntry"): networking.workload_entry,
        (istio, "Sidecar"): networking.sidecar,
        (istio, "EnvoyFilter"): policies.envoy_filter,
        ("extensions.istio.io", "WasmPlugin"): partial(policies.extension, kind="WasmPlugin"),
        ("extensions.istio.io", "TrafficExtension"): partial(
            policies.extension, kind="TrafficExtension"
        ),
        ("telemetry.istio.io", "Telemetry"): policies.telemetry,
        ("security.istio.io", "AuthorizationPolicy"): policies.authorization_policy,
        ("security.istio.io", "PeerAuthentication"): policies.peer_authentication,
        ("security.istio.io", "RequestAuthentication"): policies.request_authentication,
        (istio, "Gateway"): edge.istio_gateway,
        (istio, "WorkloadGroup"): networking.workload_group,
        GATEWAY_API_GATEWAY: partial(edge.gateway, kind="Gateway"),
        ("gateway.networking.k8s.io", "ListenerSet"): partial(edge.gateway, kind="ListenerSet"),
        ("gateway.networking.x-k8s.io", "XListenerSet"): partial(edge.gateway, kind="ListenerSet"),
        ("networking.k8s.io", "Ingress"): edge.ingress,
        ("networking.k8s.io", "IngressClass"): edge.ingress_class,
        (
            "admissionregistration.k8s.io",
            "MutatingWebhookConfiguration",
        ): webhooks.injection_webhooks,
    }
    for group, kind in CONTROLLER_KINDS:
        kinds[group, kind] = partial(controller, kind=kind)
    for kind in ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"):
        convert = partial(gateway_route, kind=kind, cluster_domain=cluster_domain)
        kinds["gateway.networking.k8s.io", kind] = convert
    return kinds
