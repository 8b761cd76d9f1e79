"""Existing Sidecars: respected, updated or taken over, never shadowed or overlapped."""

from __future__ import annotations

import pytest

from tests.mesh.helpers import Object, obj, pod
from tests.recommendation.helpers import (
    NETWORKING,
    Flow,
    decide,
    deployment,
    fqdn,
    headless,
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

WEB = f"shop/{pod_name('web')}"
CART = http_call(WEB, "cart", fqdn("cart.shop"))
MESH = [*deployment("web"), service("cart")]
SELECTOR = {"app": "web"}


def test_a_hand_made_sidecar_is_left_alone_and_shown() -> None:
    answer = decide([*MESH, sidecar("mine", hosts=["./*"], selector=SELECTOR)], [CART])

    assert left_out(answer, "web").reason == "hand-made Sidecar"
    assert "shop/mine" in left_out(answer, "web").detail


def test_adopting_keeps_the_name_and_everything_but_the_hosts() -> None:
    policy = {"mode": "REGISTRY_ONLY"}
    mine = sidecar("mine", hosts=["./*"], selector=SELECTOR, outboundTrafficPolicy=policy)
    mine["metadata"] |= {"annotations": {"owner": "team"}}
    answer = decide([*MESH, mine], [CART], adopt=True)

    assert of(answer, "web").name == "mine"
    assert of(answer, "web").origin == "adopted"
    assert of(answer, "web").annotations == {
        "owner": "team",
        "recommend-sidecars/adopted": "./*",
    }
    assert of(answer, "web").other_spec == {"outboundTrafficPolicy": policy}
    assert hosts(answer, "web") == [f"shop/{fqdn('cart.shop')}"]


def test_what_passes_through_a_hand_made_sidecar_still_does_when_it_is_adopted() -> None:
    mine = sidecar("mine", hosts=["other/*"], selector=SELECTOR)
    call = http_call(WEB, "cart", cluster="PassthroughCluster")
    answer = decide([*MESH, mine], [call], adopt=True)

    assert hosts(answer, "web") == ["~/*"]
    assert notes(answer, "web") == {"out of scope"}


def test_a_sidecar_for_several_workloads_is_not_adopted_for_one() -> None:
    mine = sidecar("mine", hosts=["./*"], selector={"team": "x"})
    pods = [
        *deployment("web", labels={"app": "web", "team": "x"}),
        *deployment("api", labels={"app": "api", "team": "x"}),
    ]
    answer = decide([*pods, service("cart"), mine], [CART], adopt=True)

    assert "shop/deployment/api" in left_out(answer, "web").detail


def test_the_own_sidecar_is_recommended_again_under_its_name() -> None:
    own = sidecar("scope-of-web", hosts=["other/x.y"], selector=SELECTOR, own=True)
    answer = decide([*MESH, own], [CART])

    assert of(answer, "web").name == "scope-of-web"
    assert of(answer, "web").origin == "own"


def test_a_call_that_the_own_sidecar_misses_is_learnt() -> None:
    own = sidecar("web", hosts=["other/x.y"], selector=SELECTOR, own=True)
    answer = decide([*MESH, own], [http_call(WEB, "cart", cluster="PassthroughCluster")])

    assert hosts(answer, "web") == [f"shop/{fqdn('cart.shop')}"]
    assert notes(answer, "web") == {"missed call"}


def bytes_to(address: str, port: int = 8080) -> Flow:
    """Make the flow of a call that met no listener: its log says TCP, whatever was sent."""
    return tcp_call(WEB, address, port, cluster="PassthroughCluster")


@pytest.mark.parametrize("port_name", ["http", "grpc", "http2", "tcp", "x"])
def test_a_missed_call_is_learnt_though_its_log_tells_no_protocol(port_name: str) -> None:
    """Without an HTTP service at its port there is no listener that would look."""
    own = sidecar("web", hosts=["other/x.y"], selector=SELECTOR, own=True)
    cart = service("cart", port_name=port_name)
    answer = decide([*deployment("web"), cart, own], [bytes_to("10.96.0.1")])

    assert hosts(answer, "web") == [f"shop/{fqdn('cart.shop')}"]
    assert notes(answer, "web") == {"missed call"}


@pytest.mark.parametrize("port_name", ["http", "x"])
def test_the_route_of_a_missed_call_is_learnt_with_it(port_name: str) -> None:
    """It decides if the bytes were a request; hidden now, it would stay so."""
    own = sidecar("web", hosts=["other/x.y"], selector=SELECTOR, own=True)
    cart = service("cart", port_name=port_name)
    route = virtual_service(
        "cart", "other", hosts=[fqdn("cart.shop")], http=[route_to(fqdn("cart.shop"), timeout="3s")]
    )
    answer = decide([*deployment("web"), cart, route, own], [bytes_to("10.96.0.1")])

    assert f"other/{fqdn('cart.shop')}" in hosts(answer, "web")


def test_a_missed_call_to_a_pod_of_a_headless_service_is_learnt() -> None:
    own = sidecar("web", hosts=["other/x.y"], selector=SELECTOR, own=True)
    cart = headless("cart", port=9000, port_name="grpc")
    endpoint = {"addresses": ["10.244.7.1"], "conditions": {"ready": True}}
    part = obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "cart-1",
        labels={"kubernetes.io/service-name": "cart"},
        ports=[{"name": "grpc", "port": 9000}],
        endpoints=[endpoint],
    )
    answer = decide([*deployment("web"), cart, part, own], [bytes_to("10.244.7.1", 9000)])

    assert hosts(answer, "web") == [f"shop/{fqdn('cart.shop')}"]
    assert notes(answer, "web") == {"missed call"}


