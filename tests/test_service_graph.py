"""The service graph: who calls whom, with the evidence on every edge."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from recommender.mesh import WorkloadId
from recommender.received import NO_PEER, NO_POD, BlindSpot
from recommender.service_graph import (
    Evidence,
    Graph,
    build_service_graph,
    calls_of,
    has_logged,
    received_from,
)
from tests.mesh.helpers import mesh_of_objects
from tests.recommendation.helpers import (
    NOON,
    Flow,
    deployment,
    flows_of,
    fqdn,
    http_call,
    pod_name,
    received,
    service,
    tcp_call,
)

MESH = mesh_of_objects(*deployment("web", pods=2), service("cart"))
WEB = WorkloadId("shop", "Deployment", "web")
FIRST, SECOND = (f"shop/{pod_name('web', number)}" for number in (0, 1))


def graph_of(*flows: Flow) -> Graph:
    return build_service_graph(flows_of(flows), MESH)


def test_an_edge_sums_up_what_all_pods_of_a_workload_called() -> None:
    later = NOON + timedelta(days=2)
    cart = fqdn("cart.shop")
    graph = graph_of(
        http_call(FIRST, "cart", cart, requests=3, errors=1),
        http_call(SECOND, "cart.shop", cart, requests=2, first_seen=later, last_seen=later),
        http_call(SECOND, "cart", cart, day=date(2026, 11, 26), first_seen=later, last_seen=later),
    )
    edge = graph.edges[WEB, cart]

    assert (edge["requests"], edge["errors"], edge["days"]) == (6, 1, 2)
    assert (edge["first_seen"], edge["last_seen"]) == (NOON, later)
    assert {call.authority for call in edge["calls"]} == {"cart", "cart.shop"}
    assert graph.nodes[cart]["kind"] == "service"


def test_a_node_knows_which_pods_logged_and_when() -> None:
    graph = graph_of(received(SECOND), http_call(FIRST, "cart", fqdn("cart.shop"), requests=4))
    node = graph.nodes[WEB]

    assert node["kind"] == "workload"
    assert node["pods"] == tuple(sorted(pod.split("/")[1] for pod in (FIRST, SECOND)))
    assert (node["requests"], node["first_seen"], node["last_seen"]) == (5, NOON, NOON)


def test_what_a_proxy_received_is_no_call() -> None:
    assert graph_of(received(FIRST)).number_of_edges() == 0


PEER = "10.1.0.1"
SHOP = mesh_of_objects(
    *deployment("web", ip="10.1.0"),
    *deployment("cart", ip="10.1.1"),
    *[service(name, spec={"selector": {"app": "cart"}}) for name in ("cart", "alias")],
)
CART = f"shop/{pod_name('cart')}"


def shop_graph(*flows: Flow) -> Graph:
    return build_service_graph(flows_of(flows), SHOP)


def test_a_workload_that_logged_nothing_calls_what_others_received() -> None:
    named = f"outbound_.8080_._.{fqdn('cart.shop')}"
    graph = shop_graph(received(CART, peer=PEER, requests=3, errors=1, server_name=named))

    edge: dict[str, Any] = dict(graph.edges[WEB, fqdn("cart.shop")])
    assert (edge.pop("received"), edge.pop("calls")) == (True, ())
    assert Evidence(**edge) == Evidence(3, 1, NOON, NOON, 1)
    assert graph.nodes[fqdn("cart.shop")]["kind"] == "service"
    assert graph.nodes[WEB]["pods"] == ()
    assert has_logged(graph, CART_ID)
    assert not has_logged(graph, WEB)
    assert calls_of(graph, WEB) == ()


CART_ID = WorkloadId("shop", "Deployment", "cart")


def test_where_one_of_several_services_was_called_each_has_an_edge() -> None:
    graph = shop_graph(received(CART, peer=PEER), received(CART, peer=PEER, protocol="tcp"))

    assert set(graph.successors(WEB)) == {fqdn("cart.shop"), fqdn("alias.shop")}
    assert graph.edges[WEB, fqdn("alias.shop")]["requests"] == 2
    ((one,),) = graph.graph["received"].values()
    assert (one.called.receiver, one.called.port, one.evidence.requests) == (CART_ID, 8080, 2)


def test_a_workload_that_logged_a_call_has_no_edge_but_its_own() -> None:
    other = http_call(FIRST, "x.example", address="9.9.9.9")
    graph = shop_graph(other, received(CART, peer=PEER))

    assert [edge["received"] for _, _, edge in graph.edges(data=True)] == [False]
    assert len(received_from(graph, WEB)) == 1


def test_a_line_of_a_received_request_is_no_call_of_its_writer() -> None:
    """So what others received from it is all that there is of its calls."""
    graph = shop_graph(received(FIRST), received(CART, peer=PEER))

    assert graph.edges[WEB, fqdn("cart.shop")]["received"]
    assert graph.nodes[WEB]["pods"] == (pod_name("web"),)


@pytest.mark.parametrize(
    "own",
    [
        http_call(FIRST, "alias", fqdn("alias.shop")),
        http_call(FIRST, "cart", fqdn("cart.shop"), port=1),
        tcp_call(FIRST, "10.244.9.9", 8080, cluster="PassthroughCluster"),
    ],
)
def test_what_the_own_log_may_show_is_no_evidence_more(own: Flow) -> None:
    assert received_from(shop_graph(own, received(CART, peer=PEER)), WEB) == ()


def test_the_own_log_shows_a_service_that_the_server_name_asked_for() -> None:
    """It may have endpoints that no selector tells, as a ServiceEntry for a Service's name has."""
    own = http_call(FIRST, "cart.example", "cart.example")
    flow = received(CART, peer=PEER, server_name="outbound_.80_._.cart.example")

    assert received_from(shop_graph(own, flow), WEB) == ()


