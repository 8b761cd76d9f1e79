"""What is said about the namespaces of a mesh, and the discoverySelectors for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from recommender.mesh import Labels, WorkloadId
from recommender.mesh.objects import LabelSelector
from recommender.received import BlindSpot
from recommender.service_graph import Evidence, UnknownPod

NeedKind = Literal[
    "root namespace",
    "system",
    "proxy",
    "injection",
    "default injection",
    "ambient",
    "logged",
    "called",
    "virtual service",
    "alias",
    "endpoint",
    "certificate",
    "possible",
    "decides",
    "gateway",
    "provider",
    "egress proxy",
    "sidecar",
    "pinned",
    "elsewhere",
    "not in the dump",
    "no evidence",
]
"""Why a namespace stays, in the order in which reasons are listed."""
NEED_KINDS: tuple[NeedKind, ...] = get_args(NeedKind)
NAMED_KINDS: frozenset[NeedKind] = frozenset(
    (
        "virtual service",
        "alias",
        "endpoint",
        "certificate",
        "gateway",
        "provider",
        "egress proxy",
        "sidecar",
        "pinned",
    )
)
"""Those of which an object or a setting that names a namespace is reason enough."""
SelectedBy = Literal["existing labels", "labels to add", "nothing to hide"]


@dataclass(frozen=True, slots=True)
class NamespaceNeed:
    """Say why a namespace stays; `evidence` is None for what logs do not show."""

    kind: NeedKind
    detail: str
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """Count what istiod watches in a namespace: `objects` are Istio's, by kind."""

    services: int = 0
    pods: int = 0
    endpoints: int = 0
    objects: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundNamespace:
    """Describe a namespace: it is idle if nothing needs it.

    `labels` are those of the first Kubernetes cluster that has it.
    """

    name: str
    labels: Labels
    contents: Contents
    needs: tuple[NamespaceNeed, ...] = ()

    @property
    def is_idle_but_for_proxies(self) -> bool:
        """Tell whether only its proxies, there or to come, keep it: no log shows them in use."""
        return bool(self.needs) and {need.kind for need in self.needs} <= {"proxy", "injection"}


@dataclass(frozen=True, slots=True)
class DiscoverySelectors:
    """Hold selectors that choose every namespace but those to hide.

    `selectors` are for the MeshConfig. `added_label` is the label that idle namespaces must be
    given before, None where existing labels tell them. `shows_new` tells whether a namespace to
    come that has none of the labels is seen. `by_name` does the same by the names of namespaces.
    `replaces` are the selectors in force; `ignored` tells why istiod ignores those of the
    MeshConfig, so that none are. Of namespaces that the dump lacks, `seen_by_name` are chosen by
    their names; because of those that are `unknown` no existing label could be used.
    """

    by: SelectedBy
    selectors: tuple[LabelSelector, ...]
    by_name: tuple[LabelSelector, ...]
    replaces: tuple[LabelSelector, ...]
    added_label: tuple[str, str] | None = None
    shows_new: bool = True
    ignored: str | None = None
    seen_by_name: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """Tell what was compared: no call of these goes elsewhere without the idle namespaces.

    `workloads` made the `calls`, distinct ways of calling; `sidecars` are the recommended ones,
    under which they were compared too. Of the `workloads_with_proxies`, there or to come, the logs
    do not tell the calls of the `silent_workloads`, or not all of them.
    """

    workloads: int
    calls: int
    sidecars: int
    workloads_with_proxies: int = 0
    silent_workloads: int = 0


@dataclass(frozen=True, slots=True)
class Watched:
    """Sum up what istiod watches."""

    namespaces: int
    services: int
    pods: int
    endpoints: int
    objects: int


@dataclass(frozen=True, slots=True)
class ProxySavings:
    """Tell what proxies have, all together and the median one, as they are scoped today.

    `sidecars` counts proxies, which is pods; services are those with Envoy clusters; bytes are an
    estimate (`recommender.istio.config_size`).
    """

    sidecars: int = 0
    services_before: int = 0
    services_after: int = 0
    median_services_before: int = 0
    median_services_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    median_bytes_before: int = 0
    median_bytes_after: int = 0


@dataclass(frozen=True, slots=True)
class SilentWorkload:
    """Name a workload with proxies whose calls the logs cannot tell, and why."""

    workload: WorkloadId
    reason: str


@dataclass(frozen=True, slots=True)
class DiscoveryAnswer:
    """Hold the answer for the namespaces of a mesh.

    `idle` are to be hidden, `kept` not. `hidden_already` are so by the selectors in force; one
    that has needs is hidden from somebody who needs it. Where calls of `silent` workloads went is
    not known. `doubts` are further blind spots. `savings` is None where nothing is idle.
    """

    idle: tuple[FoundNamespace, ...]
    kept: tuple[FoundNamespace, ...]
    hidden_already: tuple[FoundNamespace, ...]
    selectors: DiscoverySelectors
    evidence: Evidence | None
    proof: Proof
    watched_before: Watched
    watched_after: Watched
    savings: ProxySavings | None = None
    silent: tuple[SilentWorkload, ...] = ()
    unknown_pods: tuple[UnknownPod, ...] = ()
    blind_spots: tuple[BlindSpot, ...] = ()
    doubts: tuple[str, ...] = ()
