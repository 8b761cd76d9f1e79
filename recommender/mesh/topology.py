"""The labels that istiod adds to those of a proxy's pod: where the proxy is.

Source: istio xds/ads.go (`setTopologyLabels`), serviceregistry/util/label (`AugmentLabels`).
"""

from __future__ import annotations

from collections import ChainMap, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, product
from math import prod
from typing import Final

from recommender.mesh.objects import Labels, Mesh, MeshNote, ObjectMeta

CLUSTER_LABEL: Final = "topology.istio.io/cluster"
"""The name of its Kubernetes cluster."""

_NETWORK_LABEL: Final = "topology.istio.io/network"
_ADDED_LABELS: Final = frozenset(
    {
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.istio.io/subzone",
        "kubernetes.io/hostname",
        _NETWORK_LABEL,
        CLUSTER_LABEL,
    }
)
MOST_PLACES: Final = 64


@dataclass(frozen=True, slots=True)
class Places:
    """Hold the labels that istiod may add to a proxy's, as far as something asks for them.

    Where a pod is, and one to come will be, a dump may not tell, so each of `found` counts. The
    first adds nothing. `are_all` tells that they are all combinations, not too many to be tried.
    """

    found: tuple[Labels, ...] = ({},)
    are_all: bool = True

    @classmethod
    def of(cls, mesh: Mesh) -> Places:
        """Combine what selectors and source labels of a mesh ask for."""
        values: dict[str, set[str]] = defaultdict(set)
        for _, _, labels in asked_labels(mesh):
            for key in _ADDED_LABELS.intersection(labels):
                values[key].add(labels[key])
        if prod(len(each) + 1 for each in values.values()) > MOST_PLACES:
            return cls(are_all=False)
        choices = (({}, *({key: v} for v in sorted(values[key]))) for key in sorted(values))
        return cls(tuple(dict(ChainMap(*each)) for each in product(*choices)))

    def labels_of(self, labels: Labels, kubernetes_cluster: str) -> Iterator[Labels]:
        """Yield what the labels of a pod may become, as they are first but for the cluster's.

        A label for its network is kept, the name of its Kubernetes cluster is known if it has one.
        """
        known = {k: v for k, v in labels.items() if k == _NETWORK_LABEL}
        if kubernetes_cluster:
            known[CLUSTER_LABEL] = kubernetes_cluster
        yield from ({**labels, **place, **known} for place in self.found)


def tells_place(labels: Labels) -> bool:
    """Tell whether labels have one that istiod adds."""
    return not _ADDED_LABELS.isdisjoint(labels)


def place_notes(mesh: Mesh) -> list[MeshNote]:
    """Note that selectors and source labels ask for more places than are tried."""
    reason = "ask for more zones, nodes and networks than are tried"
    return [] if Places.of(mesh).are_all else [MeshNote(reason, "source labels and selectors")]


def asked_labels(mesh: Mesh) -> Iterator[tuple[str, ObjectMeta, Labels]]:
    """Yield the labels of proxies that are asked for, with the kind and metadata of what asks."""
    for vs in mesh.virtual_services:
        matches = chain.from_iterable(route.matches for route in vs.routes)
        yield from (("VirtualService", vs.meta, match.source_labels) for match in matches)
    for rule in mesh.destination_rules:
        yield "DestinationRule", rule.meta, rule.workload_selector or {}
    for sidecar in mesh.sidecars:
        yield "Sidecar", sidecar.meta, sidecar.workload_selector or {}
    for telemetry in mesh.telemetries:
        yield "Telemetry", telemetry.meta, telemetry.selector
    for envoy_filter in mesh.envoy_filters:
        yield "EnvoyFilter", envoy_filter.meta, envoy_filter.workload_selector