@pytest.mark.parametrize("address", ["10.96.0.9", "10.244.7.9"])
def test_bytes_to_nobodys_address_are_no_missed_call(address: str) -> None:
    own = sidecar("web", hosts=["other/x.y"], selector=SELECTOR, own=True)
    answer = decide([*MESH, own], [bytes_to(address)])

    assert hosts(answer, "web") == ["~/*"]
    assert notes(answer, "web") == {"unknown destination"}


def test_bytes_at_the_listener_of_http_are_no_request() -> None:
    """It looked into them: today's Sidecar has another HTTP service at the port."""
    mate = service("mate", "other", ip="10.96.0.2")
    own = sidecar("web", hosts=["other/*"], selector=SELECTOR, own=True)
    answer = decide([*MESH, mate, own], [bytes_to("10.96.0.1")])

    assert hosts(answer, "web") == ["~/*"]


def test_a_request_that_a_hand_made_sidecar_lets_pass_is_told_to_be_out_of_scope() -> None:
    default = sidecar("default", hosts=["other/*"])
    answer = decide([*MESH, default], [bytes_to("10.96.0.1")])

    assert hosts(answer, "web") == ["~/*"]
    assert notes(answer, "web") == {"out of scope"}


def test_recommending_again_with_the_own_sidecar_applied_gives_the_same() -> None:
    first = decide(MESH, [CART])
    own = sidecar("web", hosts=hosts(first, "web"), selector=SELECTOR, own=True)
    second = decide([*MESH, own], [CART])

    assert hosts(second, "web") == hosts(first, "web")


def test_running_again_after_adopting_keeps_what_the_hand_made_sidecar_gave() -> None:
    """What it did not route must go on passing through, and what it hid must stay hidden."""
    mine = sidecar("mine", hosts=["shop/*"], selector=SELECTOR)
    other = virtual_service(
        "cart", "other", hosts=[fqdn("cart.shop")], http=[route_to(fqdn("cart-v2.other"))]
    )
    objects = [*MESH, service("cart-v2", "other", ip="10.96.0.2"), other]
    calls = [
        CART,
        http_call(WEB, "cart-v2.other", cluster="PassthroughCluster", address="10.96.0.2"),
    ]
    first = decide([*objects, mine], calls, adopt=True)
    adopted = sidecar("mine", hosts=hosts(first, "web"), selector=SELECTOR, own=True)
    adopted["metadata"] |= {"annotations": dict(of(first, "web").annotations)}
    second = decide([*objects, adopted], calls)

    assert hosts(first, "web") == hosts(second, "web") == [f"shop/{fqdn('cart.shop')}"]


def test_a_host_that_an_adopted_sidecar_lost_in_a_quiet_night_comes_back() -> None:
    mine = sidecar("mine", hosts=["shop/*"], selector=SELECTOR)
    quiet = decide([*MESH, mine], [received(WEB)], adopt=True)
    adopted = sidecar("mine", hosts=hosts(quiet, "web"), selector=SELECTOR, own=True)
    adopted["metadata"] |= {"annotations": dict(of(quiet, "web").annotations)}
    missed = http_call(WEB, "cart", cluster="PassthroughCluster")

    assert hosts(quiet, "web") == ["~/*"]
    assert hosts(decide([*MESH, adopted], [missed]), "web") == [f"shop/{fqdn('cart.shop')}"]


