"""The price of one Sidecar per namespace or per workload, and what is chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.pipeline import size_sidecars
from recommender.recommendation import Recommendations
from recommender.savings import Price, TradeOff, chosen_namespaces, total, trade_offs
from recommender.savings.trade_off import (
    SECONDS_PER_BYTE,
    SECONDS_PER_SERVICE,
    SECONDS_PER_SIDECAR,
)
from recommender.settings import GRANULARITIES
from tests.istio.benchmark_mesh import write_benchmark_mesh
from tests.mesh.helpers import Object, mesh_of_objects
from tests.recommendation.helpers import (
    Flow,
    decide_for,
    deployment,
    fqdn,
    http_call,
    pod_name,
    service,
)

BACK = [service(name, "back", ip=f"10.96.1.{n}") for n, name in enumerate(("a", "b"))]


def caller(name: str, number: int, pods: int = 1) -> list[Object]:
    return deployment(name, "front", pods=pods, ip=f"10.244.{number}")


def call(name: str, to: str) -> Flow:
    return http_call(f"front/{pod_name(name)}", fqdn(f"{to}.back"), fqdn(f"{to}.back"))


def compared(objects: list[Object], calls: list[Flow]) -> tuple[TradeOff, Recommendations]:
    mesh = mesh_of_objects(*BACK, *objects)
    found = decide_for(mesh, calls, with_options=True)
    (each,) = trade_offs(mesh, found)
    return each, found


def test_workloads_that_call_alike_share_at_no_price_but_an_object() -> None:
    objects = [*caller("web", 1, pods=2), *caller("cart", 2)]
    found, _ = compared(objects, [call("web", "a"), call("cart", "a")])
    assert found.wide is not None

    assert (found.workloads, found.proxies) == (2, 3)
    assert (found.each.objects, found.wide.objects) == (2, 1)
    assert (found.each.services, found.wide.services) == (2, 1)
    assert found.each.bytes == found.wide.bytes
    assert found.each.pushes == found.wide.pushes == 3 * 2  # a service and its endpoints
    assert found.cheaper == "namespace"


def test_workloads_that_call_others_have_more_in_scope_if_they_share() -> None:
    objects = [*caller("web", 1), *caller("cart", 2)]
    found, _ = compared(objects, [call("web", "a"), call("cart", "b")])
    assert found.wide is not None

    assert found.wide.services == found.each.services == 2
    assert found.wide.bytes > 1.2 * found.each.bytes
    assert (found.each.pushes, found.wide.pushes) == (2 * 2, 2 * 4)


def test_where_there_is_no_option_the_obstacle_is_told() -> None:
    objects = [*caller("web", 1), *caller("cart", 2), *caller("silent", 3)]
    found, _ = compared(objects, [call("web", "a"), call("cart", "a")])

    assert found.wide is None
    assert found.obstacle == "nothing is proved for front/deployment/silent"
    assert found.cheaper == "workload"
    assert found.price("namespace") == found.each


def test_a_workload_that_lost_its_recommendation_leaves_no_option() -> None:
    objects = [*caller("web", 1), *caller("cart", 2)]
    _, answer = compared(objects, [call("web", "a"), call("cart", "a")])
    fewer = replace(answer, recommended=answer.recommended[:1])
    (found,) = trade_offs(mesh_of_objects(*BACK, *objects), fewer)

    assert found.wide is None
    assert found.obstacle == "one of its workloads is left out after all"


def test_the_formula_is_the_stated_one() -> None:
    price = Price(objects=2, services=30, bytes=1000, pushes=9)

    assert price.seconds == pytest.approx(
        2 * SECONDS_PER_SIDECAR + 30 * SECONDS_PER_SERVICE + 1000 * SECONDS_PER_BYTE
    )


PRICES = st.builds(Price, *(st.integers(0, 10**9) for _ in range(4)))
OFFS = st.lists(
    st.builds(
        TradeOff,
        st.text("abc", min_size=1, max_size=9),
        st.just(2),
        st.just(2),
        PRICES,
        st.none() | PRICES,
    ),
    unique_by=lambda each: each.namespace,
)


@given(OFFS)
def test_auto_never_costs_more_than_either_choice_for_all(found: list[TradeOff]) -> None:
    auto, workload, namespace = (
        total(found, chosen_namespaces(found, choice)).seconds
        for choice in ("auto", "workload", "namespace")
    )

    assert auto <= min(workload, namespace) * (1 + 1e-9)


def test_auto_never_costs_more_than_either_on_the_mesh_of_the_benchmark(tmp_path: Path) -> None:
    found = size_sidecars(write_benchmark_mesh(tmp_path).sources).trade_offs
    prices = {name: total(found, chosen_namespaces(found, name)) for name in GRANULARITIES}

    assert sum(each.wide is not None for each in found) >= 10
    assert prices["namespace"].objects < prices["auto"].objects
    assert prices["namespace"].bytes > prices["auto"].bytes
    assert prices["auto"].seconds <= min(each.seconds for each in prices.values())


@given(OFFS)
def test_only_options_are_chosen(found: list[TradeOff]) -> None:
    options = {each.namespace for each in found if each.wide is not None}

    assert chosen_namespaces(found, "workload") == frozenset()
    assert chosen_namespaces(found, "namespace") == options
    assert chosen_namespaces(found, "auto") <= options
