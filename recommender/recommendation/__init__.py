"""Graph and mesh -> recommendations: what a workload needs, and the hosts that give it."""

from recommender.recommendation.decide import recommend
from recommender.recommendation.model import (
    HostReason,
    LeftOut,
    NamespaceOption,
    NamespaceSidecar,
    Note,
    Recommendation,
    Recommendations,
    RecommendedHost,
)
from recommender.recommendation.namespace_wide import choose_namespaces

__all__ = [
    "HostReason",
    "LeftOut",
    "NamespaceOption",
    "NamespaceSidecar",
    "Note",
    "Recommendation",
    "Recommendations",
    "RecommendedHost",
    "choose_namespaces",
    "recommend",
]
