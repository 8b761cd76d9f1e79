"""Needs -> hosts: entries that provably leave every call as it is.

Each call is first proved by itself, so that what it needs does not depend on the other calls:
more log never removes a host. Then all are proved together, since an import may also move a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from recommender.istio.call import VIRTUAL_OUTBOUND, looks_for_http, resolve_call
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.registry import Registry, ServiceKey
from recommender.istio.resolution import Resolution
from recommender.recommendation.host_needs import HostNeed, host_entry, listener_at, service_host
from recommender.recommendation.model import HostReason, Note, ReasonKind
from recommender.recommendation.needs import CallNeeds
from recommender.recommendation.views import View, Views


@dataclass(frozen=True, slots=True)
class Proof:
    """Hold the hosts that leave all calls as they are, or the calls that none could."""

    hosts: tuple[HostNeed, ...]
    unproved: tuple[CallNeeds, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """Hold a call that some hosts do not leave as it is."""

    registry: Registry
    view: View
    need: CallNeeds


_Widening = Callable[[_Case], Iterator[HostNeed]]


@dataclass(slots=True)
class Prover:
    """Prove calls in a mesh; what was proved of a call is remembered for other workloads."""

    views: Views
    registry: Registry
    _alone: dict[tuple[object, ...], tuple[HostNeed, ...]] = field(default_factory=dict)

    def prove(self, view: View, needs: Iterable[CallNeeds], guards: Iterable[HostNeed]) -> Proof:
        """Choose hosts for some calls in a view, beside those that guards keep."""
        calls = list(needs)
        hosts = list(guards)
        notes: list[Note] = []
        for need in calls:
            alone = self._alone_needs(view, need)
            hosts += (*alone, *need.perhaps)
            notes += (_widened(host) for host in alone if host.host not in _named(need))
        changed = self.changed(view, calls, hosts)
        for widening in (_beside, _namespaces):
            more = tuple(h for n in changed for h in widening(_Case(self.registry, view, n)))
            notes += map(_widened, more)
            hosts += more
            changed = self.changed(view, calls, hosts) if changed else []
        return Proof(tuple(dict.fromkeys(hosts)), tuple(changed), tuple(dict.fromkeys(notes)))

    def changed(
        self, view: View, needs: Iterable[CallNeeds], hosts: Iterable[HostNeed]
    ) -> list[CallNeeds]:
        """List the calls that would go elsewhere with some hosts."""
        config = self.views.with_hosts(view, {need.host for need in hosts})
        return [need for need in needs if not _stays(config, need)]

    def is_spare(
        self, view: View, needs: Iterable[CallNeeds], hosts: Iterable[HostNeed], host: str
    ) -> bool:
        """Tell whether all calls would go where they go without one of some hosts."""
        config = self.views.with_hosts(view, {need.host for need in hosts} - {host})
        # A call that asks for the host most often fails first.
        likely = sorted(needs, key=lambda need: host not in _named(need))
        return all(_stays(config, need) for need in likely)

    def _alone_needs(self, view: View, need: CallNeeds) -> tuple[HostNeed, ...]:
        """Find what a call needs if it were the only one: most often what it met."""
        if self._is_plain(need):
            return need.hosts
        key = (id(view.baseline), need.outbound, frozenset(h.host for h in need.hosts))
        if key not in self._alone:
            self._alone[key] = self._search(view, need)
        evidence = need.call.evidence
        return tuple(
            HostNeed(h.host, replace(h.reason, evidence=evidence)) for h in self._alone[key]
        )

    def _is_plain(self, need: CallNeeds) -> bool:
        """Tell whether a call's own service is all it can depend on.

        A service brings its own listener, routes and clusters; what else is there can only take
        a call away from it, which the proof of all calls together finds.
        """
        met = need.baseline
        if met.service is None:
            return met.virtual_service is None
        one = len(self.registry.objects.get(met.service, ())) == 1
        return one and met.virtual_service is None and met.alias is None

    def _search(self, view: View, need: CallNeeds) -> tuple[HostNeed, ...]:
        """Widen until the call stays, then take away what turned out not to be needed.

        The service that took the call is never taken away.
        """
        found = list(need.hosts)
        for widening in _WIDENINGS:
            if not self.changed(view, [need], found):
                break
            found += widening(_Case(self.registry, view, need))
        if self.changed(view, [need], found):
            return need.hosts
        for candidate in reversed([h for h in found if h.reason.kind != "called"]):
            others = [host for host in found if host is not candidate]
            is_same_entry = candidate.host in {host.host for host in others}
            if not is_same_entry and not self.changed(view, [need], others):
                found = others
        return tuple(found)


def _stays(config: ProxyConfig, need: CallNeeds) -> bool:
    """Tell whether a call goes where it went, and is not left to chance.

    What no listener looked into may be anything, HTTP too: no listener may come to look.
    """
    found = resolve_call(config, need.outbound)
    if need.baseline.listener == VIRTUAL_OUTBOUND != found.listener:
        return False
    if need.is_opaque and looks_for_http(config, need.outbound):
        return False
    chance = found.by_chance or _services(found) & config.scope.by_chance
    return found.same_outcome(need.baseline) and not chance


def _destinations(case: _Case) -> Iterator[HostNeed]:
    """Yield the services a VirtualService leads to: it may bring another one of the name."""
    for name, service in sorted(case.need.baseline.clusters, key=str):
        if service is not None:
            yield _host(service_host(service), "destination", f"a route leads to {name}")
    for alias in _named_by_routes(case):
        detail = f"a route leads to ExternalName {alias}"
        yield _host(service_host(alias), "destination", detail)


def _named_by_routes(case: _Case) -> list[ServiceKey]:
    """List the ExternalNames that routes lead to; where one is imported, its service takes calls.

    Source: istio networking/core/route/route.go (`GetDestinationCluster`).
    """
    vs, config = case.need.baseline.virtual_service, case.view.baseline
    routes = vs.routes if vs else ()
    hosts = {each.host for route in routes for each in (*route.destinations, *route.mirrors)}
    found = (config.imported(host) for host in sorted(hosts))
    return [service.key for service in found if service and service.alias_for is not None]


def _every_address(case: _Case) -> Iterator[HostNeed]:
    """Yield `*/host` for a host with several objects, of which an exact entry brings only one."""
    for service in sorted(_services(case.need.baseline)):
        if len(case.registry.objects.get(service, ())) > 1:
            detail = f"{service} has several addresses or objects, an exact entry brings one"
            yield _host(host_entry("*", service.hostname), "every address", detail)


def _port_listener(case: _Case) -> Iterator[HostNeed]:
    """Yield an HTTP service at the call's port: without any there is no listener to route at."""
    if case.need.baseline.http:
        yield from listener_at(case.view.baseline, case.need.outbound.port)


