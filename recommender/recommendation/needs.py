"""Calls -> needs: the hosts without which a call would go elsewhere.

A log names the destination *after* routing. So each call is resolved again in the scope that
must stay, and needed is what it met there: the service whose listener or virtual host took it,
and the VirtualService that decides for it, which brings along every destination it can choose.
Where that does not explain the destination in the log, everything that could is needed too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from recommender.istio.call import (
    Fate,
    OutboundCall,
    ProxyConfig,
    Resolution,
    looks_for_http,
    resolve_call,
)
from recommender.istio.protocols import Protocol
from recommender.istio.proxy import DYNAMIC_DNS, Proxy
from recommender.istio.registry import Registry, ServiceKey
from recommender.istio.routes import cluster_name
from recommender.istio.sidecar_scope import ScopeRules
from recommender.istio.validation import egress_host_problem
from recommender.istio.virtual_service_index import without_port
from recommender.mesh import VirtualService
from recommender.recommendation.kubernetes_clusters import address_and_authority, valid_address
from recommender.recommendation.model import HostReason, Note, ReasonKind
from recommender.recommendation.uninspected import perhaps_http
from recommender.recommendation.views import View, is_own
from recommender.service_graph import Call

HTTPS_PORT, HTTP_PORT = 443, 80
_KUBERNETES_NAME = re.compile(r"[^.]+\.([^.]+)\.svc\..+")


@dataclass(frozen=True, slots=True)
class HostNeed:
    """Name an `egress.hosts` entry and why it is needed."""

    host: str
    reason: HostReason


@dataclass(frozen=True, slots=True)
class CallNeeds:
    """Hold what one call needs: `baseline` is where it goes, and must go on going.

    `hosts` are what the call met there; `perhaps` what may explain a log that says otherwise.
    `is_opaque` tells that no listener looked into it: it may be HTTP, though the log says TCP.
    """

    call: Call
    outbound: OutboundCall
    baseline: Resolution
    hosts: tuple[HostNeed, ...] = ()
    perhaps: tuple[HostNeed, ...] = ()
    notes: tuple[Note, ...] = ()
    is_opaque: bool = False

    @property
    def is_proved(self) -> bool:
        """Tell whether the mesh dump has what the call is about, and explains where it went."""
        return all(note.name not in ("disagreement", "gone") for note in self.notes)


def needs_of(call: Call, view: View, rules: ScopeRules) -> CallNeeds:
    """Work out what a call needs in a view."""
    outbound = outbound_call(call, rules.registry, view.proxy)
    if is_own(view.sidecar):
        outbound = perhaps_http(call, outbound, view, view.baseline)
    config, notes = _what_must_stay(call, outbound, view)
    # A real listener that takes the call comes before the guess that its pod is gone.
    plain = replace(outbound, headless_host=None)
    baseline = resolve_call(config, plain)
    if call.destination_host is not None and _explains(baseline, call):
        outbound = plain
    baseline = resolve_call(config, outbound)
    perhaps: list[HostNeed] = []
    if call.destination_host is not None:
        if not _explains(baseline, call):
            more, note = _unexplained(call, outbound.port, baseline, config)
            perhaps += more
            notes.append(note)
            if call.destination_host != view.egress_proxy:
                perhaps += _taken_by_a_listener(call, outbound, baseline, config)
        perhaps += _rewriting(call, outbound.port, config)
    elif baseline.fate in (Fate.ROUTED, Fate.ANSWERED):
        notes += _unrouted_in_log(call, outbound, baseline, view)
    elif _is_elsewhere(call, config):
        perhaps += _taken_by_a_listener(call, outbound, baseline, config)
        notes.append(_elsewhere(call, baseline))
    else:
        notes.append(_unrouted(call, outbound, baseline, view))
    perhaps += _looked_up(call, outbound, baseline, config)
    if baseline.by_chance or baseline.service in config.scope.by_chance:
        detail = f"istiod takes one of several objects for {baseline.host}, not always the same"
        notes.append(Note("left to chance", detail))
    opaque = not (outbound.http or outbound.server_name or looks_for_http(config, outbound))
    met = _distinct(_met(baseline, call))
    return CallNeeds(call, outbound, baseline, met, _distinct(perhaps), tuple(notes), opaque)


def _what_must_stay(
    call: Call, outbound: OutboundCall, view: View
) -> tuple[ProxyConfig, list[Note]]:
    """Choose the scope in which a call goes where it must go on going.

    That of this tool's own Sidecar counts where it explains the log; else what it misses would
    never be learnt. A route that it hides is named.
    """
    if not view.is_transparent or call.destination_host is None:
        return view.baseline, []
    today = resolve_call(view.today, outbound)
    if not _explains(today, call):
        return view.baseline, []
    without = resolve_call(view.baseline, outbound)
    if without.same_outcome(today):
        return view.today, []
    detail = (
        f"without today's Sidecar a call to {today.host} {_goes(without)}; "
        "it stays where it is, remove the Sidecar to change that"
    )
    return view.today, [Note("hidden route", detail)]


def outbound_call(call: Call, registry: Registry, proxy: Proxy) -> OutboundCall:
    """Put what a log says of a call as the application behind a proxy makes it.

    Where the log has no address, the virtual IP of the destination stands for it.
    """
    http = call.protocol == "http"
    port = call.address_port or call.destination_port or (HTTP_PORT if http else HTTPS_PORT)
    address, authority = address_and_authority(call, proxy, registry)
    if address is None and call.destination_host is not None:
        known = registry.by_hostname.get(call.destination_host, {})
        virtual = (valid_address(a) for s in known.values() for a in proxy.reachable(s)[:1])
        address = next(filter(None, virtual), None)
    return OutboundCall(address, port, http, authority, call.server_name, call.destination_host)


def service_host(key: ServiceKey) -> str:
    """Write the entry that imports a service."""
    return host_entry(key.namespace, key.hostname)


def alias_host(service: ServiceKey, alias: ServiceKey) -> str:
    """Write the entry by which a service keeps an ExternalName that stands for it.

    It is one of the service's own namespace. Source: istio model/sidecar.go `matchingAliasService`.
    """
    return host_entry(service.namespace, alias.hostname)


def host_entry(namespace: str, host: str) -> str:
    """Write an `egress.hosts` entry for a host; all of the namespace if istiod refuses it."""
    entry = f"{namespace}/{host}"
    return f"{namespace}/*" if egress_host_problem(entry) else entry


def _met(resolution: Resolution, call: Call) -> Iterator[HostNeed]:
    """Yield the hosts of what a call met on its way."""
    if resolution.service is not None:
        yield _need(service_host(resolution.service), "called", _called_as(call), call)
    if resolution.alias is not None and resolution.service is not None:
        detail = f"ExternalName {resolution.alias} stands for {resolution.service.hostname}"
        yield _need(alias_host(resolution.service, resolution.alias), "alias", detail, call)
    vs = resolution.virtual_service
    if vs is not None and resolution.host is not None:
        detail = f"{_name(vs)} decides for {resolution.host}: {_destinations(vs)}"
        entry = host_entry(vs.meta.namespace, resolution.host)
        yield _need(entry, "virtual service", detail, call)


def _explains(resolution: Resolution, call: Call) -> bool:
    """Tell whether the Envoy cluster that a log names is one a call can reach."""
    named = cluster_name(
        call.destination_host or "", call.destination_port or 0, call.destination_subset or ""
    )
    return any(name == named for name, _ in resolution.clusters)


def _unexplained(
    call: Call, port: int, baseline: Resolution, config: ProxyConfig
) -> tuple[list[HostNeed], Note]:
    """Keep everything that may have led to a destination that the mesh does not explain."""
    destination = call.destination_host or ""
    service = config.scope.services.get(destination)
    target = baseline.host or call.authority or call.server_name or call.address or "a host"
    if service is None:
        return _absent(call, config)
    detail = "named by the log as the destination"
    hosts = [_need(service_host(service.key), "possible", detail, call)]
    hosts += _through_virtual_services(call, port, config, destination)
    note = Note(
        "disagreement",
        f"a call to {target} went to {destination}, the mesh dump says it "
        f"{_goes(baseline)}: configuration changed since, or the model is wrong; "
        "both stay in scope",
    )
    return hosts, note


def _taken_by_a_listener(
    call: Call, outbound: OutboundCall, baseline: Resolution, config: ProxyConfig
) -> Iterator[HostNeed]:
    """Keep the listener of an HTTP call whose route nothing in the mesh explains.

    What an EnvoyFilter adds to the routes of a port is nowhere without that listener.
    """
    service = config.scope.services.get(call.destination_host or "")
    port = service.port(outbound.port) if service is not None else None
    has_own = port is not None and port.protocol is Protocol.HTTP
    is_routed = baseline.fate in (Fate.ROUTED, Fate.ANSWERED)  # then the proof keeps a listener
    if outbound.http and not is_routed and not has_own:
        yield from listener_at(config, outbound.port)


def _looked_up(
    call: Call, outbound: OutboundCall, baseline: Resolution, config: ProxyConfig
) -> Iterator[HostNeed]:
    """Keep the ServiceEntry that gave a called name its address, where another host takes the call.

    A proxy that captures DNS answers for what its listeners import (istio pkg/dns/server
    `BuildNameTable`). Names of Kubernetes Services have the same address elsewhere.
    """
    name = outbound.authority or outbound.server_name or ""
    service = config.imported(name) if outbound.address else None
    if service is None or service.kubernetes or service.key == baseline.service:
        return
    is_routed = baseline.fate in (Fate.ROUTED, Fate.ANSWERED)
    if is_routed and outbound.address in config.proxy.reachable(service):
        detail = f"{service.hostname} has the address {outbound.address} by it"
        yield _need(service_host(service.key), "looked up", detail, call)


def listener_at(config: ProxyConfig, port: int) -> Iterator[HostNeed]:
    """Yield an HTTP service at a port: without any there is no listener to route at."""
    serving = config.http_services_at(port)
    if serving:
        own = config.proxy.namespace
        service = min(serving, key=lambda s: (s.namespace != own, s.key))
        detail = f"without any HTTP service at port {port} a proxy has no listener to route at"
        yield HostNeed(service_host(service.key), HostReason("listener", detail))


def _is_elsewhere(call: Call, config: ProxyConfig) -> bool:
    """Tell whether a request went to an Envoy cluster that istiod does not make.

    What a proxy resolves by itself goes to one that is not told apart here.
    """
    is_request = call.protocol == "http" and config.outbound_traffic_policy != DYNAMIC_DNS
    return is_request and call.cluster not in (None, "PassthroughCluster", "BlackHoleCluster")


def _elsewhere(call: Call, baseline: Resolution) -> Note:
    target = call.authority or call.address or "a host"
    return Note(
        "disagreement",
        f"a call to {target} went to the Envoy cluster {call.cluster}, the mesh dump says it "
        f"{_goes(baseline)}: an EnvoyFilter may do that; the listener stays in scope",
    )


def _absent(call: Call, config: ProxyConfig) -> tuple[list[HostNeed], Note]:
    """Tell of a destination that is not in scope; one that the dump lacks is kept unproved.

    It may be gone, or the dump may not be whole: then its host is needed, else it does no harm.
    """
    destination = call.destination_host or ""
    if destination in config.rules.registry.by_hostname:
        detail = f"{destination} was called but is not in today's scope: no host for it"
        return [], Note("out of scope", detail)
    found = _KUBERNETES_NAME.fullmatch(destination)
    entry = host_entry(found[1] if found else "*", destination)
    detail = f"{destination} was called but the mesh dump lacks it: kept unproved, as {entry}"
    return [_need(entry, "called", "not in the mesh dump", call)], Note("gone", detail)


def _goes(resolution: Resolution) -> str:
    if resolution.fate is Fate.ROUTED and resolution.clusters:
        return f"goes to {', '.join(sorted({n.split('|', 3)[-1] for n, _ in resolution.clusters}))}"
    return resolution.fate.value


def _through_virtual_services(
    call: Call, port: int, config: ProxyConfig, destination: str
) -> Iterator[HostNeed]:
    """Yield every host whose VirtualService can send a call to the destination."""
    for vs in config.scope.leading_to(*_names_of(destination, config)):
        yield from _of_virtual_service(vs, call, port, config, f"can lead to {destination}")


def leading_to(destination: str, config: ProxyConfig) -> Iterator[tuple[str, str]]:
    """Yield entries of each VirtualService that can lead to a destination, with its name."""
    for vs in config.scope.leading_to(*_names_of(destination, config)):
        for entry in _taking_calls(vs, min(vs.hosts), config):
            yield entry, _name(vs)


def _rewriting(call: Call, port: int, config: ProxyConfig) -> Iterator[HostNeed]:
    """Yield hosts whose VirtualService may have put the logged authority in place of another.

    Envoy logs the authority after a rewrite, so such a call looks like one to the destination.
    """
    rewriting = config.scope.rewriting_to(call.authority or "")
    names = _names_of(call.destination_host or "", config) if rewriting else ()
    for vs in rewriting:
        if any(
            (call.authority or "") in map(without_port, route.authorities)
            and any(d.host in names for d in route.destinations)
            for route in vs.routes
        ):
            yield from _of_virtual_service(vs, call, port, config, f"rewrites to {call.authority}")


def _names_of(destination: str, config: ProxyConfig) -> tuple[str, ...]:
    """List what a route may call a destination: by its name, or by an ExternalName's."""
    service = config.scope.services.get(destination)
    aliases = service.aliases if service is not None else ()
    return (destination, *(alias.hostname for alias in aliases))


