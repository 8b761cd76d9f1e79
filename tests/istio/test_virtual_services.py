"""VirtualServices as proxies see them (`initVirtualServices`, `mergeVirtualServices`)."""

import pytest

from recommender.istio.virtual_service_index import VirtualServiceIndex
from recommender.istio.virtual_services import destinations
from recommender.mesh.objects import VirtualService
from tests.istio.helpers import fqdn, mesh_config, rules_of, virtual_service
from tests.mesh.helpers import Object, obj

GATEWAY_API = "gateway.networking.k8s.io/v1"


def seen(namespace: str, *objects: Object) -> list[str]:
    """List the VirtualServices a namespace sees, in order."""
    found = rules_of(*objects).virtual_services.visible_from(namespace).ordered
    return [f"{v.meta.namespace}/{v.meta.name}" for v in found]


def one(*objects: Object, namespace: str = "a") -> VirtualService:
    (found,) = rules_of(*objects).virtual_services.visible_from(namespace).ordered
    return found


def delegating(*routes: object) -> Object:
    return virtual_service("root", "a", ["cart"], http=list(routes))


def to(host: str) -> dict[str, object]:
    return {"route": [{"destination": {"host": host}}]}


def test_short_names_are_completed_in_the_virtual_service_s_own_namespace() -> None:
    found = one(virtual_service("vs", "b", ["cart", "*.example"], "users", "api.example"))
    assert found.hosts == (fqdn("cart.b"), "*.example")
    assert destinations(found, "a") == {fqdn("users.b"): {0}, "api.example": {0}}


@pytest.mark.parametrize(
    ("gateways", "bound"),
    [([], True), (["mesh"], True), (["edge", "mesh"], True), (["edge"], False)],
)
def test_only_those_bound_to_the_mesh_reach_sidecars(gateways: list[str], bound: bool) -> None:
    vs = virtual_service("vs", "a", ["cart"], "cart", gateways=gateways)
    assert bool(seen("a", vs)) is bound


@pytest.mark.parametrize(
    ("export_to", "seen_by"),
    [(None, "abc"), (["*"], "abc"), (["."], "a"), (["a"], "a"), (["b"], "b"), ([".", "b"], "ab")],
)
def test_export_to_decides_who_sees_one(export_to: list[str] | None, seen_by: str) -> None:
    vs = virtual_service("vs", "a", ["cart"], "cart", exportTo=export_to or [])
    assert "".join(ns for ns in "abc" if seen(ns, vs)) == seen_by


def test_the_mesh_s_default_export_counts_where_none_is_declared() -> None:
    config = mesh_config('defaultVirtualServiceExportTo: ["b"]')
    vs = virtual_service("vs", "a", ["cart"], "cart")
    assert (seen("a", vs, config), seen("b", vs, config)) == ([], ["a/vs"])


def test_precedence_is_private_then_exported_then_public_each_by_age() -> None:
    hosts = ["cart.example"]
    found = seen(
        "a",
        virtual_service("public", "b", hosts, created=0),
        virtual_service("exported", "b", hosts, created=1, exportTo=["a"]),
        virtual_service("private-young", "a", hosts, created=3, exportTo=["."]),
        virtual_service("private-old", "a", hosts, created=2, exportTo=["."]),
        virtual_service("public-too", "a", hosts, created=0),
    )
    assert found == ["a/private-old", "a/private-young", "b/exported", "b/public", "a/public-too"]


def test_a_gateway_api_route_of_the_client_s_namespace_comes_first_among_the_public() -> None:
    service = obj("v1", "Service", "cart", "b", spec={"ports": [{"port": 80}]})
    parent = {"group": "", "kind": "Service", "name": "cart", "namespace": "b"}
    spec = {"parentRefs": [parent], "rules": [{"backendRefs": [{"name": "cart", "port": 80}]}]}
    route = obj(GATEWAY_API, "HTTPRoute", "r", "a", spec=spec, created="2026-02-02T00:00:00Z")
    older = virtual_service("vs", "b", [fqdn("cart.b")])
    name = f"a/a~{fqdn('cart.b')}"
    assert seen("a", service, route, older) == [name, "b/vs"]
    assert seen("c", service, route, older) == ["b/vs", name]


