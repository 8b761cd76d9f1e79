"""Random VirtualServices, DestinationRules and Gateway API routes for services of a mesh."""

from __future__ import annotations

from typing import Any

from tests.istio.random_draw import (
    EXPORTS,
    HOMES,
    ISTIO,
    KUBERNETES,
    LABELS,
    NAMES,
    NAMESPACES,
    OUTSIDE,
    PORTS,
    SUBSETS,
    WILDCARDS,
    Draw,
)
from tests.istio.random_requests import (
    ask_for_authority,
    ask_of_delegate,
    ask_of_delegated,
    ask_of_grpc_route,
    ask_of_http_route,
    ask_of_request,
)
from tests.mesh.helpers import Object, obj

GATEWAY_API = "gateway.networking.k8s.io/v1"
SUBNETS = ("10.0.0.0/24", "10.0.0.0/28", "10.0.0.1/32", "203.0.113.0/24", "10.0.0.5")


def routes(draw: Draw) -> list[Object]:
    """Make VirtualServices, delegates of some, and Gateway API routes."""
    made = [_virtual_service(draw) for _ in range(draw.between(0, 8))]
    if "delegate" in draw.features:
        made += [_delegate(draw, name) for name in ("d0", "d1")]
    made += [_http_route(draw) for _ in range(2) if draw.on("HTTPRoute", 50)]
    made += [_grpc_route(draw) for _ in range(2) if draw.on("GRPCRoute", 40)]
    aside = draw.of_requests()
    made += [_plain_route(aside, kind) for kind in ("TCPRoute", "TLSRoute") if aside.chance(25)]
    return made


def destination_rules(draw: Draw) -> list[Object]:
    """Make DestinationRules, several for a host among them."""
    return [_destination_rule(draw) for _ in range(7) if draw.on("DestinationRule", 60)]


def _virtual_service(draw: Draw) -> Object:
    hosts = draw.some((*NAMES, *KUBERNETES, *OUTSIDE), 3)
    if draw.chance(50):
        hosts = list(dict.fromkeys((draw.one(draw.popular), *hosts)))
    spec: dict[str, Any] = {"hosts": hosts}
    if draw.on("wildcard VirtualService host", 20):
        spec["hosts"] = [draw.one(WILDCARDS[:4]), *draw.some(NAMES, 1)]
    if draw.on("VirtualService gateways", 40):
        spec["gateways"] = draw.one((["mesh"], ["gw"], ["a/gw", "mesh"]))
    kind = draw.one(("http", "http", "http", "http", "tcp", "tls"))
    if kind == "http":
        spec["http"] = [_http(draw) for _ in range(draw.between(1, 3))]
        if draw.chance(10):
            spec["tcp"] = _tcp(draw)
        if draw.on("delegate", 20):
            delegate = {"name": draw.one(("d0", "d1", "d0", "d9")), "namespace": "b"}
            root = ask_of_delegated(draw.of_requests(), {"delegate": delegate})
            spec["http"] = [root, _http(draw)]
        ask_for_authority(draw.of_requests(), spec["http"], spec["hosts"])
    elif kind == "tcp":
        spec["tcp"] = _tcp(draw)
    else:
        _tls(draw, spec)
    namespace = draw.one(NAMESPACES)
    draw.known += [f"{namespace}/{host}" for host in hosts if "." in host]
    return draw.istio("VirtualService", "vs", spec, namespace=namespace)


def _tcp(draw: Draw) -> list[dict[str, object]]:
    draw.used["tcp route"] += 1
    made = []
    for _ in range(draw.between(1, 2)):
        route: dict[str, object] = {"route": _weighted(draw)}
        matches = [_tcp_match(draw) for _ in range(draw.between(1, 2))]
        if draw.chance(60):
            route["match"] = matches
        made.append(route)
    return made


def _tcp_match(draw: Draw) -> dict[str, object]:
    match = _source_match(draw)
    if draw.on("tcp destinationSubnets", 50):
        match["destinationSubnets"] = draw.some(SUBNETS, 2)
    return match or {"port": 5432}


def _tls(draw: Draw, spec: dict[str, object]) -> None:
    draw.used["tls sniHosts"] += 1
    hosts = draw.some((*OUTSIDE, KUBERNETES[0], KUBERNETES[5]), 2)
    names = list(hosts)
    if draw.on("wildcard VirtualService host", 30):
        hosts, names = ["*.ext.example", "db.example"], ["*.ext.example", *OUTSIDE]
    spec["hosts"] = hosts
    made = []
    for _ in range(draw.between(1, 2)):
        match: dict[str, object] = {**_source_match(draw), "sniHosts": draw.some(names, 2)}
        if draw.chance(60):
            match["port"] = 443
        if draw.on("tls destinationSubnets", 15):
            match["destinationSubnets"] = draw.some(SUBNETS, 1)
        made.append({"match": [match], "route": _weighted(draw)})
    spec["tls"] = made