@pytest.mark.parametrize(
    "own",
    [
        tcp_call(FIRST, "10.244.9.8", 8080, cluster="PassthroughCluster"),
        tcp_call(FIRST, "10.244.9.9", 8081, cluster="PassthroughCluster"),
    ],
)
def test_a_call_to_another_address_is_another_call(own: Flow) -> None:
    assert received_from(shop_graph(own, received(CART, peer=PEER)), WEB)


def test_without_addresses_in_the_log_one_call_is_not_taken_for_another() -> None:
    own = http_call(FIRST, "x.example", destination_address=None)
    flow = received(CART, peer=PEER, destination_address=None)

    assert received_from(shop_graph(own, flow), WEB)


def test_received_requests_without_a_caller_are_blind_spots() -> None:
    graph = shop_graph(received(CART, requests=2), received(CART, peer="10.1.0.77"))

    assert graph.graph["blind_spots"] == (BlindSpot(NO_PEER, 2), BlindSpot(NO_POD, 1))
    assert graph.graph["received"] == {}
    assert graph.number_of_edges() == 0


def test_what_was_received_comes_in_order_whatever_the_order_of_the_flows() -> None:
    flows = [received(CART, port, peer=PEER, day=day) for port in (8080, 9000) for day in DAYS]
    one, other = shop_graph(*flows), shop_graph(*reversed(flows))

    assert one.graph["received"] == other.graph["received"]
    assert list(one.edges(data=True)) == list(other.edges(data=True))
    assert one.edges[WEB, fqdn("cart.shop")]["days"] == len(DAYS)


DAYS = [date(2026, 11, day) for day in (23, 24, 25)]


def test_a_line_without_cluster_at_the_own_address_is_no_call() -> None:
    """The pass-through cluster of received requests looks like that of calls."""
    own = tcp_call(FIRST, "10.244.0.1", 9000, cluster="PassthroughCluster")
    learnt = {**received(SECOND), "destination_address": "10.244.77.77:8080"}
    through = tcp_call(SECOND, "10.244.77.77", 9000, cluster="PassthroughCluster")

    assert graph_of(own, learnt, through).number_of_edges() == 0


def test_an_unknown_destination_is_named_by_what_the_log_has() -> None:
    graph = graph_of(
        http_call(FIRST, "x.example", address="9.9.9.9"),
        tcp_call(FIRST, "9.9.9.9", 443, server_name="tls.example"),
        tcp_call(FIRST, "9.9.9.8", 443),
    )

    assert set(graph.successors(WEB)) == {"x.example", "tls.example", "9.9.9.8"}
    assert {graph.nodes[host]["kind"] for host in graph.successors(WEB)} == {"unknown"}


def test_a_pod_of_no_workload_is_listed_and_calls_nobody() -> None:
    graph = graph_of(http_call("other/pod-x", "cart", fqdn("cart.shop"), requests=7))

    assert [(p.namespace, p.name, p.requests) for p in graph.graph["unknown_pods"]] == [
        ("other", "pod-x", 7)
    ]
    assert graph.number_of_edges() == 0


def test_calls_come_in_order_whatever_the_order_of_the_flows() -> None:
    flows = [http_call(FIRST, name, fqdn("cart.shop")) for name in ("c", "a", "b")]
    one, other = graph_of(*flows), graph_of(*reversed(flows))

    assert calls_of(one, WEB) == calls_of(other, WEB)
    assert [call.authority for call in calls_of(one, WEB)] == ["a", "b", "c"]
    assert calls_of(one, WEB)[0].evidence == Evidence(1, 0, NOON, NOON, 1)
