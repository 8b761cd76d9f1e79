"""Existing Sidecars: which one a recommendation updates, which one is left alone, and names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recommender.mesh import Labels, MeshIndex, ObjectMeta, Sidecar, WorkloadId
from recommender.recommendation.model import Origin
from recommender.recommendation.views import View, is_own


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
    also_selects: tuple[WorkloadId, ...] = ()

    @property
    def updates(self) -> ObjectMeta | None:
        """Return the metadata of the object that is updated, None for a new one."""
        return self.keeps.meta if self.keeps and self.origin != "new" else None


def plan(
    index: MeshIndex, workload: WorkloadId, views: Iterable[View], taken: set[str], *, adopt: bool
) -> Plan:
    """Choose the Sidecar that a workload's recommendation becomes.

    A Sidecar that chooses pods by label is respected: updated under its name when it is this
    tool's own or is to be adopted, left alone otherwise. One for a whole namespace gives way.
    """
    applied = [view.sidecar for view in views if view.sidecar is not None]
    selecting = [s for s in applied if s.workload_selector is not None]
    hand_made = [s for s in selecting if not is_own(s)]
    if hand_made and not adopt:
        return Plan(hand_made=hand_made[0])
    default = next((s for s in applied if s.workload_selector is None), None)
    for sidecar in selecting:
        others = _others_selected(index, workload, sidecar)
        if not is_own(sidecar) and others:
            return Plan(hand_made=sidecar, also_selects=others)
        if not is_own(sidecar):
            return Plan(sidecar.meta.name, "adopted", keeps=sidecar)
        if sidecar.meta.name not in taken:
            return Plan(sidecar.meta.name, "own", keeps=sidecar)
    name = _new_name(index, workload, taken)
    return Plan(name, keeps=default or next(iter(selecting), None))


def shadowed(
    sidecars: Iterable[Sidecar], views: Iterable[View], labels: Iterable[Labels]
) -> tuple[Sidecar, ...]:
    """List the Sidecars that select a workload too but that istiod ignores for an older one."""
    in_force = {(v.sidecar.meta.namespace, v.sidecar.meta.name) for v in views if v.sidecar}
    namespace = {view.proxy.namespace for view in views}
    each = list(labels)
    return tuple(
        s
        for s in sidecars
        if s.meta.namespace in namespace
        and s.workload_selector is not None
        and (s.meta.namespace, s.meta.name) not in in_force
        and any(_selects(s.workload_selector, one) for one in each)
    )


def names_in_use(sidecars: Iterable[Sidecar]) -> Mapping[str, set[str]]:
    """List the names of Sidecars made by hand in each namespace."""
    found: dict[str, set[str]] = defaultdict(set)
    for sidecar in sidecars:
        if not is_own(sidecar):
            found[sidecar.meta.namespace].add(sidecar.meta.name)
    return found


def _others_selected(
    index: MeshIndex, workload: WorkloadId, sidecar: Sidecar
) -> tuple[WorkloadId, ...]:
    selector = sidecar.workload_selector or {}
    found = {
        pod.workload
        for other in index.workloads_by_namespace.get(workload.namespace, ())
        for pod in index.pods_by_workload.get(other.id, ())
        if pod.workload != workload and _selects(selector, pod.meta.labels)
    }
    found |= {
        other.id
        for other in index.workloads_by_namespace.get(workload.namespace, ())
        if other.id != workload
        and other.template_labels is not None
        and _selects(selector, other.template_labels)
    }
    return tuple(sorted(found))


def _selects(selector: Labels, labels: Labels) -> bool:
    return selector.items() <= labels.items()


def _new_name(index: MeshIndex, workload: WorkloadId, taken: set[str]) -> str:
    """Name a Sidecar after its workload; the kind tells workloads of one name apart."""
    same = [
        w
        for w in index.workloads_by_namespace.get(workload.namespace, ())
        if w.id.name == workload.name
    ]
    with_kind = f"{workload.name}-{workload.kind.lower()}"
    candidates = [with_kind] if len(same) > 1 else [workload.name, with_kind]
    candidates += [f"{with_kind}-{number}" for number in range(2, len(taken) + 3)]
    return next(name for name in candidates if name not in taken)
