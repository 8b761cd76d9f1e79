"""The model and istiod agree on meshes whose ServiceEntries are narrowed."""

from __future__ import annotations

from dataclasses import replace

from recommender.istio.registry import build_registry
from recommender.mesh import Mesh
from recommender.mesh.objects import ServiceEntryVisibility
from tests.istio.conformance import Findings, judge_cases, take
from tests.istio.judge import require_go
from tests.istio.random_visibility import narrowed_case

SEEDS = range(30_000, 30_020)


def test_the_model_and_istiod_agree_on_how_far_service_entries_are_seen() -> None:
    require_go()
    findings = Findings()
    cases = [narrowed_case(seed) for seed in SEEDS]
    for judged in judge_cases(cases):
        take(findings, judged)

    assert not any(findings.wrong.values()), findings.wrong
    assert sum(_is_narrowed(case.mesh()) for case in cases) > len(SEEDS) // 4


def _is_narrowed(mesh: Mesh) -> bool:
    wide = replace(mesh, config=replace(mesh.config, service_entry_visibility=_WIDE))
    return build_registry(mesh).services != build_registry(wide).services


_WIDE = ServiceEntryVisibility()
