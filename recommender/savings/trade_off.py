"""One Sidecar for a namespace or one for each of its workloads: the price of either, and a choice.

A Sidecar more is a scope more that istiod works out in every push; a wider scope is more bytes that
it generates, and more changes that reach a proxy. Both are CPU time of istiod, which decides:

    seconds = objects x SECONDS_PER_SIDECAR
            + services in the scopes of these objects x SECONDS_PER_SERVICE
            + bytes sent to all proxies x SECONDS_PER_BYTE
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from recommender.istio.config_size import ConfigSizer
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.pushes import push_dependencies
from recommender.istio.sidecar_scope import build_scope_rules
from recommender.mesh import Labels, Mesh, MeshIndex, index_mesh
from recommender.recommendation.model import NamespaceOption, Recommendation, Recommendations
from recommender.recommendation.views import View, Views, build_view_rules
from recommender.savings.fan_out import COUNTED_KINDS
from recommender.savings.proxies import placed_proxies

SECONDS_PER_SIDECAR: Final = 5e-6
SECONDS_PER_SERVICE: Final = 2.3e-6
SECONDS_PER_BYTE: Final = 20e-9
"""CPU time of istiod 1.31 as `python -m tests.istio.scope_cost` measures it: from run to run 5 to 8
microseconds for a Sidecar, 2.1 to 2.3 for a service, and 15 to 20 nanoseconds for a byte."""
Granularity = Literal["workload", "namespace"]
_LOST: Final = "one of its workloads is left out after all"


@dataclass(frozen=True, slots=True)
class Price:
    """Say what the Sidecars of a namespace cost.

    `services` are those in the scope of each of the `objects`, `bytes` what all proxies are sent,
    `pushes` how many of them are told if each thing in the mesh changes once.
    """

    objects: int
    services: int
    bytes: int
    pushes: int

    @property
    def seconds(self) -> float:
        """Return the CPU time that a push of everything takes istiod."""
        return (
            self.objects * SECONDS_PER_SIDECAR
            + self.services * SECONDS_PER_SERVICE
            + self.bytes * SECONDS_PER_BYTE
        )

    def plus(self, other: Price) -> Price:
        """Return what both cost together."""
        return Price(
            self.objects + other.objects,
            self.services + other.services,
            self.bytes + other.bytes,
            self.pushes + other.pushes,
        )


NO_PRICE = Price(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class TradeOff:
    """Compare both choices for a namespace; `wide` is None where an `obstacle` leaves none."""

    namespace: str
    workloads: int
    proxies: int
    each: Price
    wide: Price | None
    obstacle: str = ""

    @property
    def cheaper(self) -> Granularity:
        """Return the choice that costs istiod less; a Sidecar per workload where both are equal."""
        wide = self.wide
        return "namespace" if wide is not None and wide.seconds < self.each.seconds else "workload"

    def price(self, choice: Granularity) -> Price:
        """Return the price of a choice, or of the only one that there is."""
        return self.wide if choice == "namespace" and self.wide is not None else self.each


def trade_offs(mesh: Mesh, recommendations: Recommendations) -> tuple[TradeOff, ...]:
    """Compare both choices for every namespace that has recommendations, by its name."""
    index, rules = index_mesh(mesh), build_view_rules(build_scope_rules(mesh))
    sizer = ConfigSizer()
    recommended = {each.workload: each for each in recommendations.recommended}
    found = []
    for option in recommendations.options:
        members = [recommended[id_] for id_ in option.decided if id_ in recommended]
        if len(members) < len(option.decided):
            option = replace(option, sidecar=None, obstacle=_LOST)
        if members:
            pricing = _Pricing(index, Views(rules, option.namespace), sizer)
            found.append(_compared(pricing, option, members))
    return tuple(found)


def chosen_namespaces(found: Iterable[TradeOff], granularity: str) -> frozenset[str]:
    """Name the namespaces that get one Sidecar for all: `workload`, `namespace` or `auto`."""
    if granularity == "workload":
        return frozenset()
    return frozenset(
        each.namespace
        for each in found
        if each.wide is not None and (granularity == "namespace" or each.cheaper == "namespace")
    )


def total(found: Iterable[TradeOff], namespaces: Container[str]) -> Price:
    """Sum up what it costs to let one Sidecar stand for many in some namespaces."""
    price = NO_PRICE
    for each in found:
        price = price.plus(each.price("namespace" if each.namespace in namespaces else "workload"))
    return price


@dataclass(slots=True)
class _Pricing:
    """Price the Sidecars of one namespace; what was measured once counts for others."""

    index: MeshIndex
    views: Views
    sizer: ConfigSizer
    _known: dict[int, tuple[ProxyConfig, int, int]] = field(default_factory=dict)

    def proxies(self, recommendation: Recommendation) -> int:
        """Count the proxies of a workload, as its price does."""
        return sum(number for _, _, number in self._placed(recommendation))

    def of(self, recommendation: Recommendation, hosts: Iterable[str], objects: int) -> Price:
        """Price the proxies of a workload with some hosts, and so many objects for them."""
        hosts, price = list(hosts), Price(objects, 0, 0, 0)
        services = 0
        for view, _, number in self._placed(recommendation):
            config = self.views.with_hosts(view, hosts)
            sent, depends = self._measured(config)
            price = price.plus(Price(0, 0, sent * number, depends * number))
            services = max(services, config.service_count)
        return price.plus(Price(0, services * objects, 0, 0))

    def _placed(self, recommendation: Recommendation) -> Iterator[tuple[View, Labels, int]]:
        logged = recommendation.pods
        return placed_proxies(self.index, self.views, recommendation.workload, logged)

    def _measured(self, config: ProxyConfig) -> tuple[int, int]:
        if id(config) not in self._known:
            depends = push_dependencies(config.rules, config.scope, None)
            counted = sum(key.kind in COUNTED_KINDS for key in depends)
            self._known[id(config)] = (config, self.sizer.size(config).bytes, counted)
        return self._known[id(config)][1:]


def _compared(
    pricing: _Pricing, option: NamespaceOption, members: list[Recommendation]
) -> TradeOff:
    own = {
        each.workload: pricing.of(each, (entry.host for entry in each.hosts), 1) for each in members
    }
    each_price = NO_PRICE
    for price in own.values():
        each_price = each_price.plus(price)
    wide: Price | None = None
    if option.sidecar is not None:
        hosts = [entry.host for entry in option.sidecar.hosts]
        sharing = set(option.sidecar.workloads)
        wide, first = NO_PRICE, 1
        for member in members:
            if member.workload in sharing:
                wide, first = wide.plus(pricing.of(member, hosts, first)), 0
            else:
                wide = wide.plus(own[member.workload])
    proxies = sum(map(pricing.proxies, members))
    return TradeOff(option.namespace, len(members), proxies, each_price, wide, option.obstacle)