def _source_match(draw: Draw) -> dict[str, object]:
    """Make the part of a match that is decided before any request."""
    match: dict[str, object] = {}
    if draw.on("sourceLabels", 20):
        match["sourceLabels"] = draw.one(({"app": "x"}, {"tier": "web"}, {"app": "x"}))
    if draw.on("sourceNamespace", 20):
        match["sourceNamespace"] = draw.one(NAMESPACES)
    if draw.on("match gateways", 15):
        match["gateways"] = draw.one((["mesh"], ["gw"], ["gw", "mesh"]))
    if draw.on("match port", 20):
        match["port"] = draw.one(PORTS)[0]
    return match


def _delegate(draw: Draw, name: str) -> Object:
    http = [_http(draw) for _ in range(draw.between(1, 2))]
    spec: dict[str, object] = {"http": ask_of_delegate(draw.of_requests(), http)}
    if draw.on("exportTo of a delegate", 40):
        spec["exportTo"] = draw.one(EXPORTS)
    return obj(ISTIO, "VirtualService", name, "b", created=draw.created(), spec=spec)


def _http(draw: Draw) -> dict[str, object]:
    route: dict[str, object] = {}
    if draw.on("redirect", 8):
        route["redirect"] = {"uri": "/elsewhere"}
    elif draw.on("direct response", 8):
        route["directResponse"] = {"status": 418}
    else:
        route["route"] = _weighted(draw)
        _http_extras(draw, route)
    if draw.chance(50):
        route["match"] = [_http_match(draw) for _ in range(draw.between(1, 2))]
    if "name" not in route and draw.on("route names", 30):
        route["name"] = draw.name("r")
    return route


def _http_extras(draw: Draw, route: dict[str, object]) -> None:
    if draw.on("mirror", 15):
        route["mirror"] = _destination(draw)
        if draw.of_requests().chance(20):
            route["mirrorPercentage"] = {"value": draw.of_requests().one((0, 50))}
    elif draw.on("mirrors", 10):
        route["mirrors"] = [{"destination": _destination(draw)}]
    if draw.on("rewrite", 10):
        host = draw.one(KUBERNETES)
        route |= draw.one(
            (
                {"rewrite": {"authority": host}},
                {"rewrite": {"uri": "/y"}},
                {"headers": {"request": {"set": {"Host": host}}}},
            )
        )
        route["name"] = draw.name("rewrite")  # tells what the access log has as the authority


def _http_match(draw: Draw) -> dict[str, object]:
    match = _source_match(draw)
    if draw.on("match uri", 35):
        match["uri"] = draw.one(
            ({"prefix": "/x"}, {"exact": "/y"}, {"regex": "/x.*"}, {"prefix": "/"}, {"regex": ".*"})
        )
    if draw.on("match headers", 20):
        headers: dict[str, object] = {"x-user": draw.one(({"exact": "a"}, {"prefix": "b"}, {}))}
        match["headers" if draw.chance(70) else "withoutHeaders"] = headers
    if draw.on("match method or query", 15):
        match |= draw.one(({"method": {"exact": "POST"}}, {"queryParams": {"v": {"exact": "1"}}}))
    if draw.chance(20):
        match["name"] = draw.name("m")
    return ask_of_request(draw.of_requests(), match)


def _weighted(draw: Draw) -> list[dict[str, object]]:
    if not draw.on("weights", 40):
        return [{"destination": _destination(draw)}]
    weights = draw.one(((50, 50), (100, 0), (1, 2, 0)))
    if 0 in weights:
        draw.used["zero weight"] += 1
    return [{"destination": _destination(draw), "weight": weight} for weight in weights]


def _destination(draw: Draw) -> dict[str, object]:
    found: dict[str, object] = {"host": draw.one((*NAMES, *KUBERNETES, *OUTSIDE, *WILDCARDS[:1]))}
    if draw.chance(40):
        found["host"] = draw.one(draw.popular)
    if draw.on("destination subset", 35):
        found |= {"host": draw.one(draw.popular), "subset": draw.one(SUBSETS)}
    elif draw.on("destination port", 50):
        found["port"] = {"number": draw.one(PORTS)[0]}
    return found