def _beside(case: _Case) -> Iterator[HostNeed]:
    """Yield the services that share the call's listener, or a name with it, today."""
    outbound, baseline = case.need.outbound, case.view.baseline
    listener = baseline.listener(outbound.address or "", outbound.port)
    listener = listener or baseline.listener(case.view.proxy.wildcard, outbound.port)
    keys = {chain.service for chain in listener.chains} if listener else set()
    host = baseline.virtual_hosts(outbound.port, outbound.authority or "").find(
        outbound.authority or ""
    )
    keys |= {host.service} if host is not None and host.service is not None else set()
    for key in sorted(keys):
        yield _host(service_host(key), "beside", f"shares port {outbound.port} with a call")


def _namespaces(case: _Case) -> Iterator[HostNeed]:
    """Yield whole namespaces: of what the call met and of what its routes lead to."""
    baseline = case.need.baseline
    found = {service.namespace for service in _services(baseline)}
    if baseline.virtual_service is not None:
        found.add(baseline.virtual_service.meta.namespace)
    for namespace in sorted(found):
        yield _host(f"{namespace}/*", "widened", "no exact host leaves a call as it is")


_WIDENINGS: tuple[_Widening, ...] = (
    _destinations,
    _every_address,
    _port_listener,
    _beside,
    _namespaces,
)


def _services(resolution: Resolution) -> set[ServiceKey]:
    found = {service for _, service in resolution.clusters if service is not None}
    return found | ({resolution.service} if resolution.service else set())


def _named(need: CallNeeds) -> set[str]:
    return {host.host for host in need.hosts}


def _host(host: str, kind: ReasonKind, detail: str) -> HostNeed:
    return HostNeed(host, HostReason(kind, detail))


def _widened(need: HostNeed) -> Note:
    return Note("widened", f"{need.host}: {need.reason.detail}")
