"""Providers that proxies use and whose services nobody can tell, as the MeshConfig is not known.

Without the MeshConfig the service of an extension provider may be in any namespace. Where it is
known, a provider that it lacks is one that istiod ignores.
"""

from __future__ import annotations

from collections.abc import Iterator

from recommender.discovery.model import NamespaceNeed
from recommender.istio.extension_providers import MeshExtensions
from recommender.istio.sidecar_scope import ScopeRules
from recommender.mesh import MeshIndex
from recommender.mesh.mesh_config import is_assumed
from recommender.recommendation.views import proxy_labels


def unknown_providers(index: MeshIndex, rules: ScopeRules) -> Iterator[NamespaceNeed]:
    """Yield what may need any namespace: each provider in use that no MeshConfig tells of."""
    extensions = MeshExtensions(rules)
    each = (
        provider
        for id_ in (index.workloads if is_assumed(index.mesh.notes) else ())
        for _, labels in proxy_labels(index, id_)
        for provider in extensions.of(id_.namespace, labels).gaps.unknown
    )
    for provider in sorted(set(each)):
        yield NamespaceNeed("provider", f"{provider}, which no MeshConfig in the dump defines")
