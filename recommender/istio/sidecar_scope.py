"""What a Sidecar lets a proxy see: its services and VirtualServices.

Source: istio model/sidecar.go (`convertToSidecarScope`, `convertIstioListenerToWrapper`,
`selectServices`, `servicesForExactHosts`, `collectImportedServices`, `appendSidecarServices`)
and model/push_context.go (`initSidecarScopes`, `getSidecarScope`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from recommender.istio.admission import admitted
from recommender.istio.destination_rules import DestinationRules, build_destination_rules
from recommender.istio.discovery import discovered
from recommender.istio.host_names import is_subset, is_wildcard, overlaps
from recommender.istio.registry import (
    Registry,
    RegistryPort,
    RegistryService,
    ServiceKey,
    build_registry,
    is_visible,
)
from recommender.istio.sidecar_selection import OrderedSidecars, order_sidecars
from recommender.istio.virtual_services import (
    MeshVirtualServices,
    build_virtual_services,
    destinations,
)
from recommender.mesh.objects import (
    EgressListener,
    Labels,
    Mesh,
    ObjectMeta,
    Sidecar,
    Telemetry,
    VirtualService,
)

ANY_NAMESPACE = "*"
EVERYTHING = EgressListener(hosts=("*/*",))
OLDEST_VERSION, NEWEST_VERSION = (1, 24), (1, 31)
"""The versions of istiod whose rules are known."""
_NO_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ScopeRules:
    """Hold what is computed once per mesh to scope any proxy of it; Telemetries by age."""

    mesh: Mesh
    registry: Registry
    virtual_services: MeshVirtualServices
    destination_rules: DestinationRules
    sidecars: OrderedSidecars
    telemetries: tuple[Telemetry, ...]
    version: tuple[int, int]

    @property
    def root_namespace(self) -> str:
        """Return Istio's root namespace."""
        return self.mesh.config.root_namespace

    def with_sidecars(self, sidecars: Iterable[Sidecar]) -> ScopeRules:
        """Return the same rules with other Sidecars."""
        return replace(self, sidecars=order_sidecars(sidecars, self.root_namespace))


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


@dataclass(frozen=True, slots=True)
class SidecarScope:
    """Hold what a proxy is sent.

    `services` maps each host name to the service whose Envoy clusters and endpoints the proxy
    has: what the listeners import and what their VirtualServices pull in. `by_chance` names hosts
    of which istiod keeps one of several objects, not the same one in every run.
    """

    namespace: str
    listeners: tuple[ListenerScope, ...]
    services: Mapping[str, RegistryService]
    by_chance: frozenset[ServiceKey] = frozenset()

    def virtual_services(self) -> tuple[VirtualService, ...]:
        """List the VirtualServices of all listeners in order of precedence, each once."""
        found = {
            (v.meta.namespace, v.meta.name): v for x in self.listeners for v in x.virtual_services
        }
        return tuple(found.values())

    def listener_services(self) -> dict[str, RegistryService]:
        """Map each host name to the service that some listener imports."""
        found: dict[str, RegistryService] = {}
        for listener in self.listeners:
            for service in listener.services:
                found.setdefault(service.hostname, service)
        return found


@dataclass(slots=True)
class _HostPatterns:
    exact: set[str] = field(default_factory=set)
    all: list[str] = field(default_factory=list)
    wild: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)

    def excludes(self, host: str) -> bool:
        return any(is_subset(host, pattern) for pattern in self.excluded)

    def imports(self, host: str) -> bool:
        if host in self.exact:
            return True
        others = self.all if is_wildcard(host) else self.wild
        return any(is_subset(host, p) for p in others)

    def imports_virtual_service_host(self, host: str, gateway_api: bool) -> bool:
        if host in self.exact:
            return True
        compare = is_subset if gateway_api else overlaps
        # Of two exact names one would have been found already.
        others = self.all if is_wildcard(host) else self.wild
        return any(compare(host, p) for p in others)


_Patterns = dict[str, _HostPatterns]


def age(meta: ObjectMeta) -> tuple[datetime, str, str]:
    """Order objects from old to young, those of one second by name."""
    return (meta.created or _NO_TIME, meta.name, meta.namespace)


def build_scope_rules(mesh: Mesh) -> ScopeRules:
    """Compute what every scope of a mesh is made from, as far as istiod discovers it."""
    mesh = admitted(discovered(mesh))
    return ScopeRules(
        mesh,
        build_registry(mesh),
        build_virtual_services(mesh),
        build_destination_rules(mesh),
        order_sidecars(mesh.sidecars, mesh.config.root_namespace),
        tuple(sorted(mesh.telemetries, key=lambda t: age(t.meta))),
        mesh.istio_version or NEWEST_VERSION,
    )


