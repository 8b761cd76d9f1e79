"""VirtualServices, and the Gateway API routes that become some."""

import pytest

from recommender.mesh import (
    Destination,
    Mesh,
    RequestMatch,
    Route,
    RouteMatch,
    StringMatch,
    VirtualService,
)
from recommender.mesh.route_settings import (
    NO_SETTINGS,
    Retries,
    RouteSettings,
    Setting,
    route_settings,
)
from tests.mesh.helpers import Object, mesh_of_objects, notes_of, obj

GATEWAY_API = "gateway.networking.k8s.io/v1"
ECHO = Destination("echo.shop.svc.cluster.local", port=80, weight=1)
PARENTS = (
    obj("v1", "Service", "cart"),
    obj("v1", "Service", "api", "web"),
    obj("v1", "Service", "m"),
)


def routes_of(**spec: object) -> tuple[Route, ...]:
    mesh = mesh_of_objects(obj("networking.istio.io/v1", "VirtualService", "cart", spec=spec))
    return mesh.virtual_services[0].routes


def to_echo(*parents: Object, **more: object) -> Object:
    backend = {"backendRefs": [{"name": "echo", "port": 80}]}
    return {"parentRefs": list(parents), "rules": [backend], **more}


def parent(name: str, **more: object) -> Object:
    return {"group": "", "kind": "Service", "name": name, **more}


def made(mesh: Mesh) -> dict[str, VirtualService]:
    return {vs.meta.name: vs for vs in mesh.virtual_services}


def test_an_http_route_keeps_what_decides_scope() -> None:
    destination = {"host": "cart", "subset": "v2", "port": {"number": 8080}}
    match = {"gateways": ["mesh"], "sourceNamespace": "web", "sourceLabels": {"a": "b"}, "port": 80}
    (route,) = routes_of(
        http=[
            {
                "name": "moved",
                "match": [match, {"uri": {"prefix": "/"}}],
                "route": [
                    {"destination": destination, "weight": 0},
                    {"destination": {"host": "b"}},
                ],
                "mirror": {"host": "old"},
                "mirrors": [{"destination": {"host": "new"}}],
                "rewrite": {"authority": "cart.example"},
            }
        ]
    )

    assert route == Route(
        protocol="http",
        name="moved",
        matches=(
            RouteMatch(
                gateways=("mesh",), source_namespace="web", source_labels={"a": "b"}, port=80
            ),
            RouteMatch(request=RequestMatch(uri=StringMatch("prefix", "/"))),
        ),
        destinations=(Destination("cart", "v2", 8080, weight=0), Destination("b")),
        mirrors=(Destination("old"), Destination("new")),
        has_mirror=True,
        rewrite_authority="cart.example",
        settings=RouteSettings(rewrite=Setting(1, len("cart.example"))),
    )


def test_the_authorities_that_a_route_and_its_destinations_write_are_known() -> None:
    (route,) = routes_of(
        http=[
            {
                "rewrite": {"authority": "a"},
                "headers": {
                    "request": {"set": {"Host": "b", "x": "y"}, "add": {":Authority": "c"}},
                    "response": {"set": {"host": "z"}},
                },
                "route": [
                    {
                        "destination": {"host": "cart"},
                        "headers": {"request": {"set": {"host": "d"}}},
                    }
                ],
            }
        ]
    )

    assert route.authorities == ("a", "b", "c", "d")


def test_the_authorities_that_filters_of_a_gateway_route_write_are_known() -> None:
    def modifier(change: str, name: str, value: str) -> dict[str, object]:
        return {
            "type": "RequestHeaderModifier",
            "requestHeaderModifier": {change: [{"name": name, "value": value}]},
        }

    rule = {
        "filters": [modifier("set", "Host", "a"), modifier("add", "x", "b")],
        "backendRefs": [{"name": "echo", "port": 80, "filters": [modifier("set", "host", "c")]}],
    }
    spec = {"parentRefs": [parent("cart")], "rules": [rule]}
    (vs,) = mesh_of_objects(
        *PARENTS, obj(GATEWAY_API, "HTTPRoute", "r", spec=spec)
    ).virtual_services

    assert [route.authorities for route in vs.routes] == [("a", "c")]


