"""Graph and mesh -> the namespaces that nothing needs, and the discoverySelectors for them."""

from recommender.discovery.decide import recommend_discovery_selectors
from recommender.discovery.model import (
    DiscoveryAnswer,
    DiscoverySelectors,
    FoundNamespace,
    NamespaceNeed,
)
from recommender.discovery.selectors import NAME_LABEL

__all__ = [
    "NAME_LABEL",
    "DiscoveryAnswer",
    "DiscoverySelectors",
    "FoundNamespace",
    "NamespaceNeed",
    "recommend_discovery_selectors",
]
