"""Quick look-ups in a mesh."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from recommender.mesh.label_index import LabelIndex
from recommender.mesh.objects import Labels, Mesh, Namespace, Pod, Service, Workload, WorkloadId

T = TypeVar("T")
K = TypeVar("K")

Key = tuple[str, str]
"""A namespace and a name."""


@dataclass(frozen=True, slots=True)
class MeshIndex:
    """Hold a mesh's objects by what they are looked up by; make it with `index_mesh`.

    `pods_by_ip` leaves out pods in the host's network, whose address is not theirs alone, and
    pods that have ended, whose address may be another's by now. `labels` finds by namespace the
    workloads whose pods, or template, have some labels.
    """

    mesh: Mesh
    namespaces: Mapping[str, Namespace]
    services: Mapping[Key, Service]
    services_by_namespace: Mapping[str, tuple[Service, ...]]
    pods: Mapping[Key, Pod]
    pods_by_workload: Mapping[WorkloadId, tuple[Pod, ...]]
    pods_by_ip: Mapping[str, tuple[Pod, ...]]
    workloads: Mapping[WorkloadId, Workload]
    workloads_by_namespace: Mapping[str, tuple[Workload, ...]]
    workloads_by_name: Mapping[Key, tuple[Workload, ...]]
    labels: Mapping[str, LabelIndex[WorkloadId]]


def index_mesh(mesh: Mesh) -> MeshIndex:
    """Build the index of a mesh, once."""
    own = [p for p in mesh.pods if not p.host_network and not p.has_ended]
    by_ip: dict[str, list[Pod]] = defaultdict(list)
    for pod in own:
        for ip in pod.ips:
            by_ip[ip].append(pod)
    pods_by_workload = _grouped(mesh.pods, lambda pod: pod.workload)
    workloads_by_namespace = _grouped(mesh.workloads, lambda w: w.id.namespace)
    return MeshIndex(
        mesh=mesh,
        namespaces=MappingProxyType({n.meta.name: n for n in mesh.namespaces}),
        services=MappingProxyType({(s.meta.namespace, s.meta.name): s for s in mesh.services}),
        services_by_namespace=_grouped(mesh.services, lambda s: s.meta.namespace),
        pods=MappingProxyType({(p.meta.namespace, p.meta.name): p for p in mesh.pods}),
        pods_by_workload=pods_by_workload,
        pods_by_ip=MappingProxyType({ip: tuple(found) for ip, found in by_ip.items()}),
        workloads=MappingProxyType({w.id: w for w in mesh.workloads}),
        workloads_by_namespace=workloads_by_namespace,
        workloads_by_name=_grouped(mesh.workloads, lambda w: (w.id.namespace, w.id.name)),
        labels=MappingProxyType(
            {
                namespace: LabelIndex.of(_labelled(workloads, pods_by_workload))
                for namespace, workloads in workloads_by_namespace.items()
            }
        ),
    )


def _labelled(
    workloads: Iterable[Workload], pods: Mapping[WorkloadId, tuple[Pod, ...]]
) -> Iterator[tuple[Labels, WorkloadId]]:
    """Yield the labels of workloads: of their templates and their pods."""
    for workload in workloads:
        if workload.template_labels is not None:
            yield workload.template_labels, workload.id
        yield from ((pod.meta.labels, workload.id) for pod in pods.get(workload.id, ()))


def _grouped(objects: Iterable[T], key: Callable[[T], K]) -> Mapping[K, tuple[T, ...]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for item in objects:
        groups[key(item)].append(item)
    return MappingProxyType({name: tuple(found) for name, found in groups.items()})
