"""The virtual hosts of an outbound route configuration: which names lead to which routes.

Source: istio networking/core/httproute.go (`BuildSidecarOutboundVirtualHosts`,
`selectVirtualServices`, `generateVirtualHostDomains`, `dedupeDomains`) and
networking/core/route/route.go (`BuildSidecarVirtualHostWrapper`, `separateVSHostsAndServices`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from recommender.istio.host_names import is_subset, is_wildcard, overlaps
from recommender.istio.listener_scope import ListenerScope
from recommender.istio.proxy import Proxy
from recommender.istio.registry import RegistryService, Resolution, ServiceKey
from recommender.istio.routes import BuiltRoute, cluster_name, http_routes
from recommender.mesh.objects import VirtualService

VIRTUAL_SERVICE_ONLY_PORT = 80
"""The port on which a VirtualService's host needs no service (`listenerPort != 80`)."""


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """Describe a virtual host; `service` is None for a host of a VirtualService alone.

    `aliases` maps the domains of ExternalNames to them. `contested` are domains that another
    service wants too: which one has them istiod leaves to the order of a Go map.
    """

    name: str
    host: str
    domains: tuple[str, ...]
    routes: tuple[BuiltRoute, ...]
    service: ServiceKey | None
    virtual_service: VirtualService | None
    aliases: Mapping[str, ServiceKey]
    contested: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class VirtualHosts:
    """Hold the virtual hosts of one port, ready to be looked up as Envoy does."""

    exact: Mapping[str, VirtualHost]
    suffixes: tuple[tuple[str, VirtualHost], ...]

    def with_domain(self, domain: str) -> VirtualHost | None:
        """Find the virtual host that has a domain, as it is written."""
        if is_wildcard(domain) and domain != "*":
            return next((host for suffix, host in self.suffixes if suffix == domain[1:]), None)
        return self.exact.get(domain)

    def find(self, authority: str) -> VirtualHost | None:
        """Find the virtual host of an authority: exact first, then the longest wildcard."""
        found = self.exact.get(authority)
        if found is not None:
            return found
        for suffix, host in self.suffixes:
            if len(authority) > len(suffix) and authority.endswith(suffix):
                return host
        return self.exact.get("*")


@dataclass(slots=True)
class TakenNames:
    """Give names and domains to the first virtual host that wants them (`dedupeDomains`).

    A domain that is only another name for a host is not taken where that name is `known` itself.
    """

    known: AbstractSet[str]
    _names: set[str] = field(default_factory=set)
    _domains: set[str] = field(default_factory=set)

    def take(
        self, name: str, domains: Iterable[str], alternative: AbstractSet[str]
    ) -> tuple[str, ...]:
        """Return the domains that a virtual host gets, none if there is one of its name."""
        if name in self._names:
            return ()
        self._names.add(name)
        kept = tuple(
            d
            for d in dict.fromkeys(domains)
            if d.lower() not in self._domains and not (d in alternative and d in self.known)
        )
        self._domains.update(d.lower() for d in kept)
        return kept


@dataclass(frozen=True, slots=True)
class _Group:
    """Hold hosts and services that share routes (`VirtualHostWrapper`)."""

    virtual_service: VirtualService | None
    hosts: tuple[str, ...]
    services: tuple[RegistryService, ...]
    routes: tuple[BuiltRoute, ...]


class _Candidate(NamedTuple):
    """Hold a host with its domains; `alternative` are those that are only alternative names."""

    group: _Group
    host: str
    service: RegistryService | None
    domains: list[str]
    alternative: set[str]


def virtual_hosts(
    listener: ListenerScope,
    proxy: Proxy,
    port: int,
    domain: str,
    whole: ListenerScope | None = None,
) -> tuple[VirtualHost, ...]:
    """Build the virtual hosts of a port, in istiod's order of precedence.

    `whole` is what the listener has in all, where it is limited to some of it.
    """
    imported = {s.hostname.lower(): s for s in listener.services if s.port(port) is not None}
    services = {
        lower: s if s.hostname == lower else replace(s, hostname=lower)
        for lower, s in imported.items()
    }
    groups = list(_groups(listener, proxy, port, services, whole or listener))
    known = {s.hostname for group in groups for s in group.services}
    built: list[VirtualHost] = []
    taken = TakenNames(known)
    candidates = [candidate for group in groups for candidate in _named(group, proxy, domain)]
    claims = _contested(candidates)
    for group, host, service, domains, alternative in candidates:
        name = f"{host}:{port}"
        kept = taken.take(name, domains, alternative)
        if kept:
            aliases = _alias_domains(service, kept, proxy, domain) if service else {}
            key = imported[host].key if service else None
            vs = group.virtual_service
            contested = claims.intersection(kept) if vs is None else frozenset()
            built.append(VirtualHost(name, host, kept, group.routes, key, vs, aliases, contested))
    return tuple(built)


