"""What a run of `recommend` found, for every renderer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

from recommender.access_logs import LineCounts
from recommender.mesh import MeshNote
from recommender.recommendation.model import Recommendation, Recommendations
from recommender.sidecars import WrittenFiles


@dataclass(frozen=True, slots=True)
class Report:
    """Hold everything a run found.

    `istio_version` is the one whose rules counted, `istio_version_known` whether the mesh dump
    told it. `out` names the folder of the Sidecars; `written` is None when none were written.
    """

    recommendations: Recommendations
    lines: LineCounts
    mesh_notes: tuple[MeshNote, ...]
    istio_version: tuple[int, int]
    istio_version_known: bool
    out: str | None
    written: WrittenFiles | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sum up a report: `noted` counts recommendations with notes; medians are the lower ones."""

    workloads: int
    recommended: int
    new: int
    own: int
    adopted: int
    noted: int
    requests: int
    services_before: int
    services_after: int
    median_services_before: int
    median_services_after: int


def totals_of(recommendations: Recommendations) -> Totals:
    """Sum up recommendations; every sum of none is zero."""
    found = recommendations.recommended
    origins = [r.origin for r in found]
    before = [r.services_before for r in found]
    after = [r.services_after for r in found]
    return Totals(
        workloads=len(found) + len(recommendations.left_out),
        recommended=len(found),
        new=origins.count("new"),
        own=origins.count("own"),
        adopted=origins.count("adopted"),
        noted=sum(bool(r.notes) for r in found),
        requests=sum(_requests(r) for r in found),
        services_before=sum(before),
        services_after=sum(after),
        median_services_before=_median(before),
        median_services_after=_median(after),
    )


def _requests(recommendation: Recommendation) -> int:
    return recommendation.evidence.requests if recommendation.evidence else 0


def _median(numbers: Sequence[int]) -> int:
    return median_low(numbers) if numbers else 0
