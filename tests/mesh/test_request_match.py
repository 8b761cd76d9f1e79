"""What http matches ask of a request, of VirtualServices and of Gateway API routes."""

import pytest

from recommender.mesh import RequestMatch, StringMatch
from tests.mesh.helpers import Object, mesh_of_objects, notes_of, obj

GATEWAY_API = "gateway.networking.k8s.io/v1"


def virtual_service(match: Object) -> Object:
    spec = {"hosts": ["cart"], "http": [{"match": [match]}]}
    return obj("networking.istio.io/v1", "VirtualService", "cart", spec=spec)


def of_virtual_service(match: Object) -> RequestMatch:
    (vs,) = mesh_of_objects(virtual_service(match)).virtual_services
    return vs.routes[0].matches[0].request


def of_gateway_route(kind: str, match: Object) -> RequestMatch:
    parent = {"group": "", "kind": "Service", "name": "cart"}
    spec = {"parentRefs": [parent], "rules": [{"matches": [match]}]}
    route = obj(GATEWAY_API, kind, "r", spec=spec)
    (vs,) = mesh_of_objects(obj("v1", "Service", "cart"), route).virtual_services
    return vs.routes[0].matches[0].request


def test_an_http_match_keeps_all_it_asks_of_a_request() -> None:
    match = {
        "uri": {"prefix": "/x"},
        "ignoreUriCase": True,
        "method": {"exact": "GET"},
        "authority": {"regex": "a.*"},
        "scheme": {"prefix": "http"},
        "headers": {"b": {"exact": "1"}, "a": {}},
        "withoutHeaders": {"c": None},
        "queryParams": {"d": {"prefix": ""}},
    }

    assert of_virtual_service(match) == RequestMatch(
        uri=StringMatch("prefix", "/x"),
        ignore_uri_case=True,
        method=StringMatch("exact", "GET"),
        authority=StringMatch("regex", "a.*"),
        scheme=StringMatch("prefix", "http"),
        headers=(("a", StringMatch("present")), ("b", StringMatch("exact", "1"))),
        without_headers=(("c", StringMatch("present")),),
        query_params=(("d", StringMatch("prefix", "")),),
    )


def test_a_match_of_the_proxy_alone_asks_nothing_of_a_request() -> None:
    assert of_virtual_service({"port": 80, "headers": {}, "uri": None}) == RequestMatch()


@pytest.mark.parametrize(
    "match",
    [
        {"uri": {"prefix": "/x", "exact": "/x"}},
        {"uri": "/x"},
        {"uri": {"prefix": 1}},
        {"ignoreUriCase": "yes"},
        {"headers": {"a": "1"}},
        {"method": ["GET"]},
    ],
)
def test_a_virtual_service_that_the_schema_refuses_is_left_out(match: Object) -> None:
    mesh = mesh_of_objects(virtual_service(match))

    assert not mesh.virtual_services
    assert notes_of(mesh, "match[0].")


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ({}, StringMatch("prefix", "/")),
        ({"value": "/"}, StringMatch("prefix", "/")),
        ({"value": "/x"}, StringMatch("path-separated prefix", "/x")),
        ({"type": "PathPrefix", "value": "/x/"}, StringMatch("path-separated prefix", "/x")),
        ({"type": "Exact", "value": "/x/"}, StringMatch("exact", "/x/")),
        ({"type": "RegularExpression", "value": "/x.*"}, StringMatch("regex", "/x.*")),
    ],
)
def test_the_paths_of_an_http_route_become_those_of_envoy(path: Object, uri: StringMatch) -> None:
    assert of_gateway_route("HTTPRoute", {"path": path}) == RequestMatch(uri=uri)


def test_an_http_route_keeps_its_method_headers_and_parameters() -> None:
    match = {
        "method": "POST",
        "headers": [
            {"name": "b", "value": "1"},
            {"name": "a", "type": "RegularExpression", "value": ".*"},
        ],
        "queryParams": [{"type": "Exact", "name": "c", "value": "2"}],
    }

    assert of_gateway_route("HTTPRoute", match) == RequestMatch(
        method=StringMatch("exact", "POST"),
        headers=(("a", StringMatch("regex", ".*")), ("b", StringMatch("exact", "1"))),
        query_params=(("c", StringMatch("exact", "2")),),
    )


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ({"service": "x.Y", "method": "Z"}, StringMatch("exact", "/x.Y/Z")),
        ({"service": "x.Y"}, StringMatch("path-separated prefix", "/x.Y")),
        ({"method": "Z"}, StringMatch("regex", "/[^/]+/Z")),
        ({"type": "RegularExpression", "service": "x"}, StringMatch("regex", "/x/.+")),
        ({"type": "RegularExpression", "method": "Z"}, StringMatch("regex", "/[^/]+/Z")),
        (
            {"type": "RegularExpression", "service": "x", "method": "Z"},
            StringMatch("regex", "/x/Z"),
        ),
    ],
)
def test_the_method_of_a_grpc_route_is_a_path(method: Object, uri: StringMatch) -> None:
    match = {"method": method, "headers": [{"name": "a", "value": "b"}]}

    assert of_gateway_route("GRPCRoute", match) == RequestMatch(
        uri=uri, headers=(("a", StringMatch("exact", "b")),)
    )
