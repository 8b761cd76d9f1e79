"""A workload is judged by what its own istiod sees, or left out."""

from __future__ import annotations

import pytest

from tests.mesh.helpers import Object
from tests.recommendation.helpers import (
    decide,
    deployment,
    fqdn,
    hosts,
    http_call,
    left_out,
    mesh_config,
    pod_name,
    service,
    service_entry,
)


def injected(name: str, revision: str) -> list[Object]:
    made = deployment(name, ip=f"10.24{len(name)}.0")
    made[-1]["metadata"]["annotations"] = {"istio.io/rev": revision}
    return made


def entry(revision: str) -> Object:
    made = service_entry("api", "other", ["api.example"])
    made["metadata"]["labels"] = {"istio.io/rev": revision}
    return made


BOTH = [*injected("web", "default"), *injected("api", "canary"), service("cart"), mesh_config("")]
CALLS = [http_call(f"shop/{pod_name(n)}", "cart", fqdn("cart.shop")) for n in ("web", "api")]


@pytest.mark.parametrize("revision", ["canary", "default"])
def test_a_workload_whose_istiod_sees_other_objects_is_left_out(revision: str) -> None:
    answer = decide([*BOTH, entry(revision)], CALLS)

    assert left_out(answer, "api").reason == "another revision"
    assert left_out(answer, "api").detail.startswith("canary: ")
    assert hosts(answer, "web") == [f"shop/{fqdn('cart.shop')}"]


@pytest.mark.parametrize("more", [[], [entry("third")]], ids=["none", "of neither"])
def test_where_both_istiods_see_the_same_every_workload_is_recommended(more: list[Object]) -> None:
    answer = decide([*BOTH, *more], CALLS)

    assert hosts(answer, "web") == hosts(answer, "api") == [f"shop/{fqdn('cart.shop')}"]


def test_a_host_of_another_revision_is_not_taken_for_the_one_that_was_called() -> None:
    called = http_call(f"shop/{pod_name('web')}", "api.example", "api.example", port=80)
    own = service_entry("api", "zone", ["api.example"])
    answer = decide([*injected("web", "default"), mesh_config(""), entry("canary"), own], [called])

    assert hosts(answer, "web") == ["zone/api.example"]
