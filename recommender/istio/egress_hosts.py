"""The entries of `egress.hosts`: which services and VirtualServices they ask for.

Source: istio model/sidecar.go (`convertIstioListenerToWrapper`, `matchingService`,
`selectVirtualServices`, `servicesForExactHosts`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from recommender.istio.host_names import is_subset, is_wildcard, overlaps

ANY_NAMESPACE = "*"


@dataclass(slots=True)
class HostPatterns:
    """Hold the host patterns for one namespace: `all` is `exact` and `wild` in their order."""

    exact: set[str] = field(default_factory=set)
    all: list[str] = field(default_factory=list)
    wild: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)

    def excludes(self, host: str) -> bool:
        """Tell whether a `~` entry takes a host away."""
        return any(is_subset(host, pattern) for pattern in self.excluded)

    def imports(self, host: str) -> bool:
        """Tell whether an entry asks for a service of a host name."""
        if host in self.exact:
            return True
        others = self.all if is_wildcard(host) else self.wild
        return any(is_subset(host, p) for p in others)

    def imports_virtual_service_host(self, host: str, gateway_api: bool) -> bool:
        """Tell whether an entry asks for a VirtualService with this host."""
        if host in self.exact:
            return True
        compare = is_subset if gateway_api else overlaps
        # Of two exact names one would have been found already.
        others = self.all if is_wildcard(host) else self.wild
        return any(compare(host, p) for p in others)


Patterns = dict[str, HostPatterns]


def parse_hosts(hosts: Iterable[str], namespace: str, version: tuple[int, int]) -> Patterns:
    """Sort host entries by namespace; `~` excludes from 1.31 on and means nothing before."""
    patterns: Patterns = {}
    for entry in hosts:
        if entry.count("/") != 1:
            continue
        key, host = entry.split("/")
        if key.startswith("~"):
            if version >= (1, 31):
                excluded_from = key[1:] or ANY_NAMESPACE
                excluded_from = namespace if excluded_from == "." else excluded_from
                patterns.setdefault(excluded_from, HostPatterns()).excluded.append(host)
            continue
        found = patterns.setdefault(namespace if key == "." else key, HostPatterns())
        found.all.append(host)
        if is_wildcard(host):
            found.wild.append(host)
        else:
            found.exact.add(host)
    return patterns


def is_exact(patterns: Patterns) -> bool:
    """Tell whether hosts are looked up one by one: no wildcard, no namespace `*`."""
    return not any(
        found.all and (key == ANY_NAMESPACE or len(found.exact) < len(set(found.all)))
        for key, found in patterns.items()
    )