def select_sidecar(rules: ScopeRules, namespace: str, labels: Labels) -> Sidecar | None:
    """Return the Sidecar istiod applies to a proxy, None for the implicit default `*/*`."""
    return rules.sidecars.selected(namespace, labels)


def sidecar_scope(
    rules: ScopeRules, namespace: str, listeners: Iterable[EgressListener] = ()
) -> SidecarScope:
    """Compute the scope of a proxy of a namespace; no listeners means `*/*`, as in istiod."""
    made = tuple(_listener_scope(rules, namespace, x) for x in (tuple(listeners) or (EVERYTHING,)))
    services = _scope_services(rules, namespace, made)
    return SidecarScope(namespace, made, services, _left_to_chance(rules, namespace, made))


def _left_to_chance(
    rules: ScopeRules, namespace: str, listeners: Iterable[ListenerScope]
) -> frozenset[ServiceKey]:
    """List the hosts with several objects that listeners of exact hosts import one of."""
    if rules.version < (1, 31):
        return frozenset()
    return frozenset(
        service.key
        for made in listeners
        if _is_exact(_parse_hosts(rules, namespace, made.listener.hosts))
        for service in made.services
        if len(rules.registry.objects[service.key]) > 1
    )


def _listener_scope(rules: ScopeRules, namespace: str, listener: EgressListener) -> ListenerScope:
    patterns = _parse_hosts(rules, namespace, listener.hosts)
    candidates = _exact_candidates(rules, namespace, patterns)
    if candidates is None:
        candidates = rules.registry.visible_from(namespace)
    return ListenerScope(
        listener,
        _select_services(candidates, namespace, patterns, listener),
        _select_virtual_services(rules, namespace, patterns),
    )


def _parse_hosts(rules: ScopeRules, namespace: str, hosts: Iterable[str]) -> _Patterns:
    """Sort host entries by namespace; `~` excludes from 1.31 on and means nothing before."""
    patterns: _Patterns = {}
    for entry in hosts:
        if entry.count("/") != 1:
            continue
        key, host = entry.split("/")
        if key.startswith("~"):
            if rules.version >= (1, 31):
                excluded_from = key[1:] or ANY_NAMESPACE
                excluded_from = namespace if excluded_from == "." else excluded_from
                patterns.setdefault(excluded_from, _HostPatterns()).excluded.append(host)
            continue
        found = patterns.setdefault(namespace if key == "." else key, _HostPatterns())
        found.all.append(host)
        if is_wildcard(host):
            found.wild.append(host)
        else:
            found.exact.add(host)
    return patterns


def _exact_candidates(
    rules: ScopeRules, namespace: str, patterns: _Patterns
) -> tuple[RegistryService, ...] | None:
    """Look up exact hosts in istiod's index, which keeps one object per host and namespace.

    Returns None where istiod scans the whole registry: before 1.31, with any wildcard, or with
    the namespace `*`. The result is the same but for a host with several objects in one
    namespace, where the index keeps only one of them.
    """
    if not _is_exact(patterns):
        return None
    found = [
        service
        for key, entry in patterns.items()
        for host in entry.exact
        if (service := rules.registry.by_hostname.get(host, {}).get(key))
        and is_visible(service, namespace)
    ]
    if rules.version < (1, 31):
        keys = {service.key for service in found}
        found = [s for key in keys for s in rules.registry.objects[key] if is_visible(s, namespace)]
    # Stable order: the scan would have met them by age; only ties of host names depend on it.
    found.sort(key=lambda s: (s.created, s.name, s.namespace, s.hostname))
    return tuple(found)


def _is_exact(patterns: _Patterns) -> bool:
    return not any(
        found.all and (key == ANY_NAMESPACE or len(found.exact) < len(set(found.all)))
        for key, found in patterns.items()
    )


def _select_services(
    candidates: Iterable[RegistryService],
    namespace: str,
    patterns: _Patterns,
    listener: EgressListener,
) -> tuple[RegistryService, ...]:
    anywhere = patterns.get(ANY_NAMESPACE)
    kept: list[RegistryService] = []
    if listener == EVERYTHING:  # the scope of most proxies, and the largest
        kept, candidates = list(candidates), ()
    for service in candidates:
        own = patterns.get(service.namespace)
        sources = [found for found in (own, anywhere) if found is not None]
        if any(found.excludes(service.hostname) for found in sources):
            continue
        for found in sources:
            imported = _imported(service, found, listener)
            if imported is not None:
                kept.append(imported)
                break
    winners = _namespace_winners(kept, namespace)
    return tuple(s for s in kept if winners[s.hostname].namespace == s.namespace)


