"""Which hosts stay where the mesh does not explain, or hides, where a call went."""

from __future__ import annotations

import pytest

from tests.recommendation.helpers import (
    decide,
    deployment,
    fqdn,
    hosts,
    http_call,
    mesh_config,
    notes,
    of,
    pod_name,
    route_to,
    service,
    service_entry,
    sidecar,
    tcp_call,
    virtual_service,
    web_calls,
)

WEB = f"shop/{pod_name('web')}"


@pytest.mark.parametrize("port", [8080, 80], ids=["elsewhere", "there itself"])
def test_an_http_listener_stays_for_a_route_that_the_mesh_does_not_explain(port: int) -> None:
    """An EnvoyFilter may have added it to those of the port, and they need a listener."""
    cart, zoo = service("cart", "zone", port=port), service("zoo", "other", port=80)
    objects = [*deployment("web"), cart, zoo]
    call = http_call(WEB, "magic.example", fqdn("cart.zone"), address="192.0.2.1", port=port)
    answer = decide(objects, [call | {"destination_address": "192.0.2.1:80"}])

    other = [f"other/{fqdn('zoo.other')}"] if port == 8080 else []
    assert hosts(answer, "web") == [*other, f"zone/{fqdn('cart.zone')}"]
    assert notes(answer, "web") == {"disagreement"}


@pytest.mark.parametrize("mode", ["ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"])
def test_an_http_listener_stays_for_an_envoy_cluster_that_is_not_istiods(mode: str) -> None:
    config = mesh_config(f"outboundTrafficPolicy: {{mode: {mode}}}")
    objects = [*deployment("web"), service("zoo", "other", port=80), config]
    call = http_call(WEB, "magic.example", port=80, address="192.0.2.1", cluster="magic")
    answer = decide(objects, [call])

    assert hosts(answer, "web") == [f"other/{fqdn('zoo.other')}"]
    assert notes(answer, "web") == {"disagreement"}


@pytest.mark.parametrize(
    "cluster", [None, "PassthroughCluster", "AllowAnyDynamicDNSCluster", "BlackHoleCluster"]
)
def test_a_request_that_no_route_took_needs_no_listener(cluster: str | None) -> None:
    objects = [*deployment("web"), service("zoo", "other", port=80)]
    call = http_call(WEB, "far.example", port=80, address="192.0.2.1", cluster=cluster)

    assert hosts(decide(objects, [call]), "web") == ["~/*"]


def test_what_an_egress_proxy_takes_needs_no_listener() -> None:
    """Without one the connection goes there all the same."""
    proxy = {"host": fqdn("cart.shop"), "port": {"number": 8080}}
    policy = {"mode": "ALLOW_ANY", "egressProxy": proxy}
    default = sidecar("default", hosts=["*/*"], outboundTrafficPolicy=policy)
    objects = [*deployment("web"), service("cart"), service("zoo", "other", port=80), default]
    call = http_call(WEB, "far.example", fqdn("cart.shop"), address="192.0.2.1")
    answer = decide(objects, [call | {"destination_address": "192.0.2.1:80"}])

    assert hosts(answer, "web") == [f"shop/{fqdn('cart.shop')}"]
    assert notes(answer, "web") == {"unknown destination"}


def test_a_destination_that_the_mesh_does_not_explain_stays_too_and_is_noted() -> None:
    objects = [*deployment("web"), service("cart"), service("till", ip="10.96.0.2")]
    answer = decide(objects, [http_call(WEB, "cart", fqdn("till.shop"))])

    assert hosts(answer, "web") == [f"shop/{fqdn('cart.shop')}", f"shop/{fqdn('till.shop')}"]
    assert notes(answer, "web") == {"disagreement"}


def test_a_disagreement_about_subsets_or_ports_names_the_envoy_clusters() -> None:
    """A host alone would say that the call went where it goes."""
    objects = [*deployment("web"), service("cart")]
    answer = decide(objects, [http_call(WEB, "cart", fqdn("cart.shop"), subset="v1")])
    (note,) = of(answer, "web").notes

    assert f"went to the Envoy cluster outbound|8080|v1|{fqdn('cart.shop')}," in note.detail
    assert f"goes to outbound|8080||{fqdn('cart.shop')}:" in note.detail


