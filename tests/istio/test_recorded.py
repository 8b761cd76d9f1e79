"""The model answers as istiod did, by the answers that are kept: no Go is needed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from recommender.istio.sidecar_scope import build_scope_rules
from tests.istio.conformance_case import disagreements
from tests.istio.conformance_counts import CALL_KINDS, call_kinds
from tests.istio.conformance_record import (
    CASES,
    SPREAD,
    Loaded,
    named_case_from_json,
    read_recorded,
)
from tests.istio.random_meshes import COUNTED


def test_the_model_answers_as_istiod_did(recorded: list[Loaded]) -> None:
    found = [str(disagreement) for each in recorded for disagreement in each.disagreements()]

    assert not found, f"{len(found)} disagreements:\n" + "\n".join(found[:10])


def test_the_model_answers_as_istiod_did_about_meshes_of_several_kubernetes_clusters() -> None:
    spread = [Loaded(each, each.case.mesh()) for each in read_recorded(SPREAD)]
    found = [str(disagreement) for each in spread for disagreement in each.disagreements()]

    assert len(spread) >= 60
    assert not found, f"{len(found)} disagreements:\n" + "\n".join(found[:10])


def test_the_record_exercises_every_feature(recorded: list[Loaded]) -> None:
    features: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for each in recorded:
        features += each.recorded.features
        rules = build_scope_rules(each.mesh)
        answers = zip(each.recorded.case.callers, each.recorded.before, strict=True)
        for (_, calls), verdict in answers:
            for call, istiod in zip(calls, verdict.calls, strict=True):
                kinds.update(call_kinds(rules, call, istiod))

    assert len(recorded) >= 200
    assert not [name for name in COUNTED if not features[name]]
    assert not [name for name in CALL_KINDS if not kinds[name]]


@pytest.mark.parametrize("path", sorted(CASES.glob("*.json")), ids=lambda path: path.stem)
def test_a_disagreement_of_old_is_gone(path: Path) -> None:
    kept = named_case_from_json(json.loads(path.read_text(encoding="utf-8")))
    rules = build_scope_rules(kept.case.mesh())

    found = [str(each) for each in disagreements(kept.case, rules, kept.answers)]

    assert not found, f"{kept.rule}\n" + "\n".join(found)
