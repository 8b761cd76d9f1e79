"""Existing Sidecars: which one a recommendation updates, which one is left alone, and names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count

from recommender.istio.proxy_config import is_bound
from recommender.istio.sidecar_scope import ScopeRules
from recommender.mesh import Labels, Mesh, MeshIndex, Sidecar, WorkloadId
from recommender.mesh.topology import tells_place
from recommender.recommendation.model import Origin, Recommendation
from recommender.recommendation.selectors import others_chosen
from recommender.recommendation.views import View, is_own
from recommender.settings import ADOPTED_ANNOTATION


@dataclass(frozen=True, slots=True)
class Plan:
    """Say which Sidecar a workload's recommendation becomes, or why it gets none.

    `keeps` is the Sidecar whose other settings are carried over: the one that is updated, else
    the namespace's or mesh's default that applied so far.
    """

    name: str = ""
    origin: Origin = "new"
    keeps: Sidecar | None = None
    hand_made: Sidecar | None = None
    obstacle: str = ""

    @property
    def labels(self) -> Labels:
        """Return the labels of the object that is updated, none for a new one."""
        return self.keeps.meta.labels if self.keeps and self.origin != "new" else {}

    @property
    def annotations(self) -> Labels:
        """Return the annotations of the object that is updated, with what it had when adopted."""
        if self.keeps is None or self.origin == "new":
            return {}
        annotations = dict(self.keeps.meta.annotations)
        if self.origin == "adopted":
            hosts = (host for listener in self.keeps.egress for host in listener.hosts)
            annotations[ADOPTED_ANNOTATION] = " ".join(hosts)
        return annotations


def plan(
    index: MeshIndex, workload: WorkloadId, views: Iterable[View], taken: set[str], *, adopt: bool
) -> Plan:
    """Choose the Sidecar that a workload's recommendation becomes.

    A Sidecar that chooses pods by label is respected: updated under its name when it is this
    tool's own or is to be adopted, left alone otherwise. One for a whole namespace gives way.
    """
    views = list(views)
    applied = [view.sidecar for view in views if view.sidecar is not None]
    if applied and len({(v.baseline.outbound_traffic_policy, v.egress_proxy) for v in views}) > 1:
        obstacle = "its pods differ in their outboundTrafficPolicy, and one Sidecar has one for all"
        return Plan(hand_made=applied[0], obstacle=obstacle)
    selecting = [s for s in applied if s.workload_selector is not None]
    hand_made = [s for s in selecting if not is_own(s)]
    if hand_made:
        obstacle = _obstacle(index, workload, hand_made)
        if obstacle or not adopt:
            return Plan(hand_made=hand_made[0], obstacle=obstacle)
        return Plan(hand_made[0].meta.name, "adopted", keeps=hand_made[0])
    for sidecar in selecting:
        if sidecar.meta.name not in taken and not _is_of_another(index, workload, sidecar):
            return Plan(sidecar.meta.name, "own", keeps=sidecar)
    default = next((s for s in applied if s.workload_selector is None), None)
    if default is not None and any(is_bound(listener) for listener in default.egress):
        obstacle = "it opens ports of its own on the pod, which no other Sidecar would"
        return Plan(hand_made=default, obstacle=obstacle)
    name = _new_name(index, workload, taken)
    return Plan(name, keeps=default or next(iter(selecting), None))


def _obstacle(index: MeshIndex, workload: WorkloadId, hand_made: list[Sidecar]) -> str:
    """Say why Sidecars made by hand cannot be adopted for a workload, nothing if they can."""
    if len({sidecar.meta.name for sidecar in hand_made}) > 1:
        names = ", ".join(sorted({sidecar.meta.name for sidecar in hand_made}))
        return f"several select its pods ({names}), so none can be adopted"
    if tells_place(hand_made[0].workload_selector or {}):
        return "it selects pods by where they are, so it cannot be adopted"
    others = _others_selected(index, workload, hand_made[0])
    if others:
        named = ", ".join(map(str, others[:3]))
        return f"it also selects {named}, so it cannot be adopted for one workload"
    if any(listener.port is not None for listener in hand_made[0].egress):
        return "it has listeners with ports of their own, so it cannot be adopted"
    return ""


def _is_of_another(index: MeshIndex, workload: WorkloadId, sidecar: Sidecar) -> bool:
    """Tell whether a Sidecar bears the name of another workload that it selects."""
    others = _others_selected(index, workload, sidecar)
    return any(other.name == sidecar.meta.name for other in others if other in index.workloads)


def shadowed(selecting: Iterable[Sidecar], views: Iterable[View]) -> tuple[Sidecar, ...]:
    """List the Sidecars that select a workload by label too, but that istiod ignores."""
    in_force = {(v.sidecar.meta.namespace, v.sidecar.meta.name) for v in views if v.sidecar}
    return tuple(
        s
        for s in selecting
        if s.workload_selector is not None and (s.meta.namespace, s.meta.name) not in in_force
    )


def earlier_in_force(
    rules: ScopeRules, made: Recommendation, labels: Iterable[Labels], written: Container[str]
) -> tuple[Sidecar, ...]:
    """List the Sidecars of earlier runs that would apply to pods instead of the one just made.

    They choose these labels and are older, and no Sidecar that is `written` takes their place. One
    that is new is the youngest; one that is there keeps its age.
    """
    found = {
        sidecar.meta.name: sidecar
        for each in labels
        for sidecar in rules.sidecars.selecting(made.namespace, each)
        if is_own(sidecar) and sidecar.workload_selector is not None
        if sidecar.meta.name not in written
    }
    place = (made.namespace, made.name)
    there = [
        s.meta.age
        for s in (rules.mesh.sidecars if found else ())
        if (s.meta.namespace, s.meta.name) == place
    ]
    return tuple(s for _, s in sorted(found.items()) if not there or s.meta.age < there[0])


def names_in_use(mesh: Mesh) -> Mapping[str, set[str]]:
    """List the names of Sidecars made by hand, or for another istiod, in each namespace."""
    found: dict[str, set[str]] = defaultdict(set)
    hand_made = [sidecar.meta for sidecar in mesh.sidecars if not is_own(sidecar)]
    for meta in (*hand_made, *(meta for kind, meta in mesh.unseen if kind == "Sidecar")):
        found[meta.namespace].add(meta.name)
    return found


def _others_selected(
    index: MeshIndex, workload: WorkloadId, sidecar: Sidecar
) -> tuple[WorkloadId, ...]:
    others = others_chosen(index, workload, sidecar.workload_selector or {})
    return tuple(sorted({other for other, _ in others}))


def names_for(workload: WorkloadId) -> tuple[str, str]:
    """Return the names that a workload's Sidecar bears: its own, or with its kind."""
    return workload.name, f"{workload.name}-{workload.kind.lower()}"


def _new_name(index: MeshIndex, workload: WorkloadId, taken: set[str]) -> str:
    """Name a Sidecar after its workload; the kind tells workloads of one name apart."""
    same = index.workloads_by_name.get((workload.namespace, workload.name), ())
    plain, with_kind = names_for(workload)
    candidates = [with_kind] if len(same) > 1 else [plain, with_kind]
    numbered = (f"{with_kind}-{number}" for number in count(2))
    return next(name for name in chain(candidates, numbered) if name not in taken)