def _of_virtual_service(
    vs: VirtualService, call: Call, port: int, config: ProxyConfig, does: str
) -> Iterator[HostNeed]:
    """Yield a host of a VirtualService, and the services that it takes the calls to.

    The host is the one that the log names as the authority, else the first.
    """
    named = [host for host in vs.hosts if host == call.authority]
    host = (named or sorted(vs.hosts))[0]
    for entry in _taking_calls(vs, host, config, port):
        yield _need(entry, "possible", f"{_name(vs)} {does}", call)


def _taking_calls(
    vs: VirtualService, host: str, config: ProxyConfig, port: int | None = None
) -> Iterator[str]:
    """Yield what brings a VirtualService and the calls that it takes, at a port or any.

    One host brings the VirtualService. But it takes calls to the names of services alone that are
    imported too, each at its ports (`separateVSHostsAndServices`), and a caller may have used any,
    or an ExternalName that stands for one.
    """
    yield host_entry(vs.meta.namespace, host)
    for service in config.scope.named_by(vs, port):
        yield service_host(service.key)
        for alias in service.aliases:
            yield alias_host(service.key, alias)


def _unrouted_in_log(
    call: Call, outbound: OutboundCall, baseline: Resolution, view: View
) -> Iterator[Note]:
    """Say so where the log has no destination for what the mesh has a route to."""
    target = baseline.host or call.authority or "a host"
    if is_own(view.sidecar) and not resolve_call(view.today, outbound).same_outcome(baseline):
        yield Note("missed call", f"today's Sidecar lacks {target}, which was called")
    elif call.cluster is not None:
        yield Note(
            "disagreement",
            f"the log says {call.cluster} for {target}, the mesh dump has a route for it: "
            "configuration changed since, or the model is wrong; it stays in scope",
        )


