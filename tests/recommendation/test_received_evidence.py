"""What others received from a workload: evidence where its own log has none."""

from __future__ import annotations

import pytest

from recommender.mesh import WorkloadId
from recommender.recommendation import Recommendations
from tests.mesh.helpers import Object, obj
from tests.recommendation.helpers import (
    Flow,
    decide,
    deployment,
    fqdn,
    hosts,
    http_call,
    left_out,
    mesh_config,
    notes,
    of,
    pod_name,
    received,
    route_to,
    service,
    sidecar,
    tcp_call,
    virtual_service,
)

WEB, CART = (f"shop/{pod_name(name)}" for name in ("web", "cart"))
MESH = [
    *deployment("web", ip="10.1.0"),
    *deployment("cart", ip="10.1.1"),
    service("cart", ip="10.96.0.1"),
    service("other", ip="10.96.0.2"),
]
FROM_WEB = received(CART, peer="10.1.0.1", requests=3)
OTHER = http_call(WEB, "other", fqdn("other.shop"), address="10.96.0.2")
CART_HOST, OTHER_HOST = f"shop/{fqdn('cart.shop')}", f"shop/{fqdn('other.shop')}"


def kinds(answer: Recommendations, host: str) -> set[str]:
    """Name the kinds of reasons for a host of the workload web."""
    (entry,) = (entry for entry in of(answer, "web").hosts if entry.host == host)
    return {reason.kind for reason in entry.reasons}


@pytest.mark.parametrize("own", [[], [received(WEB)]])
def test_a_workload_known_by_what_others_received_gets_no_sidecar(own: list[Flow]) -> None:
    """What it sends out of the mesh nobody receives."""
    found = left_out(decide(MESH, [*own, FROM_WEB]), "web")

    assert found.reason == "calls only received"
    assert fqdn("cart.shop") in found.detail
    (one,) = found.received
    assert one.called.receiver == WorkloadId("shop", "Deployment", "cart")
    assert one.evidence.requests == 3
    assert "web" in found.keeps


def test_without_what_others_received_nothing_changes() -> None:
    assert left_out(decide(MESH, [received(CART)]), "web").reason == "logged nothing"
    assert left_out(decide(MESH, [received(CART)]), "web").received == ()
    assert notes(decide(MESH, [received(WEB)]), "web") == {"calls unseen"}


def test_a_received_request_is_no_sign_that_calls_are_logged() -> None:
    answer = decide(MESH, [FROM_WEB])

    assert "calls unseen" in notes(answer, "cart")


def test_a_workload_without_a_proxy_is_listed_with_what_others_received() -> None:
    bare = [*deployment("web", ip="10.1.0", proxy=False), *MESH[len(deployment("web")) :]]
    found = left_out(decide(bare, [FROM_WEB]), "web")

    assert (found.reason, len(found.received)) == ("no proxy", 1)


def test_a_call_that_the_own_log_lacks_stays_in_scope() -> None:
    answer = decide(MESH, [OTHER, FROM_WEB])

    assert hosts(answer, "web") == [CART_HOST, OTHER_HOST]
    assert kinds(answer, CART_HOST) == {"received"}
    assert notes(answer, "web") == {"unlogged call"}
    entry = of(answer, "web").hosts[0]
    assert [r.evidence.requests for r in entry.reasons if r.evidence] == [3]
    evidence = of(answer, "web").evidence
    assert evidence is not None
    assert evidence.requests == 1, "its own log has no more"


@pytest.mark.parametrize(
    "own",
    [
        http_call(WEB, "cart", fqdn("cart.shop")),
        tcp_call(WEB, "10.244.9.9", 8080, cluster="PassthroughCluster"),
        http_call(WEB, "cart", cluster="PassthroughCluster"),
    ],
)
@pytest.mark.parametrize("scope", [[], [sidecar("default", hosts=[f"shop/{fqdn('other.shop')}"])]])
def test_what_the_own_log_shows_changes_nothing(own: Flow, scope: list[Object]) -> None:
    """It shows it also where the call passes through, since today's scope lacks the service."""
    mesh = [*MESH, *scope]
    with_peer, without = decide(mesh, [OTHER, own, FROM_WEB]), decide(mesh, [OTHER, own])

    assert of(with_peer, "web") == of(without, "web")


