"""Calls stay as they are without idle namespaces; a call that would not names what it needs."""

from __future__ import annotations

import pytest

from recommender.discovery.calls import callers, seen_calls
from recommender.discovery.proof import Comparison, is_unchanged
from recommender.istio.discovery import without_namespaces
from recommender.istio.proxy import Proxy
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.resolution import OutboundCall
from recommender.istio.sidecar_scope import build_scope_rules, sidecar_scope
from recommender.mesh import index_mesh
from recommender.recommendation.views import build_view_rules
from recommender.service_graph import build_service_graph
from tests.discovery.helpers import (
    CALL,
    WEB,
    decide,
    decide_for,
    idle,
    kept,
    mesh_objects,
    namespace,
    needs,
)
from tests.mesh.helpers import Object, mesh_of_clusters, mesh_of_objects, obj, pod
from tests.recommendation.helpers import (
    NETWORKING,
    deployment,
    flows_of,
    fqdn,
    http_call,
    mesh_config,
    received,
    route_to,
    service,
    service_entry,
    sidecar,
    tcp_call,
    virtual_service,
)

CART_HOST = fqdn("cart.shop")
CART = OutboundCall("10.96.0.1", 8080, http=True, authority="cart")


def stays(call: OutboundCall, *objects: Object, hidden: str = "attic") -> bool:
    """Tell whether a call from `shop` stays without a namespace."""
    mesh = mesh_of_objects(*mesh_objects(*objects))
    before, after = (
        ProxyConfig(rules, sidecar_scope(rules, "shop"), Proxy("shop"))
        for rules in map(build_scope_rules, (mesh, without_namespaces(mesh, {("", hidden)})))
    )
    return is_unchanged(call, before, after)


def test_a_call_stays_without_what_it_does_not_meet() -> None:
    assert stays(CART)
    assert not stays(CART, hidden="shop")


@pytest.mark.parametrize(
    ("object_", "unchanged"),
    [
        (virtual_service("v", "attic", hosts=[CART_HOST], http=[route_to("old.attic")]), False),
        (virtual_service("v", "attic", hosts=[CART_HOST], http=[route_to(CART_HOST)]), False),
        (virtual_service("v", "attic", hosts=["old"], http=[route_to("old")]), True),
        (service_entry("e", "attic", [CART_HOST], ports=[]), True),
    ],
)
def test_a_call_changes_without_what_decides_for_it(object_: Object, unchanged: bool) -> None:
    assert stays(CART, object_) is unchanged


def test_a_call_to_the_address_of_a_hidden_service_would_pass_through() -> None:
    assert not stays(OutboundCall("10.96.7.7", 8080, http=True, authority="old.attic"))
    assert stays(OutboundCall("192.0.2.9", 7, http=False))


