"""What one egress listener imports, and how to find it there.

Source: istio model/sidecar.go (`IstioEgressListenerWrapper`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter

from recommender.istio.binding import ServiceAtPort, bindings
from recommender.istio.host_names import is_wildcard, overlaps
from recommender.istio.protocols import Protocol
from recommender.istio.proxy import Proxy
from recommender.istio.registry import RegistryService
from recommender.istio.virtual_service_index import VirtualServiceIndex
from recommender.mesh.objects import EgressListener, VirtualService

Services = Mapping[int, RegistryService]
"""Services by their place: the order in which a listener imports them."""
Bound = dict[str, list[tuple[int, ServiceAtPort]]]
"""What wants to listen at an address, with its place."""


@dataclass(slots=True)
class ServiceIndex:
    """Find services of a listener by what a call names, and by where they listen.

    Names are lower case; `by_name` has aliases too, `by_port` no ports of UDP. `headless` are the
    names of Kubernetes services whose pods have names below theirs.
    """

    listener: EgressListener
    services: Services
    by_name: dict[str, dict[int, RegistryService]] = field(default_factory=dict)
    by_address: dict[str, dict[int, RegistryService]] = field(default_factory=dict)
    by_port: dict[int, dict[int, RegistryService]] = field(default_factory=dict)
    headless: set[str] = field(default_factory=set)
    wildcards: dict[int, RegistryService] = field(default_factory=dict)
    _bound: dict[tuple[int, tuple[str, ...], str], Bound] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for place, service in self.services.items():
            names = (service.hostname.lower(), *(a.hostname.lower() for a in service.aliases))
            for name in names:
                self.by_name.setdefault(name, {})[place] = service
            if is_wildcard(names[0]):
                self.wildcards[place] = service
            if service.kubernetes and service.headless:
                self.headless.update(names)
            for address in chain(service.addresses, *service.addresses_in.values()):
                self.by_address.setdefault(address, {})[place] = service
            for port in (p for p in service.ports if p.protocol is not Protocol.UDP):
                self.by_port.setdefault(port.number, {})[place] = service

    def bound(self, proxy: Proxy, port: int) -> Bound:
        """Map addresses to what wants to listen there at a port of a proxy."""
        key = (port, proxy.addresses, proxy.kubernetes_cluster)
        if key not in self._bound:
            self._bound[key] = self._bind(proxy, port)
        return self._bound[key]

    def _bind(self, proxy: Proxy, port: int) -> Bound:
        """Bind the services of a port; of those of HTTP at one address only the first counts."""
        found: Bound = defaultdict(list)
        with_http: set[str] = set()
        limited = self.listener.port is not None
        services = self.services if limited else self.by_port.get(port, {})
        for place, service in services.items():
            for at in bindings(service, self.listener, proxy, port):
                if at.port.protocol.is_http:
                    if at.bind in with_http:
                        continue
                    with_http.add(at.bind)
                for address in (at.bind, *at.extra):
                    found[address].append((place, at))
        return dict(found)


@dataclass(frozen=True, slots=True)
class ListenerIndex:
    """Find what a listener imports; each part has other services."""

    parts: tuple[ServiceIndex, ...]
    virtual_services: VirtualServiceIndex


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
            services = ServiceIndex(self.listener, dict(enumerate(self.services)))
            virtual_services = VirtualServiceIndex.of(self.virtual_services)
            self._index.append(ListenerIndex((services,), virtual_services))
        return self._index[0]

    def named(self, name: str) -> dict[int, RegistryService]:
        """Find the services of a lower-case host name, and those that it is an alias of."""
        return _together(part.by_name.get(name) for part in self.index().parts)

    def reached(self, address: str, names: Sequence[str]) -> dict[int, RegistryService]:
        """Find the services with a virtual IP, and those of lower-case host names, or aliases."""
        found: dict[int, RegistryService] = {}
        for part in self.index().parts:
            for each in (part.by_address.get(address), *map(part.by_name.get, names)):
                if each:
                    found.update(each)
        return found

    def headless_among(self, names: frozenset[str]) -> set[str]:
        """Find the lower-case host names, or aliases, of which some service is headless."""
        return {name for part in self.index().parts for name in part.headless & names}

    def wildcards(self) -> dict[int, RegistryService]:
        """Find the services whose host name is a pattern."""
        return _together(part.wildcards for part in self.index().parts)

    def overlapping(self, name: str) -> dict[int, RegistryService]:
        """Find the services with a name, or an alias, that overlaps a lower-case one."""
        parts = self.index().parts
        if not is_wildcard(name):
            near = {p: s for p, s in self.wildcards().items() if overlaps(s.hostname.lower(), name)}
            return self.named(name) | near
        names = (each.items() for each in (part.by_name for part in parts))
        return _together(
            found for other, found in chain.from_iterable(names) if overlaps(other, name)
        )

    def named_by(self, vs: VirtualService) -> dict[int, RegistryService]:
        """Find the services with a name, or an alias, that overlaps a host of a VirtualService."""
        return _together(self.overlapping(host) for host in {host.lower() for host in vs.hosts})

    def at_port(self, port: int) -> list[RegistryService]:
        """List the services that have a port."""
        found = _together(part.by_port.get(port) for part in self.index().parts)
        return [service for _, service in sorted(found.items(), key=itemgetter(0))]

    def at_port_named(self, port: int, name: str) -> RegistryService | None:
        """Return the last service of a lower-case host name that has a port."""
        serving = {
            place: service
            for place, service in self.named(name).items()
            if service.hostname.lower() == name and service.port(port) is not None
        }
        return serving[max(serving)] if serving else None

    def ports(self) -> set[int]:
        """List the port numbers that the listener takes calls at."""
        if self.listener.port is not None:
            return {self.listener.port}
        return {port for part in self.index().parts for port in part.by_port}

    def addresses_at(self, proxy: Proxy, port: int) -> set[str]:
        """List the addresses at which something wants to listen at a port of a proxy."""
        if self.listener.port not in (None, port):
            return set()
        return {address for part in self.index().parts for address in part.bound(proxy, port)}

    def bound_at(self, proxy: Proxy, port: int, address: str) -> list[ServiceAtPort]:
        """List what wants to listen at an address and port of a proxy."""
        if self.listener.port not in (None, port):
            return []
        found: list[tuple[int, ServiceAtPort]] = []
        for part in self.index().parts:
            found += part.bound(proxy, port).get(address, ())
        if len(found) > 1:
            found.sort(key=itemgetter(0))
        return [at for _, at in found]

    def places_for(self, name: str) -> set[int]:
        """Find the VirtualServices with a host that overlaps a name, whatever the case."""
        return self.index().virtual_services.overlapping(name.lower())

    def virtual_services_for(self, name: str) -> list[VirtualService]:
        """List the VirtualServices with a host that overlaps a name, in order.

        Case counts, as it does not for routes of HTTP. Source: networking/core/tls.go
        `getConfigsForHost`.
        """
        near = (self.virtual_services[place] for place in sorted(self.places_for(name)))
        return [vs for vs in near if any(overlaps(host, name) for host in vs.hosts)]


def _together(found: Iterable[dict[int, RegistryService] | None]) -> dict[int, RegistryService]:
    together: dict[int, RegistryService] = {}
    for each in found:
        if each:
            together.update(each)
    return together