def test_a_call_that_a_route_can_take_there_explains_it() -> None:
    """A mirror is never logged, and weights of today may not be those of the log."""
    to_other = route_to(fqdn("other.shop"), mirror={"host": fqdn("cart.shop")})
    vs = virtual_service("other", hosts=[fqdn("other.shop")], http=[to_other])
    answer = decide([*MESH, vs], [OTHER, FROM_WEB])

    assert hosts(answer, "web") == [OTHER_HOST]
    assert notes(answer, "web") == set()


def test_every_name_that_can_lead_there_stays() -> None:
    """The caller may have called none but the VirtualService's host, at another port."""
    front = service("front", ip="10.96.0.3", port=80)
    vs = virtual_service("front", hosts=[fqdn("front.shop")], http=[route_to(fqdn("cart.shop"))])
    answer = decide([*MESH, front, vs], [OTHER, FROM_WEB])

    front_host = f"shop/{fqdn('front.shop')}"
    assert hosts(answer, "web") == [CART_HOST, front_host, OTHER_HOST]
    assert kinds(answer, front_host) == {"received"}


def test_the_server_name_keeps_the_other_services_of_the_pod_out() -> None:
    alias = service("alias", spec={"selector": {"app": "cart"}}, ip="10.96.0.4")
    named = FROM_WEB | {"server_name": f"outbound_.8080_._.{fqdn('cart.shop')}"}
    alias_host = f"shop/{fqdn('alias.shop')}"

    assert hosts(decide([*MESH, alias], [OTHER, named]), "web") == [CART_HOST, OTHER_HOST]
    both = [alias_host, CART_HOST, OTHER_HOST]
    assert hosts(decide([*MESH, alias], [OTHER, FROM_WEB]), "web") == both


def test_what_the_proxies_send_by_themselves_is_no_unlogged_call() -> None:
    """Traces are never logged by who sends them, and their service is kept for the provider."""
    config = mesh_config(
        f"extensionProviders: [{{name: otel, opentelemetry: {{service: {fqdn('cart.shop')},"
        " port: 8080}}]\ndefaultProviders: {tracing: [otel]}"
    )
    answer = decide([*MESH, config], [OTHER, FROM_WEB])
    assert kinds(answer, CART_HOST) == {"provider"}
    assert notes(answer, "web") == set()

    assert left_out(decide([*MESH, config], [FROM_WEB]), "web").reason == "logged nothing"


def test_what_todays_scope_lacks_is_told_and_not_added() -> None:
    hand_made = sidecar("default", hosts=[f"shop/{fqdn('other.shop')}"])
    answer = decide([*MESH, hand_made], [OTHER, FROM_WEB])

    assert hosts(answer, "web") == [OTHER_HOST]
    assert notes(answer, "web") == {"out of scope"}


def test_a_workload_whose_calls_are_not_logged_is_listed_with_what_others_received() -> None:
    server: Object = {"providers": [{"name": "envoy"}], "match": {"mode": "SERVER"}}
    spec = {"accessLogging": [server]}
    telemetry = obj("telemetry.istio.io/v1", "Telemetry", "logs", "istio-system", spec=spec)
    found = left_out(decide([*MESH, telemetry], [received(WEB), FROM_WEB]), "web")

    assert (found.reason, len(found.received)) == ("calls not logged", 1)


def test_what_was_received_from_nobody_known_is_a_blind_spot() -> None:
    answer = decide(MESH, [received(CART, requests=4), FROM_WEB])

    assert [spot.requests for spot in answer.blind_spots] == [4]
