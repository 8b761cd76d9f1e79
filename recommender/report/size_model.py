"""What a run of `size` found, for every renderer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recommender.access_logs import LineCounts
from recommender.istio.pushes import DESTINATION_RULE, ENDPOINTS, SERVICE, VIRTUAL_SERVICE
from recommender.mesh import MeshNote
from recommender.savings import ChangeReach, Savings, TradeOff

KIND_NAMES = {
    SERVICE: "service",
    ENDPOINTS: "endpoints",
    VIRTUAL_SERVICE: "VirtualService",
    DESTINATION_RULE: "DestinationRule",
}
"""The kinds of changes, as people call them: a ServiceEntry to istiod is any service."""


@dataclass(frozen=True, slots=True)
class SizeReport:
    """Hold everything a run of `size` found.

    `recommended` and `left_out` count workloads; `istio_version` is as in `Report`. `trade_offs`
    compare one Sidecar for a namespace with one per workload, `namespaces` are those that get one.
    """

    savings: Savings
    recommended: int
    left_out: int
    lines: LineCounts
    mesh_notes: tuple[MeshNote, ...]
    istio_version: tuple[int, int]
    istio_version_known: bool
    trade_offs: tuple[TradeOff, ...] = ()
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KindReach:
    """Sum up the reach of the changes of one kind, in proxies; `none_after` reach no proxy."""

    kind: str
    changes: int
    before: int
    after: int
    none_before: int
    none_after: int


def reach_by_kind(reach: Iterable[ChangeReach]) -> list[KindReach]:
    """Sum up changes by kind, in the order of `KIND_NAMES`; kinds without any are left out."""
    each = list(reach)
    found = []
    for kind in KIND_NAMES:
        of_kind = [one for one in each if one.change.kind == kind]
        if of_kind:
            found.append(
                KindReach(
                    KIND_NAMES[kind],
                    len(of_kind),
                    sum(one.before for one in of_kind),
                    sum(one.after for one in of_kind),
                    sum(not one.before for one in of_kind),
                    sum(not one.after for one in of_kind),
                )
            )
    return found