def test_a_delegate_s_routes_take_the_place_of_the_route_that_names_it() -> None:
    delegate = virtual_service("d", "b", [], "moved")
    found = one(delegating({"delegate": {"name": "d", "namespace": "b"}}, to("cart")), delegate)
    assert list(destinations(found, "a")) == [fqdn("moved.b"), fqdn("cart.a")]
    assert VirtualServiceIndex.of([found]).leading_to(fqdn("moved.b")) == [found]


def test_a_missing_or_hidden_delegate_drops_only_its_route() -> None:
    hidden = virtual_service("d", "b", [], "moved", exportTo=["."])
    for delegate in ({"name": "none"}, {"name": "d", "namespace": "b"}):
        found = one(delegating({"delegate": delegate}, to("cart")), hidden)
        assert list(destinations(found, "a")) == [fqdn("cart.a")]


def test_a_delegate_may_be_exported_to_the_root_s_namespace_only() -> None:
    delegate = virtual_service("d", "b", [], "moved", exportTo=["a"])
    found = one(delegating({"delegate": {"name": "d", "namespace": "b"}}), delegate)
    assert list(destinations(found, "a")) == [fqdn("moved.b")]


def test_a_delegate_alone_is_no_virtual_service() -> None:
    assert seen("b", virtual_service("d", "b", [], "moved")) == []


def test_mirrors_tcp_and_tls_routes_are_destinations_weights_do_not_matter() -> None:
    zero = {"destination": {"host": "none"}, "weight": 0}
    http = {**to("one"), "mirror": {"host": "two"}}
    mirrors = {"route": [zero], "mirrors": [{"destination": {"host": "three"}}]}
    tls = {"match": [{"sniHosts": ["x.example"]}], **to("four")}
    found = one(
        virtual_service("vs", "a", ["x.example"], http=[http, mirrors], tls=[tls], tcp=[to("five")])
    )
    names = ("one", "two", "none", "three", "four", "five")
    assert set(destinations(found, "a")) == {fqdn(f"{name}.a") for name in names}


def test_ports_are_those_that_any_destination_names_and_zero_stands_for_all() -> None:
    with_port = {"host": "one", "port": {"number": 8080}}
    found = one(virtual_service("vs", "a", ["x.example"], with_port, "one", "two"))
    assert destinations(found, "a") == {fqdn("one.a"): {8080, 0}, fqdn("two.a"): {0}}


@pytest.mark.parametrize(
    ("matches", "client", "kept"),
    [
        ([], "a", True),
        ([{"sourceNamespace": "b"}], "a", False),
        ([{"sourceNamespace": "b"}], "b", True),
        ([{"sourceNamespace": "b"}, {"sourceNamespace": "a"}], "a", True),
        ([{"sourceNamespace": "b"}, {"uri": {"prefix": "/"}}], "a", False),
    ],
)
def test_a_route_of_other_source_namespaces_pulls_nothing_in(
    matches: list[object], client: str, kept: bool
) -> None:
    route = {"match": matches, **to("one")} if matches else to("one")
    found = one(virtual_service("vs", "a", ["x.example"], http=[route]))
    assert bool(destinations(found, client)) is kept


def test_source_namespaces_of_tcp_and_tls_routes_do_not_matter() -> None:
    foreign = {"sourceNamespace": "b"}
    tcp = {"match": [foreign], **to("one")}
    tls = {"match": [{**foreign, "sniHosts": ["x.example"]}], **to("two")}
    found = one(virtual_service("vs", "a", ["x.example"], tcp=[tcp], tls=[tls]))
    assert set(destinations(found, "a")) == {fqdn("one.a"), fqdn("two.a")}