def test_a_delegate_without_namespace_is_in_the_roots() -> None:
    first, second = routes_of(
        http=[{"delegate": {"name": "d"}}, {"delegate": {"name": "d", "namespace": "x"}}]
    )

    assert (first.delegate, second.delegate) == (("shop", "d"), ("x", "d"))


def test_tls_and_tcp_routes_are_kept() -> None:
    target = [{"destination": {"host": "db"}}]
    tls, tcp = routes_of(
        tcp=[{"match": [{"port": 5432}], "route": target}],
        tls=[{"match": [{"port": 443, "sniHosts": ["a.example"]}], "route": target}],
    )

    assert (tls.protocol, tls.matches) == ("tls", (RouteMatch(port=443, sni_hosts=("a.example",)),))
    assert (tcp.protocol, tcp.matches) == ("tcp", (RouteMatch(port=5432),))
    assert tls.destinations == tcp.destinations == (Destination("db"),)


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute"])
def test_a_route_of_a_service_becomes_a_virtual_service_of_its_host(kind: str) -> None:
    spec = to_echo(parent("cart"), parent("api", namespace="web"))
    found = made(mesh_of_objects(*PARENTS, obj(GATEWAY_API, kind, "r", spec=spec)))

    assert set(found) == {"shop~cart.shop.svc.cluster.local", "shop~api.web.svc.cluster.local"}
    vs = found["shop~api.web.svc.cluster.local"]
    assert (vs.meta.namespace, vs.hosts) == ("shop", ("api.web.svc.cluster.local",))
    assert vs.gateway_api
    assert vs.gateways == ("mesh",)
    assert vs.routes == (Route("http", "shop.r.0", destinations=(ECHO,)),)
    assert vs.meta.annotations == {"internal.istio.io/parents": f"{kind}/r.shop"}


def test_a_parents_port_limits_the_route() -> None:
    rules = [{"matches": [{"path": {}}, {"path": {}}]}, {"backendRefs": [{"name": "echo"}]}]
    spec = {"parentRefs": [parent("cart", port=80), parent("cart", port=81)], "rules": rules}
    found = made(mesh_of_objects(*PARENTS, obj(GATEWAY_API, "HTTPRoute", "r", spec=spec)))

    assert set(found) == {
        "shop~80~cart.shop.svc.cluster.local",
        "shop~81~cart.shop.svc.cluster.local",
    }
    routes = found["shop~81~cart.shop.svc.cluster.local"].routes
    assert [match.port for route in routes for match in route.matches] == [81, 81, 81]


def test_routes_are_sorted_by_what_their_matches_ask_for() -> None:
    """Istiod puts the most specific first, whatever the order in the resource."""

    def rule(name: str, match: Object | None = None) -> Object:
        return {"name": name, **({"matches": [match]} if match is not None else {})}

    rules = [
        rule("any"),
        rule("prefix", {"path": {"type": "PathPrefix", "value": "/a"}}),
        rule("regex", {"path": {"type": "RegularExpression", "value": "/long.*"}}),
        rule("longer", {"path": {"value": "/a/b/"}}),
        rule("method", {"path": {"value": "/a/c"}, "method": "GET"}),
        rule("exact", {"path": {"type": "Exact", "value": "/"}}),
    ]
    spec = {"parentRefs": [parent("cart")], "rules": rules}
    (vs,) = mesh_of_objects(
        *PARENTS, obj(GATEWAY_API, "HTTPRoute", "r", spec=spec)
    ).virtual_services

    assert [route.name for route in vs.routes] == [
        "exact",
        "method",
        "longer",
        "prefix",
        "regex",
        "any",
    ]


def test_routes_of_one_service_are_merged_oldest_first() -> None:
    young = obj(GATEWAY_API, "HTTPRoute", "a", created="2026-02-01T00:00:00Z")
    old = obj(GATEWAY_API, "GRPCRoute", "b", created="2026-01-01T00:00:00Z")
    young["spec"] = old["spec"] = to_echo(parent("cart"))
    (vs,) = mesh_of_objects(*PARENTS, young, old).virtual_services

    assert [route.name for route in vs.routes] == ["shop.b.0", "shop.a.0"]
    assert vs.meta.created is not None
    assert vs.meta.created.month == 1
    assert vs.meta.annotations == {"internal.istio.io/parents": "GRPCRoute/b.shop,HTTPRoute/a.shop"}


