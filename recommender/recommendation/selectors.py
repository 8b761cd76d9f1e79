"""Selectors: pod labels that choose one workload's pods, and go on doing so.

Labels come from the workload's own selector, which a controller never changes, and where that is
not enough from its pod template. Labels that differ from one rollout or pod to the next are never
used; labels that name a version only where nothing else tells two workloads apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from recommender.mesh import Labels, MeshIndex, WorkloadId
from recommender.recommendation.model import Note
from recommender.recommendation.views import pod_labels

_VOLATILE = frozenset(
    (
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "batch.kubernetes.io/job-name",
        "controller-revision-hash",
        "controller-uid",
        "job-name",
        "pod-template-generation",
        "pod-template-hash",
        "rollouts-pod-template-hash",
        "security.istio.io/tlsMode",
        "service.istio.io/canonical-name",
        "service.istio.io/canonical-revision",
        "service.istio.io/workload-name",
        "statefulset.kubernetes.io/pod-name",
        "istio.io/rev",
    )
)
_VOLATILE_WORD = re.compile(
    r"(^|[-_./])(hash|checksum|sha|digest|commit|revision|timestamp|uid|instance-id|pod-name"
    r"|pod-index|ordinal|build-id)($|[-_./])",
    re.IGNORECASE,
)
_VOLATILE_PREFIXES = ("topology.kubernetes.io/", "failure-domain.", "kubernetes.io/")
# What a controller of the application may set anew: the primary of a database, say.
_CHANGING = frozenset({"deployment", "role"})
_VERSION_WORD = re.compile(r"(^|[-_./])(version|chart|release-track|image|tag|build)($|[-_./])")
_MOST_ADDED, _MOST_TRIED = 3, 40


@dataclass(frozen=True, slots=True)
class Selection:
    """Hold a selector proved to choose one workload's pods alone, or why there is none."""

    labels: Labels
    problem: str = ""
    notes: tuple[Note, ...] = ()


def select_pods(index: MeshIndex, workload: WorkloadId) -> Selection:
    """Find the labels for a workload's Sidecar.

    The proof is over every pod of the namespace in the dump, with or without a proxy, over the
    templates of its workloads, of which some may have no pod now, and over virtual machines.
    """
    own = pod_labels(index, workload)
    shared = {key: value for key, value in _common(own).items() if not _is_volatile(key)}
    fixed = _common([copy.selector for copy in index.copies.get(workload, ())])
    lasting = {key: value for key, value in sorted(fixed.items()) if shared.get(key) == value}
    pool = {k: v for k, v in shared.items() if k not in lasting and k not in _CHANGING}
    plain = {k: v for k, v in pool.items() if not _VERSION_WORD.search(k)}
    version = {k: v for k, v in pool.items() if k not in plain}
    for labels in (plain, pool):
        found = _smallest(index, workload, lasting, labels)
        if found is not None:
            return Selection(found, notes=_doubts(found, version))
    if not shared:
        return Selection({}, "its pods have no label that survives a rollout")
    mates = sorted({str(id_) for id_, _ in others_chosen(index, workload, shared)})
    return Selection({}, f"its lasting labels also select {', '.join(mates[:3])}")


def _smallest(
    index: MeshIndex, workload: WorkloadId, lasting: Labels, pool: Labels
) -> dict[str, str] | None:
    """Add as few labels as possible to the lasting ones, the first by name, to select no other."""
    telling = sorted(pool)
    if lasting:
        near = [labels for _, labels in others_chosen(index, workload, lasting)]
        telling = [k for k in telling if any(labels.get(k) != pool[k] for labels in near)]
        telling = telling[:_MOST_TRIED]
    for size in range(_MOST_ADDED + 1):
        for keys in combinations(telling, size):
            labels = dict(sorted({**lasting, **{key: pool[key] for key in keys}}.items()))
            if labels and next(others_chosen(index, workload, labels), None) is None:
                return labels
    return None


def _doubts(labels: Labels, version: Labels) -> tuple[Note, ...]:
    used = sorted(set(labels) & set(version))
    if not used:
        return ()
    detail = f"selected by {', '.join(used)}: once that changes, so must the Sidecar"
    return (Note("version label", detail),)


def others_chosen(
    index: MeshIndex, workload: WorkloadId, selector: Labels
) -> Iterator[tuple[WorkloadId, Labels]]:
    """Yield the labels that a selector chooses of a namespace's other workloads.

    They are of templates, of pods and of virtual machines.
    """
    near = index.labels.get(workload.namespace)
    for labels, other in near.chosen_by(selector) if near else ():
        if other != workload:
            yield other, labels


def _common(labels: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Keep what every pod has, in the order of the keys."""
    each = list(labels)
    if not each:
        return {}
    first = sorted(each[0].items())
    return {key: value for key, value in first if all(one.get(key) == value for one in each)}


def _is_volatile(key: str) -> bool:
    return (
        key in _VOLATILE
        or key.startswith(_VOLATILE_PREFIXES)
        or _VOLATILE_WORD.search(key) is not None
    )
