"""What others received from a workload -> the hosts of calls that its own log does not show.

Which name was called is not known, so everything that can have led there is kept, as where a log
and the mesh disagree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from recommender.istio.call import resolve_call
from recommender.istio.resolution import Resolution
from recommender.recommendation.host_needs import HostNeed, service_host
from recommender.recommendation.model import HostReason, Note
from recommender.recommendation.needs import CallNeeds
from recommender.recommendation.unexplained import leading_to
from recommender.recommendation.views import View
from recommender.service_graph import Received

_MOST_NAMES = 4


def unexplained(
    received: Iterable[Received],
    logged: Iterable[tuple[View, Iterable[CallNeeds]]],
    by_proxies: Collection[str],
) -> list[Received]:
    """List what was received and neither a logged call nor the proxies themselves can have sent.

    A call may go to any of its routes' Envoy clusters, and to mirrors, which are never logged.
    """
    waiting = list(received)
    if not waiting:
        return []
    explained = {
        name.split("|", 3)[-1]
        for view, needs in logged
        for need in needs
        for resolution in _resolutions(need, view)
        for name, _ in resolution.clusters
    }
    explained.update(by_proxies)
    return [each for each in waiting if explained.isdisjoint(each.called.hosts)]


def _resolutions(need: CallNeeds, view: View) -> Iterator[Resolution]:
    """Yield where a call goes, and where it would go if it found no route for lack of scope."""
    yield need.baseline
    if need.call.destination_host is None:
        yield resolve_call(view.unscoped, need.outbound)


def needs_of_received(
    received: Iterable[Received], view: View
) -> tuple[list[HostNeed], list[Note]]:
    """Keep the hosts of calls that a log does not show, and say so."""
    hosts: list[HostNeed] = []
    notes: list[Note] = []
    for each in received:
        found = list(_hosts(each, view))
        hosts += found
        said = f"{each.called.receiver} received requests to {hosts_in_words([each])}"
        if found:
            detail = (
                f"{said}, which the log of the workload lacks: sampled, filtered or lost, or sent "
                "past its proxy; kept in scope"
            )
            notes.append(Note("unlogged call", detail))
        else:
            detail = f"{said}, which is not in today's scope: no host for it"
            notes.append(Note("out of scope", detail))
    return hosts, notes


def _hosts(received: Received, view: View) -> Iterator[HostNeed]:
    detail = f"by {received.called.receiver}, the log of the workload lacks it"
    scope = view.baseline.scope
    for host in sorted({called.host for called in received.called.services}):
        service = scope.services.get(host)
        if service is not None:
            reason = HostReason("received", detail, received.evidence)
            yield HostNeed(service_host(service.key), reason)
            for entry, vs in leading_to(host, view.baseline):
                leads = HostReason("received", f"{vs} can lead to {host}", received.evidence)
                yield HostNeed(entry, leads)


def hosts_in_words(received: Iterable[Received]) -> str:
    """Name the hosts that may have been called."""
    names = sorted({called.host for each in received for called in each.called.services})
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"
