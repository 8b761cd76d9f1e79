"""Why namespaces stay, collected by namespace and kind."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from recommender.discovery.model import NAMED_KINDS, NEED_KINDS, NamespaceNeed, NeedKind
from recommender.discovery.references import References
from recommender.service_graph import Evidence, merge_evidence

_MOST_DETAILS = 3


@dataclass(slots=True)
class NeedsByNamespace:
    """Collect why namespaces stay; what they name in others stays too."""

    visible: frozenset[str]
    references: References
    _found: dict[str, dict[NeedKind, dict[str, list[Evidence]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    )

    def add(self, needs: Iterable[tuple[str, NamespaceNeed]]) -> None:
        """Add needs, and those that follow from them."""
        waiting = deque(needs)
        while waiting:
            namespace, need = waiting.popleft()
            if namespace in self.visible and namespace not in self._found:
                waiting += self.references.of_namespace(namespace)
            evidence = self._found[namespace][need.kind][need.detail]
            evidence += [need.evidence] if need.evidence else []

    def found(self) -> frozenset[str]:
        """List the namespaces that something needs so far."""
        return frozenset(self._found)

    def only_named(self) -> frozenset[str]:
        """List the namespaces that objects name in others, and nothing else needs."""
        return frozenset(
            name for name, by_kind in self._found.items() if by_kind.keys() <= NAMED_KINDS
        )

    def of(self, namespace: str) -> tuple[NamespaceNeed, ...]:
        """List why a namespace stays, one need of each kind."""
        found = self._found.get(namespace, {})
        return tuple(_summed_up(kind, found[kind]) for kind in NEED_KINDS if kind in found)


def _summed_up(kind: NeedKind, details: dict[str, list[Evidence]]) -> NamespaceNeed:
    """Name the first details by how often they were seen, and sum up their evidence.

    A call may be there for its service and for its address, but it is one call.
    """
    requests = {d: sum(e.requests for e in found) for d, found in details.items()}
    ordered = sorted(details, key=lambda detail: (-requests[detail], detail))
    more = len(ordered) - _MOST_DETAILS
    detail = "; ".join(ordered[:_MOST_DETAILS]) + (f" and {more:,} more" if more > 0 else "")
    evidence = {id(e): e for found in details.values() for e in found}
    return NamespaceNeed(kind, detail, merge_evidence(evidence.values()))
