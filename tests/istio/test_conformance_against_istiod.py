"""The model agrees with istiod itself, and so does what it recommends; CI compares many more."""

from __future__ import annotations

from tests.istio.conformance import compare_seeds
from tests.istio.judge import require_go

SEEDS = range(10_000, 10_024)


def test_the_model_and_istiod_agree_before_and_after_the_recommended_sidecars() -> None:
    require_go()
    findings = compare_seeds(SEEDS)

    assert findings.counted["recommended Sidecars"] > len(SEEDS)
    assert not any(findings.wrong.values()), findings.wrong
