"""Host needs -> `egress.hosts` entries: each entry once, with every reason for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import get_args

from recommender.istio.host_names import is_subset
from recommender.istio.registry import RegistryService
from recommender.recommendation.host_needs import HostNeed, alias_host, service_host
from recommender.recommendation.model import (
    EMPTY_SCOPE,
    HostReason,
    ReasonKind,
    RecommendedHost,
)
from recommender.service_graph import Evidence, merge_evidence

_MOST_NAMES = 4


def recommended_hosts(needs: Iterable[HostNeed]) -> tuple[RecommendedHost, ...]:
    """Put needs together as entries in order; without any, the documented empty form."""
    by_host: dict[str, list[HostReason]] = defaultdict(list)
    for need in needs:
        by_host[need.host].append(need.reason)
    if not by_host:
        reason = HostReason("nothing called", "an empty list of hosts is not allowed")
        return (RecommendedHost(EMPTY_SCOPE, (reason,)),)
    return tuple(RecommendedHost(host, merged_reasons(by_host[host])) for host in sorted(by_host))


def without_covered(
    needs: Iterable[HostNeed], aliased: Iterable[RegistryService] = ()
) -> list[HostNeed]:
    """Move the reasons of entries that a wider entry covers to the wider one.

    A service of `aliased` that is asked for with an ExternalName stays in its namespace with that:
    it keeps only those that are asked for in the namespace, its own or `*`, that imports it.
    """
    each = list(needs)
    hosts = sorted({need.host for need in each})
    wildcards = [host for host in hosts if "*" in host]
    # One that was called is a service of its own, too.
    names = {need.host for need in each if need.reason.kind != "called"}
    together = _with_aliases(aliased, set(hosts), names)
    wide = {
        host: next(
            (w for w in wildcards if _covers(w, host) and not (host in together and w[0] == "*")),
            host,
        )
        for host in hosts
    }
    return [HostNeed(wide[need.host], need.reason) for need in each]


def _with_aliases(
    services: Iterable[RegistryService], hosts: set[str], names: set[str]
) -> set[str]:
    """List the entries for services that are asked for with an ExternalName, and for that."""
    found: set[str] = set()
    for service in services:
        entry = service_host(service.key)
        asked = {alias_host(service.key, alias) for alias in service.aliases} & names
        if asked and entry in hosts:
            found |= {entry, *asked}
    return found


def merged_reasons(reasons: Iterable[HostReason]) -> tuple[HostReason, ...]:
    """Merge reasons of a kind: names that a host was called by, and equal details."""
    each = tuple(reasons)
    if len(each) == 1:
        return each
    grouped: dict[tuple[ReasonKind, str], list[HostReason]] = defaultdict(list)
    for reason in each:
        detail = "as " if _is_name(reason) else reason.detail
        grouped[reason.kind, detail].append(reason)
    merged = [
        HostReason(kind, _names(found) if detail == "as " else detail, _evidence(found))
        for (kind, detail), found in grouped.items()
    ]
    return tuple(sorted(merged, key=lambda r: (_ORDER.index(r.kind), r.detail)))


_ORDER: tuple[ReasonKind, ...] = get_args(ReasonKind)


def _covers(wide: str, host: str) -> bool:
    """Tell whether an entry for a namespace, or a host in every one, brings all of another."""
    if wide == host or wide.startswith("~") or host.startswith("~"):
        return False
    wide_namespace, _, wide_host = wide.partition("/")
    namespace, _, name = host.partition("/")
    return wide_namespace in (namespace, "*") and is_subset(name, wide_host)


def _is_name(reason: HostReason) -> bool:
    return reason.kind == "called" and reason.detail.startswith("as ")


def _names(reasons: Iterable[HostReason]) -> str:
    names = sorted({reason.detail.removeprefix("as ") for reason in reasons})
    more = f" and {len(names) - _MOST_NAMES} more names" if len(names) > _MOST_NAMES else ""
    return f"as {', '.join(names[:_MOST_NAMES])}{more}"


def _evidence(reasons: Iterable[HostReason]) -> Evidence | None:
    return merge_evidence(r.evidence for r in reasons if r.evidence is not None)
