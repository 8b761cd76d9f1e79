"""The model agrees with istiod itself, and so does what it recommends; CI compares many more."""

from __future__ import annotations

from dataclasses import replace

from recommender.istio.sidecar_scope import build_scope_rules
from tests.istio.conformance import compare_seeds
from tests.istio.conformance_case import ask_istiod, random_case, settled
from tests.istio.judge import require_go

SEEDS = range(10_000, 10_024)


def test_the_model_and_istiod_agree_before_and_after_the_recommended_sidecars() -> None:
    require_go()
    findings = compare_seeds(SEEDS)

    assert findings.counted["recommended Sidecars"] > len(SEEDS)
    assert not any(findings.wrong.values()), findings.wrong


def test_an_answer_that_came_too_early_is_not_what_logs_are_made_from() -> None:
    require_go()
    case = random_case(SEEDS[0])
    (answer,) = ask_istiod([case])
    early = [replace(verdict, services=()) for verdict in answer]

    assert settled(case, build_scope_rules(case.mesh()), early) == answer
