"""The model answers as istiod did, by the answers that are kept: no Go is needed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from recommender.istio.sidecar_scope import ScopeRules, build_scope_rules
from recommender.mesh import Mesh
from tests.istio.conformance_case import Disagreement, disagreements
from tests.istio.conformance_compare import resolve
from tests.istio.conformance_counts import CALL_KINDS, call_kinds
from tests.istio.conformance_record import (
    CASES,
    Recorded,
    named_case_from_json,
    read_recorded,
    sidecars_of,
)
from tests.istio.random_meshes import COUNTED

Loaded = tuple[Recorded, Mesh]


@pytest.fixture(scope="module")
def recorded() -> list[Loaded]:
    """Load the meshes that were recorded."""
    return [(each, each.case.mesh()) for each in read_recorded()]


def test_the_model_answers_as_istiod_did(recorded: list[Loaded]) -> None:
    found = [str(d) for each, mesh in recorded for d in _disagreements(each, mesh)]

    assert not found, f"{len(found)} disagreements:\n" + "\n".join(found[:10])


def test_the_record_exercises_every_feature(recorded: list[Loaded]) -> None:
    features: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for each, mesh in recorded:
        features += each.features
        rules = build_scope_rules(mesh)
        for (_, calls), verdict in zip(each.case.callers, each.before, strict=True):
            for call, istiod in zip(calls, verdict.calls, strict=True):
                kinds.update(call_kinds(call, resolve(rules, call), istiod))

    assert len(recorded) >= 200
    assert not [name for name in COUNTED if not features[name]]
    assert not [name for name in CALL_KINDS if not kinds[name]]


@pytest.mark.parametrize("path", sorted(CASES.glob("*.json")), ids=lambda path: path.stem)
def test_a_disagreement_of_old_is_gone(path: object) -> None:
    with open(str(path), encoding="utf-8") as text:
        kept = named_case_from_json(json.load(text))
    rules = build_scope_rules(kept.case.mesh())

    found = [str(d) for d in disagreements(kept.case, rules, kept.answers)]

    assert not found, f"{kept.rule}\n" + "\n".join(found)


def _disagreements(each: Recorded, mesh: Mesh) -> Iterator[Disagreement]:
    before, after = rules_of(each, mesh)
    yield from disagreements(each.case, before, each.before)
    yield from disagreements(each.case_after(), after, each.after)


def rules_of(each: Recorded, mesh: Mesh) -> tuple[ScopeRules, ScopeRules]:
    """Compute the rules of a mesh, and those with the Sidecars that were recommended for it."""
    after = replace(mesh, sidecars=sidecars_of(each.case_after()))
    return build_scope_rules(mesh), build_scope_rules(after)
