"""Which workload a pod belonged to that is gone, by how Kubernetes names pods.

| workload              | pod                                            |
| --------------------- | ---------------------------------------------- |
| Deployment, Rollout   | `<name>-<template hash>-<5>`                   |
| DaemonSet, ReplicaSet | `<name>-<5>`                                   |
| StatefulSet           | `<name>-<ordinal>`                             |
| Job                   | `<name>-<5>`, indexed `<name>-<index>-<5>`     |
| CronJob               | as a Job named `<name>-<minutes since 1970>`   |
| DeploymentConfig      | `<name>-<version>-<5>`                         |

Random parts and hashes are written in the alphabet of apimachinery's `rand.SafeEncodeString`. What
stands before the last five is cut at 58 characters (apiserver `names.SimpleNameGenerator`); an
indexed Job cuts its own name instead, so that the index stays (`podGenerateNameWithIndex`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from recommender.mesh.index import MeshIndex
from recommender.mesh.objects import WorkloadId

_SAFE: Final = "bcdfghjklmnpqrstvwxz2456789"
_RANDOM: Final = re.compile(rf"[{_SAFE}]{{5}}")
_LONGEST_BASE: Final = 58
_HASH_LENGTHS: Final = range(6, 11)  # a 32-bit number, each digit written as one safe character
_MINUTES_LENGTHS: Final = range(6, 11)
_DIGITS: Final = "0123456789"
_INDEX: Final = re.compile(r"(.+)(-[0-9]{1,6}-)")
_VERSION_LENGTHS: Final = range(1, 7)
_ALWAYS_KEPT: Final = 50  # of a name, however it is cut


def workload_of_pod(index: MeshIndex, namespace: str, pod_name: str) -> WorkloadId | None:
    """Find the workload of a pod: by its owners if the dump has it, else by its name.

    None also for a name that pods of different workloads bear, in different Kubernetes clusters.
    """
    pods = index.pods.get((namespace, pod_name))
    if not pods:
        return workload_of_gone_pod(index, namespace, pod_name)
    found = {pod.workload for pod in pods}
    return found.pop() if len(found) == 1 else None


def kubernetes_cluster_of_pod(index: MeshIndex, namespace: str, pod_name: str) -> str | None:
    """Find the Kubernetes cluster of a pod that is there or gone, None if it may be of several.

    A StatefulSet of several gives them the same names: a pod that is there may not be the one.
    """
    if len(index.mesh.kubernetes_clusters) == 1:
        return index.mesh.kubernetes_clusters[0]
    workload = workload_of_pod(index, namespace, pod_name)
    found = {pod.meta.kubernetes_cluster for pod in index.pods.get((namespace, pod_name), ())}
    if workload is not None and (not found or workload.kind == "StatefulSet"):
        found |= {copy.meta.kubernetes_cluster for copy in index.copies[workload]}
    return found.pop() if len(found) == 1 else None


def workload_of_gone_pod(index: MeshIndex, namespace: str, pod_name: str) -> WorkloadId | None:
    """Find the one workload of the mesh that may have made a pod of this name.

    None if no workload fits, or if several do: two workloads that both could have made the name
    cannot be told apart, and the longer name is no proof (a DaemonSet `web-bcdfgh` and a
    Deployment `web` make the same names).
    """
    fitting = {
        workload.id
        for workload in index.workloads_by_namespace.get(namespace, ())
        if _may_have_made(workload.id, pod_name)
    }
    return fitting.pop() if len(fitting) == 1 else None


def _may_have_made(workload: WorkloadId, pod_name: str) -> bool:
    if workload.kind == "StatefulSet":
        return re.fullmatch(re.escape(workload.name) + "-(0|[1-9][0-9]*)", pod_name) is not None
    fits = _FITS.get(workload.kind)
    if fits is None or not pod_name.startswith(workload.name[:_ALWAYS_KEPT]):
        return False
    return _RANDOM.fullmatch(pod_name[-5:]) is not None and fits(workload.name, pod_name[:-5])


def _fits_name(name: str, base: str) -> bool:
    return base == f"{name}-"[:_LONGEST_BASE]


def _fits_hash(name: str, base: str) -> bool:
    return _is_cut(base, name, _HASH_LENGTHS, _SAFE, "-")


def _fits_version(name: str, base: str) -> bool:
    return _is_cut(base, name, _VERSION_LENGTHS, _DIGITS, "-")


def _fits_job(name: str, base: str) -> bool:
    indexed = _INDEX.fullmatch(base)
    return _fits_name(name, base) or (
        indexed is not None and indexed[1] == name[: _LONGEST_BASE - len(indexed[2])]
    )


def _fits_cron_job(name: str, base: str) -> bool:
    if _is_cut(base, name, _MINUTES_LENGTHS, _DIGITS, "-"):
        return True
    indexed = _INDEX.fullmatch(base)
    if indexed is None:
        return False
    longest = _LONGEST_BASE - len(indexed[2])
    return _is_cut(indexed[1], name, _MINUTES_LENGTHS, _DIGITS, "", longest)


def _is_cut(
    text: str, name: str, lengths: range, alphabet: str, end: str, longest: int = _LONGEST_BASE
) -> bool:
    """Tell whether a text is `<name>-<some letters><end>`, cut at its longest."""
    start = f"{name}-"
    for length in lengths:
        if len(text) != min(len(start) + length + len(end), longest):
            continue
        letters = text[len(start) : len(start) + length]
        if (
            text.startswith(start[: len(text)])
            and set(letters) <= set(alphabet)
            and end.startswith(text[len(start) + length :])
        ):
            return True
    return False


_FITS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "Deployment": _fits_hash,
    "Rollout": _fits_hash,
    "DeploymentConfig": _fits_version,
    "DaemonSet": _fits_name,
    "ReplicaSet": _fits_name,
    "ReplicationController": _fits_name,
    "Job": _fits_job,
    "CronJob": _fits_cron_job,
}
