"""What random routes ask of a request, and what random calls send.

All of it is drawn from randomness of its own: a mesh has the same objects without.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from recommender.istio.route_match import is_catch_all
from recommender.mesh import RequestMatch, VirtualService
from tests.istio.judge import JudgedCall
from tests.istio.random_draw import KUBERNETES, NAMESPACES, Draw

FEATURES = (
    "GRPCRoute method kinds",
    "HTTPRoute path kinds",
    "delegate match",
    "delegate mirror or rewrite",
    "match authority",
    "match ignoreUriCase",
    "match method kinds",
    "match scheme",
    "match uri kinds",
)
_Texts = tuple[dict[str, str], ...]

_URIS: _Texts = (
    {"exact": "/x"},
    {"exact": "/X/1"},
    {"exact": "/"},
    {"prefix": "/X"},
    {"prefix": "/x/"},
    {"prefix": ""},
    {"regex": "/x"},
    {"regex": "^/x\\.Y/.*"},
    {"regex": "/X.*"},
    {"regex": "/xx*"},
    {"regex": "/x|/y"},
    {"regex": "/[xy](/.*)?"},
    {"regex": "(?i)/X.*$"},
    {},
)
_METHODS: _Texts = ({"exact": "GET"}, {"prefix": "P"}, {"regex": "GET|HEAD"}, {"regex": "P.*"}, {})
_SCHEMES: _Texts = ({"exact": "http"}, {"prefix": "https"}, {})
_HTTP_PATHS: _Texts = (
    {"type": "Exact", "value": "/x"},
    {"type": "Exact", "value": "/x/1"},
    {"type": "PathPrefix", "value": "/"},
    {"type": "PathPrefix", "value": "/x"},
    {"type": "PathPrefix", "value": "/x/"},
    {"type": "PathPrefix", "value": "/x.Y"},
    {"type": "PathPrefix", "value": "/X"},
    {"type": "RegularExpression", "value": "/x.*"},
    {"type": "RegularExpression", "value": "/[xy]"},
    {"type": "RegularExpression", "value": ".*"},
)
_GRPC_METHODS: _Texts = (
    {"type": "Exact", "service": "x.Y"},
    {"type": "Exact", "method": "Z"},
    {"type": "Exact", "service": "x", "method": "1"},
    {"type": "RegularExpression", "service": "x\\..*"},
    {"type": "RegularExpression", "method": "Z|1"},
    {"type": "RegularExpression", "service": "[xy]", "method": "."},
)
_PATHS = (
    "/X",
    "/X/1",
    "/x/",
    "/xx",
    "/x.Y",
    "/x.Y/",
    "/x.Y/A",
    "/Y",
    "/z",
    "/x?v=1",
    "/y?v=1",
    "/x/1?v=2",
)
_SENT_METHODS = ("GET", "GET", "POST", "HEAD", "PUT")


def ask_of_request(draw: Draw, match: dict[str, object]) -> dict[str, object]:
    """Let an http match ask for more kinds of requests."""
    if "uri" in match and draw.on("match uri kinds", 60):
        match["uri"] = draw.one(_URIS)
    if draw.on("match ignoreUriCase", 40 if "uri" in match else 5):
        match["ignoreUriCase"] = True
    if draw.on("match method kinds", 15):
        match["method"] = draw.one(_METHODS)
    if draw.on("match scheme", 5):
        match["scheme"] = draw.one(_SCHEMES)
    return match


def ask_for_authority(draw: Draw, routes: list[dict[str, Any]], hosts: list[str]) -> None:
    """Let some http matches of a VirtualService ask for one of its hosts, or for nearly that."""
    for match in (match for route in routes for match in route.get("match", ())):
        if draw.on("match authority", 25):
            host = draw.one(hosts).replace("*", "any")
            near = (host, host, host.upper(), f"{host}:80", host.removesuffix(".cluster.local"))
            kind = draw.one(("exact", "exact", "prefix", "regex", ""))
            match["authority"] = {kind: draw.one(near)} if kind else {}


def ask_of_delegated(draw: Draw, route: dict[str, object]) -> dict[str, object]:
    """Let a route that delegates ask for something itself, and give its delegate more."""
    if draw.on("delegate match", 70):
        route["match"] = [_outer_match(draw) for _ in range(draw.between(1, 2))]
    if draw.on("delegate mirror or rewrite", 50):
        more = (
            {"mirror": {"host": "s1"}},
            {"mirrors": [{"destination": {"host": "s2"}}]},
            {"directResponse": {"status": 503}},
        )
        rewrites = ({"rewrite": {"authority": draw.one(KUBERNETES)}}, {"rewrite": {"uri": "/y"}})
        route |= draw.one((*more, *rewrites))
        route["name"] = "root"
    return route


def ask_of_delegate(draw: Draw, routes: list[dict[str, object]]) -> list[dict[str, object]]:
    """Let routes of a delegate ask for what their root may ask for too, or may not."""
    for route in routes:
        if draw.on("delegate match", 40):
            route["match"] = [_outer_match(draw) for _ in range(draw.between(1, 2))]
    return routes


def ask_of_http_route(draw: Draw, match: dict[str, object]) -> dict[str, object]:
    """Let a match of an HTTPRoute have a path of another kind."""
    if not draw.on("HTTPRoute path kinds", 70):
        return match
    more = {"queryParams": [{"type": "Exact", "name": "v", "value": "1"}]}
    return {**match, "path": draw.one(_HTTP_PATHS), **(more if draw.chance(20) else {})}


def ask_of_grpc_route(draw: Draw, match: dict[str, object]) -> dict[str, object]:
    """Let a match of a GRPCRoute name its method in another way."""
    return {"method": draw.one(_GRPC_METHODS)} if draw.on("GRPCRoute method kinds", 60) else match


def send_otherwise(random: Random, call: JudgedCall) -> JudgedCall:
    """Give some calls another path and method."""
    if not call.protocol.startswith("http") or random.random() < 0.5:
        return call
    return replace(call, path=random.choice(_PATHS), method=random.choice(_SENT_METHODS))


def asked_of(vs: VirtualService) -> list[RequestMatch]:
    """List what the http routes of a VirtualService ask of a request."""
    matches = [match.request for route in vs.routes for match in route.matches]
    return [match for match in matches if not is_catch_all(match)]


def aim(random: Random, call: JudgedCall, match: RequestMatch) -> JudgedCall:
    """Let a call send what a match asks for, or nearly."""
    path, method = random.choice(_PATHS), random.choice(_SENT_METHODS)
    if match.uri is not None and match.uri.value.startswith("/"):
        ends = ("", "/1", "?v=1", "y") if match.uri.kind != "path-separated prefix" else ("/1", "y")
        path = match.uri.value.replace(".*", "") + random.choice(ends)
        if random.random() < (0.7 if match.ignore_uri_case else 0.2):
            path = path.swapcase()
    if match.method is not None and match.method.kind == "exact":
        method = random.choice((match.method.value, match.method.value, method))
    headers = random.choice(({}, {"x-user": "a"}, {"x-user": "b1"}))
    return replace(call, path=path, method=method, headers=headers)


def _outer_match(draw: Draw) -> dict[str, object]:
    match: dict[str, object] = dict(
        draw.one(
            (
                {"uri": {"prefix": "/x"}},
                {"uri": {"prefix": "/"}},
                {"uri": {"exact": "/y"}},
                {"uri": {"regex": "/x.*"}},
                {"method": {"exact": "POST"}},
                {"headers": {"x-user": {"exact": "a"}}},
                {"withoutHeaders": {"x-user": {"prefix": "b"}}},
                {"queryParams": {"v": {"exact": "1"}}},
                {"sourceLabels": {"app": "x"}},
                {"sourceNamespace": draw.one(NAMESPACES)},
                {"port": 80},
                {"gateways": ["mesh"]},
                {"gateways": ["gw", "mesh"]},
            )
        )
    )
    if draw.chance(20):
        match["name"] = "outer"
    if draw.chance(10):
        match["ignoreUriCase"] = True
    return match
