"""How far MeshConfig serviceEntryVisibility lets ServiceEntries be seen, from istiod 1.31 on.

Source: istio model/serviceentry_visibility.go (`CompileServiceEntryVisibility`, `VisibilityFor`),
model/push_context.go (`serviceExportTo`). Kubernetes Services are never narrowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from recommender.istio.export_to import NOBODY, PRIVATE, PUBLIC
from recommender.istio.label_selectors import selector_error, selector_matches
from recommender.mesh.objects import Labels, LabelSelector, Mesh, ServiceEntryVisibility

_SINCE: Final = (1, 31)


@dataclass(frozen=True, slots=True)
class Visibilities:
    """Hold what decides the visibility of ServiceEntries; `policy` is None where nothing does."""

    policy: ServiceEntryVisibility | None
    namespaces: Mapping[str, Labels]

    @classmethod
    def of(cls, mesh: Mesh) -> Visibilities:
        """Prepare a mesh's; namespaces count where istiod is configured."""
        policy = mesh.config.service_entry_visibility
        is_known = mesh.istio_version is None or mesh.istio_version >= _SINCE
        if not policy.applies_to_sidecars or not is_known:
            return cls(None, {})
        home = mesh.kubernetes_clusters[0]
        near = (n.meta for n in mesh.namespaces if n.meta.kubernetes_cluster == home)
        return cls(policy, {meta.name: meta.labels for meta in near})

    def narrowed(self, export_to: frozenset[str], namespace: str) -> frozenset[str]:
        """Narrow the export of a ServiceEntry of a namespace as far as its visibility asks."""
        if self.policy is None or export_to == {NOBODY}:
            return export_to
        visibility = _visibility_for(self.policy, self.namespaces.get(namespace, {}))
        if visibility == "NONE":
            return frozenset({NOBODY})
        if visibility != "NAMESPACE":
            return export_to
        is_seen_at_home = not export_to.isdisjoint((PUBLIC, PRIVATE, namespace))
        return frozenset({PRIVATE if is_seen_at_home else NOBODY})


def _visibility_for(policy: ServiceEntryVisibility, labels: Labels) -> str:
    """Take the first policy whose rules all match; one without rules matches everything."""
    for visibility, selectors in policy.policies:
        if all(s is not None and _chooses(s, labels) for s in selectors):
            return visibility
    return policy.default


def _chooses(selector: LabelSelector, labels: Labels) -> bool:
    """Tell whether a selector matches; one that istiod cannot use never does."""
    return selector_error(selector) is None and selector_matches(selector, labels)
