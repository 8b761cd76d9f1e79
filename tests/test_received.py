"""Received requests: who sent them, and what they called."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from recommender.mesh import index_mesh
from recommender.received import (
    CONTRADICTION,
    FOREIGN,
    HOST_NETWORK,
    NO_ACCOUNT,
    NO_PEER,
    NO_POD,
    NO_PORT,
    NO_SERVICE,
    SEVERAL_PODS,
    SEVERAL_WORKLOADS,
    YOUNGER_POD,
    received_requests,
)
from tests.mesh.helpers import Object, mesh_of_clusters, mesh_of_objects, obj, pod
from tests.recommendation.helpers import (
    NOON,
    Flow,
    deployment,
    flows_of,
    fqdn,
    headless,
    mesh_config,
    pod_name,
    received,
    service,
    service_entry,
)

CART = f"shop/{pod_name('cart')}"
WEB_ADDRESS = "10.1.0.1"
WEB = deployment("web", ip="10.1.0")
SERVER = [*deployment("cart"), service("cart")]
SHOP = [*WEB, *SERVER]
ACCOUNT = {"spec": {"serviceAccountName": "web", "containers": []}}


def told(objects: list[Object], *flows: Flow) -> dict[tuple[str, tuple[str, ...]], int]:
    """Count requests by the workload that sent them and the services they may have called."""
    return told_in(mesh_of_objects(*objects), *flows)[0]


def untold(objects: list[Object], *flows: Flow) -> dict[str, int]:
    """Count the requests that tell no caller or no service, by the reason."""
    return told_in(mesh_of_objects(*objects), *flows)[1]


def told_in(mesh: Any, *flows: Flow) -> tuple[dict[Any, int], dict[str, int]]:
    index = index_mesh(mesh)
    ids = sorted(index.workloads)
    places = {id_: place for place, id_ in enumerate(ids)}
    writers = {
        (each.meta.namespace, each.meta.name): each.workload
        for each in mesh.pods
        if each.workload.name in ("cart", "gone")
    }
    found = received_requests(flows_of(flows).frame, index, writers, places)
    rows = found.frame.select("caller", "called", "requests").iter_rows()
    counts: dict[Any, int] = {}
    for caller, called, requests in rows:
        services = tuple(f"{s.host}:{s.port}" for s in found.called[called].services)
        key = (str(ids[caller]), services)
        counts[key] = counts.get(key, 0) + requests
    return counts, {spot.reason: spot.requests for spot in found.blind_spots}


def identity(account: str, namespace: str = "shop", domain: str = "cluster.local") -> str:
    return f"spiffe://{domain}/ns/{namespace}/sa/{account}"


def running_as(account: str, name: str, ip: str, **more: Any) -> Object:
    """Make a pod that runs under a service account."""
    status = {"podIP": ip, "phase": "Running"}
    return pod(name, spec={"serviceAccountName": account}, status=status, **more)


CALLED = {("shop/deployment/web", ("cart.shop.svc.cluster.local:8080",)): 1}


def test_the_pod_at_the_peers_address_sent_it() -> None:
    assert told(SHOP, received(CART, peer=WEB_ADDRESS)) == CALLED
    assert untold(SHOP, received(CART, peer=WEB_ADDRESS)) == {}


def test_an_address_may_be_written_in_several_ways() -> None:
    web = running_as("default", "web", "fd00:0:0::1")

    assert told([web, *SERVER], received(CART, peer="fd00::1"))


@pytest.mark.parametrize(
    ("peer", "reason"), [(None, NO_PEER), ("10.1.0.77", NO_POD), ("x", NO_POD)]
)
def test_without_a_pod_at_its_address_a_peer_is_unknown(peer: str | None, reason: str) -> None:
    assert untold(SHOP, received(CART, peer=peer, requests=7)) == {reason: 7}
    assert told(SHOP, received(CART, peer=peer)) == {}


@pytest.mark.parametrize("phase", ["Running", "Succeeded", "Failed"])
def test_an_address_that_two_pods_of_the_dump_have_tells_nothing(phase: str) -> None:
    other = pod("other", status={"podIP": WEB_ADDRESS, "phase": phase})

    assert untold([*SHOP, other], received(CART, peer=WEB_ADDRESS)) == {SEVERAL_PODS: 1}


def test_a_pod_that_has_ended_may_have_sent_it() -> None:
    job = pod("job", status={"podIP": "10.1.0.9", "phase": "Succeeded"})

    assert set(told([*SHOP, job], received(CART, peer="10.1.0.9"))) == {
        ("shop/pod/job", ("cart.shop.svc.cluster.local:8080",))
    }


@pytest.mark.parametrize("also", [[], WEB])
def test_the_address_of_a_node_tells_nothing(also: list[Object]) -> None:
    agent = pod("agent", spec={"hostNetwork": True}, status={"podIP": WEB_ADDRESS})

    assert untold([agent, *also, *SERVER], received(CART, peer=WEB_ADDRESS)) == {HOST_NETWORK: 1}


def test_a_pod_did_not_send_what_is_older_than_itself() -> None:
    """Its address was another pod's before."""
    web = running_as("web", "web", WEB_ADDRESS, created="2026-11-24T12:00:00Z")
    before = received(CART, peer=WEB_ADDRESS, first_seen=NOON - timedelta(seconds=1))

    assert told([web, *SERVER], received(CART, peer=WEB_ADDRESS))
    assert untold([web, *SERVER], before) == {YOUNGER_POD: 1}
    assert told([web, *SERVER], before | {"peer_identity": identity("web")})


