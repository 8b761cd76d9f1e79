"""A name in the settings that nothing in the dump has is told: it may be mistyped."""

from __future__ import annotations

import pytest

from recommender.istio.settings_notes import UNKNOWN_PIN, UNKNOWN_ROOT, settings_notes
from recommender.mesh import MeshNote
from tests.mesh.helpers import mesh_of_objects, obj
from tests.recommendation.helpers import fqdn, service

MESH = mesh_of_objects(
    obj("v1", "Namespace", "shop"),
    service("cart", "shop"),
    obj(
        "networking.istio.io/v1",
        "ServiceEntry",
        "bank",
        "shop",
        spec={"hosts": ["api.bank.example", "*.cdn.example"], "ports": [{"number": 443}]},
    ),
    obj("networking.istio.io/v1", "VirtualService", "till", "pay", spec={"hosts": ["till"]}),
)


def unknown(pin: str) -> bool:
    return settings_notes(MESH, [pin], "") == [MeshNote(UNKNOWN_PIN, pin)]


@pytest.mark.parametrize(
    "pin",
    [
        f"shop/{fqdn('cart.shop')}",
        f"*/{fqdn('cart.shop')}",
        f"./{fqdn('cart.shop')}",
        "shop/*",
        "*/*.svc.cluster.local",
        "shop/api.bank.example",
        "*/*.bank.example",
        "shop/*.cdn.example",
        f"pay/{fqdn('till.pay')}",
    ],
)
def test_a_pin_that_brings_a_service_or_a_virtual_service_is_fine(pin: str) -> None:
    assert not settings_notes(MESH, [pin], "")


@pytest.mark.parametrize(
    "pin",
    [
        "shop/cart.shop",
        f"Shop/{fqdn('cart.shop')}",
        f"pay/{fqdn('cart.shop')}",
        "shop/img.cdn.example",
        "attic/*",
    ],
)
def test_a_pin_that_brings_nothing_is_told(pin: str) -> None:
    assert unknown(pin)


def test_a_pin_that_is_there_twice_is_told_once() -> None:
    assert len(settings_notes(MESH, ["attic/*", "attic/*"], "")) == 1


def test_a_root_namespace_that_the_dump_lacks_is_told() -> None:
    assert settings_notes(MESH, [], "shops") == [MeshNote(UNKNOWN_ROOT, "shops")]
    assert not settings_notes(MESH, [], "shop")
    assert not settings_notes(mesh_of_objects(service("cart")), [], "shops")