def test_backends_mirrors_and_rewrites_are_kept() -> None:
    rule = {
        "name": "named",
        "filters": [
            {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "m", "port": 1}}},
            {"type": "URLRewrite", "urlRewrite": {"hostname": "x.example"}},
        ],
        "backendRefs": [
            {"name": "far", "namespace": "web", "port": 80},
            {"name": "none", "weight": 0},
            {"kind": "Hostname", "group": "networking.istio.io", "name": "api.example"},
            {"kind": "ServiceImport", "group": "multicluster.x-k8s.io", "name": "imp"},
            {"kind": "InferencePool", "group": "inference.networking.k8s.io", "name": "p"},
        ],
    }
    spec = {"parentRefs": [parent("cart")], "rules": [rule]}
    (vs,) = mesh_of_objects(
        *PARENTS, obj(GATEWAY_API, "HTTPRoute", "r", spec=spec)
    ).virtual_services

    assert vs.routes == (
        Route(
            "http",
            "named",
            destinations=(
                Destination("far.web.svc.cluster.local", port=80, weight=1),
                Destination("api.example", weight=1),
                Destination("imp.shop.svc.cluster.local", weight=1),
                Destination("UnknownService", weight=1),
            ),
            mirrors=(Destination("m.shop.svc.cluster.local", port=1),),
            rewrite_authority="x.example",
        ),
    )


@pytest.mark.parametrize(("kind", "made"), [("HTTPRoute", 1), ("GRPCRoute", 0)])
def test_a_mirror_that_does_not_exist_is_left_out_or_refused(kind: str, made: int) -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "x", "port": 1}}}
    rule = {"backendRefs": [{"name": "echo", "port": 80}], "filters": [mirror]}
    spec = {"parentRefs": [parent("cart")], "rules": [rule]}
    found = mesh_of_objects(*PARENTS, obj(GATEWAY_API, kind, "r", spec=spec)).virtual_services

    assert len(found) == made
    assert not [m for vs in found for route in vs.routes for m in route.mirrors]


def test_a_service_entry_can_be_a_parent() -> None:
    entry = obj("networking.istio.io/v1", "ServiceEntry", "ext", spec={"hosts": ["a.ex", "b.ex"]})
    ref: Object = {"group": "networking.istio.io", "kind": "ServiceEntry", "name": "ext"}
    mesh = mesh_of_objects(entry, obj(GATEWAY_API, "HTTPRoute", "r", spec=to_echo(ref)))

    assert set(made(mesh)) == {"shop~a.ex", "shop~b.ex"}


def test_tcp_and_tls_routes_become_virtual_services() -> None:
    mesh = mesh_of_objects(
        *PARENTS,
        obj(GATEWAY_API, "TCPRoute", "t", spec=to_echo(parent("cart", port=5432))),
        obj(GATEWAY_API, "TLSRoute", "s", spec=to_echo(parent("cart"), hostnames=["*.ex"])),
        obj(GATEWAY_API, "TLSRoute", "u", spec=to_echo(parent("cart"))),
    )
    found = {vs.meta.name.split("~")[0]: vs.routes[0] for vs in mesh.virtual_services}

    assert found["t"].matches == (RouteMatch(port=5432),)
    assert found["s"].matches == (RouteMatch(sni_hosts=("*.ex",)),)
    assert found["u"].matches == (RouteMatch(sni_hosts=("cart.shop.svc.cluster.local",)),)


def test_of_several_host_names_of_a_tls_route_those_count_that_the_parent_s_matches() -> None:
    def names(*hostnames: str, ref: Object) -> list[tuple[str, ...]]:
        route = obj(GATEWAY_API, "TLSRoute", "r", spec=to_echo(ref, hostnames=list(hostnames)))
        spec = {"hosts": ["a.ex", "*.b.ex"]}
        entry = obj("networking.istio.io/v1", "ServiceEntry", "ext", spec=spec)
        found = mesh_of_objects(*PARENTS, entry, route).virtual_services
        return [vs.routes[0].matches[0].sni_hosts for vs in found]

    entry: Object = {"group": "networking.istio.io", "kind": "ServiceEntry", "name": "ext"}
    service = parent("cart")
    assert names("one.ex", "two.ex", ref=service) == [()]
    assert names("one.ex", ref=service) == [("one.ex",)]
    assert names("*.cluster.local", "two.ex", ref=service) == [("*.cluster.local",)]
    assert names(ref=entry) == [("a.ex",), ("*.b.ex",)]
    assert names("*.ex", "c.b.ex", ref=entry) == [("*.ex",), ("*.ex", "c.b.ex")]


