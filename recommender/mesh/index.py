"""Quick look-ups in a mesh."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from recommender.mesh.label_index import LabelIndex
from recommender.mesh.objects import Labels, Mesh, Namespace, Pod, Service, Workload, WorkloadId
from recommender.mesh.topology import Places

T = TypeVar("T")
K = TypeVar("K")

Key = tuple[str, str]
"""A namespace and a name."""


@dataclass(frozen=True, slots=True)
class MeshIndex:
    """Hold a mesh's objects by what they are looked up by; make it with `index_mesh`.

    Namespaces are found by their Kubernetes cluster and name. Each Kubernetes cluster may have a
    pod of one name, and its own copy of a workload: `workloads` holds the first of these, `copies`
    all. `pods_by_ip` leaves out pods in the host's network, whose address is not theirs alone, and
    pods that have ended, whose address may be another's by now. `labels` finds by namespace the
    workloads whose pods, or a template, have some labels, and virtual machines that have them.
    `places` are where proxies may be.
    """

    mesh: Mesh
    namespaces: Mapping[Key, Namespace]
    services: Mapping[Key, tuple[Service, ...]]
    services_by_namespace: Mapping[str, tuple[Service, ...]]
    pods: Mapping[Key, tuple[Pod, ...]]
    pods_by_workload: Mapping[WorkloadId, tuple[Pod, ...]]
    pods_by_ip: Mapping[str, tuple[Pod, ...]]
    workloads: Mapping[WorkloadId, Workload]
    copies: Mapping[WorkloadId, tuple[Workload, ...]]
    workloads_by_namespace: Mapping[str, tuple[Workload, ...]]
    workloads_by_name: Mapping[Key, tuple[WorkloadId, ...]]
    labels: Mapping[str, LabelIndex[WorkloadId]]
    places: Places


def index_mesh(mesh: Mesh) -> MeshIndex:
    """Build the index of a mesh, once."""
    own = [p for p in mesh.pods if not p.host_network and not p.has_ended]
    by_ip: dict[str, list[Pod]] = defaultdict(list)
    for pod in own:
        for ip in pod.ips:
            by_ip[ip].append(pod)
    copies = _grouped(mesh.workloads, lambda workload: workload.id)
    namespaces = {(n.meta.kubernetes_cluster, n.meta.name): n for n in mesh.namespaces}
    pods_by_workload = _grouped(mesh.pods, lambda pod: pod.workload)
    workloads = MappingProxyType({id_: found[0] for id_, found in copies.items()})
    return MeshIndex(
        mesh=mesh,
        namespaces=MappingProxyType(namespaces),
        services=_grouped(mesh.services, lambda s: (s.meta.namespace, s.meta.name)),
        services_by_namespace=_grouped(mesh.services, lambda s: s.meta.namespace),
        pods=_grouped(mesh.pods, lambda pod: (pod.meta.namespace, pod.meta.name)),
        pods_by_workload=pods_by_workload,
        pods_by_ip=MappingProxyType({ip: tuple(found) for ip, found in by_ip.items()}),
        workloads=workloads,
        copies=copies,
        workloads_by_namespace=_grouped(mesh.workloads, lambda w: w.id.namespace),
        workloads_by_name=_grouped(workloads, lambda id_: (id_.namespace, id_.name)),
        labels=_labels(mesh, copies, pods_by_workload),
        places=Places.of(mesh),
    )


def _labels(
    mesh: Mesh,
    copies: Mapping[WorkloadId, tuple[Workload, ...]],
    pods: Mapping[WorkloadId, tuple[Pod, ...]],
) -> Mapping[str, LabelIndex[WorkloadId]]:
    """Index by namespace the labels of workloads, of their templates and their pods.

    What stands for virtual machines has labels too, by which a Sidecar selects their proxies; a
    WorkloadEntry does not always tell whether there is a proxy.
    """
    found: dict[str, list[tuple[Labels, WorkloadId]]] = defaultdict(list)
    for kind, machines in (
        ("WorkloadEntry", mesh.workload_entries),
        ("WorkloadGroup", mesh.workload_groups),
    ):
        for machine in machines:
            name = WorkloadId(machine.meta.namespace, kind, machine.meta.name)
            found[name.namespace].append((machine.labels, name))
    for id_, each in copies.items():
        templates = (copy.template_labels for copy in each)
        found[id_.namespace] += ((labels, id_) for labels in templates if labels is not None)
        found[id_.namespace] += ((pod.meta.labels, id_) for pod in pods.get(id_, ()))
    return MappingProxyType({ns: LabelIndex.of(labelled) for ns, labelled in found.items()})


def _grouped(objects: Iterable[T], key: Callable[[T], K]) -> Mapping[K, tuple[T, ...]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for item in objects:
        groups[key(item)].append(item)
    return MappingProxyType({name: tuple(found) for name, found in groups.items()})
