"""Graph and mesh -> the namespaces that nothing needs, and the selectors that hide them.

What needs a namespace is found in steps: what is there and what the mesh names, what logged calls
met, and what objects of namespaces that stay name in others. Then every call is proved with the
rest hidden; where one changes, what it needs stays too.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from recommender.discovery.calls import (
    SeenCalls,
    callers,
    needed_by_calls,
    seen_calls,
)
from recommender.discovery.contents import contents_by_namespace, placed_namespaces, watched
from recommender.discovery.model import (
    NEED_KINDS,
    Contents,
    DiscoveryAnswer,
    FoundNamespace,
    NamespaceNeed,
    NeedKind,
    Proof,
)
from recommender.discovery.names import NamespacesOf
from recommender.discovery.proof import Comparison
from recommender.discovery.references import References
from recommender.discovery.savings import proxy_savings
from recommender.discovery.selectors import choose_selectors
from recommender.discovery.silent import blind_spots_in_words, silent_workloads
from recommender.discovery.standing import standing_needs
from recommender.istio.discovery import discovered, placed_hidden_namespaces
from recommender.istio.sidecar_scope import build_scope_rules
from recommender.mesh import Labels, Mesh, index_mesh
from recommender.recommendation import recommend
from recommender.recommendation.views import Views, build_view_rules
from recommender.service_graph import Evidence, Graph, merge_evidence
from recommender.settings import Settings

_MOST_DETAILS = 3


def recommend_discovery_selectors(
    graph: Graph, mesh: Mesh, settings: Settings | None = None
) -> DiscoveryAnswer:
    """Find the namespaces of a mesh that nothing needs, and the selectors that hide them.

    Proved is that no call in the graph goes elsewhere, by the rules of istiod
    (`recommender.istio`), for every kind of pod, with the Sidecars in force and with those that
    `recommend` finds. A namespace with proxies, there or to come, always stays.

    Raises:
        UsageError: A pinned host is one that istiod would refuse.
    """
    settings = settings or Settings()
    recommendations = recommend(graph, mesh, settings)
    seen_mesh, index = discovered(mesh), index_mesh(mesh)
    rules = build_scope_rules(mesh)
    there, hidden = placed_namespaces(mesh), placed_hidden_namespaces(mesh)
    everywhere = {name for _, name in there}
    visible = {name for _, name in there - hidden}
    names = NamespacesOf.of(mesh, rules.registry, frozenset(everywhere))
    before: dict[str, Views] = {}
    seen: list[SeenCalls] = []
    for views, each in seen_calls(callers(graph, index), build_view_rules(rules)):
        before[each.caller.id.namespace] = views
        seen.append(each)
    needs = _Needs(visible, References.of(seen_mesh, names))
    needs.add(standing_needs(mesh, index, graph, settings, names))
    for each in seen:
        needs.add(needed_by_calls(each, names))
    hosts = {r.workload: tuple(h.host for h in r.hosts) for r in recommendations.recommended}
    _prove(Comparison(seen_mesh, seen, before, hosts), needs)
    contents, labels = contents_by_namespace(mesh), _labels(mesh)

    def found(namespaces: Iterable[str]) -> tuple[FoundNamespace, ...]:
        return tuple(
            FoundNamespace(n, labels.get(n, {}), contents.get(n, Contents()), needs.of(n))
            for n in sorted(namespaces)
        )

    idle, kept = found(needs.idle()), found(visible - needs.idle())
    return DiscoveryAnswer(
        idle=idle,
        kept=kept,
        hidden_already=found(everywhere - visible),
        selectors=choose_selectors(mesh, needs.idle()),
        evidence=merge_evidence(c.evidence for each in _first(seen) for c in each.caller.calls),
        proof=Proof(
            workloads=len({each.caller.id for each in seen}),
            calls=sum(len({n.outbound for n in each.needs}) for each in _first(seen)),
            sidecars=len(hosts),
        ),
        watched_before=watched(n.contents for n in (*idle, *kept)),
        watched_after=watched(n.contents for n in kept),
        savings=proxy_savings(seen_mesh, index, needs.idle()),
        silent=silent_workloads(recommendations, graph, index),
        unknown_pods=recommendations.unknown_pods,
        blind_spots=recommendations.blind_spots,
        doubts=blind_spots_in_words(mesh, recommendations),
    )


def _first(seen: Iterable[SeenCalls]) -> Iterator[SeenCalls]:
    """Yield the calls of each caller in the first of its views."""
    met = set()
    for each in seen:
        if each.caller.id not in met:
            met.add(each.caller.id)
            yield each


def _prove(comparison: Comparison, needs: _Needs) -> None:
    """Let namespaces stay until no call changes without the rest."""
    while idle := frozenset(needs.idle()):
        changed = list(comparison.changed(idle))
        for each in changed:
            by, call = each.seen.caller.id, each.need.call
            target = call.authority or call.server_name or call.address or call.destination_host
            detail = f"the call to {target or 'a host'} by {by} would go elsewhere"
            for namespace in comparison.needed(each, needs.idle()):
                needs.add([(namespace, NamespaceNeed("decides", detail, call.evidence))])
        if not changed:
            return


@dataclass(slots=True)
class _Needs:
    """Collect why namespaces stay; what they name in others stays too."""

    visible: set[str]
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

    def idle(self) -> set[str]:
        """List the namespaces that nothing needs so far."""
        return self.visible - self._found.keys()

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


def _labels(mesh: Mesh) -> dict[str, Labels]:
    """Map namespaces to their labels in the first Kubernetes cluster that has them."""
    found: dict[str, Labels] = {}
    for namespace in mesh.namespaces:
        found.setdefault(namespace.meta.name, namespace.meta.labels)
    return found
