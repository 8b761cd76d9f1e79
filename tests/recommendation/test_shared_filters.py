"""The first service of a port stays where its listener has other HTTP filters than the others'."""

from __future__ import annotations

import pytest

from tests.mesh.helpers import Object
from tests.recommendation.helpers import (
    decide,
    deployment,
    fqdn,
    hosts,
    http_call,
    of,
    pod_name,
    service,
    service_entry,
)

WEB = f"shop/{pod_name('web')}"
CART, OLD = f"shop/{fqdn('cart.shop')}", f"shop/{fqdn('old.shop')}"


def named(name: str, port: str, ip: str, created: str) -> Object:
    made = service(name, ip=ip)
    made["metadata"]["creationTimestamp"] = created
    made["spec"]["ports"][0]["name"] = port
    return made


def called_behind(first: str, called: str) -> list[str]:
    old = named("old", first, "10.0.0.8", "2020-01-01T00:00:00Z")
    cart = named("cart", called, "10.0.0.9", "2021-01-01T00:00:00Z")
    call = http_call(WEB, "cart", fqdn("cart.shop"))
    return hosts(decide([*deployment("web"), old, cart], [call]), "web")


@pytest.mark.parametrize(("first", "called"), [("grpc-web", "http"), ("http", "grpc-web-a")])
def test_a_service_stays_whose_filters_an_other_s_calls_meet(first: str, called: str) -> None:
    assert called_behind(first, called) == [CART, OLD]


@pytest.mark.parametrize(("first", "called"), [("http", "http2"), ("grpc-web", "grpc-web-a")])
def test_one_that_asks_for_the_same_filters_goes(first: str, called: str) -> None:
    assert called_behind(first, called) == [CART]


def test_a_listener_that_resolves_names_is_kept_from_those_who_never_asked_it_to() -> None:
    """Behind an older service the names of a wildcard are not resolved, and stay so."""
    wild = service_entry("wild", "shop", ["*.ext.example"], resolution="DYNAMIC_DNS")
    wild["metadata"]["creationTimestamp"] = "2021-01-01T00:00:00Z"
    old = named("old", "http", "10.0.0.8", "2020-01-01T00:00:00Z")
    old["spec"]["ports"][0]["port"] = 80
    call = http_call(WEB, "any.ext.example", "*.ext.example", port=80)
    answer = decide([*deployment("web"), old, wild], [call])

    assert hosts(answer, "web") == ["shop/*.ext.example", OLD]
    assert {r.kind for h in of(answer, "web").hosts for r in h.reasons} == {"called", "listener"}
