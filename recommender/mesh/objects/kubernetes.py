"""Kubernetes objects: what runs, where, and behind which Services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from recommender.mesh.objects.meta import Labels, LabelSelector, ObjectMeta

ProxyKind = Literal["sidecar", "gateway", "waypoint", "ztunnel"]


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
class Capture:
    """Say what a proxy captures; an empty `interception_mode` and a `dns` of None say nothing."""

    interception_mode: str = ""
    dns: bool | None = None


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
    capture: Capture = Capture()

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
    capture: Capture = Capture()


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
