"""Where an endpoint is, by which Envoy prefers near ones: `region/zone/subzone`.

Source: istio serviceregistry/kube/controller/controller.go (`getPodLocality`), pkg/model/proxy.go
(`GetLocalityLabel`, `SanitizeLocalityLabel`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from recommender.mesh.objects import Labels, Mesh, Pod

_LABELS: Final = ("topology.istio.io/locality", "istio-locality")
_LAST_OF_ZONE: Final = re.compile(r"-?[a-z0-9]$")


@dataclass(frozen=True, slots=True)
class Localities:
    """Hold the localities of a mesh's nodes by Kubernetes cluster and name."""

    by_node: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, mesh: Mesh) -> Localities:
        """Index the nodes of a mesh."""
        nodes = mesh.nodes
        return cls({(n.meta.kubernetes_cluster, n.meta.name): n.locality for n in nodes})

    def of_pod(self, pod: Pod, zone: str = "") -> str:
        """Tell where a pod is; of one on an unknown node by the zone of its EndpointSlice."""
        node = self.by_node.get((pod.meta.kubernetes_cluster, pod.node))
        return labelled_locality(pod.meta.labels) or (_of_zone(zone) if node is None else node)


def labelled_locality(labels: Labels) -> str:
    """Return the locality that labels tell, which cannot have slashes in Kubernetes."""
    found = next((labels[key] for key in _LABELS if key in labels), "")
    return found if "/" in found else found.replace(".", "/")


def _of_zone(zone: str) -> str:
    """Guess the region, which most clouds begin the zone's name with."""
    return f"{_LAST_OF_ZONE.sub('', zone)}/{zone}/" if zone else ""
