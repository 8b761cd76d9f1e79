"""The model and istiod agree on meshes of several Kubernetes clusters."""

from __future__ import annotations

from collections import Counter

from recommender.istio.registry import build_registry
from recommender.istio.sidecar_scope import build_scope_rules
from tests.istio.conformance import Findings, judge_cases, take
from tests.istio.conformance_case import ask_istiod, lasting_disagreements
from tests.istio.judge import require_go
from tests.istio.random_clusters import (
    REMOTE,
    SPREAD,
    as_seen_in_the_remote,
    spread_case,
    spread_features,
    without_gateway_api,
)

SEEDS = range(20_000, 20_024)
HIDDEN = "hidden namespace in one of them"


def test_the_model_and_istiod_agree_on_spread_meshes_before_and_after_the_sidecars() -> None:
    require_go()
    findings = Findings()
    for judged in judge_cases([spread_case(seed) for seed in SEEDS]):
        take(findings, judged)

    assert findings.counted["recommended Sidecars"] > len(SEEDS)
    assert not any(findings.wrong.values()), findings.wrong


def test_the_model_knows_what_an_istiod_in_another_kubernetes_cluster_sees() -> None:
    """Its own Services come first; what it is configured with is the same."""
    require_go()
    seeds = [seed for seed in SEEDS if not spread_features(seed)[HIDDEN]]
    cases = [without_gateway_api(spread_case(seed)) for seed in seeds]
    asked = [as_seen_in_the_remote(case) for case in cases]
    found: list[str] = []
    for case, remote, verdicts in zip(cases, asked, ask_istiod(asked), strict=True):
        rules = build_scope_rules(case.mesh())
        rules = rules.with_registry(build_registry(rules.mesh, REMOTE))
        found += map(str, lasting_disagreements(remote, rules, verdicts))

    assert not found, "\n".join(found[:10])


def test_spread_meshes_come_to_have_every_difference() -> None:
    used: Counter[str] = Counter()
    for seed in range(20_000, 20_100):
        used += spread_features(seed)
    assert [name for name in SPREAD if not used[name]] == []