def _destination_rule(draw: Draw) -> Object:
    host = draw.one((*NAMES, *KUBERNETES, *OUTSIDE, *WILDCARDS[:4]))
    if draw.chance(70):
        host = draw.one(draw.popular)
    spec: dict[str, object] = {"host": host}
    if host.startswith("*"):
        draw.used["wildcard DestinationRule"] += 1
    if draw.on("subsets", 80):
        spec["subsets"] = [
            {"name": name, "labels": {"version": name}} for name in draw.some(SUBSETS, 2)
        ]
    if draw.on("DestinationRule workloadSelector", 20):
        spec["workloadSelector"] = {"matchLabels": draw.one(LABELS)}
        spec["exportTo"] = ["."]  # istiod refuses any other
    aside = draw.of_requests()
    if aside.chance(60):
        limits = {"tcp": {"maxConnections": aside.between(1, 9)}}
        spec["trafficPolicy"] = {"connectionPool": limits}
    return draw.istio("DestinationRule", "dr", spec)


def _http_route(draw: Draw) -> Object:
    rules = []
    for _ in range(draw.between(1, 2)):
        match = draw.one((_ANY_PATH, *_HTTP_ROUTE_MATCHES))
        matches = [ask_of_http_route(draw.of_requests(), match)]
        rule: dict[str, object] = {"matches": matches, "backendRefs": _backends(draw)}
        if draw.on("HTTPRoute mirror", 20):
            mirror = {"backendRef": {"name": draw.one(NAMES), "port": 80}}
            rule["filters"] = [{"type": "RequestMirror", "requestMirror": mirror}]
        elif draw.on("HTTPRoute redirect", 10):
            redirect = {"hostname": "www.ext.example", "statusCode": 302}
            filters = [{"type": "RequestRedirect", "requestRedirect": redirect}]
            rule = {"matches": matches, "filters": filters}
        rules.append(rule)
    return _gateway_route(draw, "HTTPRoute", {"parentRefs": [_parent(draw)], "rules": rules})


def _grpc_route(draw: Draw) -> Object:
    rule: dict[str, object] = {"backendRefs": _backends(draw)}
    if draw.chance(40):
        method = {"type": "Exact", "service": "x.Y", "method": "Z"}
        rule["matches"] = [ask_of_grpc_route(draw.of_requests(), {"method": method})]
    return _gateway_route(draw, "GRPCRoute", {"parentRefs": [_parent(draw)], "rules": [rule]})


def _plain_route(draw: Draw, kind: str) -> Object:
    """Make a route for TCP or TLS; a backend may have no weight, or be of a kind that is none."""
    draw.used[kind] += 1
    parent: dict[str, object] = {"group": "", "kind": "Service", "name": draw.one(NAMES)}
    parent["namespace"] = draw.one(HOMES)
    if draw.chance(50):
        parent["port"] = draw.one((5432, 443))
    backends = _backends(draw)
    if draw.chance(10):
        backends[0] |= {"group": "example.com", "kind": "Other"}
    spec: dict[str, object] = {"parentRefs": [parent], "rules": [{"backendRefs": backends}]}
    if kind == "TLSRoute" and draw.chance(80):
        spec["hostnames"] = draw.some((*OUTSIDE, "*.ext.example", "*.svc.cluster.local"), 2)
    return _gateway_route(draw, kind, spec)


def _gateway_route(draw: Draw, kind: str, spec: dict[str, object]) -> Object:
    name, namespace = draw.name("route"), draw.one(HOMES)
    return obj(GATEWAY_API, kind, name, namespace, created=draw.created(), spec=spec)


# The API server writes the default path and types into what it keeps.
_ANY_PATH: dict[str, object] = {"path": {"type": "PathPrefix", "value": "/"}}
_HTTP_ROUTE_MATCHES: tuple[dict[str, object], ...] = (
    {"path": {"type": "PathPrefix", "value": "/x"}},
    _ANY_PATH,
    {"path": {"type": "Exact", "value": "/y"}},
    {**_ANY_PATH, "headers": [{"type": "Exact", "name": "x-user", "value": "a"}]},
    {**_ANY_PATH, "method": "POST"},
)


def _backends(draw: Draw) -> list[dict[str, object]]:
    backend = {
        "name": draw.one(NAMES),
        "namespace": draw.one(HOMES),
        "port": draw.one(PORTS)[0],
        "weight": draw.random.randrange(2),
    }
    return [backend, {"name": "s0", "port": 80, "weight": 1}][: draw.between(1, 2)]


def _parent(draw: Draw) -> dict[str, object]:
    found: dict[str, object] = {"group": "", "kind": "Service"}
    found["name"] = draw.one(NAMES)
    if draw.chance(70):
        found["namespace"] = draw.one(HOMES)
    if draw.on("parentRef port", 20):
        found["port"] = 80
    return found
