"""Calls -> needs: the services and VirtualServices without which a call would change.

A log names the destination *after* routing. So each call is first traced back to the host it was
addressed to; needed are that host's service, the VirtualService that decides for it, and, where
the two do not explain the destination in the log, everything that could.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recommender.istio.call import Addressed, CalledHost, ScopeIndex, find_called
from recommender.istio.registry import RegistryService
from recommender.istio.virtual_services import can_reach
from recommender.mesh.objects import VirtualService
from recommender.recommendation.model import Note
from recommender.service_graph import Call


@dataclass(frozen=True, slots=True)
class Need:
    """Hold what one call needs in scope; `called` lists each host that must stay as it is."""

    call: Call
    called: tuple[CalledHost, ...]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Hold what a workload sees: today's scope, and the one without any Sidecar.

    The second counts only where today's Sidecar is this tool's own: what it missed is learnt.
    """

    today: ScopeIndex
    fallback: ScopeIndex | None


def needs_of(call: Call, view: View) -> Need:
    """Work out what a call needs."""
    found = find_called(view.today, addressed_by(call))
    if call.destination_host is None:
        return _unrouted_need(call, found, view)
    if found is not None and _explains(found, call.destination_host):
        return Need(call, (found, *_rewriting(call, view.today)))
    return _unexplained_need(call, found, view)


def addressed_by(call: Call) -> Addressed:
    """Take the caller's own words from a call."""
    port = call.address_port if call.address_port is not None else call.destination_port
    return Addressed(call.authority, call.server_name, call.address, port)


def _explains(found: CalledHost, destination: str) -> bool:
    if found.virtual_service is not None and can_reach(found.virtual_service, destination):
        return True
    return found.service is not None and found.service.hostname == destination


def _unrouted_need(call: Call, found: CalledHost | None, view: View) -> Need:
    """Need what a call without a destination was addressed to, if the mesh has it."""
    if found is not None:
        if call.cluster is None:
            return Need(call, (found,))
        note = Note(
            "disagreement",
            f"the log says {call.cluster} for {found.host}, the mesh dump has a route for it: "
            "configuration changed since, or the model is wrong; it stays in scope",
        )
        return Need(call, (found,), (note,))
    missed = find_called(view.fallback, addressed_by(call)) if view.fallback else None
    if missed is not None:
        note = Note("missed call", f"today's Sidecar lacks {missed.host}, which was called")
        return Need(call, (missed,), (note,))
    target = call.authority or call.server_name or call.address or "an unnamed destination"
    fate = "was refused" if call.cluster in (None, "BlackHoleCluster") else "passes through"
    return Need(call, (), (Note("unknown destination", f"{target} {fate}, before and after"),))


def _unexplained_need(call: Call, found: CalledHost | None, view: View) -> Need:
    """Keep everything that may have led to a destination that the called host does not explain."""
    destination = call.destination_host or ""
    index = view.today
    called = [found] if found is not None else []
    service = _known_service(index, destination)
    notes = []
    if service is None and view.fallback is not None:
        service = _known_service(view.fallback, destination)
    if service is None:
        notes.append(
            Note("gone", f"{destination} was called but is not in today's scope: no host for it")
        )
    else:
        called.append(CalledHost(service.hostname, service, _virtual_service(index, service)))
    called += _through_virtual_services(index, destination)
    if found is not None and service is not None:
        notes.append(
            Note(
                "disagreement",
                f"a call to {found.host} went to {destination}, the mesh dump says otherwise: "
                "configuration changed since, or the model is wrong; both stay in scope",
            )
        )
    return Need(call, _distinct(called), tuple(notes))


def _known_service(index: ScopeIndex, hostname: str) -> RegistryService | None:
    return index.services.get(hostname.lower()) or index.scope.services.get(hostname)


def _virtual_service(index: ScopeIndex, service: RegistryService) -> VirtualService | None:
    return index.virtual_service_of(service.hostname)


def _through_virtual_services(index: ScopeIndex, destination: str) -> list[CalledHost]:
    """List every host whose VirtualService can send a call to the destination."""
    return [
        CalledHost(host, index.services.get(host.lower()), vs)
        for vs in index.virtual_services
        if can_reach(vs, destination)
        for host in vs.hosts
        if index.virtual_service_of(host) is vs
    ]


def _rewriting(call: Call, index: ScopeIndex) -> tuple[CalledHost, ...]:
    """List hosts whose VirtualService may have put the logged authority in place of another.

    Envoy logs the authority after a rewrite, so such a call looks like one to the destination.
    """
    authority = call.authority
    if authority is None or call.destination_host is None:
        return ()
    return tuple(
        CalledHost(host, index.services.get(host.lower()), vs)
        for vs in index.virtual_services
        if any(
            _without_port(r.rewrite_authority) == authority
            and any(d.host == call.destination_host for d in r.destinations)
            for r in vs.routes
        )
        for host in vs.hosts
        if index.virtual_service_of(host) is vs
    )


def _without_port(authority: str | None) -> str | None:
    return authority.lower().rsplit(":", 1)[0] if authority else None


def _distinct(called: Iterable[CalledHost]) -> tuple[CalledHost, ...]:
    found = {(c.host, c.alias, c.service.key if c.service else None): c for c in called}
    return tuple(found.values())
