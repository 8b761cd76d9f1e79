"""Where model and istiod differ about which Sidecars are refused or warned of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from recommender.istio.validation import validate_sidecar
from tests.istio.judge import validations
from tests.istio.random_manifests import Manifest

VERDICTS = {
    (True, False): "refused",
    (False, True): "warned of",
    (True, True): "refused and warned of",
    (False, False): "accepted",
}


@dataclass(slots=True)
class ValidationFindings:
    """Count istiod's verdicts by their names, and list what differs."""

    verdicts: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def compare_validation(manifests: Sequence[Manifest]) -> ValidationFindings:
    """Compare the model with istiod's webhook on some manifests of Sidecars."""
    result = ValidationFindings()
    for manifest, istiod in zip(manifests, validations(manifests), strict=True):
        found = validate_sidecar(manifest)
        theirs = bool(istiod.error), bool(istiod.warning)
        result.verdicts[VERDICTS[theirs]] += 1
        if (bool(found.errors), bool(found.warnings)) != theirs:
            result.differences.append(f"{json.dumps(manifest)}\n  {found}\n  {istiod}")
    return result