def _unrouted(call: Call, outbound: OutboundCall, baseline: Resolution, view: View) -> Note:
    """Name a destination that has no route, before and after; say so if the mesh knows it."""
    target = call.authority or call.server_name or call.address or "an unnamed destination"
    fate = f"{target} {baseline.fate.value}, before and after"
    known = resolve_call(view.unscoped, perhaps_http(call, outbound, view, view.unscoped))
    if known.service is not None and known.fate is Fate.ROUTED:
        entry = service_host(known.service)
        return Note("out of scope", f"{fate}; the mesh has {entry}, pin it to route the call")
    return Note("unknown destination", fate)


def _need(host: str, kind: ReasonKind, detail: str, call: Call) -> HostNeed:
    return HostNeed(host, HostReason(kind, detail, call.evidence))


def _called_as(call: Call) -> str:
    name = call.authority or call.server_name
    if name is None:
        return "by address" if call.address else ""
    return f"as {name}"


def _name(vs: VirtualService) -> str:
    return f"VirtualService {vs.meta.namespace}/{vs.meta.name}"


def _destinations(vs: VirtualService) -> str:
    hosts = {d.host for r in vs.routes for d in (*r.destinations, *r.mirrors)}
    return ", ".join(sorted(hosts)) or "no destination"


def _distinct(needs: Iterable[HostNeed]) -> tuple[HostNeed, ...]:
    each = tuple(needs)
    return each if len(each) < 2 else tuple(dict.fromkeys(each))