def test_an_address_in_two_kubernetes_clusters_tells_nothing() -> None:
    mesh = mesh_of_clusters(east=[*WEB, *SERVER], west=deployment("far", ip="10.1.0"))

    assert told_in(mesh, received(CART, peer=WEB_ADDRESS))[1] == {SEVERAL_PODS: 1}


def test_the_one_workload_of_an_identity_sent_it() -> None:
    pods = [running_as("web", f"web-{n}", f"10.1.0.{n}", owner="StatefulSet/web") for n in (0, 1)]
    flow = received(CART, peer_identity=identity("web"))

    assert set(told([*pods, *SERVER], flow)) == {
        ("shop/statefulset/web", ("cart.shop.svc.cluster.local:8080",))
    }


def test_an_identity_counts_where_the_address_is_of_no_pod() -> None:
    web = running_as("web", "web", WEB_ADDRESS)
    flow = received(CART, peer="10.1.0.77", peer_identity=identity("web"))

    assert told([web, *SERVER], flow)


@pytest.mark.parametrize(
    ("peer_identity", "reason"),
    [
        (identity("nobody"), NO_ACCOUNT),
        (identity("web", "other"), NO_ACCOUNT),
        (identity("web", domain="far.example"), FOREIGN),
        ("spiffe://cluster.local/x", FOREIGN),
    ],
)
def test_an_identity_of_no_workload_tells_nothing(peer_identity: str, reason: str) -> None:
    web = running_as("web", "web", WEB_ADDRESS)

    flow = received(CART, peer_identity=peer_identity)
    assert untold([web, *SERVER], flow) == {reason: 1}


def test_the_trust_domain_is_that_of_the_mesh() -> None:
    config = mesh_config("trustDomain: far.example")
    flow = received(CART, peer_identity=identity("web", domain="far.example"))

    assert told([running_as("web", "web", WEB_ADDRESS), config, *SERVER], flow)


def test_an_identity_of_several_workloads_tells_nothing_by_itself() -> None:
    web, other = running_as("web", "web", WEB_ADDRESS), running_as("web", "other", "10.1.0.2")
    flow = received(CART, peer_identity=identity("web"))

    assert untold([web, other, *SERVER], flow) == {SEVERAL_WORKLOADS: 1}
    assert told([web, other, *SERVER], flow | {"peer_address": WEB_ADDRESS})


def test_a_workload_without_pods_may_have_had_the_identity() -> None:
    spec = {"jobTemplate": {"spec": {"template": ACCOUNT}}}
    cron_job = obj("batch/v1", "CronJob", "nightly", spec=spec)
    web = running_as("web", "web", WEB_ADDRESS)
    flow = received(CART, peer_identity=identity("web"))

    assert untold([web, cron_job, *SERVER], flow) == {SEVERAL_WORKLOADS: 1}


def test_address_and_identity_must_agree() -> None:
    web, other = running_as("web", "web", WEB_ADDRESS), running_as("other", "other", "10.1.0.2")
    for claimed in (identity("other"), identity("web", domain="far.example")):
        flow = received(CART, peer=WEB_ADDRESS, peer_identity=claimed)
        assert untold([web, other, *SERVER], flow) == {CONTRADICTION: 1}


def test_what_a_pod_of_no_workload_received_tells_nothing() -> None:
    assert told(SHOP, received("shop/unknown", peer=WEB_ADDRESS)) == {}
    assert untold(SHOP, received("shop/unknown", peer=WEB_ADDRESS)) == {}


def called(objects: list[Object], *flows: Flow) -> list[str]:
    """List what the one received request may have called."""
    ((_, services),) = told([*WEB, *deployment("cart"), *objects], *flows)
    return [service.replace(".svc.cluster.local", "") for service in services]


def test_a_service_selects_pods_of_its_own_kubernetes_cluster() -> None:
    there = {"east": [*WEB, *deployment("cart")], "west": [service("cart")]}

    assert told_in(mesh_of_clusters(**there), received(CART, peer=WEB_ADDRESS))[1] == {
        NO_SERVICE: 1
    }


def ports(*each: Object) -> dict[str, Any]:
    return {"spec": {"ports": list(each)}}


def test_every_service_with_the_pod_and_the_port_may_have_been_called() -> None:
    services = [
        service("cart"),
        service("alias", spec={"selector": {"app": "cart"}}),
        service("mapped", spec={"selector": {"app": "cart"}}, port=80),
        service("other"),
        service("cart", "elsewhere"),
    ]
    services[2]["spec"]["ports"][0]["targetPort"] = 8080

    assert called(services, received(CART, peer=WEB_ADDRESS)) == [
        "alias.shop:8080",
        "cart.shop:8080",
        "mapped.shop:80",
    ]


