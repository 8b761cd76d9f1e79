"""Calls -> needs: the hosts without which a call would go elsewhere.

A log names the destination *after* routing. So each call is resolved again in the scope that
must stay, and needed is what it met there: the service whose listener or virtual host took it,
and the VirtualService that decides for it, which brings along every destination it can choose.
Where that does not explain the destination in the log, everything that could is needed too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from recommender.istio.call import looks_for_http, resolve_call
from recommender.istio.proxy import Proxy
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.registry import Registry, ServiceKey
from recommender.istio.resolution import Fate, OutboundCall, Resolution
from recommender.istio.sidecar_scope import ScopeRules
from recommender.mesh import VirtualService
from recommender.recommendation.host_needs import (
    HostNeed,
    alias_host,
    host_entry,
    name_of,
    need_of,
    service_host,
)
from recommender.recommendation.kubernetes_clusters import address_and_authority, valid_address
from recommender.recommendation.model import Note
from recommender.recommendation.unexplained import (
    explains,
    goes,
    gone_elsewhere,
    is_elsewhere,
    possible_causes,
    rewriting,
    taken_by_a_listener,
)
from recommender.recommendation.uninspected import perhaps_http
from recommender.recommendation.views import View, is_own
from recommender.service_graph import Call

HTTPS_PORT, HTTP_PORT = 443, 80
_REACHING = (Fate.ROUTED, Fate.ANSWERED, Fate.PASSTHROUGH)


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
    if call.destination_host is not None and explains(baseline, call):
        outbound = plain
    baseline = resolve_call(config, outbound)
    perhaps: list[HostNeed] = []
    if call.destination_host is not None:
        if _went_to_egress_proxy(call, baseline, view):
            notes.append(_unrouted(call, outbound, baseline, view))
        elif not explains(baseline, call):
            more, note = possible_causes(call, outbound.port, baseline, config)
            perhaps += more
            notes.append(note)
            if call.destination_host != view.egress_proxy:
                perhaps += taken_by_a_listener(call, outbound, baseline, config)
        perhaps += rewriting(call, outbound.port, config)
    elif baseline.fate in (Fate.ROUTED, Fate.ANSWERED):
        notes += _unrouted_in_log(call, outbound, baseline, view)
    elif is_elsewhere(call):
        perhaps += taken_by_a_listener(call, outbound, baseline, config)
        notes.append(gone_elsewhere(call, baseline))
    else:
        notes.append(_unrouted(call, outbound, baseline, view))
    perhaps += _looked_up(call, outbound, baseline, config)
    if baseline.by_chance or baseline.service in config.scope.by_chance:
        detail = f"istiod takes one of several objects for {baseline.host}, not always the same"
        notes.append(Note("left to chance", detail))
    opaque = not (outbound.http or outbound.server_name or looks_for_http(config, outbound))
    met = _distinct([*_met(baseline, call), *_first_at(call, outbound, baseline, config)])
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
    if not explains(today, call):
        return view.baseline, []
    without = resolve_call(view.baseline, outbound)
    if without.same_outcome(today):
        return view.today, []
    detail = (
        f"without today's Sidecar a call to {today.host} {goes(without)}; "
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


def _met(resolution: Resolution, call: Call) -> Iterator[HostNeed]:
    """Yield the hosts of what a call met on its way."""
    if resolution.service is not None:
        yield need_of(service_host(resolution.service), "called", _called_as(call), call)
    if resolution.alias is not None and resolution.service is not None:
        detail = f"ExternalName {resolution.alias} stands for {resolution.service.hostname}"
        yield need_of(alias_host(resolution.service, resolution.alias), "alias", detail, call)
    vs = resolution.virtual_service
    if vs is not None and resolution.host is not None:
        detail = f"{name_of(vs)} decides for {resolution.host}: {_destinations(vs)}"
        entry = host_entry(vs.meta.namespace, resolution.host)
        yield need_of(entry, "virtual service", detail, call)


def _first_at(
    call: Call, outbound: OutboundCall, baseline: Resolution, config: ProxyConfig
) -> Iterator[HostNeed]:
    """Keep the service that a listener has its filters for, where another asks for others."""
    first = baseline.first if baseline.fate in (Fate.ROUTED, Fate.ANSWERED) else None
    if first is not None and config.may_filter_otherwise(baseline, outbound.port):
        detail = f"the listener of port {outbound.port} has the HTTP filters of its first service"
        yield need_of(service_host(first), "listener", detail, call)


def _looked_up(
    call: Call, outbound: OutboundCall, baseline: Resolution, config: ProxyConfig
) -> Iterator[HostNeed]:
    """Keep the ServiceEntry that may have given a call its address, if it does not take the call.

    A proxy that captures DNS answers for what its listeners import (istio pkg/dns/server
    `BuildNameTable`). Names of Kubernetes Services have the same address elsewhere.
    """
    address = outbound.address or ""
    entries = config.entries_at(address)
    if not entries or baseline.fate not in _REACHING:
        return
    name = outbound.authority or outbound.server_name
    named = [entry for entry in entries if entry.hostname == name]
    if not named and _is_address_of(baseline.service, address, config):
        return
    keys = dict.fromkeys(entry.key for entry in named or entries)
    for key in () if baseline.service in keys else keys:
        detail = f"{key.hostname} has the address {address} by it"
        yield need_of(service_host(key), "looked up", detail, call)


def _is_address_of(key: ServiceKey | None, address: str, config: ProxyConfig) -> bool:
    objects = config.rules.registry.objects.get(key, ()) if key else ()
    return any(address in config.proxy.reachable(service) for service in objects)


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


def _went_to_egress_proxy(call: Call, baseline: Resolution, view: View) -> bool:
    """Tell whether a call went where an egress proxy takes what would else pass through.

    Source: istio networking/core/httproute.go (`buildCatchAllVirtualHost`), listener_builder.go.
    """
    proxy = view.egress_proxy
    is_taken = baseline.fate is Fate.PASSTHROUGH and proxy in view.baseline.scope.services
    return is_taken and call.destination_host == proxy


def _unrouted(call: Call, outbound: OutboundCall, baseline: Resolution, view: View) -> Note:
    """Name a destination that has no route, before and after; say so if the mesh knows it."""
    target = call.authority or call.server_name or call.address or "an unnamed destination"
    taker = call.destination_host
    does = baseline.fate.value if taker is None else f"goes to the egress proxy {taker}"
    fate = f"{target} {does}, before and after"
    known = resolve_call(view.unscoped, perhaps_http(call, outbound, view, view.unscoped))
    if known.service is not None and known.fate is Fate.ROUTED:
        entry = service_host(known.service)
        return Note("out of scope", f"{fate}; the mesh has {entry}, pin it to route the call")
    return Note("unknown destination", fate)


def _called_as(call: Call) -> str:
    name = call.authority or call.server_name
    if name is None:
        return "by address" if call.address else ""
    return f"as {name}"


def _destinations(vs: VirtualService) -> str:
    hosts = {d.host for r in vs.routes for d in (*r.destinations, *r.mirrors)}
    return ", ".join(sorted(hosts)) or "no destination"


def _distinct(needs: Iterable[HostNeed]) -> tuple[HostNeed, ...]:
    each = tuple(needs)
    return each if len(each) < 2 else tuple(dict.fromkeys(each))