def what_decides(
    part: ListenerScope, proxy: Proxy, port: int, whole: ListenerScope
) -> tuple[object, ...] | None:
    """Return all that decides about virtual hosts of a namespace's proxies, None if it is too much.

    Of `whole` only aliases among the destinations count, unless a host is a wildcard. There is one
    object of each VirtualService in a mesh, by which it is known here.
    """
    decides = (proxy.kubernetes_cluster, proxy.addresses, port, part.services)
    if not part.virtual_services:
        return decides
    if any(is_wildcard(host) for vs in part.virtual_services for host in vs.hosts):
        return None
    routes = [route for vs in part.virtual_services for route in vs.routes]
    hosts = dict.fromkeys(d.host for route in routes for d in route.destinations + route.mirrors)
    found = [whole.at_port_named(port, host) for host in hosts]
    aliases = tuple(service.alias_for if service else None for service in found)
    labels = tuple(proxy.labels.items())
    return (*decides, labels, tuple(map(id, part.virtual_services)), aliases)


def _contested(candidates: Iterable[_Candidate]) -> frozenset[str]:
    """List the domains that more than one service without a VirtualService wants."""
    wanted = Counter(
        name
        for candidate in candidates
        if candidate.group.virtual_service is None
        for name in set(candidate.domains)
    )
    return frozenset(name for name, count in wanted.items() if count > 1)


def index_virtual_hosts(hosts: Iterable[VirtualHost]) -> VirtualHosts:
    """Prepare virtual hosts for looking up an authority."""
    exact: dict[str, VirtualHost] = {}
    suffixes: dict[str, VirtualHost] = {}
    for host in hosts:
        for name in host.domains:
            lower = name.lower()
            if lower != "*" and is_wildcard(lower):
                suffixes.setdefault(lower[1:], host)
            else:
                exact.setdefault(lower, host)
    ordered = sorted(suffixes.items(), key=lambda item: -len(item[0]))
    return VirtualHosts(exact, tuple(ordered))


def _groups(
    listener: ListenerScope,
    proxy: Proxy,
    port: int,
    services: Mapping[str, RegistryService],
    whole: ListenerScope,
) -> Iterator[_Group]:
    served: set[str] = set()
    wildcards = [host for host in services if is_wildcard(host)]
    index: MostSpecific | None = None
    for vs in listener.virtual_services:
        only_hosts = port == VIRTUAL_SERVICE_ONLY_PORT
        if not (only_hosts or concerns(vs, services, wildcards)):
            continue
        routes = http_routes(vs, proxy, port, partial(whole.at_port_named, port))
        if not routes:
            continue
        index = index or MostSpecific.of(listener)
        hosts, matching = separated(vs, services, index)
        hosts = tuple(h for h in hosts if not (is_wildcard(h) and _is_served(h, vs, whole, port)))
        if vs.gateway_api and not any(
            vs.meta.namespace in (s.namespace, proxy.namespace) for s in matching
        ):
            continue
        matching = tuple(s for s in matching if _is_http(s, port))
        if matching or only_hosts:
            served |= {s.hostname for s in matching}
            yield _Group(vs, hosts, matching, routes)
    for name in sorted(services):
        service = services[name]
        if name in served or service.resolution is Resolution.ALIAS or not _is_http(service, port):
            continue
        route = BuiltRoute("default", (cluster_name(service.hostname, port),))
        yield _Group(None, (), (service,), (route,))


def _is_served(pattern: str, vs: VirtualService, whole: ListenerScope, port: int) -> bool:
    """Tell whether a VirtualService's wildcard covers a service, so that it is no host alone."""
    return not vs.gateway_api and any(
        overlaps(service.hostname.lower(), pattern) for service in whole.at_port(port)
    )


def _is_http(service: RegistryService, port: int) -> bool:
    found = service.port(port)
    return found is not None and found.protocol.may_be_http


def concerns(
    vs: VirtualService, services: Mapping[str, RegistryService], wildcards: list[str]
) -> bool:
    """Tell whether a host of a VirtualService is that of a service (`selectVirtualServices`)."""
    for host in map(str.lower, vs.hosts):
        if host in services:
            return True
        others: Iterable[str] = services if is_wildcard(host) else wildcards
        if any(overlaps(host, other) for other in others):
            return True
    return False


