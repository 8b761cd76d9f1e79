"""What a recommendation says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from recommender.mesh import WorkloadId
from recommender.received import BlindSpot
from recommender.service_graph import Evidence, Received, UnknownPod

EMPTY_SCOPE = "~/*"

ReasonKind = Literal[
    "called",
    "virtual service",
    "alias",
    "destination",
    "every address",
    "listener",
    "beside",
    "widened",
    "possible",
    "looked up",
    "received",
    "own service",
    "provider",
    "egress proxy",
    "peer authentication",
    "pinned",
    "nothing called",
]
"""Why a host is there, in the order in which reasons are listed."""
Origin = Literal["new", "own", "adopted"]


@dataclass(frozen=True, slots=True)
class HostReason:
    """Say why a host is there; `evidence` is None for what logs do not show."""

    kind: ReasonKind
    detail: str
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class RecommendedHost:
    """Hold one `egress.hosts` entry, `namespace/dnsName`, and every reason for it.

    `workloads` names those that need it, in a Sidecar for several; else there is none.
    """

    host: str
    reasons: tuple[HostReason, ...]
    workloads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """Name a guard that changed the answer, a blind spot, or a doubt, in one sentence."""

    name: str
    detail: str


def earlier_sidecar(name: str) -> Note:
    """Note that a Sidecar of an earlier run comes before the one that is recommended."""
    return Note("earlier Sidecar", f"{name} applies instead until you delete it")


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Recommend one Sidecar for one workload.

    Without a `selector` it is the Sidecar of the namespace, which other workloads share.

    `services_before` and `services_after` count the services whose Envoy clusters a proxy of the
    workload has; `calls` the distinct ways of calling that were proved to go where they went.
    `other_spec` is what an existing Sidecar sets beside its hosts, `labels` and `annotations` are
    those of the object that is updated.
    """

    workload: WorkloadId
    name: str
    selector: Mapping[str, str]
    hosts: tuple[RecommendedHost, ...]
    evidence: Evidence | None
    calls: int
    services_before: int
    services_after: int
    pods: int
    pods_logged: int
    origin: Origin = "new"
    other_spec: Mapping[str, object] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    @property
    def namespace(self) -> str:
        """Return the namespace of the Sidecar."""
        return self.workload.namespace


@dataclass(frozen=True, slots=True, order=True)
class LeftOut:
    """Name a workload that gets no Sidecar, and why.

    `keeps` are the names that its Sidecar may bear where only evidence lacks for a new one;
    `received` is what others received from a workload whose own log shows no call.
    """

    workload: WorkloadId
    reason: str
    detail: str = ""
    keeps: tuple[str, ...] = ()
    received: tuple[Received, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class NamespaceSidecar:
    """Recommend one Sidecar for a whole namespace, without a workloadSelector.

    It was proved for each of its `workloads`; others of the namespace have Sidecars of their own.
    `services` counts by workload the services whose Envoy clusters a proxy would have; `notes` are
    those of the workloads, which they name. `earlier` are, by workload, the Sidecars of earlier
    runs in the mesh that select it, and so come first until they are deleted.
    """

    namespace: str
    name: str
    hosts: tuple[RecommendedHost, ...]
    workloads: tuple[WorkloadId, ...]
    services: Mapping[WorkloadId, int]
    evidence: Evidence | None
    calls: int
    origin: Origin = "new"
    other_spec: Mapping[str, object] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    earlier: Mapping[WorkloadId, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NamespaceOption:
    """Say whether one Sidecar may stand for those of a namespace's workloads, and why not.

    `decided` are the workloads of the namespace that a Sidecar of their own is recommended for.
    """

    namespace: str
    decided: tuple[WorkloadId, ...]
    sidecar: NamespaceSidecar | None
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Recommendations:
    """Hold the answer for every workload of a mesh, sorted by workload.

    `blind_spots` are received requests that do not tell who called what. `options` say where one
    Sidecar may stand for many, if that was asked for; `namespace_sidecars` are those chosen.
    """

    recommended: tuple[Recommendation, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unknown_pods: tuple[UnknownPod, ...] = ()
    blind_spots: tuple[BlindSpot, ...] = ()
    options: tuple[NamespaceOption, ...] = ()
    namespace_sidecars: tuple[NamespaceSidecar, ...] = ()
