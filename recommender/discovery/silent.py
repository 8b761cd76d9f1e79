"""What the logs cannot tell: workloads whose calls are not known, and what else is not seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from recommender.discovery.injected import unasked_proxies
from recommender.discovery.model import SilentWorkload
from recommender.istio.proxy import REGISTRY_ONLY, outbound_traffic_policy
from recommender.mesh import Mesh, MeshIndex, MeshNote, WorkloadId
from recommender.mesh.kubernetes_clusters import DIFFERS
from recommender.mesh.mesh_config import ANOTHER, is_assumed
from recommender.recommendation import Recommendations
from recommender.recommendation.injection import is_virtual_machine, proxy_to_come
from recommender.service_graph import Graph, has_logged

_UNTOLD: Final = (
    "logged nothing",
    "calls only received",
    "calls not logged",
    "logs filtered",
    "calls not captured",
)
_CONFIG: Final = "MeshConfig"
_EDGE: Final = ("gateway", "waypoint")
_CALLING: Final = ("sidecar", *_EDGE)


def silent_workloads(
    recommendations: Recommendations, graph: Graph, index: MeshIndex
) -> tuple[SilentWorkload, ...]:
    """List the workloads with proxies, there or to come, whose calls the logs do not tell."""

    def found() -> Iterator[SilentWorkload]:
        for each in recommendations.left_out:
            if each.reason in _UNTOLD and _is_there(index, each.workload):
                yield SilentWorkload(each.workload, each.reason)
            elif each.reason in _EDGE and not has_logged(graph, each.workload):
                yield SilentWorkload(each.workload, f"{each.reason} that logged nothing")

    return tuple(sorted(found(), key=lambda each: each.workload))


def _is_there(index: MeshIndex, id_: WorkloadId) -> bool:
    """Tell whether a workload has pods with proxies, or none at all now, as a CronJob may."""
    pods = index.pods_by_workload.get(id_, ())
    return not pods or any(pod.proxy is not None for pod in pods)


def workloads_with_proxies(index: MeshIndex) -> frozenset[WorkloadId]:
    """List the workloads that have proxies which make calls, or will have."""
    return frozenset(id_ for id_ in index.workloads if _has_proxy(index, id_))


def _has_proxy(index: MeshIndex, id_: WorkloadId) -> bool:
    kinds = {pod.proxy for pod in index.pods_by_workload.get(id_, ()) if not pod.has_ended}
    if kinds:
        return not kinds.isdisjoint(_CALLING)
    copies = index.copies[id_]
    return any(copy.proxy in _CALLING or proxy_to_come(copy, index) for copy in copies)


def blind_spots_in_words(index: MeshIndex, recommendations: Recommendations) -> tuple[str, ...]:
    """List what else logs and dump cannot tell, and what makes a missed call worse."""
    mesh = index.mesh

    def found() -> Iterator[str]:
        policies = {outbound_traffic_policy(mesh.config, sidecar)[0] for sidecar in mesh.sidecars}
        if REGISTRY_ONLY in {*policies, mesh.config.outbound_traffic_policy}:
            yield (
                "outboundTrafficPolicy REGISTRY_ONLY is in force: a call that no log shows would "
                "be refused, not passed through"
            )
        if any(pod.proxy == "ztunnel" for pod in mesh.pods):
            yield "ztunnel runs in this mesh, and the calls that it forwards are in no access log"
        if _has_virtual_machines(mesh):
            yield "virtual machines have proxies in this mesh, and no log here tells their calls"
        if mesh.elsewhere:
            yield (
                f"objects of other Kubernetes clusters than {mesh.kubernetes_clusters[0]} were not "
                f"looked at, {len(mesh.elsewhere):,} of them: if an istiod is configured by them, "
                "what they name in other namespaces may be needed"
            )
        yield from _of_mesh_configs(mesh)
        for cluster, pod in unasked_proxies(index):
            where = f" in {cluster}" if cluster else ""
            yield (
                f"pods of {pod.workload}{where} have proxies that no label asks for, so Istio may "
                "inject where there is no label: such namespaces stay; "
                "MutatingWebhookConfigurations in the dump would tell"
            )
        notes = {note.name for r in recommendations.recommended for note in r.notes}
        if "calls unseen" in notes:
            yield "no proxy in these logs logged a call: is the client side logged?"
        if "unlogged call" in notes:
            yield "some workloads made calls that their own logs lack (see `recommend`)"

    return tuple(found())


def _of_mesh_configs(mesh: Mesh) -> Iterator[str]:
    """Say what is not known of the MeshConfigs that istiods use."""
    if is_assumed(mesh.notes):
        yield (
            "without the MeshConfig neither the selectors in force nor the services that its "
            "extensionProviders use are known: a namespace may be needed for these"
        )
    others = [note.where for note in mesh.notes if _is_of_another_mesh_config(note)]
    if others:
        yield (
            f"there are other MeshConfigs ({', '.join(others)}): the selectors are made from "
            "those of one alone, and may hide more from other istiods"
        )


def _is_of_another_mesh_config(note: MeshNote) -> bool:
    return note.reason == ANOTHER or (note.reason == DIFFERS and note.where.startswith(_CONFIG))


def _has_virtual_machines(mesh: Mesh) -> bool:
    return bool(mesh.workload_groups) or any(map(is_virtual_machine, mesh.workload_entries))
