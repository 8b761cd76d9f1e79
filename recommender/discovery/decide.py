"""Graph and mesh -> the namespaces that nothing needs, and the selectors that hide them.

What needs a namespace is found in steps: what is there and what the mesh names, what logged calls
met, and what objects of namespaces that stay name in others. Then every call is proved with the
rest hidden; where one changes, what it needs stays too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from recommender.discovery.calls import (
    SeenCalls,
    callers,
    needed_by_calls,
    seen_calls,
)
from recommender.discovery.contents import contents_by_namespace, placed_namespaces, watched
from recommender.discovery.model import (
    Contents,
    DiscoveryAnswer,
    FoundNamespace,
    NamespaceNeed,
    Proof,
)
from recommender.discovery.names import NamespacesOf
from recommender.discovery.needs_by_namespace import NeedsByNamespace
from recommender.discovery.proof import Comparison
from recommender.discovery.references import References
from recommender.discovery.savings import proxy_savings
from recommender.discovery.selectors import choose_selectors
from recommender.discovery.silent import (
    blind_spots_in_words,
    silent_workloads,
    workloads_with_proxies,
)
from recommender.discovery.standing import standing_needs
from recommender.discovery.unknown_providers import unknown_providers
from recommender.istio.discovery import discovered, placed_hidden_namespaces
from recommender.istio.sidecar_scope import build_scope_rules
from recommender.mesh import Labels, Mesh, MeshIndex, WorkloadId, index_mesh
from recommender.recommendation import recommend
from recommender.recommendation.views import Views, build_view_rules
from recommender.service_graph import Graph, merge_evidence
from recommender.settings import Settings


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
    hosts = {r.workload: tuple(h.host for h in r.hosts) for r in recommendations.recommended}
    index, places = index_mesh(mesh), _Places.of(mesh)
    needs, seen = _prove(graph, index, settings, places, hosts)
    idle = places.visible - needs.found()
    described = _describing(mesh, needs)
    found, kept = described(idle), described(places.visible - idle)
    silent = silent_workloads(recommendations, graph, index)
    return DiscoveryAnswer(
        idle=found,
        kept=kept,
        hidden_already=described(places.everywhere - places.visible),
        selectors=choose_selectors(mesh, idle, needs.found(), needs.only_named()),
        evidence=merge_evidence(c.evidence for each in _first(seen) for c in each.caller.calls),
        proof=Proof(
            workloads=len({each.caller.id for each in seen}),
            calls=sum(len({n.outbound for n in each.needs}) for each in _first(seen)),
            sidecars=len(hosts),
            workloads_with_proxies=len(
                workloads_with_proxies(index) | {each.workload for each in silent}
            ),
            silent_workloads=len(silent),
        ),
        watched_before=watched(n.contents for n in (*found, *kept)),
        watched_after=watched(n.contents for n in kept),
        savings=proxy_savings(discovered(mesh), index, idle) if idle else None,
        silent=silent,
        unknown_pods=recommendations.unknown_pods,
        blind_spots=recommendations.blind_spots,
        doubts=blind_spots_in_words(index, recommendations),
    )


@dataclass(frozen=True, slots=True)
class _Places:
    """Name the namespaces of a mesh: those that istiod sees today in some Kubernetes cluster."""

    everywhere: frozenset[str]
    visible: frozenset[str]

    @classmethod
    def of(cls, mesh: Mesh) -> _Places:
        there, hidden = placed_namespaces(mesh), placed_hidden_namespaces(mesh)
        return cls(frozenset(n for _, n in there), frozenset(n for _, n in there - hidden))


def _prove(
    graph: Graph,
    index: MeshIndex,
    settings: Settings,
    places: _Places,
    hosts: Mapping[WorkloadId, tuple[str, ...]],
) -> tuple[NeedsByNamespace, list[SeenCalls]]:
    """Collect what namespaces are needed for, and prove every call without the others."""
    mesh, seen_mesh = index.mesh, discovered(index.mesh)
    rules = build_scope_rules(mesh)
    before: dict[str, Views] = {}
    seen: list[SeenCalls] = []
    for views, each in seen_calls(callers(graph, index), build_view_rules(rules)):
        before[each.caller.id.namespace] = views
        seen.append(each)
    names = NamespacesOf.of(mesh, rules.registry)
    needs = NeedsByNamespace(places.visible, References.of(seen_mesh, names))
    needs.add(standing_needs(mesh, index, graph, settings, names))
    needs.add(
        (namespace, need)
        for need in unknown_providers(index, rules)
        for namespace in places.visible
    )
    for each in seen:
        needs.add(needed_by_calls(each, names))
    if not any(each.needs for each in seen):
        nothing = NamespaceNeed("no evidence", "no call was logged that could be compared")
        needs.add((namespace, nothing) for namespace in places.visible)
    _add_what_decides(Comparison(seen_mesh, seen, before, hosts), needs, places)
    return needs, seen


def _first(seen: Iterable[SeenCalls]) -> Iterator[SeenCalls]:
    """Yield the calls of each caller in the first of its views."""
    met = set()
    for each in seen:
        if each.caller.id not in met:
            met.add(each.caller.id)
            yield each


def _add_what_decides(comparison: Comparison, needs: NeedsByNamespace, places: _Places) -> None:
    """Let namespaces stay until no call changes without the rest."""
    while idle := places.visible - needs.found():
        changed = list(comparison.changed(idle))
        for each in changed:
            by, call = each.seen.caller.id, each.need.call
            target = call.authority or call.server_name or call.address or call.destination_host
            detail = f"the call to {target or 'a host'} by {by} would go elsewhere"
            for namespace in comparison.needed(each, places.visible - needs.found()):
                needs.add([(namespace, NamespaceNeed("decides", detail, call.evidence))])
        if not changed:
            return


def _describing(
    mesh: Mesh, needs: NeedsByNamespace
) -> Callable[[Iterable[str]], tuple[FoundNamespace, ...]]:
    """Return what describes namespaces by name."""
    contents, labels = contents_by_namespace(mesh), _labels(mesh)

    def described(names: Iterable[str]) -> tuple[FoundNamespace, ...]:
        return tuple(
            FoundNamespace(n, labels.get(n, {}), contents.get(n, Contents()), needs.of(n))
            for n in sorted(names)
        )

    return described


def _labels(mesh: Mesh) -> dict[str, Labels]:
    """Map namespaces to their labels in the first Kubernetes cluster that has them."""
    found: dict[str, Labels] = {}
    for namespace in mesh.namespaces:
        found.setdefault(namespace.meta.name, namespace.meta.labels)
    return found