def test_bytes_that_no_listener_looked_into_are_not_looked_into_afterwards() -> None:
    """They may be HTTP. The older service has the port for itself; without it the younger listens.

    The address is neither's, so the call passes through all the same.
    """
    older = service_entry(
        "older",
        "attic",
        ["older.example"],
        addresses=["10.50.0.0/16"],
        ports=[{"number": 9000, "name": "m", "protocol": "MONGO"}],
        resolution="NONE",
    )
    older["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    ports = [{"number": 9000, "name": "h", "protocol": "HTTP"}]
    younger = service_entry("younger", "shop", ["younger.example"], ports=ports)
    younger["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    call = OutboundCall("192.0.2.9", 9000, http=False)

    assert not stays(call, older, younger)
    assert stays(call, older)
    assert stays(call, younger)


def test_a_call_that_is_left_to_chance_is_not_decided_by_hiding() -> None:
    """Two services want one name, and istiod takes either: without one there is no chance."""
    ports = [{"number": 8080, "name": "http", "protocol": "HTTP"}]
    same = service_entry("same", "shop", ["old.attic"], ports=ports)
    call = OutboundCall("192.0.2.9", 8080, http=True, authority="old.attic")

    assert not stays(call, same)


def test_a_call_changes_without_its_destination_rule() -> None:
    rule = obj(NETWORKING, "DestinationRule", "d", "istio-system", spec={"host": CART_HOST})

    assert stays(CART, hidden="istio-system")
    assert not stays(CART, rule, hidden="istio-system")


def test_a_call_that_the_model_cannot_follow_keeps_no_other_namespace() -> None:
    bound = sidecar("web", hosts=["./*"], selector={"app": "web"})
    bound["spec"]["egress"][0] |= {
        "port": {"number": 8080, "protocol": "HTTP"},
        "bind": "127.0.0.1",
    }

    assert idle(decide(bound)) == ["attic"]


def test_calls_are_proved_under_the_recommended_sidecar_too() -> None:
    """Of two services that open port 80 the Sidecar has the first: without it, it has no other."""
    vs = virtual_service("v", hosts=["api.example"], http=[route_to("cart")])
    call = http_call(WEB, "api.example", fqdn("cart.shop"), address="192.0.2.9")
    call |= {"destination_address": "192.0.2.9:80"}
    opening = [
        service("web", "attic", port=80, ip="10.96.7.8"),
        namespace("barn", istio_injection="enabled"),
        service("hay", "barn", port=80, ip="10.96.8.8"),
        *deployment("busy", "barn", ip="10.244.8"),
    ]

    assert needs(decide(vs, *opening, flows=[CALL, call])) == {"decides"}


def test_an_envoy_cluster_of_a_gateway_is_proved() -> None:
    proxy = {"name": "istio-proxy", "args": ["proxy", "router"]}
    ingress = pod("ingress", namespace="edge", containers=[proxy], status={"podIP": "10.244.6.1"})
    mesh = mesh_of_objects(*mesh_objects(namespace("edge"), ingress))
    call = http_call("edge/ingress", "shop.example", fqdn("old.attic"), address="10.244.6.1")
    graph, rules = build_service_graph(flows_of([call]), mesh), build_scope_rules(mesh)
    every = list(seen_calls(callers(graph, index_mesh(mesh)), build_view_rules(rules)))
    comparison = Comparison(mesh, [seen for _, seen in every], {"edge": every[0][0]}, {})

    assert [str(c.seen.caller.id) for c in comparison.changed(frozenset({"attic"}))] == [
        "edge/pod/ingress"
    ]
    assert not list(comparison.changed(frozenset({"shop"})))


def test_a_virtual_service_for_a_name_of_its_own_keeps_its_namespace() -> None:
    vs = virtual_service("v", "attic", hosts=["pay.example"], http=[route_to(fqdn("cart.shop"))])
    call = http_call(WEB, "pay.example", fqdn("cart.shop"), address="192.0.2.9")
    call |= {"destination_address": "192.0.2.9:80"}
    answer = decide(vs, service("plain", port=80, ip="10.96.4.4"), flows=[CALL, call])

    assert "virtual service" in needs(answer)


def test_calls_are_proved_as_this_tools_own_sidecar_has_them_too() -> None:
    """Its Sidecar hides a VirtualService of the attic, which would count again without it."""
    vs = virtual_service("v", "attic", hosts=[fqdn("cart.shop")], http=[route_to("cart.shop")])
    own = sidecar("web", hosts=["shop/*"], selector={"app": "web"}, own=True)

    assert needs(decide(vs, own)) == {"virtual service"}
    assert needs(decide(vs, sidecar("web", hosts=["shop/*"], selector={"app": "web"}))) == set()


def test_pods_of_each_kind_are_proved() -> None:
    """Only pods with one label are routed to the attic."""
    match = [{"sourceLabels": {"version": "v2"}}]
    vs = virtual_service(
        "v",
        "barn",
        hosts=[fqdn("cart.shop")],
        http=[route_to("hay", match=match), route_to(fqdn("cart.shop"))],
    )
    second = deployment("web2", labels={"app": "web2", "version": "v2"}, ip="10.244.5")
    answer = decide(namespace("barn"), service("hay", "barn", ip="10.96.8.8"), vs, *second)

    assert "virtual service" in needs(answer, "barn")


def test_a_namespace_is_hidden_in_every_kubernetes_cluster() -> None:
    east = [*mesh_objects(), mesh_config("{}")]
    west = [namespace("attic"), namespace("shop"), service("old", "attic", ip="10.97.7.7")]
    mesh = mesh_of_clusters(east=east, west=west)

    assert idle(decide_for(mesh)) == ["attic"]
    call = http_call(WEB, "old.attic", fqdn("old.attic"), address="10.97.7.7")
    assert idle(decide_for(mesh, [CALL, call])) == []


def test_what_is_hidden_already_is_told_and_so_is_what_needs_it() -> None:
    config = mesh_config("discoverySelectors: [{matchLabels: {mesh: 'on'}}]")
    seen = [namespace(n, mesh="on") for n in ("shop", "istio-system")]
    quiet = decide(config, *seen)
    call = http_call(WEB, "old.attic", cluster="PassthroughCluster", address="10.96.7.7")
    missed = decide(config, *seen, flows=[CALL, call])

    assert idle(quiet) == idle(missed) == []
    assert [(n.name, n.needs) for n in quiet.hidden_already] == [("attic", ())]
    (attic,) = missed.hidden_already
    assert [need.kind for need in attic.needs] == ["called"]


def test_the_saving_is_that_of_the_proxies_there_are() -> None:
    answer = decide()

    assert answer.watched_before.services - answer.watched_after.services == 1
    assert answer.savings is not None
    assert (answer.savings.sidecars, answer.savings.services_before) == (1, 2)
    assert answer.savings.services_after == 1
    assert 0 < answer.savings.bytes_after < answer.savings.bytes_before


def test_workloads_whose_calls_no_log_tells_are_listed() -> None:
    answer = decide(*deployment("mute"), flows=[CALL])

    assert [(each.workload.name, each.reason) for each in answer.silent] == [
        ("mute", "logged nothing")
    ]


def test_without_any_call_namespaces_without_proxies_are_idle_and_it_is_told() -> None:
    answer = decide(flows=[received(WEB)])

    assert answer.evidence is None
    assert answer.proof.calls == 0
    assert any("client side" in doubt for doubt in answer.doubts)


def test_a_tcp_call_needs_the_service_of_its_address() -> None:
    db = service("db", "attic", port=5432, port_name="tcp", ip="10.96.5.5")
    call = tcp_call(WEB, "10.96.5.5", 5432, fqdn("db.attic"))
    answer = decide(db, flows=[CALL, call])

    assert kept(answer).needs[0].evidence is not None
