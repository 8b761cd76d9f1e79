"""Labels that istiod adds to a proxy's, by where it is (`setTopologyLabels`)."""

from __future__ import annotations

import pytest

from recommender.mesh.topology import MOST_PLACES, Places, place_notes
from tests.mesh.helpers import Object, mesh_of_clusters, mesh_of_objects, obj
from tests.recommendation.helpers import (
    NETWORKING,
    decide,
    decide_for,
    deployment,
    fqdn,
    hosts,
    http_call,
    left_out,
    pod_name,
    service,
    sidecar,
    virtual_service,
)

ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
NETWORK, CLUSTER = "topology.istio.io/network", "topology.istio.io/cluster"
ADDED = (ZONE, REGION, NETWORK, CLUSTER, "topology.istio.io/subzone", "kubernetes.io/hostname")
CART = fqdn("cart.other")
CALL = http_call(f"shop/{pod_name('web')}", "cart.other", CART)
MESH = [*deployment("web"), service("cart", "other")]
BOTH = [f"other/{CART}", f"shop/{CART}"]


def asking(*wanted: dict[str, str]) -> Object:
    """Make a VirtualService of the client's namespace with a timeout for some proxies."""
    route = [{"destination": {"host": CART}}]
    matches = [{"sourceLabels": each} for each in wanted]
    http = [{"match": matches, "timeout": "3s", "route": route}]
    return virtual_service("cart", "shop", hosts=[CART], http=http)


@pytest.mark.parametrize("key", ADDED)
def test_a_virtual_service_for_some_place_stays_in_scope(key: str) -> None:
    """Pods come and go anywhere, whatever the dump tells of them now."""
    assert hosts(decide([*MESH, asking({key: "z1"})], [CALL]), "web") == BOTH


def test_a_virtual_service_for_pods_of_other_labels_does_not() -> None:
    vs = asking({ZONE: "z1", "app": "other"})
    assert hosts(decide([*MESH, vs], [CALL]), "web") == [f"other/{CART}"]


def test_labels_of_several_places_are_tried_together() -> None:
    vs = asking({ZONE: "z1", REGION: "r1"})
    assert hosts(decide([*MESH, vs], [CALL]), "web") == BOTH


@pytest.mark.parametrize(("asked", "found"), [("east", BOTH), ("west", BOTH[:1])])
def test_the_name_of_a_kubernetes_cluster_is_known(asked: str, found: list[str]) -> None:
    mesh = mesh_of_clusters(east=[*MESH, asking({CLUSTER: asked})])
    assert hosts(decide_for(mesh, [CALL]), "web") == found


@pytest.mark.parametrize(("asked", "found"), [("n1", BOTH), ("n2", BOTH[:1])])
def test_a_pod_s_label_for_its_network_is_kept(asked: str, found: list[str]) -> None:
    web = deployment("web", labels={"app": "web", NETWORK: "n1"})
    answer = decide([*web, service("cart", "other"), asking({NETWORK: asked})], [CALL])
    assert hosts(answer, "web") == found


def test_a_sidecar_for_a_place_is_respected_and_never_adopted() -> None:
    mine = sidecar("mine", hosts=["./*"], selector={ZONE: "z1"})
    for adopt in (False, True):
        found = left_out(decide([*MESH, mine], [CALL], adopt=adopt), "web")
        assert found.reason == "hand-made Sidecar"
        assert "where they are" in found.detail


def test_a_place_that_a_destination_rule_or_telemetry_asks_for_counts() -> None:
    spec = {"host": CART, "workloadSelector": {"matchLabels": {ZONE: "z1"}}}
    rule = obj(NETWORKING, "DestinationRule", "d", "shop", spec=spec)
    telemetry = obj(
        "telemetry.istio.io/v1",
        "Telemetry",
        "t",
        "shop",
        spec={"selector": {"matchLabels": {ZONE: "z2"}}, "accessLogging": [{"disabled": True}]},
    )

    assert Places.of(mesh_of_objects(rule, telemetry)).found == ({}, {ZONE: "z1"}, {ZONE: "z2"})
    found = left_out(decide([*MESH, telemetry], [CALL]), "web")
    assert found.reason == "calls not logged"


def test_too_many_places_leave_every_workload_out() -> None:
    many = asking(*({ZONE: f"z{number}"} for number in range(MOST_PLACES)))

    assert left_out(decide([*MESH, many], [CALL]), "web").reason == "place unknown"
    assert place_notes(mesh_of_objects(many))
    assert not place_notes(mesh_of_objects(asking({ZONE: "z1"})))
