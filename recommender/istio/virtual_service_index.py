"""Find VirtualServices by their hosts, by their namespace, and by where they lead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from recommender.istio.host_names import is_wildcard, overlaps
from recommender.mesh.objects import VirtualService

_Found = Mapping[str, Sequence[VirtualService]]


@dataclass(frozen=True, slots=True)
class VirtualServiceIndex:
    """Find VirtualServices, or their places in the order of precedence.

    Hosts are in lower case. In `wildcards` are, by namespace, those with a wildcard host.
    """

    ordered: tuple[VirtualService, ...]
    by_host: Mapping[str, set[int]]
    by_namespace: Mapping[str, set[int]]
    wildcards: Mapping[str, set[int]]
    _wildcard_hosts: tuple[str, ...]
    _targets: list[tuple[_Found, _Found]] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, ordered: Iterable[VirtualService]) -> VirtualServiceIndex:
        """Index VirtualServices, given in order of precedence."""
        each = tuple(ordered)
        by_host: dict[str, set[int]] = defaultdict(set)
        by_namespace: dict[str, set[int]] = defaultdict(set)
        wildcards: dict[str, set[int]] = defaultdict(set)
        for place, vs in enumerate(each):
            by_namespace[vs.meta.namespace].add(place)
            for host in vs.hosts:
                by_host[host.lower()].add(place)
                if is_wildcard(host):
                    wildcards[vs.meta.namespace].add(place)
        wildcard_hosts = tuple(filter(is_wildcard, by_host))
        return cls(each, dict(by_host), dict(by_namespace), dict(wildcards), wildcard_hosts)

    def overlapping(self, name: str) -> set[int]:
        """Find the places of those with a host that overlaps a name in lower case."""
        found = set(self.by_host.get(name, ()))
        for host in self.by_host if is_wildcard(name) else self._wildcard_hosts:
            if overlaps(host, name):
                found |= self.by_host[host]
        return found

    def leading_to(self, host: str) -> Sequence[VirtualService]:
        """List those with a route or mirror whose destination is a host."""
        return self._by_target()[0].get(host, ())

    def rewriting_to(self, authority: str) -> Sequence[VirtualService]:
        """List those with a route that puts an authority, its port aside, in place of others."""
        return self._by_target()[1].get(authority, ())

    def _by_target(self) -> tuple[_Found, _Found]:
        if not self._targets:
            leading: dict[str, list[VirtualService]] = defaultdict(list)
            rewriting: dict[str, list[VirtualService]] = defaultdict(list)
            for vs in self.ordered:
                targets = (d.host for r in vs.routes for d in r.destinations + r.mirrors)
                for host in dict.fromkeys(targets):
                    leading[host].append(vs)
                rewrites = (without_port(a) for r in vs.routes for a in r.authorities)
                for authority in dict.fromkeys(filter(None, rewrites)):
                    rewriting[authority].append(vs)
            self._targets.append((dict(leading), dict(rewriting)))
        return self._targets[0]


def without_port(authority: str) -> str:
    """Return an authority in lower case without its port."""
    return authority.lower().rsplit(":", 1)[0]
