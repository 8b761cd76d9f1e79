"""Graph and mesh -> recommendations: what a workload needs, and the hosts that give it."""

from recommender.recommendation.decide import recommend
from recommender.recommendation.existing import names_for
from recommender.recommendation.model import (
    HostReason,
    LeftOut,
    Note,
    Recommendation,
    Recommendations,
    RecommendedHost,
)

__all__ = [
    "HostReason",
    "LeftOut",
    "Note",
    "Recommendation",
    "Recommendations",
    "RecommendedHost",
    "names_for",
    "recommend",
]