def _imported(
    service: RegistryService, patterns: _HostPatterns, listener: EgressListener
) -> RegistryService | None:
    if not patterns.imports(service.hostname):
        return None
    if _limits_ports(listener):
        port = service.port(listener.port or 0)
        if port is None:
            return None
        service = replace(service, ports=(port,))
    if service.aliases:
        kept = tuple(a for a in service.aliases if patterns.imports(a.hostname))
        service = replace(service, aliases=kept)
    return service


def _limits_ports(listener: EgressListener) -> bool:
    """Tell whether a listener's own port is the only one it takes of a service."""
    return bool(listener.port) and (listener.port_protocol or "").upper() != "HTTP_PROXY"


def _namespace_winners(
    services: Iterable[RegistryService], namespace: str
) -> dict[str, RegistryService]:
    """Choose one namespace per host name: the client's, else Kubernetes, else the first met."""
    winners: dict[str, RegistryService] = {}
    for service in services:
        current = winners.get(service.hostname)
        if (
            current is None
            or service.namespace == namespace
            or (service.kubernetes and not current.kubernetes and current.namespace != namespace)
        ):
            winners[service.hostname] = service
    return winners


def _select_virtual_services(
    rules: ScopeRules, namespace: str, patterns: _Patterns
) -> tuple[VirtualService, ...]:
    """Import each VirtualService one of whose hosts is asked for in *its own* namespace."""
    anywhere = patterns.get(ANY_NAMESPACE)
    visible = rules.virtual_services.visible_from(namespace)
    places: Iterable[int] = range(len(visible.ordered))
    if anywhere is None:
        places = sorted(p for home in patterns for p in visible.by_namespace.get(home, ()))
    selected: list[VirtualService] = []
    for vs in (visible.ordered[place] for place in places):
        sources = [p for p in (patterns.get(vs.meta.namespace), anywhere) if p is not None]
        if any(
            source.imports_virtual_service_host(host, vs.gateway_api)
            and not any(p.excludes(host) for p in sources)
            for source in sources
            for host in vs.hosts
        ):
            selected.append(vs)
    return tuple(selected)


def _scope_services(
    rules: ScopeRules, namespace: str, listeners: Iterable[ListenerScope]
) -> dict[str, RegistryService]:
    services: dict[str, RegistryService] = {}
    for listener in listeners:
        for service in listener.services:
            _add(services, service)
        for vs in listener.virtual_services:
            for host, ports in destinations(vs, namespace).items():
                pulled = _pulled_in(rules, namespace, host, ports, listener.listener)
                if pulled is not None:
                    _add(services, pulled)
    return services


def _pulled_in(
    rules: ScopeRules, namespace: str, host: str, ports: set[int], listener: EgressListener
) -> RegistryService | None:
    """Find the service that a VirtualService's destination brings along, with the ports it names.

    The client namespace's own service is taken without looking at exportTo.
    """
    by_namespace = rules.registry.by_hostname.get(host)
    if not by_namespace:
        return None
    service = by_namespace.get(namespace) or _best_visible(rules, by_namespace.values(), namespace)
    if service is None:
        return None
    wanted = {listener.port} if _limits_ports(listener) else ports
    if 0 in wanted:
        return service
    kept = tuple(port for port in service.ports if port.number in wanted)
    return replace(service, ports=kept) if kept else None


def _best_visible(
    rules: ScopeRules, services: Iterable[RegistryService], namespace: str
) -> RegistryService | None:
    """Prefer Kubernetes, then the oldest; up to 1.29 the alphabetically first namespace."""
    visible = [s for s in services if is_visible(s, namespace)]
    if rules.version < (1, 30):
        return min(visible, key=lambda s: s.namespace, default=None)
    return min(visible, key=lambda s: (not s.kubernetes, s.created, s.namespace), default=None)


def _add(services: dict[str, RegistryService], new: RegistryService) -> None:
    """Merge a service into the scope as `appendSidecarServices` does."""
    current = services.get(new.hostname)
    if current is None or (new.kubernetes and not current.kubernetes):
        services[new.hostname] = new
        return
    if _may_merge(current, new) and new.ports != current.ports:
        services[new.hostname] = replace(current, ports=_joined(current.ports, new.ports))


def _may_merge(current: RegistryService, new: RegistryService) -> bool:
    """Tell whether two services of a host name are alike but for their ports.

    What counts is what the objects declare. Source: `canMergeServices`.
    """

    def compared(service: RegistryService) -> tuple[object, ...]:
        declared = (service.declared_export_to or frozenset(), service.selector or {})
        return (service.namespace, service.resolution, service.kubernetes, service.labels, declared)

    return compared(current) == compared(new)


def _joined(
    first: tuple[RegistryPort, ...], second: tuple[RegistryPort, ...]
) -> tuple[RegistryPort, ...]:
    known = {port.number for port in first}
    return first + tuple(port for port in second if port.number not in known)