def test_of_several_hand_made_sidecars_none_is_adopted() -> None:
    zones = [
        sidecar("ha", hosts=["./*"], selector={"zone": "a"}),
        sidecar("hb", hosts=["./*"], selector={"zone": "b"}),
    ]
    pods = deployment("web", pods=2)
    for made, zone in zip(pods[-2:], "ab", strict=True):
        metadata = made["metadata"]
        assert isinstance(metadata, dict)
        metadata["labels"] = {**metadata["labels"], "zone": zone}
    answer = decide([*pods, service("cart"), *zones], [CART], adopt=True)

    assert "several" in left_out(answer, "web").detail


def test_an_own_sidecar_stays_with_the_workload_whose_name_it_bears() -> None:
    both = [
        *deployment("web", labels={"app": "web", "tier": "x"}),
        *deployment("api", labels={"app": "api", "tier": "x"}),
    ]
    own = sidecar("web", hosts=["./*"], selector={"tier": "x"}, own=True)
    calls = [CART, received(f"shop/{pod_name('api')}")]
    answer = decide([*both, service("cart"), own], calls)

    assert (of(answer, "web").name, of(answer, "api").name) == ("web", "api")


def test_an_own_sidecar_is_updated_though_a_virtual_machine_bears_its_name() -> None:
    """Under another name the old one would stay in force, as the older of two."""
    pods = deployment("web", labels={"app": "web", "runs-on": "kubernetes"})
    spec = {"address": "10.3.0.1", "labels": SELECTOR}
    machine = obj(NETWORKING, "WorkloadEntry", "web", spec=spec)
    own = sidecar("web", hosts=["other/x.y"], selector=SELECTOR, own=True)
    answer = decide([*pods, service("cart"), machine, own], [CART])

    assert (of(answer, "web").name, of(answer, "web").origin) == ("web", "own")
    assert "runs-on" in of(answer, "web").selector


def canary_beside(*, labels: dict[str, str]) -> list[Object]:
    """Make a canary that the Sidecar of `web` selects too, made when there was no canary."""
    canary = pod("canary", labels={"app": "web", "track": "canary"})
    own = sidecar("web", hosts=["other/x.y"], selector=SELECTOR, own=True)
    return [*deployment("web", labels=labels), canary, service("cart"), own]


CANARY_CALL = http_call("shop/canary", "cart", fqdn("cart.shop"))


def test_an_older_own_sidecar_that_stays_in_force_is_noted() -> None:
    """Its workload logged nothing, so it is not written anew, with a selector for it alone."""
    answer = decide(canary_beside(labels={"app": "web", "track": "stable"}), [CANARY_CALL])

    assert of(answer, "canary").name == "canary"
    details = [n.detail for n in of(answer, "canary").notes if n.name == "earlier Sidecar"]
    assert details == ["shop/web applies instead until you delete it"]


def test_an_older_own_sidecar_that_is_written_anew_gives_way() -> None:
    """Its selector is for its workload alone then."""
    objects = canary_beside(labels={"app": "web", "track": "stable"})
    answer = decide(objects, [CANARY_CALL, CART])

    assert of(answer, "web").selector == {"app": "web", "track": "stable"}
    assert "earlier Sidecar" not in notes(answer, "canary")


def test_a_younger_own_sidecar_does_not_come_before_one_that_is_updated() -> None:
    made = [
        sidecar(name, hosts=["other/x.y"], selector=SELECTOR, own=True) for name in ("web", "old")
    ]
    for each, year in zip(made, (2025, 2026), strict=True):
        each["metadata"]["creationTimestamp"] = f"{year}-01-01T00:00:00Z"

    assert "earlier Sidecar" not in notes(decide([*MESH, *made], [CART]), "web")


def test_a_route_that_the_own_sidecar_hides_is_named_and_not_taken() -> None:
    own = sidecar("web", hosts=[f"shop/{fqdn('cart.shop')}"], selector=SELECTOR, own=True)
    other = virtual_service(
        "cart", "other", hosts=[fqdn("cart.shop")], http=[route_to(fqdn("cart-v2.other"))]
    )
    objects = [*MESH, service("cart-v2", "other", ip="10.96.0.2"), other, own]
    answer = decide(objects, [CART])

    assert hosts(answer, "web") == [f"shop/{fqdn('cart.shop')}"]
    assert notes(answer, "web") == {"hidden route"}


