"""The http routes of a VirtualService with those of its delegates in their place.

Source: istio model/virtualservice.go `MergeHTTPRoutes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from recommender.istio.proxy import MESH_GATEWAY
from recommender.mesh.objects import Destination, Route, RouteMatch, VirtualService
from recommender.mesh.request_match import NamedMatches, RequestMatch, StringMatch
from recommender.mesh.route_settings import NO_SETTINGS, RouteSettings

_HANDED_ON = ("fault", "cors_policy", "headers", "rewrite", "retries", "direct_response")
"""The settings of a root's route that count where the delegate's has none (`mergeHTTPRoute`).

`timeout` is handed on too, but hardly adds to the size.
"""


def delegated_routes(root: VirtualService, route: Route, delegate: VirtualService) -> list[Route]:
    """Merge a route that delegates into each http route of the delegate.

    One is left out if a match of it conflicts with every match of the root's route.
    """
    outer = _with_gateways(route.matches, root.meta.namespace)
    found = []
    for inner in (each for each in delegate.routes if each.protocol == "http"):
        matches = _merged_matches(outer, _with_gateways(inner.matches, delegate.meta.namespace))
        if matches is not None:
            found.append(replace(_merged_route(route, inner), matches=matches))
    return found


def _merged_route(outer: Route, inner: Route) -> Route:
    """Merge all but the matches: what the delegate lacks is the root's."""
    rewrite, headers = inner.rewrite_authority, inner.header_authorities
    mirrors, has_mirror = _mirrors(outer, inner)
    (percentage, percent), (outer_percentage, outer_percent) = (
        each.mirror_is_off for each in (inner, outer)
    )
    return replace(
        inner,
        name="-".join(filter(None, (outer.name, inner.name))),
        mirrors=mirrors,
        has_mirror=has_mirror,
        mirror_is_off=(
            outer_percentage if percentage is None else percentage,
            outer_percent if percent is None else percent,
        ),
        rewrite_authority=outer.rewrite_authority if rewrite is None else rewrite,
        header_authorities=outer.header_authorities if headers is None else headers,
        settings=_merged_settings(outer.settings, inner.settings),
    )


def _merged_settings(outer: RouteSettings, inner: RouteSettings) -> RouteSettings:
    """Merge settings field by field: one that is there, even if it is empty, is never merged."""
    if outer == NO_SETTINGS:
        return inner
    lacking = (name for name in _HANDED_ON if getattr(inner, name) is None)
    return replace(inner, **{name: getattr(outer, name) for name in lacking})


def _mirrors(outer: Route, inner: Route) -> tuple[tuple[Destination, ...], bool]:
    """Merge `mirror` and `mirrors`, each of which is the root's where the delegate has none."""
    (mirror, others), (outer_mirror, outer_others) = map(_split_mirrors, (inner, outer))
    mirror = mirror or outer_mirror
    return (*mirror, *(others or outer_others)), bool(mirror)


def _split_mirrors(route: Route) -> tuple[tuple[Destination, ...], tuple[Destination, ...]]:
    count = int(route.has_mirror)
    return route.mirrors[:count], route.mirrors[count:]


def _merged_matches(
    outer: tuple[RouteMatch, ...], inner: tuple[RouteMatch, ...]
) -> tuple[RouteMatch, ...] | None:
    """Merge each match of a delegate with those of the root it fits, None where one fits none."""
    if not outer or not inner:
        return inner or outer
    found: list[RouteMatch] = []
    for leaf in inner:
        fitting = [root for root in outer if not _conflicts(root, leaf)]
        if not fitting:
            return None
        found += (_merged_match(root, leaf) for root in fitting)
    return tuple(found)


def _merged_match(root: RouteMatch, leaf: RouteMatch) -> RouteMatch:
    return replace(
        leaf,
        name="-".join(filter(None, (root.name, leaf.name))),
        gateways=leaf.gateways or root.gateways,
        source_namespace=leaf.source_namespace or root.source_namespace,
        source_labels={**root.source_labels, **leaf.source_labels},
        port=leaf.port or root.port,
        request=_merged_request(root.request, leaf.request),
    )


def _merged_request(root: RequestMatch, leaf: RequestMatch) -> RequestMatch:
    return RequestMatch(
        uri=leaf.uri or root.uri,
        ignore_uri_case=leaf.ignore_uri_case,
        method=leaf.method or root.method,
        authority=leaf.authority or root.authority,
        scheme=leaf.scheme or root.scheme,
        headers=_merged_names(root.headers, leaf.headers),
        without_headers=_merged_names(root.without_headers, leaf.without_headers),
        query_params=_merged_names(root.query_params, leaf.query_params),
    )


def _merged_names(root: NamedMatches, leaf: NamedMatches) -> NamedMatches:
    return tuple(sorted({**dict(root), **dict(leaf)}.items()))


def _conflicts(root: RouteMatch, leaf: RouteMatch) -> bool:
    """Tell whether a match of a delegate does not fit one of its root (`hasConflict`)."""
    return (
        any(_texts_conflict(*pair) for pair in _text_pairs(root.request, leaf.request))
        or root.request.ignore_uri_case is not leaf.request.ignore_uri_case
        or (root.port is not None and leaf.port not in (None, root.port))
        or (bool(root.source_namespace) and leaf.source_namespace != root.source_namespace)
        or any(root.source_labels.get(k, v) != v for k, v in leaf.source_labels.items())
        or _gateways_conflict(root.gateways, leaf.gateways)
    )


def _text_pairs(
    root: RequestMatch, leaf: RequestMatch
) -> Iterator[tuple[StringMatch | None, StringMatch | None]]:
    yield from (
        (root.uri, leaf.uri),
        (root.scheme, leaf.scheme),
        (root.method, leaf.method),
        (root.authority, leaf.authority),
    )
    for outer, inner in (
        (root.headers, leaf.headers),
        (root.without_headers, leaf.without_headers),
        (root.query_params, leaf.query_params),
    ):
        known = dict(outer)
        yield from ((known.get(name), match) for name, match in inner)


def _texts_conflict(root: StringMatch | None, leaf: StringMatch | None) -> bool:
    """Tell whether not all that a delegate takes is what its root takes (`stringMatchConflict`).

    A regex always conflicts, even with itself, and so does what takes any text.
    """
    if root is None or leaf is None:
        return False
    if root.kind == "exact" and root.value:
        return leaf != root
    if root.kind == "prefix" and root.value:
        return leaf.kind == "regex" or not leaf.value or not leaf.value.startswith(root.value)
    return True


def _gateways_conflict(root: tuple[str, ...], leaf: tuple[str, ...]) -> bool:
    if not root or not leaf:
        return False
    return len(root) < len(leaf) or not set(leaf) <= set(root)


def _with_gateways(matches: Iterable[RouteMatch], namespace: str) -> tuple[RouteMatch, ...]:
    """Complete the names of gateways (`resolveGatewayName`)."""
    return tuple(
        replace(match, gateways=tuple(_gateway(name, namespace) for name in match.gateways))
        for match in matches
    )


def _gateway(name: str, namespace: str) -> str:
    if name == MESH_GATEWAY:
        return name
    if "/" in name:
        before, _, after = name.partition("/")
        return f"{namespace}/{after}" if before == "." else name
    short, _, domain = name.partition(".")
    return f"{domain.partition('.')[0] or namespace}/{short}"
