"""Logged calls -> the namespaces that they met, or that their addresses and names are of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from recommender.discovery.model import NamespaceNeed, NeedKind
from recommender.discovery.names import NamespacesOf
from recommender.istio.call import resolve_call
from recommender.istio.resolution import Fate, Resolution
from recommender.mesh import Labels, MeshIndex, WorkloadId
from recommender.recommendation.kubernetes_clusters import can_be_made, readings
from recommender.recommendation.needs import CallNeeds, needs_of
from recommender.recommendation.views import View, ViewRules, Views, ipv6_only, proxy_labels
from recommender.service_graph import Call, Graph, calls_of, calls_of_unknown_pods

_GATEWAYS = ("gateway", "waypoint")


@dataclass(frozen=True, slots=True)
class Caller:
    """Describe who made some calls: a workload, or the unknown pods of a namespace.

    `proxies` are the Kubernetes clusters and labels of its proxies, `v6` names the Kubernetes
    clusters where these have IPv6 addresses alone. Where a gateway sends a call, its own routes
    decide, which are not those of sidecars.
    """

    id: WorkloadId
    proxies: tuple[tuple[str, Labels], ...]
    v6: frozenset[str]
    calls: tuple[Call, ...]
    is_gateway: bool = False


@dataclass(frozen=True, slots=True)
class SeenCalls:
    """Hold what the calls of a caller are in one of its views.

    `proxy` is that of the view: one Kubernetes cluster and labels of the caller's.
    """

    caller: Caller
    proxy: tuple[str, Labels]
    view: View
    needs: tuple[CallNeeds, ...]


def callers(graph: Graph, index: MeshIndex) -> Iterator[Caller]:
    """Yield who made calls, by namespace."""
    home = index.mesh.kubernetes_clusters[0]
    found = [
        Caller(
            id_,
            tuple(proxy_labels(index, id_)) or ((home, {}),),
            ipv6_only(index.pods_by_workload.get(id_, ())),
            calls,
            _is_gateway(index, id_),
        )
        for id_ in index.workloads
        if (calls := calls_of(graph, id_))
    ]
    for namespace in {pod.namespace for pod in graph.graph["unknown_pods"]}:
        calls = calls_of_unknown_pods(graph, namespace)
        if calls:
            unknown = WorkloadId(namespace, "Pod", "unknown")
            found.append(Caller(unknown, ((home, {}),), frozenset(), calls))
    yield from sorted(found, key=attrgetter("id"))


def _is_gateway(index: MeshIndex, id_: WorkloadId) -> bool:
    kinds = {pod.proxy for pod in index.pods_by_workload.get(id_, ())}
    return bool(
        (kinds | {copy.proxy for copy in index.copies.get(id_, ())}).intersection(_GATEWAYS)
    )


def seen_calls(found: Iterable[Caller], given: ViewRules) -> Iterator[tuple[Views, SeenCalls]]:
    """Yield the calls of each caller as each kind of its proxies sees them."""
    for namespace, group in groupby(found, key=lambda caller: caller.id.namespace):
        views = Views(given, namespace)
        for caller in group:
            clusters = list(dict.fromkeys(cluster for cluster, _ in caller.proxies))
            registry = given.rules.registry
            read = [each for call in caller.calls for each in readings(call, registry, clusters)]
            for proxy, view in distinct_views(views, caller):
                needs = tuple(
                    needs_of(call, view, given.rules)
                    for call in read
                    if can_be_made(call, view.proxy, registry)
                )
                yield views, SeenCalls(caller, proxy, view, needs)


def distinct_views(views: Views, caller: Caller) -> Iterator[tuple[tuple[str, Labels], View]]:
    """Yield the views of a caller's proxies, each with the first proxy that has it."""
    found: dict[tuple[int, int], tuple[tuple[str, Labels], View]] = {}
    for proxy in sorted(caller.proxies, key=lambda p: (p[0], sorted(p[1].items()))):
        view = view_of(views, caller, proxy)
        found.setdefault((id(view.today), id(view.baseline)), (proxy, view))
    yield from found.values()


def view_of(views: Views, caller: Caller, proxy: tuple[str, Labels]) -> View:
    """Return what one of a caller's proxies sees."""
    (view,) = views.of_pods([proxy], caller.v6)
    return view


def needed_by_calls(seen: SeenCalls, names: NamespacesOf) -> Iterator[tuple[str, NamespaceNeed]]:
    """Yield the namespaces that calls need, of what they met and of what they name.

    That a call passes through today does not mean that the namespace of its address is unused.
    """
    for need in seen.needs:
        for namespace, kind, detail in _of_call(need, seen, names):
            yield namespace, NamespaceNeed(kind, detail, need.call.evidence)


_Named = Iterator[tuple[str, NeedKind, str]]


def _of_call(need: CallNeeds, seen: SeenCalls, names: NamespacesOf) -> _Named:
    call = need.call
    by = str(seen.caller.id)
    if not seen.caller.is_gateway:
        for met in _resolutions(need, seen.view):
            yield from _met(met, by)
        for perhaps in need.perhaps:
            for namespace in names.of_entry(perhaps.host):
                yield namespace, "possible", f"{perhaps.host}, by {by}"
    host = call.destination_host
    if host is not None:
        scopes = (seen.view.today.scope, seen.view.unscoped.scope)
        service = next(filter(None, (scope.services.get(host) for scope in scopes)), None)
        found = {service.namespace} if service is not None else names.of_host(host)
        for namespace in found:
            yield namespace, "called", f"{host} by {by}"
    for named in (call.authority, call.server_name):
        for namespace in names.of_authority(named):
            yield namespace, "called", f"{named} by {by}"
    # A gateway's own address is what its callers connected to.
    for namespace in () if seen.caller.is_gateway else names.of_address(call.address):
        yield namespace, "called", f"{call.address} by {by}"


def _resolutions(need: CallNeeds, view: View) -> Iterator[Resolution]:
    """Yield where a call goes today, and where without this tool's Sidecars."""
    yield resolve_call(view.today, need.outbound)
    if view.baseline is not view.today:
        yield resolve_call(view.baseline, need.outbound)


def _met(met: Resolution, by: str) -> _Named:
    if met.service is not None:
        yield met.service.namespace, "called", f"{met.service.hostname} by {by}"
    if met.alias is not None:
        yield met.alias.namespace, "alias", f"{met.alias.hostname} by {by}"
    if met.virtual_service is not None:
        meta = met.virtual_service.meta
        detail = f"VirtualService {meta.namespace}/{meta.name} decides for {met.host}, by {by}"
        yield meta.namespace, "virtual service", detail
    for name, service in sorted(met.clusters, key=str) if met.fate is Fate.ROUTED else ():
        if service is not None:
            yield service.namespace, "called", f"{name.rpartition('|')[2]} by {by}"
