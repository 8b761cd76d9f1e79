"""What proxies no longer have once some namespaces are hidden, as they are scoped today."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from statistics import median_low

from recommender.discovery.model import ProxySavings
from recommender.istio.config_size import ConfigSizer
from recommender.istio.discovery import without_namespaces
from recommender.istio.sidecar_scope import build_scope_rules
from recommender.istio.telemetry import outbound_telemetry
from recommender.mesh import Labels, Mesh, MeshIndex, WorkloadId
from recommender.recommendation.views import View, Views, build_view_rules, ipv6_only, proxy_labels


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Hold the services and bytes of one kind of proxy, before and after, and how many it is."""

    pods: int
    services: tuple[int, int]
    bytes: tuple[int, int]


def proxy_savings(mesh: Mesh, index: MeshIndex, idle: Collection[str]) -> ProxySavings:
    """Sum up what the mesh's sidecar proxies have, with and without idle namespaces.

    The bytes of proxies without a Sidecar are those of one of them for each Kubernetes cluster,
    number of services and kind of access log: they differ in little more than short names.
    """
    found = list(_each(mesh, index, idle))
    pods = [each for each in found for _ in range(each.pods)]
    if not pods:
        return ProxySavings()
    return ProxySavings(
        sidecars=len(pods),
        services_before=sum(each.services[0] for each in pods),
        services_after=sum(each.services[1] for each in pods),
        median_services_before=median_low(each.services[0] for each in pods),
        median_services_after=median_low(each.services[1] for each in pods),
        bytes_before=sum(each.bytes[0] for each in pods),
        bytes_after=sum(each.bytes[1] for each in pods),
        median_bytes_before=median_low(each.bytes[0] for each in pods),
        median_bytes_after=median_low(each.bytes[1] for each in pods),
    )


def _each(mesh: Mesh, index: MeshIndex, idle: Collection[str]) -> Iterator[_Sizes]:
    placed = frozenset((cluster, n) for cluster in mesh.kubernetes_clusters for n in idle)
    given = [
        build_view_rules(build_scope_rules(seen))
        for seen in (mesh, without_namespaces(mesh, placed))
    ]
    proxied = [
        id_
        for id_ in sorted(index.workloads)
        if any(_counts(pod.proxy, pod.has_ended) for pod in index.pods_by_workload.get(id_, ()))
    ]
    sizer = ConfigSizer()
    sizes: dict[tuple[object, ...], tuple[int, int]] = {}
    for namespace, ids in groupby(proxied, key=attrgetter("namespace")):
        views = [Views(rules, namespace) for rules in given]
        for id_ in ids:
            before, after = (_view(each, index, id_) for each in views)
            services = (before.today.service_count, after.today.service_count)
            scoped = (namespace, id(before.today)) if before.sidecar else ()
            proxy, rules = before.proxy, given[0].rules
            reports = outbound_telemetry(rules, namespace, proxy.labels)
            key = (proxy.kubernetes_cluster, *services, *scoped, reports)
            if key not in sizes:
                both = (sizer.size(view.today).bytes for view in (before, after))
                sizes[key] = (next(both), next(both))
            pods = index.pods_by_workload[id_]
            count = sum(_counts(pod.proxy, pod.has_ended) for pod in pods)
            yield _Sizes(count, services, sizes[key])


def _counts(proxy: str | None, has_ended: bool) -> bool:
    return proxy == "sidecar" and not has_ended


def _view(views: Views, index: MeshIndex, id_: WorkloadId) -> View:
    """Return what the first of a workload's proxies sees."""
    first: tuple[str, Labels] = min(
        proxy_labels(index, id_), key=lambda proxy: (proxy[0], sorted(proxy[1].items()))
    )
    (view,) = views.of_pods([first], ipv6_only(index.pods_by_workload.get(id_, ())))
    return view
