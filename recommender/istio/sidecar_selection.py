"""Which Sidecar applies to a proxy.

Source: istio model/push_context.go (`initSidecarScopes`, `getSidecarScope`), model/config.go
`configCompareByCreationTime`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from recommender.mesh.objects import Labels, Sidecar


@dataclass(frozen=True, slots=True)
class OrderedSidecars:
    """Hold Sidecars by namespace in istiod's order of preference, and the mesh's default."""

    by_namespace: Mapping[str, tuple[Sidecar, ...]]
    root_default: Sidecar | None

    def selected(self, namespace: str, labels: Labels) -> Sidecar | None:
        """Return the Sidecar istiod applies to a proxy, None for the implicit default `*/*`.

        The oldest match of the proxy's namespace wins, those with a selector first; then the root
        namespace's Sidecar without a selector. Nothing is merged.
        """
        own = labels.items()
        for sidecar in self.by_namespace.get(namespace, ()):
            selector = sidecar.workload_selector
            if selector is None or selector.items() <= own:
                return sidecar
        return self.root_default


def order_sidecars(sidecars: Iterable[Sidecar], root_namespace: str) -> OrderedSidecars:
    """Put Sidecars in order: those with a selector, even an empty one, first, then by age."""
    by_namespace: dict[str, list[Sidecar]] = defaultdict(list)
    for sidecar in sorted(sidecars, key=_precedence):
        by_namespace[sidecar.meta.namespace].append(sidecar)
    in_root = by_namespace.get(root_namespace, ())
    default = next((s for s in in_root if s.workload_selector is None), None)
    return OrderedSidecars({ns: tuple(found) for ns, found in by_namespace.items()}, default)


def _precedence(sidecar: Sidecar) -> tuple[bool, datetime, str, str]:
    return (sidecar.workload_selector is None, *sidecar.meta.age)