def test_a_destination_that_the_dump_lacks_is_kept_unproved_and_noted() -> None:
    """It may be gone, or the dump may not be whole."""
    calls = [
        http_call(WEB, "cart", fqdn("cart.pay")),
        http_call(WEB, "api.example", "api.example", address="9.9.9.9"),
    ]
    answer = decide(deployment("web"), calls)

    assert hosts(answer, "web") == ["*/api.example", f"pay/{fqdn('cart.pay')}"]
    assert notes(answer, "web") == {"gone"}


@pytest.mark.parametrize("address", ["abc", "/var/run/x.sock", "10.96.0.1:8080", "999.1.1.1", ""])
def test_an_address_that_is_none_is_no_reason_to_fail(address: str) -> None:
    call = http_call(WEB, "cart", fqdn("cart.shop"), address=address)

    assert web_calls(service("cart"), calls=[call]) == [f"shop/{fqdn('cart.shop')}"]


def test_an_unknown_destination_passes_through_before_and_after_and_is_noted() -> None:
    call = http_call(WEB, "x.example", port=80, address="9.9.9.9", cluster="PassthroughCluster")
    answer = decide([*deployment("web"), service("cart")], [call])

    assert hosts(answer, "web") == ["~/*"]
    assert notes(answer, "web") == {"unknown destination"}


@pytest.mark.parametrize(
    "rewrite",
    [
        {"rewrite": {"authority": "cart.shop"}},
        {"headers": {"request": {"set": {"Host": "cart.shop:80"}}}},
        {"headers": {"request": {"add": {":authority": "cart.shop"}}}},
    ],
)
def test_every_name_that_a_rewriting_virtual_service_takes_calls_to_is_kept(
    rewrite: dict[str, object],
) -> None:
    """Envoy logs the authority after the rewrite, so a caller may have used any of them."""
    entry = service_entry("www", "other", ["www.ext.example"])
    rewriting = virtual_service(
        "external",
        hosts=["*.example"],
        http=[route_to(fqdn("cart.shop"), **rewrite)],
    )
    call = http_call(WEB, "cart.shop", fqdn("cart.shop"), port=80, address="203.0.113.7")
    at_80 = service("cart", port=80)

    found = web_calls(at_80, entry, rewriting, calls=[call])

    assert {"shop/*.example", "other/www.ext.example", f"shop/{fqdn('cart.shop')}"} <= set(found)


@pytest.mark.parametrize("address", [None, "10.9.1.1"])
def test_every_external_name_of_what_a_rewriting_virtual_service_takes_is_kept(
    address: str | None,
) -> None:
    """Also beside `*/host`, which a call to one of several addresses needs.

    istiod looks for ExternalNames only among the hosts of the namespace that import a service.
    """
    spec = {
        "addresses": ["10.9.0.0/28", "10.9.1.1"],
        "ports": [
            {"number": 80, "name": "http", "protocol": "HTTP"},
            {"number": 5432, "name": "tcp", "protocol": "TCP"},
        ],
    }
    rewriting = virtual_service(
        "external",
        hosts=["www.ext.example"],
        http=[route_to(fqdn("cart.shop"), rewrite={"authority": "cart.shop"})],
    )
    objects = [
        service("cart", port=80),
        service("old", spec={"type": "ExternalName", "externalName": "www.ext.example"}),
        service_entry("www", "other", ["www.ext.example"], **spec),
        rewriting,
    ]
    calls = [http_call(WEB, "cart.shop", fqdn("cart.shop"), port=80, address="203.0.113.7")]
    if address:
        calls.append(tcp_call(WEB, address, 5432, "www.ext.example"))

    found = set(web_calls(*objects, calls=calls))

    assert {"other/www.ext.example", f"other/{fqdn('old.shop')}"} <= found
    assert ("*/www.ext.example" in found) is (address is not None)


def test_a_rewriting_virtual_service_may_lead_to_what_an_external_name_stands_for() -> None:
    """A log names the host behind the ExternalName, the route the ExternalName."""
    old = service("old", spec={"type": "ExternalName", "externalName": fqdn("cart.shop")}, port=80)
    rewriting = virtual_service(
        "external",
        hosts=["www.ext.example"],
        http=[route_to(fqdn("old.shop"), rewrite={"authority": "gone.example"})],
    )
    call = http_call(WEB, "gone.example", fqdn("cart.shop"), port=80, address="203.0.113.7")

    found = web_calls(service("cart", port=80), old, rewriting, calls=[call])

    assert "shop/www.ext.example" in found
