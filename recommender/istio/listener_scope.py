"""What one egress listener imports, and how to find it there.

Source: istio model/sidecar.go (`IstioEgressListenerWrapper`, `getConfigsForHost`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from recommender.istio.host_names import is_wildcard, overlaps
from recommender.istio.registry import RegistryService
from recommender.mesh.objects import EgressListener, VirtualService


@dataclass(slots=True)
class ListenerIndex:
    """Hold the places of a listener's services and VirtualServices by what they are found by.

    Names are lower case; `by_name` has aliases too.
    """

    by_name: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    by_address: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    by_port: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    wildcards: list[tuple[int, str]] = field(default_factory=list)
    virtual_services: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    virtual_service_wildcards: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ListenerScope:
    """Hold what one egress listener imports: what listeners, routes and DNS are made from."""

    listener: EgressListener
    services: tuple[RegistryService, ...]
    virtual_services: tuple[VirtualService, ...]
    _index: list[ListenerIndex] = field(default_factory=list, compare=False, repr=False)

    def index(self) -> ListenerIndex:
        """Return the index of the listener, made when it is first asked for."""
        if not self._index:
            self._index.append(_indexed(self.services, self.virtual_services))
        return self._index[0]

    def at_port(self, port: int) -> list[RegistryService]:
        """List the services that have a port."""
        return [self.services[place] for place in self.index().by_port.get(port, ())]

    def at_port_named(self, port: int, name: str) -> RegistryService | None:
        """Return the last service of a lower-case host name that has a port."""
        found = [self.services[place] for place in sorted(self.index().by_name.get(name, ()))]
        serving = [s for s in found if s.hostname.lower() == name and s.port(port) is not None]
        return serving[-1] if serving else None

    def places_for(self, name: str) -> set[int]:
        """Find the VirtualServices with a host that overlaps a name (`getConfigsForHost`)."""
        index = self.index()
        lower = name.lower()
        others = index.virtual_services if is_wildcard(lower) else index.virtual_service_wildcards
        near = [lower, *(host for host in others if overlaps(host, lower))]
        return {place for host in near for place in index.virtual_services.get(host, ())}

    def virtual_services_for(self, name: str) -> list[VirtualService]:
        """List the VirtualServices with a host that overlaps a name, in order."""
        return [self.virtual_services[place] for place in sorted(self.places_for(name))]


def _indexed(
    services: Iterable[RegistryService], virtual_services: Iterable[VirtualService]
) -> ListenerIndex:
    index = ListenerIndex()
    for place, service in enumerate(services):
        name = service.hostname.lower()
        index.by_name[name].add(place)
        if is_wildcard(name):
            index.wildcards.append((place, name))
        for alias in service.aliases:
            index.by_name[alias.hostname.lower()].add(place)
        for address in service.addresses:
            index.by_address[address].add(place)
        for number in {port.number for port in service.ports}:
            index.by_port[number].append(place)
    for place, vs in enumerate(virtual_services):
        for host in vs.hosts:
            index.virtual_services[host.lower()].add(place)
    index.virtual_service_wildcards += [h for h in index.virtual_services if is_wildcard(h)]
    return index
