"""Which Sidecar applies to a proxy.

Source: istio model/push_context.go (`initSidecarScopes`, `getSidecarScope`), model/config.go
`configCompareByCreationTime`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from recommender.mesh.label_index import SelectorIndex
from recommender.mesh.objects import Labels, Sidecar


@dataclass(frozen=True, slots=True)
class OrderedSidecars:
    """Hold Sidecars by namespace in istiod's order of preference, and the mesh's default."""

    by_namespace: Mapping[str, SelectorIndex[Sidecar]]
    root_default: Sidecar | None

    def selected(self, namespace: str, labels: Labels) -> Sidecar | None:
        """Return the Sidecar istiod applies to a proxy, None for the implicit default `*/*`.

        The oldest match of the proxy's namespace wins, those with a selector first; then the root
        namespace's Sidecar without a selector. Nothing is merged.
        """
        return next(iter(self.selecting(namespace, labels)), self.root_default)

    def selecting(self, namespace: str, labels: Labels) -> list[Sidecar]:
        """List the Sidecars of a proxy's namespace that choose it, the preferred one first."""
        own = self.by_namespace.get(namespace)
        return own.selecting(labels) if own else []


def order_sidecars(sidecars: Iterable[Sidecar], root_namespace: str) -> OrderedSidecars:
    """Put Sidecars in order: those with a selector, even an empty one, first, then by age."""
    by_namespace: dict[str, list[Sidecar]] = defaultdict(list)
    for sidecar in sorted(sidecars, key=_precedence):
        by_namespace[sidecar.meta.namespace].append(sidecar)
    in_root = by_namespace.get(root_namespace, ())
    default = next((s for s in in_root if s.workload_selector is None), None)
    return OrderedSidecars(
        {
            namespace: SelectorIndex.of((s.workload_selector or {}, s) for s in found)
            for namespace, found in by_namespace.items()
        },
        default,
    )


def _precedence(sidecar: Sidecar) -> tuple[bool, datetime, str, str]:
    return (sidecar.workload_selector is None, *sidecar.meta.age)
