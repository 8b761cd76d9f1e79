"""The calls that keep a namespace, and those that keep none."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.discovery.helpers import CALL, WEB, decide, idle, kept, namespace, needs
from tests.mesh.helpers import pod
from tests.recommendation.helpers import (
    Flow,
    fqdn,
    http_call,
    pod_name,
    received,
    route_to,
    service,
    service_entry,
    tcp_call,
    virtual_service,
)

OLD = fqdn("old.attic")


@pytest.mark.parametrize(
    "call",
    [
        http_call(WEB, "old.attic", OLD, address="10.96.7.7"),
        http_call(WEB, "old.attic:8080", address="10.96.7.7"),
        http_call(WEB, "old.attic.svc", cluster="PassthroughCluster", address="192.0.2.9"),
        http_call(WEB, "old-0.old.attic", cluster="PassthroughCluster", address="192.0.2.9"),
        http_call(WEB, f"old-0.{OLD}", cluster="PassthroughCluster", address="192.0.2.9"),
        tcp_call(WEB, "10.96.7.7", 9999, cluster="PassthroughCluster"),
        tcp_call(WEB, "10.244.7.1", 9999, cluster="PassthroughCluster"),
        tcp_call(WEB, "192.0.2.9", 443, server_name=OLD, cluster="PassthroughCluster"),
    ],
)
def test_a_call_to_a_service_pod_or_name_of_it_keeps_a_namespace(call: Flow) -> None:
    answer = decide(flows=[CALL, call])

    assert needs(answer) == {"called"}
    (need,) = kept(answer).needs
    assert need.evidence is not None
    assert need.evidence.requests == 1
    assert "web" in need.detail


def test_a_call_to_a_service_that_the_dump_lacks_keeps_its_namespace() -> None:
    call = http_call(WEB, "gone", fqdn("gone.attic"), address="192.0.2.9")

    assert needs(decide(flows=[CALL, call])) == {"called", "possible"}


def test_a_call_of_a_pod_that_is_gone_keeps_a_namespace() -> None:
    call = http_call("shop/nobody-knows", "old.attic", OLD, address="10.96.7.7")
    answer = decide(flows=[CALL, call])

    assert needs(answer) == {"called"}
    assert [pod.name for pod in answer.unknown_pods] == ["nobody-knows"]


def test_a_call_of_a_gateway_keeps_a_namespace() -> None:
    proxy = {"name": "istio-proxy", "args": ["proxy", "router"]}
    gateway = pod("ingress", namespace="edge", containers=[proxy], status={"podIP": "10.244.6.1"})
    call = http_call("edge/ingress", "shop.example", OLD, address="10.244.6.1")
    answer = decide(namespace("edge"), gateway, flows=[CALL, call])

    assert needs(answer) == {"called"}
    assert needs(answer, "edge") == {"proxy", "logged"}


def test_where_pods_logged_that_are_gone_stays() -> None:
    assert needs(decide(flows=[CALL, received("attic/nobody-knows")])) == {"logged"}


def test_of_services_of_one_host_the_one_that_a_caller_meets_keeps_its_namespace() -> None:
    """Each tenant has a ServiceEntry of the same host: the copies of idle ones are not needed."""
    copies = [
        service_entry(
            "pay", home, ["pay.example"], exportTo=["."], ports=[{"number": 80, "name": "http"}]
        )
        for home in ("attic", "shop")
    ]
    call = http_call(WEB, "pay.example", "pay.example", port=80, address="192.0.2.9")

    assert idle(decide(*copies, flows=[CALL, call])) == ["attic"]


def test_a_service_whose_listener_a_call_needs_keeps_its_namespace() -> None:
    """The VirtualService's host is no service: at port 80 there is a listener for others alone."""
    vs = virtual_service("v", hosts=["api.example"], http=[route_to("cart")])
    web = service("web", "attic", port=80, ip="10.96.7.8")
    others = [namespace("barn"), service("hay", "barn", port=80, ip="10.96.8.8")]
    call = http_call(WEB, "api.example", fqdn("cart.shop"), address="192.0.2.9", port=8080)
    call |= {"destination_address": "192.0.2.9:80"}
    answer = decide(vs, web, *others, flows=[CALL, call])

    assert needs(answer) == {"decides"}
    assert idle(answer) == ["barn"]
    assert "api.example" in kept(answer).needs[0].detail


def test_more_calls_never_hide_more() -> None:
    calls = [
        CALL,
        http_call(WEB, "old.attic", OLD, address="10.96.7.7"),
        http_call(WEB, "x.example", cluster="PassthroughCluster", address="192.0.2.9"),
    ]
    found = [set(idle(decide(flows=calls[:number]))) for number in range(1, len(calls) + 1)]

    assert all(later <= earlier for earlier, later in pairwise(found))


def test_without_a_call_no_namespace_is_idle() -> None:
    answer = decide(flows=[received(f"shop/{pod_name('cart')}")])

    assert (idle(answer), needs(answer)) == ([], {"no evidence"})