@pytest.mark.parametrize("backends", [[], [{"name": "echo", "port": 80, "weight": 0}]])
def test_a_rule_without_a_backend_that_has_weight_refuses_tcp_and_is_nothing_for_tls(
    backends: list[Object],
) -> None:
    rules = [{"backendRefs": backends}]
    spec = {"parentRefs": [parent("cart", port=443)], "rules": rules}
    kinds = ("TCPRoute", "TLSRoute", "HTTPRoute")
    mesh = mesh_of_objects(*PARENTS, *(obj(GATEWAY_API, k, "r", spec=spec) for k in kinds))
    found = {vs.routes[0].protocol: vs.routes[0] for vs in mesh.virtual_services}

    refusing = (Destination("internal.cluster.local", "zero-weight", 65535, 0),)
    assert found["tcp"].destinations == found["tls"].destinations == refusing
    assert found["tcp"].matches == (RouteMatch(port=443),)
    assert not found["tls"].matches
    assert not found["http"].destinations


def test_a_parent_that_does_not_exist_makes_nothing() -> None:
    route = obj(GATEWAY_API, "HTTPRoute", "r", spec=to_echo(parent("gone")))

    assert not mesh_of_objects(*PARENTS, route).virtual_services


@pytest.mark.parametrize(
    "ref", [{"name": "gateway"}, {"name": "x", "kind": "Service"}, parent("x", kind="Pod")]
)
def test_a_route_of_no_service_makes_nothing_and_no_note(ref: Object) -> None:
    mesh = mesh_of_objects(obj(GATEWAY_API, "HTTPRoute", "r", spec=to_echo(ref)))

    assert not mesh.virtual_services
    assert not notes_of(mesh, "left out")


def test_what_else_an_http_route_does_is_counted_with_its_texts() -> None:
    request = {"set": {"x-a": "1"}, "add": {"x-b": "22"}}
    operations = {"request": request, "response": {"remove": ["x"]}}
    route = {
        "fault": {"delay": {"fixedDelay": "1s"}, "abort": {"httpStatus": 500}},
        "corsPolicy": {"allowOrigins": [{"exact": "https://a"}], "allowMethods": ["GET"]},
        "headers": {"response": {"remove": ["server"]}},
        "retries": {"attempts": 2, "retryOn": "5xx"},
        "route": [{"destination": {"host": "a"}, "headers": operations}],
    }

    assert route_settings(route) == RouteSettings(
        fault=Setting(2),
        cors_policy=Setting(1, len("https://aGET")),
        headers=Setting(1, len("server")),
        retries=Retries(2, "5xx"),
        destination_headers=Setting(3, len("x-a1x-b22x")),
    )
    assert route_settings({"route": [{"destination": {"host": "a"}}]}) is NO_SETTINGS


def test_what_a_route_answers_by_itself_is_counted_a_redirect_before_all() -> None:
    body = {"status": 200, "body": {"string": "closed"}}
    closed = route_settings({"directResponse": body})
    moved = route_settings({"directResponse": body, "redirect": {"authority": "b", "uri": "/x"}})

    assert closed.answer == Setting(1, len("closed"))
    assert moved.answer == Setting(1, len("b/x"))
    assert NO_SETTINGS.answer is None


@pytest.mark.parametrize(
    "name", ["fault", "corsPolicy", "headers", "rewrite", "retries", "redirect", "directResponse"]
)
def test_a_setting_that_is_there_but_empty_is_not_one_that_is_not_there(name: str) -> None:
    assert route_settings({name: {}}) != NO_SETTINGS
    assert route_settings({name: None}) == NO_SETTINGS


@pytest.mark.parametrize("retries", [{}, {"attempts": 0}, {"attempts": -1, "retryOn": "5xx"}])
def test_a_route_is_tried_again_only_if_it_says_how_often(retries: Object) -> None:
    found = route_settings({"retries": retries}).retries

    assert found is not None
    assert found.attempts == 0


def test_the_settings_of_a_route_may_be_nested_deeply() -> None:
    deep: object = "x"
    for _ in range(5000):
        deep = {"in": [deep]}

    assert route_settings({"corsPolicy": {"allowOrigins": deep}}).cors_policy == Setting(1, 1)