@pytest.mark.parametrize(
    "port",
    [
        {"port": 9000, "name": "http"},
        {"port": 8080, "name": "http", "targetPort": 9000},
        {"port": 8080, "name": "http", "protocol": "UDP"},
    ],
)
def test_a_port_that_leads_elsewhere_was_not_called(port: Object) -> None:
    objects = [*WEB, *deployment("cart"), service("cart", **ports(port))]

    assert untold(objects, received(CART, peer=WEB_ADDRESS)) == {NO_SERVICE: 1}


@pytest.mark.parametrize(("number", "leads"), [(8080, True), (9000, False)])
def test_a_named_target_port_is_the_number_that_endpoints_have(number: int, leads: bool) -> None:
    named = service("cart", **ports({"port": 80, "name": "http", "targetPort": "web"}))
    endpoints = obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "cart-1",
        labels={"kubernetes.io/service-name": "cart"},
        addressType="IPv4",
        ports=[{"name": "http", "port": number}],
        endpoints=[],
    )
    flow = received(CART, peer=WEB_ADDRESS)
    objects = [*WEB, *deployment("cart"), named]

    assert bool(told([*objects, endpoints], flow)) is leads
    assert told(objects, flow), "without endpoints it cannot be ruled out"


def test_endpoints_of_a_headless_service_are_called_at_its_own_port() -> None:
    db = headless("cart", port=8080, port_name="tcp")
    db["spec"]["ports"][0]["targetPort"] = 9999

    assert called([db], received(CART, peer=WEB_ADDRESS)) == ["cart.shop:8080"]


def test_a_service_entry_may_select_pods_too() -> None:
    port = {"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8080}
    selector = {"workloadSelector": {"labels": {"app": "cart"}}}
    more: Object = {"ports": [port], "resolution": "STATIC", **selector}
    entry = service_entry("cart", "shop", ["cart.example"], **more)

    assert called([entry], received(CART, peer=WEB_ADDRESS)) == ["cart.example:80"]


def test_a_pod_that_is_gone_had_the_labels_of_its_template() -> None:
    gone = deployment("cart")[:2]
    mesh = mesh_of_objects(*WEB, *gone, service("cart"))
    index = index_mesh(mesh)
    ids = sorted(index.workloads)
    (cart,) = (id_ for id_ in ids if id_.name == "cart")
    places = {id_: place for place, id_ in enumerate(ids)}
    flows = flows_of([received(CART, peer=WEB_ADDRESS)]).frame
    found = received_requests(flows, index, {("shop", pod_name("cart")): cart}, places)

    assert [each.services for each in found.called] == [((fqdn("cart.shop"), 8080),)]


TWO = [
    service("cart"),
    service("alias", spec={"selector": {"app": "cart"}}),
    service("other"),
]


def asked(host: str, port: int = 8080, **more: Any) -> Flow:
    """Make the flow of a received request with the server name of Istio's mutual TLS."""
    return received(CART, peer=WEB_ADDRESS, server_name=f"outbound_.{port}_.v1_.{host}", **more)


def test_the_server_name_tells_which_service_was_called() -> None:
    assert called(TWO, asked(fqdn("cart.shop"))) == ["cart.shop:8080"]


@pytest.mark.parametrize(
    "forged",
    [asked(fqdn("other.shop")), asked("bank.example"), asked(fqdn("cart.shop"), port=9)],
)
def test_a_forged_server_name_only_chooses_among_services_that_select_the_pod(
    forged: Flow,
) -> None:
    assert called(TWO, forged) == ["alias.shop:8080", "cart.shop:8080"]


def test_an_unknown_port_is_told_by_the_server_name_alone() -> None:
    through: dict[str, Any] = {
        "cluster": "InboundPassthroughCluster",
        "destination_address": "10.244.0.1:0",
    }
    objects = [*WEB, *deployment("cart"), *TWO]

    assert called(TWO, asked(fqdn("cart.shop"), **through)) == ["cart.shop:8080"]
    assert untold(objects, received(CART, peer=WEB_ADDRESS, **through)) == {NO_SERVICE: 1}
    nothing = received(CART, peer=WEB_ADDRESS, cluster=None)
    assert untold(objects, nothing) == {NO_PORT: 1}


@pytest.mark.parametrize("cluster", ["inbound|8080|http|{}", "inbound_.8080_._.{}"])
def test_before_istio_1_8_the_envoy_cluster_names_the_service(cluster: str) -> None:
    flow = received(CART, peer=WEB_ADDRESS)
    named = flow | {"cluster": cluster.format(fqdn("cart.shop"))}
    unknown = flow | {"cluster": cluster.format("gone.example")}

    assert called(TWO, named) == ["cart.shop:8080"]
    assert untold([*WEB, *deployment("cart"), *TWO], unknown) == {NO_SERVICE: 1}
