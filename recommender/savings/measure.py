"""Estimate what the proxies of a mesh are sent, before and after, and whom changes reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import attrgetter

from recommender.config_dump import ConfigDump
from recommender.istio.config_size import ConfigSize, ConfigSizer, sum_of
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.registry import ServiceKey
from recommender.istio.sidecar_scope import ScopeRules, build_scope_rules
from recommender.mesh import Labels, Mesh, MeshIndex, WorkloadId, index_mesh
from recommender.mesh.label_index import SelectorIndex, selectors_by
from recommender.recommendation.guards import endpoint_selectors
from recommender.recommendation.model import Recommendation, Recommendations
from recommender.recommendation.views import (
    Views,
    build_view_rules,
)
from recommender.savings.calibrate import calibrate
from recommender.savings.fan_out import FanOut, changes_of
from recommender.savings.model import (
    Calibration,
    ChangeReach,
    EndpointSource,
    NotEstimated,
    Savings,
    WorkloadSavings,
)
from recommender.savings.proxies import placed_proxies

_NOT_ESTIMATED = frozenset(
    ("gateway", "waypoint", "ztunnel", "calls not captured", "not discovered")
)


def measure_savings(
    mesh: Mesh, recommendations: Recommendations, dump: ConfigDump | None = None
) -> Savings:
    """Estimate for every workload with proxies what the recommended Sidecars save.

    A workload that is left out keeps what it is sent today. The dump of a real proxy corrects the
    estimates.

    Raises:
        InputError: The dump is of no proxy of the mesh that is estimated.
    """
    rules, index = build_scope_rules(mesh), index_mesh(mesh)
    recommended = {each.workload: each for each in recommendations.recommended}
    left_out = {each.workload: each.reason for each in recommendations.left_out}
    known = [*recommended, *(id_ for id_, why in left_out.items() if why not in _NOT_ESTIMATED)]
    view_rules, own = build_view_rules(rules), _own_services(rules, mesh)
    calibration = calibrate(dump, index, view_rules, known) if dump else None
    size_of = partial(_size, ConfigSizer(), calibration)
    before, after = FanOut(), FanOut()
    found: list[WorkloadSavings] = []
    for namespace, ids in groupby(sorted(known), key=attrgetter("namespace")):
        views = Views(view_rules, namespace)
        measuring = _Measuring(index, views, size_of, own.get(namespace), before, after)
        for id_ in ids:
            made = measuring.of(id_, recommended.get(id_), left_out.get(id_, ""))
            found += [made] if made.proxies else []
        before.settle()
        after.settle()
    return Savings(
        tuple(sorted(found, key=lambda each: (-each.saved_bytes, each.workload))),
        tuple(_not_estimated(index, left_out)),
        _reach(rules, before, after),
        _endpoint_source(mesh),
        calibration,
    )


def _size(sizer: ConfigSizer, calibration: Calibration | None, config: ProxyConfig) -> ConfigSize:
    found = sizer.size(config)
    return calibration.scaled(found) if calibration else found


@dataclass(slots=True)
class _Measuring:
    """Measure the workloads of one namespace; what was measured once counts for others."""

    index: MeshIndex
    views: Views
    size_of: Callable[[ProxyConfig], ConfigSize]
    own: SelectorIndex[str] | None
    before: FanOut
    after: FanOut
    _sizes: dict[int, tuple[ProxyConfig, ConfigSize]] = field(default_factory=dict)

    def of(
        self, id_: WorkloadId, recommended: Recommendation | None, left_out: str
    ) -> WorkloadSavings:
        """Measure a workload."""
        befores, afters, unscoped, proxies = [], [], [], 0
        hosts = [entry.host for entry in recommended.hosts] if recommended else None
        logged = recommended.pods if recommended else 0
        for view, labels, number in placed_proxies(self.index, self.views, id_, logged):
            scoped = view.today if hosts is None else self.views.with_hosts(view, hosts)
            own = self._own(labels)
            self.before.add(view.today, own, number)
            self.after.add(scoped, own, number)
            befores.append(self._size(view.today).times(number))
            afters.append(self._size(scoped).times(number))
            unscoped.append(self._size(view.unscoped).times(number))
            proxies += number
        return WorkloadSavings(
            id_, proxies, sum_of(befores), sum_of(afters), sum_of(unscoped), left_out
        )

    def _own(self, labels: Labels) -> list[ServiceKey]:
        hosts = self.own.selecting(labels) if self.own else []
        return [ServiceKey(self.views.namespace, host) for host in dict.fromkeys(hosts)]

    def _size(self, config: ProxyConfig) -> ConfigSize:
        """Estimate a configuration once; it is kept as long as its size is, since `id` names it."""
        if id(config) not in self._sizes:
            self._sizes[id(config)] = (config, self.size_of(config))
        return self._sizes[id(config)][1]


def _own_services(rules: ScopeRules, mesh: Mesh) -> Mapping[str, SelectorIndex[str]]:
    """Index by namespace the host names whose endpoints are chosen by label."""
    return selectors_by(endpoint_selectors(rules, mesh))


def _reach(rules: ScopeRules, before: FanOut, after: FanOut) -> tuple[ChangeReach, ...]:
    found = (
        ChangeReach(change, before.reached[change], after.reached[change])
        for change in changes_of(rules)
    )
    return tuple(sorted(found, key=lambda each: (-each.after, -each.before, each.change)))


def _not_estimated(index: MeshIndex, left_out: Mapping[WorkloadId, str]) -> Iterator[NotEstimated]:
    """Count by reason the workloads whose proxies are sent something that is not modelled."""
    workloads: Counter[str] = Counter()
    proxies: Counter[str] = Counter()
    for id_, reason in left_out.items():
        if reason in _NOT_ESTIMATED:
            pods = index.pods_by_workload.get(id_, ())
            workloads[reason] += 1
            proxies[reason] += sum(p.proxy is not None and not p.has_ended for p in pods)
    for reason in sorted(workloads):
        yield NotEstimated(reason, workloads[reason], proxies[reason])


def _endpoint_source(mesh: Mesh) -> EndpointSource:
    """Tell where the endpoints of Services are from: without EndpointSlices pods stand in."""
    if mesh.endpoint_slices:
        return "EndpointSlices"
    return "pods" if any(pod.ips and not pod.has_ended for pod in mesh.pods) else "none"
