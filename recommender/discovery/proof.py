"""Whether calls stay as they are without some namespaces, and which of these a call needs.

Every call is resolved with all that istiod sees today and without the objects of the namespaces:
under the Sidecar in force, without those of this tool, and under the one that is recommended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from recommender.discovery.calls import SeenCalls, view_of
from recommender.istio.call import VIRTUAL_OUTBOUND, looks_for_http, resolve_call
from recommender.istio.discovery import without_namespaces
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.registry import ServiceKey
from recommender.istio.resolution import Fate, OutboundCall, Resolution
from recommender.istio.sidecar_scope import build_scope_rules
from recommender.mesh import Mesh, WorkloadId
from recommender.recommendation.needs import CallNeeds
from recommender.recommendation.views import View, ViewRules, Views, build_view_rules

_UNTOLD = (Fate.NOT_MODELLED, Fate.REFUSED_LISTENER)
_Configs = list[tuple[ProxyConfig, ProxyConfig]]


@dataclass(frozen=True, slots=True)
class ChangedCall:
    """Name a call that goes elsewhere, or is left to chance, without some namespaces."""

    seen: SeenCalls
    need: CallNeeds


@dataclass(slots=True)
class Comparison:
    """Compare the calls of a mesh; `before` makes the views in which they were seen.

    `hosts` are those of the Sidecar that is recommended for a workload.
    """

    mesh: Mesh
    seen: Sequence[SeenCalls]
    before: Mapping[str, Views]
    hosts: Mapping[WorkloadId, tuple[str, ...]]
    _latest: tuple[frozenset[str], ViewRules] | None = field(default=None)

    def changed(self, hidden: frozenset[str]) -> Iterator[ChangedCall]:
        """Yield the calls that some hidden namespaces would change."""
        after = self._rules(hidden)
        for namespace, group in groupby(self.seen, key=lambda seen: seen.caller.id.namespace):
            views = Views(after, namespace)
            for seen in group:
                for need in self._changed(seen, seen.needs, views):
                    yield ChangedCall(seen, need)

    def needed(self, call: ChangedCall, hidden: Collection[str]) -> set[str]:
        """Find the namespaces that a call needs, of some that are hidden.

        Where one of several would do, it is the first by name. With all of them there the call
        stays, since it is what it is today.
        """
        found: set[str] = set()
        ordered = sorted(hidden)
        while ordered and not self._stays(call, frozenset(ordered) - found):
            low, high = 0, len(ordered)  # without none the call changes, without all it stays
            while high - low > 1:
                middle = (low + high) // 2
                if self._stays(call, frozenset(ordered[middle:]) - found):
                    high = middle
                else:
                    low = middle
            found.add(ordered[low])
            ordered = ordered[:low] + ordered[low + 1 :]
        return found

    def _stays(self, call: ChangedCall, hidden: frozenset[str]) -> bool:
        views = Views(self._rules(hidden), call.seen.caller.id.namespace)
        return not list(self._changed(call.seen, [call.need], views))

    def _rules(self, hidden: frozenset[str]) -> ViewRules:
        """Return the rules of the mesh without some namespaces, made anew if they are others."""
        if self._latest is None or self._latest[0] != hidden:
            clusters = self.mesh.kubernetes_clusters
            placed = frozenset((cluster, name) for cluster in clusters for name in hidden)
            rules = build_scope_rules(without_namespaces(self.mesh, placed))
            self._latest = (hidden, build_view_rules(rules))
        return self._latest[1]

    def _changed(
        self, seen: SeenCalls, needs: Sequence[CallNeeds], after: Views
    ) -> Iterator[CallNeeds]:
        view = view_of(after, seen.caller, seen.proxy)
        if seen.caller.is_gateway:
            yield from (n for n in needs if _is_other_cluster(n, seen.view, view))
            return
        configs: _Configs = [(seen.view.today, view.today)]
        if seen.view.baseline is not seen.view.today:
            configs.append((seen.view.baseline, view.baseline))
        hosts = self.hosts.get(seen.caller.id)
        if hosts is not None:
            views = self.before[seen.caller.id.namespace]
            configs.append((views.with_hosts(seen.view, hosts), after.with_hosts(view, hosts)))
        for need in needs:
            if not all(is_unchanged(need.outbound, *each) for each in configs):
                yield need


def _is_other_cluster(need: CallNeeds, before: View, after: View) -> bool:
    """Tell whether a gateway's Envoy cluster would be of another service, or gone."""
    host = need.call.destination_host or ""
    was, is_now = (view.unscoped.scope.services.get(host) for view in (before, after))
    if was is None or is_now is None:
        return was is not is_now
    return was.key != is_now.key or _rules_of(before.unscoped, {was.key}) != _rules_of(
        after.unscoped, {is_now.key}
    )


def is_unchanged(outbound: OutboundCall, before: ProxyConfig, after: ProxyConfig) -> bool:
    """Tell whether a call goes where it went, by the same rules, and not by chance.

    What no listener looked into may be anything, HTTP too: none may come to look.
    """
    was, is_now = resolve_call(before, outbound), resolve_call(after, outbound)
    if was.fate in _UNTOLD:
        return is_now.fate is was.fate and is_now.listener == was.listener
    if not was.same_outcome(is_now) or was.by_chance != is_now.by_chance:
        return False
    if was.listener == VIRTUAL_OUTBOUND != is_now.listener:
        return False
    if looks_for_http(after, outbound) and not looks_for_http(before, outbound):
        return False
    services = _services(was)
    if services & before.scope.by_chance != services & after.scope.by_chance:
        return False
    return _rules_of(before, services) == _rules_of(after, services)


def _services(found: Resolution) -> set[ServiceKey]:
    services = {service for _, service in found.clusters if service is not None}
    return services | ({found.service} if found.service else set())


def _rules_of(config: ProxyConfig, services: set[ServiceKey]) -> set[tuple[object, ...]]:
    """List the DestinationRules that a proxy uses for some services."""
    found: set[tuple[object, ...]] = set()
    for key in services:
        service = config.scope.services.get(key.hostname)
        if service is not None and service.key == key:
            rule = config.rules.destination_rules.chosen(config.proxy, service)
            found.add((key, rule.sources if rule else ()))
    return found