def separated(
    vs: VirtualService, services: Mapping[str, RegistryService], index: MostSpecific
) -> tuple[tuple[str, ...], tuple[RegistryService, ...]]:
    """Split a VirtualService's hosts into those without a service, and the services of the rest."""
    alone: list[str] = []
    matching: list[RegistryService] = []
    for host in vs.hosts:
        lower = host.lower()
        if is_wildcard(lower):
            continue
        if lower in services:
            matching.append(services[lower])
        else:
            alone.append(lower)
    for host in vs.hosts:
        lower = host.lower()
        if not is_wildcard(lower):
            continue
        covered = [] if vs.gateway_api else [n for n in services if overlaps(n, lower)]
        if not covered:
            alone.append(lower)
        matching += [services[n] for n in covered if index.decides(vs, n)]
    return tuple(alone), tuple({s.hostname: s for s in matching}.values())


@dataclass(frozen=True, slots=True)
class MostSpecific:
    """Tell which VirtualService has the most specific host for a service.

    Services are known by their host names as they are written, but looked up in lower case.
    Source: model/sidecar.go `computeWildcardHostVirtualServiceIndex`.
    """

    exact: Mapping[str, VirtualService]
    wildcard: tuple[tuple[str, VirtualService], ...]
    hostnames: AbstractSet[str]

    @classmethod
    def of(cls, listener: ListenerScope) -> MostSpecific:
        """Index the hosts of a listener's VirtualServices; the first of equal ones counts."""
        exact: dict[str, VirtualService] = {}
        wildcard: dict[str, VirtualService] = {}
        for vs in listener.virtual_services:
            for host in vs.hosts:
                (wildcard if is_wildcard(host) else exact).setdefault(host, vs)
        ordered = sorted(wildcard.items(), key=lambda item: (-len(item[0]), item[0]))
        hostnames = frozenset(s.hostname for s in listener.services if wildcard)
        return cls(exact, tuple(ordered), hostnames)

    def decides(self, vs: VirtualService, hostname: str) -> bool:
        """Tell whether `vs`, which has a wildcard, is the one for a service's host name."""
        if hostname not in self.hostnames:
            return False
        found = None if is_wildcard(hostname) else self.exact.get(hostname)
        if found is None:
            found = next((v for p, v in self.wildcard if is_subset(hostname, p)), None)
        return found is not None and found.meta == vs.meta


def _named(group: _Group, proxy: Proxy, domain: str) -> Iterator[_Candidate]:
    """Yield the hosts of a group that have no service, then its services."""
    for host in group.hosts:
        yield _Candidate(group, host, None, [host], set())
    for service in group.services:
        domains, alternative = _domains(service, proxy, domain)
        yield _Candidate(group, service.hostname, service, domains, alternative)


def _alias_domains(
    service: RegistryService, domains: tuple[str, ...], proxy: Proxy, domain: str
) -> dict[str, ServiceKey]:
    return {
        text: alias
        for alias in service.aliases
        for text in (alias.hostname, *alternative_names(alias.hostname, proxy.namespace, domain))
        if text in domains
    }


def _domains(service: RegistryService, proxy: Proxy, domain: str) -> tuple[list[str], set[str]]:
    """List the domains of a service, and which of them are only alternative names."""
    domains: list[str] = []
    alternative: list[str] = []
    for name in (service.hostname, *(alias.hostname for alias in service.aliases)):
        others = alternative_names(name, proxy.namespace, domain)
        domains += [name, *others]
        alternative += others
    if service.kubernetes and service.resolution is Resolution.PASSTHROUGH:
        domains += [f"*.{name}" for name in domains]
    addresses = proxy.reachable(service)
    domains += [f"[{a}]" if ":" in a and "/" not in a else a for a in addresses]
    return domains, set(alternative)


def alternative_names(host: str, namespace: str, domain: str) -> list[str]:
    """List the other names of a host for a client's namespace (`GenerateAltVirtualHosts`).

    The name with a trailing dot is left out: an authority is compared without it.
    """
    if not host.endswith(f".{domain}") and host != domain:
        return []
    before, found, _ = host.partition(".svc.")
    if not found or "." not in before:
        return []
    if before.split(".", 1)[1] != namespace:
        return [before, f"{before}.svc"]
    return [before.split(".", 1)[0], f"{before}.svc", before]
