"""The Envoy clusters that the routes of a VirtualService lead to.

Source: istio networking/core/route/route.go (`BuildHTTPRoutesForVirtualService`,
`TranslateRoute`, `GetDestinationCluster`), networking/core/networkfilter.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from recommender.istio.proxy import Proxy, matches_source
from recommender.istio.registry import RegistryService
from recommender.istio.route_match import Request, is_catch_all, matches_request
from recommender.mesh.objects import (
    UNKNOWN_SERVICE,
    Destination,
    Route,
    RouteMatch,
    VirtualService,
)
from recommender.mesh.request_match import ANY_REQUEST, RequestMatch
from recommender.mesh.route_settings import NO_SETTINGS, RouteSettings


@dataclass(frozen=True, slots=True)
class BuiltRoute:
    """Describe a route by its name and the Envoy clusters it chooses from.

    A route without clusters answers by itself: a redirect or a direct response. `settings` is what
    else it does.
    """

    name: str
    clusters: tuple[str, ...]
    mirrors: tuple[str, ...] = ()
    match: RequestMatch = ANY_REQUEST
    settings: RouteSettings = NO_SETTINGS


def cluster_name(host: str, port: int, subset: str = "") -> str:
    """Name an outbound Envoy cluster (`BuildSubsetKey`)."""
    return f"outbound|{port}|{subset}|{host}"


Lookup = Callable[[str], RegistryService | None]
"""Finds the service of a host name among a listener's services that have the port."""


def http_routes(
    vs: VirtualService, proxy: Proxy, port: int, lookup: Lookup
) -> tuple[BuiltRoute, ...]:
    """List the routes a proxy is sent for a listener port, up to the first that takes all."""
    built: list[BuiltRoute] = []
    for route in vs.routes:
        if route.protocol != "http":
            continue
        for match in route.matches or (RouteMatch(),):
            if not matches_source(match, proxy, port, http=True):
                continue
            built.append(_http_route(route, match, port, lookup))
            if is_catch_all(match.request):
                return tuple(built)
    return tuple(built)


def possible_routes(
    routes: tuple[BuiltRoute, ...], request: Request
) -> tuple[tuple[BuiltRoute, ...], bool]:
    """List the routes of a virtual host that a request may take, and tell whether it takes one.

    Envoy takes the first that matches, so the list ends at the first that surely does. Of a call
    without method and path all routes are listed: it stands for many requests, and its authority
    is what Envoy logged, perhaps after a route put it in place of the caller's.
    """
    if request.method is None and request.path is None:
        return routes, is_catch_all(routes[-1].match)
    possible: list[BuiltRoute] = []
    for route in routes:
        answer = matches_request(route.match, request)
        if answer is not False:
            possible.append(route)
        if answer is True:
            return tuple(possible), True
    return tuple(possible), False


def tcp_clusters(
    route: Route, port: int, services: Mapping[str, RegistryService]
) -> tuple[str, ...]:
    """List the clusters of a tcp or tls route; `services` are those of the whole scope."""
    chosen = route.destinations
    if len(chosen) > 1:
        chosen = tuple(d for d in chosen if d.weight)
    return tuple(_cluster(d, port, services.get(d.host)) for d in chosen)


def _http_route(route: Route, match: RouteMatch, port: int, lookup: Lookup) -> BuiltRoute:
    name = f"{route.name}.{match.name}" if match.name else route.name
    # A delegate's route may have destinations and its root's direct response, which goes before.
    chosen = () if route.settings.answer else route.destinations
    if len(chosen) > 1:
        chosen = tuple(d for d in chosen if d.weight)
    return BuiltRoute(
        name,
        tuple(_http_clusters(chosen, port, lookup)),
        # A route that answers by itself has no upstream to mirror.
        tuple(_http_clusters(route.used_mirrors, port, lookup)) if chosen else (),
        match.request,
        route.settings,
    )


def _http_clusters(destinations: Iterable[Destination], port: int, lookup: Lookup) -> Iterable[str]:
    """Name the clusters; an ExternalName is replaced only where the listener has it."""
    for destination in destinations:
        yield _cluster(destination, port, lookup(destination.host))


def _cluster(destination: Destination, port: int, service: RegistryService | None) -> str:
    """Name a cluster; without a port of its own it has the service's only one or the listener's."""
    if destination.host == UNKNOWN_SERVICE:
        return UNKNOWN_SERVICE
    host = (service.alias_for if service else None) or destination.host
    if destination.port is None and service is not None and len(service.ports) == 1:
        port = service.ports[0].number
    return cluster_name(host, destination.port or port, destination.subset)
