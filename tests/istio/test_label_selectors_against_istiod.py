"""discoverySelectors choose, and are refused, as istiod and Kubernetes have it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from recommender.istio.discovery import selectors_error
from recommender.istio.sidecar_scope import build_scope_rules, sidecar_scope
from tests.istio.conformance_case import Case, ask_istiod
from tests.istio.judge import JudgedProxy, require_go
from tests.mesh.helpers import Object, obj
from tests.recommendation.helpers import mesh_config, service

HOMES = ("east", "north", "south", "west")
PROXY = JudgedProxy("north")
MESHES = 60
LONG = "a" * 64
KEYS = ("mesh", "env", "a.example/env", "mesh", "env")
BAD_KEYS = ("", "/env", "a/", "a/b/c", "A.example/env", "a..b/env", LONG, "-env", "env ", "é", None)
VALUES = ("", "on", "off", "On", "a_b.c-d")
BAD_VALUES = (LONG, "-on", "on-", "a b", "é", "a/b", "on\n")
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
BAD_OPERATORS = ("", "in", "exists", "Gt", "Equals", None)


def selecting(*selectors: Object | None, name: str = "discoverySelectors") -> Object:
    """Make a MeshConfig with some selectors."""
    return mesh_config(json.dumps({name: selectors}))


def draw(random: Random, good: tuple[Any, ...], bad: tuple[Any, ...], share: float) -> Any:
    return random.choice(bad if random.random() < share else good)


def random_selector(random: Random, share: float) -> Object | None:
    """Make a selector; of its parts about a share is one that is refused, or odd."""
    if random.random() < share / 2:
        return random.choice((None, {}, {"matchLabels": None}, {"matchExpressions": []}))
    labels = {
        draw(random, KEYS, BAD_KEYS[:-1], share / 4): draw(random, VALUES, BAD_VALUES, share / 4)
        for _ in range(random.randrange(2))
    }
    expressions: list[Object | None] = []
    for _ in range(random.randrange(2) + (not labels)):
        operator = draw(random, OPERATORS, BAD_OPERATORS, share / 4)
        takes_values = operator in ("In", "NotIn") and random.random() > share / 4
        count = random.randint(1, 3) if takes_values else int(random.random() < share / 4)
        values = [draw(random, VALUES, (*BAD_VALUES, None), share / 8) for _ in range(count)]
        key = draw(random, KEYS, BAD_KEYS, share / 4)
        expressions.append({"key": key, "operator": operator, "values": values or None})
    if random.random() < share / 8:
        expressions.append(None)
    return {"matchLabels": labels, "matchExpressions": expressions}


def random_case(seed: int) -> Case:
    """Make namespaces with random labels and a Service each, and random selectors."""
    random = Random(seed)  # noqa: S311 - nothing here is secret
    share = random.choice((0, 0.3, 1))
    selectors = [random_selector(random, share) for _ in range(random.randint(1, 3))]
    objects = [selecting(*selectors)]
    for number, home in enumerate(HOMES):
        labels = {key: random.choice(VALUES) for key in KEYS if random.random() < 0.5}
        objects.append(obj("v1", "Namespace", home, "", labels=labels))
        objects.append(service("app", home, ip=f"10.96.0.{number + 1}"))
    return Case(f"seed {seed}", tuple(objects), ((PROXY, ()),))


def test_random_selectors_hide_what_they_hide_in_istiod() -> None:
    require_go()
    cases = list(map(random_case, range(MESHES)))
    met: Counter[str] = Counter()
    for case, (verdict,) in zip(cases, ask_istiod(cases), strict=True):
        mesh = case.mesh()
        scope = sidecar_scope(build_scope_rules(mesh), PROXY.namespace)
        assert set(scope.services) == {each.hostname for each in verdict.services}, case.objects[0]
        error = selectors_error(mesh.config)
        met["ignored" if error else "in force"] += 1
        met[error.partition("is no")[2] if error else f"{len(scope.services)} seen"] += 1

    assert met["ignored"] > MESHES // 5
    assert met["in force"] > MESHES // 5
    assert {" operator", " key of a label", " value of a label", "0 seen", "2 seen"} <= set(met)


def single_selectors() -> Iterator[Object]:
    """Make a selector of each key, value and operator, usable or not."""
    limits = ("a" * 63, f"{'a' * 253}/b", f"{'a' * 254}/b", "a.b-c/d_e", "a_b/c", "0", "a./b")
    for key in (*KEYS, *BAD_KEYS, *limits):
        yield {"matchExpressions": [{"key": key, "operator": "Exists"}]}
    for value in (*VALUES, *BAD_VALUES, "a" * 63):
        yield {"matchLabels": {"mesh": value}}
    for operator in (*OPERATORS, *BAD_OPERATORS):
        for values in ([], ["on"], ["on", ""]):
            yield {"matchExpressions": [{"key": "mesh", "operator": operator, "values": values}]}


def test_one_selector_that_istiod_cannot_use_makes_it_ignore_all() -> None:
    """A mesh for each: beside it stands one that chooses nothing, so that all or nothing shows."""
    require_go()
    nothing = {"matchLabels": {"is": "nowhere"}}
    homes = [obj("v1", "Namespace", home, "", labels={"mesh": "no"}) for home in HOMES]
    cases = [
        Case(str(each), (selecting(nothing, each), *homes, service("app", "east")), ((PROXY, ()),))
        for each in single_selectors()
    ]
    for case, (verdict,) in zip(cases, ask_istiod(cases), strict=True):
        scope = sidecar_scope(build_scope_rules(case.mesh()), PROXY.namespace)
        assert set(scope.services) == {each.hostname for each in verdict.services}, case.name


@pytest.mark.parametrize("name", ["discoverySelectors", "discovery_selectors"])
def test_either_name_of_the_field_counts(name: str) -> None:
    require_go()
    config = selecting({"matchLabels": {"mesh": "on"}}, name=name)
    objects = [
        config,
        *(obj("v1", "Namespace", home, "") for home in HOMES),
        service("app", "east"),
    ]
    case = Case("named", tuple(objects), ((PROXY, ()),))
    ((verdict,),) = ask_istiod([case])

    assert not verdict.services
    assert not sidecar_scope(build_scope_rules(case.mesh()), "north").services
