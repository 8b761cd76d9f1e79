"""Sidecars that istiod would refuse: better none than one that `kubectl apply` trips over."""

from __future__ import annotations

from dataclasses import replace

from recommender.istio.validation import validate_sidecar
from recommender.recommendation.model import LeftOut, Recommendation, Recommendations
from recommender.settings import Settings
from recommender.sidecars.manifest import sidecar_manifest


def without_refused(recommendations: Recommendations, settings: Settings) -> Recommendations:
    """Leave out, with the reason, every workload whose Sidecar istiod would refuse."""
    fine: list[Recommendation] = []
    left_out = list(recommendations.left_out)
    for recommendation in recommendations.recommended:
        errors = validate_sidecar(sidecar_manifest(recommendation, settings)).errors
        if errors:
            left_out.append(LeftOut(recommendation.workload, "refused by istiod", errors[0]))
        else:
            fine.append(recommendation)
    return replace(recommendations, recommended=tuple(fine), left_out=tuple(sorted(left_out)))