def test_a_namespace_wide_sidecar_gives_way_and_its_other_settings_stay() -> None:
    policy = {"mode": "REGISTRY_ONLY"}
    default = sidecar("default", hosts=["./*"], outboundTrafficPolicy=policy)
    answer = decide([*MESH, default], [CART])

    assert of(answer, "web").name == "web"
    assert of(answer, "web").other_spec == {"outboundTrafficPolicy": policy}


def test_what_a_namespace_wide_sidecar_lets_pass_still_passes() -> None:
    default = sidecar("default", hosts=["other/*"])
    answer = decide([*MESH, default], [http_call(WEB, "cart", cluster="PassthroughCluster")])

    assert hosts(answer, "web") == ["~/*"]


def test_an_empty_selector_counts_as_made_for_everything() -> None:
    answer = decide([*MESH, sidecar("all", hosts=["./*"], selector={})], [CART])

    assert left_out(answer, "web").reason == "hand-made Sidecar"


def test_a_name_in_use_is_not_taken() -> None:
    other = sidecar("web", hosts=["./*"], selector={"app": "nobody"})

    assert of(decide([*MESH, other], [CART]), "web").name == "web-deployment"


def test_the_name_of_a_sidecar_for_another_istiod_is_not_taken() -> None:
    """Applied under that name, the new one would take the place of the other."""
    other = sidecar("web", hosts=["./*"], selector=SELECTOR)
    other["metadata"] |= {"labels": {"istio.io/rev": "canary"}}

    assert of(decide([*MESH, mesh_config(""), other], [CART]), "web").name == "web-deployment"


@pytest.mark.parametrize("kind", ["gateway", "no proxy"])
def test_workloads_that_no_sidecar_can_scope_are_left_out_and_said_so(kind: str) -> None:
    plain = deployment("web", proxy=False)
    gateway = deployment("web", proxy=False)
    spec = gateway[-1]["spec"]
    assert isinstance(spec, dict)
    spec["containers"] = [{"name": "istio-proxy", "args": ["proxy", "router"]}]
    answer = decide(
        gateway if kind == "gateway" else plain, [] if kind != "gateway" else [received(WEB)]
    )

    assert left_out(answer, "web").reason == kind


def test_pods_that_stayed_silent_are_counted_and_noted() -> None:
    answer = decide([*deployment("web", pods=3), service("cart")], [CART])

    assert (of(answer, "web").pods, of(answer, "web").pods_logged) == (3, 1)
    assert notes(answer, "web") == {"silent pods"}


def test_a_pod_that_is_gone_counts_for_the_workload_that_made_it() -> None:
    gone = http_call("shop/web-7d9c5b8f6d-zzzzz", "cart", fqdn("cart.shop"))

    assert hosts(decide(MESH, [gone]), "web") == [f"shop/{fqdn('cart.shop')}"]


def test_a_bound_listener_of_a_hand_made_sidecar_is_not_replaced() -> None:
    """Its port is open on the pod itself: no other Sidecar would serve who calls it."""
    listener = {
        "port": {"number": 8080, "protocol": "HTTP", "name": "http"},
        "bind": "127.0.0.1",
        "captureMode": "NONE",
        "hosts": ["./*"],
    }
    default = sidecar("default", hosts=["./*"])
    spec = default["spec"]
    assert isinstance(spec, dict)
    spec["egress"] = [listener, {"hosts": ["./*"]}]
    call = http_call(WEB, "cart", fqdn("cart.shop"), address="127.0.0.1")

    assert left_out(decide([*MESH, default], [call]), "web").reason == "hand-made Sidecar"


def test_the_egress_proxy_of_a_carried_over_policy_stays_in_scope() -> None:
    """Without its cluster, what the proxy sends there would be refused."""
    proxy = {"host": fqdn("cart.shop"), "port": {"number": 80}}
    policy = {"mode": "ALLOW_ANY", "egressProxy": proxy}
    default = sidecar("default", hosts=["./*"], outboundTrafficPolicy=policy)

    call = http_call(WEB, "api.example.com", cluster="PassthroughCluster")
    kept = of(decide([*MESH, default], [call]), "web").hosts

    assert "egress proxy" in {r.kind for h in kept if "cart" in h.host for r in h.reasons}
