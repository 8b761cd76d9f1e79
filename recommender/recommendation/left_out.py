"""Why a workload gets no Sidecar before any of its calls is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recommender.mesh import Mesh, MeshIndex, Pod, WorkloadId
from recommender.mesh.revisions import (
    DEFAULT_REVISION,
    REVISION,
    in_revision,
    proxy_revision,
)
from recommender.recommendation.existing import Plan
from recommender.recommendation.injection import proxy_to_come
from recommender.recommendation.model import LeftOut
from recommender.recommendation.received import hosts_in_words
from recommender.service_graph import Received

_INTERCEPTION = "sidecar.istio.io/interceptionMode"


def unscoped(
    id_: WorkloadId, pods: Iterable[Pod], index: MeshIndex, *, logged: bool
) -> LeftOut | None:
    """Say why a workload is none that a Sidecar can or may scope."""
    pods, copies = list(pods), index.copies[id_]
    kinds = {pod.proxy for pod in pods if pod.proxy is not None}
    annotations = [pod.meta.annotations for pod in pods]
    annotations += [copy.template_annotations for copy in copies]
    kinds |= set() if pods else {copy.proxy for copy in copies if copy.proxy}
    for kind in ("gateway", "waypoint", "ztunnel"):
        if kind in kinds:
            return LeftOut(id_, kind, "Istio ignores Sidecars there")
    if any(_INTERCEPTION in each and each[_INTERCEPTION] == "NONE" for each in annotations):
        return LeftOut(id_, "calls not captured", f"{_INTERCEPTION} is NONE")
    if (logged or kinds) and not index.places.are_all:
        return LeftOut(id_, "place unknown", "too many zones, nodes and networks to try decide")
    if logged or kinds:
        return None
    if pods or not any(proxy_to_come(copy, index) for copy in copies):
        return LeftOut(id_, "no proxy", "nothing to scope")
    return None


def of_another_revision(id_: WorkloadId, pods: Iterable[Pod], mesh: Mesh) -> LeftOut | None:
    """Leave out a workload whose istiod sees other objects than the one that the model is of."""
    modelled = mesh.revision or DEFAULT_REVISION
    running = (pod for pod in pods if pod.proxy is not None and not pod.has_ended)
    others = {proxy_revision(pod.meta.annotations) for pod in running} - {"", modelled}
    for other in sorted(others):
        named = [{REVISION: name} for name in mesh.revisions_named]
        if any(in_revision(one, other) != in_revision(one, mesh.revision) for one in named):
            detail = f"{other}: objects with the label {REVISION} tell it from {modelled}"
            return LeftOut(id_, "another revision", detail)
    return None


def silent(
    id_: WorkloadId, pods: Iterable[Pod], received: Sequence[Received], logged: str = "nothing"
) -> LeftOut:
    """Leave out a workload that logged no call; others may have received some all the same."""
    proxied = sum(pod.proxy is not None for pod in pods)
    detail = f"{proxied} with a proxy" if proxied else "no pod now"
    if not received:
        return LeftOut(id_, "logged nothing", f"silence is no evidence; {detail}")
    called = f"others received its calls to {hosts_in_words(received)}"
    return LeftOut(id_, "calls only received", f"{called}; it logged {logged}, {detail}")


def left_alone(id_: WorkloadId, planned: Plan) -> LeftOut:
    """Leave a workload to the Sidecar that somebody made for it."""
    sidecar = planned.hand_made
    name = f"{sidecar.meta.namespace}/{sidecar.meta.name}" if sidecar else ""
    hint = planned.obstacle or "--adopt takes it over"
    return LeftOut(id_, "hand-made Sidecar", f"{name} selects it; {hint}")
