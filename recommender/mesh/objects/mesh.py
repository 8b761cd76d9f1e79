"""All objects of a mesh."""

from __future__ import annotations

from dataclasses import dataclass, field

from recommender.mesh.objects.kubernetes import (
    EndpointSlice,
    InjectionWebhooks,
    Namespace,
    Node,
    Pod,
    Service,
    Workload,
)
from recommender.mesh.objects.mesh_config import MeshConfig
from recommender.mesh.objects.meta import ObjectMeta
from recommender.mesh.objects.networking import (
    DestinationRule,
    EdgeObject,
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
)


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
    `revision` is istiod's own, empty if it sees the objects of all; `revisions_named` are those
    that some object is labelled for, `unseen` names, as `elsewhere`, what istiod does not see then.
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
    extensions: tuple[Extension, ...] = ()
    peer_authentications: tuple[PeerAuthentication, ...] = ()
    request_authentications: tuple[RequestAuthentication, ...] = ()
    edge_objects: tuple[EdgeObject, ...] = ()
    workload_groups: tuple[WorkloadGroup, ...] = ()
    injection_webhooks: tuple[InjectionWebhooks, ...] = ()
    elsewhere: tuple[tuple[str, ObjectMeta], ...] = ()
    notes: tuple[MeshNote, ...] = ()
    kubernetes_clusters: tuple[str, ...] = ("",)
    nodes: tuple[Node, ...] = ()
    revision: str = ""
    revisions_named: tuple[str, ...] = ()
    unseen: tuple[tuple[str, ObjectMeta], ...] = ()
