"""Calls stay as they are without idle namespaces; a call that would not names what it needs."""

from __future__ import annotations

import pytest

from recommender.discovery.proof import is_unchanged
from recommender.istio.call import OutboundCall, ProxyConfig
from recommender.istio.discovery import without_namespaces
from recommender.istio.proxy import Proxy
from recommender.istio.sidecar_scope import build_scope_rules, sidecar_scope
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
from tests.mesh.helpers import Object, mesh_of_clusters, mesh_of_objects, obj
from tests.recommendation.helpers import (
    deployment,
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
    seen = [obj("v1", "Namespace", n, labels={"mesh": "on"}) for n in ("shop", "istio-system")]
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
