"""Workloads of several Kubernetes clusters: one Sidecar, proved for the pods of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from recommender.recommendation import Recommendations
from tests.mesh.helpers import Object, mesh_of_clusters, obj, pod
from tests.recommendation.helpers import (
    Flow,
    decide_for,
    deployment,
    fqdn,
    headless,
    hosts,
    http_call,
    left_out,
    notes,
    of,
    pod_name,
    received,
    service,
    service_entry,
    sidecar,
    tcp_call,
    virtual_service,
)

EAST, WEST = f"shop/{pod_name('web', 0)}", f"shop/{pod_name('web', 1)}"
CLUSTER = "topology.istio.io/cluster"


def web(number: int, **more: Any) -> list[Object]:
    """Make the Deployment `web` with one pod, which has a number of its own."""
    made = deployment("web", pods=2, **more)
    return [*made[:2], made[2 + number]]


def database(ip: str, name: str = "db", **more: Any) -> Object:
    return service(name, port=5432, port_name="tcp", ip=ip, **more)


def decide(east: list[Object], west: list[Object], rows: Iterable[Flow]) -> Recommendations:
    mesh = mesh_of_clusters(east=[*web(0), *east], west=[*web(1), *west])
    return decide_for(mesh, rows, adopt=True)


def stateful(ip: str) -> list[Object]:
    """Make a StatefulSet and its pod, which has the same name in every Kubernetes cluster."""
    labels = {"app": "app"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}
    status = {"podIP": ip, "phase": "Running"}
    return [
        obj("apps/v1", "StatefulSet", "app", spec=spec),
        pod("app-0", owner="StatefulSet/app", labels=labels, status=status),
    ]


def test_a_call_to_a_virtual_ip_is_proved_for_the_pods_of_the_other_kubernetes_cluster() -> None:
    answer = decide(
        [database("10.0.0.1")],
        [database("10.1.0.1")],
        [tcp_call(EAST, "10.0.0.1", 5432, fqdn("db.shop"))],
    )
    found = of(answer, "web")

    assert hosts(answer, "web") == ["shop/db.shop.svc.cluster.local"]
    assert (found.pods, found.pods_logged, found.calls) == (2, 1, 1)
    assert notes(answer, "web") == {"silent pods"}


def test_what_every_kubernetes_cluster_s_pods_call_is_in_the_one_sidecar() -> None:
    answer = decide(
        [database("10.0.0.1"), database("10.0.0.2", "users")],
        [database("10.0.0.2"), database("10.0.0.1", "users")],
        [
            tcp_call(EAST, "10.0.0.1", 5432, fqdn("db.shop")),
            tcp_call(WEST, "10.0.0.1", 5432, fqdn("users.shop")),
        ],
    )
    assert hosts(answer, "web") == [
        "shop/db.shop.svc.cluster.local",
        "shop/users.shop.svc.cluster.local",
    ]
    assert notes(answer, "web") == set()


def test_a_virtual_ip_elsewhere_is_no_destination_here() -> None:
    """An address that west's pods pass through is db's in east: they did not call that."""
    answer = decide(
        [database("10.0.0.1")], [database("10.1.0.1")], [tcp_call(WEST, "10.0.0.1", 5432)]
    )
    assert hosts(answer, "web") == ["~/*"]
    assert notes(answer, "web") == {"silent pods", "unknown destination"}


def test_an_address_as_authority_stands_for_that_of_the_other_kubernetes_cluster() -> None:
    call = http_call(EAST, "10.0.0.1", fqdn("cart.shop"), address="10.0.0.1")
    answer = decide([service("cart", ip="10.0.0.1")], [service("cart", ip="10.1.0.1")], [call])
    assert hosts(answer, "web") == ["shop/cart.shop.svc.cluster.local"]
    assert notes(answer, "web") == {"silent pods"}


def test_a_service_that_is_headless_elsewhere_is_proved_by_its_endpoints_there() -> None:
    endpoint = pod("db-0", labels={"app": "db"}, status={"podIP": "10.5.0.1"})
    answer = decide(
        [database("10.0.0.1")],
        [headless("db", port=5432, port_name="tcp"), endpoint],
        [tcp_call(EAST, "10.0.0.1", 5432, fqdn("db.shop"))],
    )
    assert hosts(answer, "web") == ["shop/db.shop.svc.cluster.local"]


def test_routes_for_the_proxies_of_one_kubernetes_cluster_are_needed_there() -> None:
    """East's calls to cart go to v2: what its VirtualService asks of west's is not met."""
    rule = virtual_service(
        "cart",
        "other",
        hosts=[fqdn("cart.shop")],
        http=[
            {
                "match": [{"sourceLabels": {CLUSTER: "east"}}],
                "route": [{"destination": {"host": fqdn("v2.shop")}}],
            }
        ],
    )
    carts = [service("cart", ip="10.0.0.1"), service("v2", ip="10.0.0.2")]
    call = http_call(EAST, "cart", fqdn("v2.shop"), address="10.0.0.1")
    answer = decide([rule, *carts], carts, [call])

    assert "other/cart.shop.svc.cluster.local" in hosts(answer, "web")
    assert "v2.shop" in str(of(answer, "web").hosts)


@pytest.mark.parametrize("reached", ["db", "users"])
def test_pods_of_one_name_called_where_the_mesh_explains_the_destination(reached: str) -> None:
    mesh = mesh_of_clusters(
        east=[*stateful("10.4.0.1"), database("10.0.0.1"), database("10.0.0.2", "users")],
        west=[*stateful("10.5.0.1"), database("10.0.0.2"), database("10.0.0.1", "users")],
    )
    call = tcp_call("shop/app-0", "10.0.0.1", 5432, fqdn(f"{reached}.shop"))
    answer = decide_for(mesh, [call])

    assert hosts(answer, "app") == [f"shop/{reached}.shop.svc.cluster.local"]
    assert notes(answer, "app") == {"shared pod name"}
    assert (of(answer, "app").pods, of(answer, "app").pods_logged) == (2, 2)
    evidence = of(answer, "app").evidence
    assert evidence is not None
    assert evidence.requests == 1


def test_a_call_of_pods_of_one_name_that_nothing_explains_is_in_disagreement() -> None:
    mesh = mesh_of_clusters(
        east=[*stateful("10.4.0.1"), database("10.0.0.1"), database("10.0.0.9", "users")],
        west=[*stateful("10.5.0.1"), database("10.0.0.1"), database("10.0.0.9", "users")],
    )
    call = tcp_call("shop/app-0", "10.0.0.1", 5432, fqdn("users.shop"))
    answer = decide_for(mesh, [call])

    assert notes(answer, "app") == {"disagreement", "shared pod name"}
    assert set(hosts(answer, "app")) == {
        "shop/db.shop.svc.cluster.local",
        "shop/users.shop.svc.cluster.local",
    }


def test_the_selector_chooses_the_pods_of_every_kubernetes_cluster_and_no_others() -> None:
    east = web(0, labels={"app": "web", "tier": "a", "zone": "e"})
    west = web(1, labels={"app": "web", "tier": "a", "zone": "w"})
    other = deployment("other", labels={"app": "web", "tier": "b"})
    mesh = mesh_of_clusters(east=east, west=[*west, *other])
    answer = decide_for(mesh, [received(EAST), received(f"shop/{pod_name('other')}")])

    assert of(answer, "web").selector == {"app": "web", "tier": "a"}


def test_workloads_that_only_their_kubernetes_clusters_tell_apart_have_no_selector() -> None:
    mesh = mesh_of_clusters(
        east=web(0, labels={"app": "x"}), west=deployment("other", labels={"app": "x"})
    )
    answer = decide_for(mesh, [received(EAST), received(f"shop/{pod_name('other')}")])
    assert left_out(answer, "web").reason == "no selector of its own"


def test_a_workload_that_is_no_sidecar_s_in_one_kubernetes_cluster_gets_none() -> None:
    annotations = {"sidecar.istio.io/interceptionMode": "NONE"}
    spec: Object = {"template": {"metadata": {"annotations": annotations}}}
    mesh = mesh_of_clusters(east=web(0), west=[obj("apps/v1", "Deployment", "web", spec=spec)])
    assert left_out(decide_for(mesh, [received(EAST)]), "web").reason == "calls not captured"


def test_the_sidecar_of_one_kubernetes_cluster_s_pods_is_not_that_of_the_others() -> None:
    """Its policy for unknown destinations would be theirs too."""
    strict = sidecar(
        "web",
        hosts=["*/*"],
        selector={"app": "web", CLUSTER: "east"},
        outboundTrafficPolicy={"mode": "REGISTRY_ONLY"},
    )
    found = left_out(decide([strict], [], [received(EAST), received(WEST)]), "web")
    assert (found.reason, "outboundTrafficPolicy" in found.detail) == ("hand-made Sidecar", True)


def test_an_istiod_elsewhere_sees_its_own_services_first() -> None:
    """In west cart is at another port, so that its istiod has no route where east's has one."""
    istiod = pod("istiod-1", namespace="istio-system", labels={"app": "istiod"})
    carts = ([service("cart", port=8080)], [service("cart", port=9090, ip="10.1.0.1")])
    call = http_call(EAST, "cart", fqdn("cart.shop"), port=8080)
    seen_by_one = decide(*carts, [call])
    seen_by_two = decide(carts[0], [*carts[1], istiod], [call])

    assert "disagreement" not in notes(seen_by_one, "web")
    assert "disagreement" in notes(seen_by_two, "web")


def test_a_service_entry_is_the_same_for_the_pods_of_every_kubernetes_cluster() -> None:
    entry = service_entry("api", "shop", ["api.example"], addresses=["192.0.2.1"])
    call = http_call(EAST, "api.example", "api.example", port=80, address="192.0.2.1")
    answer = decide([entry], [], [call])
    assert hosts(answer, "web") == ["shop/api.example"]
    assert notes(answer, "web") == {"silent pods"}
