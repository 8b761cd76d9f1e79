"""The service graph: who calls whom, with the evidence on every edge."""

from __future__ import annotations

from datetime import date, timedelta

from recommender.mesh import WorkloadId
from recommender.service_graph import Evidence, Graph, build_service_graph, calls_of
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
