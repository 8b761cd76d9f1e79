"""Why a workload gets no Sidecar before any of its calls is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recommender.istio.protocols import protocol_of
from recommender.mesh import Mesh, MeshIndex, Pod, ServiceEntry, WorkloadId
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


def unscoped(
    id_: WorkloadId, pods: Iterable[Pod], index: MeshIndex, *, logged: bool
) -> LeftOut | None:
    """Say why a workload is none that a Sidecar can or may scope."""
    pods, copies = list(pods), index.copies[id_]
    kinds = {pod.proxy for pod in pods if pod.proxy is not None}
    kinds |= set() if pods else {copy.proxy for copy in copies if copy.proxy}
    for kind in ("gateway", "waypoint", "ztunnel"):
        if kind in kinds:
            return LeftOut(id_, kind, "Istio ignores Sidecars there")
    has_proxies = logged or bool(kinds)
    if not has_proxies and (pods or not any(proxy_to_come(copy, index) for copy in copies)):
        return LeftOut(id_, "no proxy", "nothing to scope")
    default = index.mesh.config.interception_mode
    captures = [pod.capture for pod in pods] + [copy.capture for copy in copies]
    modes = {each.interception_mode or default for each in captures}
    if "NONE" in modes:
        return LeftOut(id_, "calls not captured", "their interception mode is NONE")
    if has_proxies and not index.places.are_all:
        return LeftOut(id_, "place unknown", "too many zones, nodes and networks to try decide")
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


def of_another_dns_capture(
    id_: WorkloadId, pods: Iterable[Pod], index: MeshIndex
) -> LeftOut | None:
    """Leave out a workload whose proxies know other addresses of services than the model.

    Those that istiod allocates are for proxies that capture DNS alone, and listeners for TCP are
    made at them (istio pilot/pkg/model/service.go `nodeUsesAutoallocatedIPs`).
    """
    expected = index.mesh.config.dns_capture
    captures = [pod.capture for pod in pods if pod.proxy is not None and not pod.has_ended]
    captures += [copy.capture for copy in index.copies[id_]]
    entries = index.mesh.service_entries
    named = next((entry.meta for entry in entries if _has_listeners_of_its_own(entry)), None)
    if named is None or all(each.dns in (None, expected) for each in captures):
        return None
    does = "do not capture DNS, as the MeshConfig says" if expected else "capture DNS by themselves"
    detail = f"some {does}: what ServiceEntry {named.namespace}/{named.name} is reached by differs"
    return LeftOut(id_, "another DNS capture", detail)


def _has_listeners_of_its_own(entry: ServiceEntry) -> bool:
    """Tell whether listeners are made at allocated addresses; those for HTTP are at any."""
    is_allocated = bool(entry.allocated) and not entry.addresses
    return is_allocated and any(not protocol_of(p.protocol).is_http for p in entry.ports)


def silent(
    id_: WorkloadId, pods: Iterable[Pod], received: Sequence[Received], logged: str = "nothing"
) -> LeftOut:
    """Leave out a workload that logged no call; others may have received some all the same."""
    proxied = sum(pod.proxy is not None for pod in pods)
    pods_of_it = "1 pod" if proxied == 1 else f"{proxied} pods"
    detail = f"{pods_of_it} with a proxy" if proxied else "no pod now"
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
