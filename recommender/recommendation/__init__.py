"""Graph and mesh -> recommendations: what a workload needs, and the hosts that give it."""

from recommender.recommendation.decide import recommend
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
    "recommend",
]
