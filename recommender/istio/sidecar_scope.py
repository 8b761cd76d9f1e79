"""What a Sidecar lets a proxy see: its services and VirtualServices.

Source: istio model/sidecar.go (`convertToSidecarScope`, `convertIstioListenerToWrapper`,
`selectServices`, `servicesForExactHosts`, `collectImportedServices`)
and model/push_context.go (`initSidecarScopes`, `getSidecarScope`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from itertools import chain

from recommender.istio.admission import admitted
from recommender.istio.attachments import Attachments, build_attachments
from recommender.istio.destination_rules import DestinationRules, build_destination_rules
from recommender.istio.discovery import discovered
from recommender.istio.egress_hosts import (
    ANY_NAMESPACE,
    HostPatterns,
    Patterns,
    is_exact,
    parse_hosts,
)
from recommender.istio.endpoint_index import EndpointIndex, build_endpoint_index
from recommender.istio.everything import EVERYTHING, Everything, build_everything
from recommender.istio.host_names import overlaps
from recommender.istio.listener_scope import ListenerScope
from recommender.istio.namesakes import add_service, namespace_winners
from recommender.istio.registry import (
    Registry,
    RegistryService,
    ServiceKey,
    build_registry,
    is_visible,
)
from recommender.istio.sidecar_selection import OrderedSidecars, order_sidecars
from recommender.istio.virtual_service_index import VirtualServiceIndex
from recommender.istio.virtual_services import (
    MeshVirtualServices,
    build_virtual_services,
    destinations,
)
from recommender.mesh.objects import (
    EgressListener,
    Labels,
    Mesh,
    Sidecar,
    VirtualService,
)

OLDEST_VERSION, NEWEST_VERSION = (1, 24), (1, 31)
"""The versions of istiod whose rules are known."""


@dataclass(frozen=True, slots=True)
class ScopeRules:
    """Hold what is computed once per mesh to scope any proxy of it."""

    mesh: Mesh
    registry: Registry
    virtual_services: MeshVirtualServices
    destination_rules: DestinationRules
    sidecars: OrderedSidecars
    attachments: Attachments
    everything: Everything
    version: tuple[int, int]
    _endpoints: list[EndpointIndex] = field(default_factory=list, compare=False, repr=False)

    @property
    def root_namespace(self) -> str:
        """Return Istio's root namespace."""
        return self.mesh.config.root_namespace

    def endpoints(self) -> EndpointIndex:
        """Return the endpoints of the mesh, collected when they are first asked for."""
        if not self._endpoints:
            self._endpoints.append(build_endpoint_index(self.mesh))
        return self._endpoints[0]

    def with_sidecars(self, sidecars: Iterable[Sidecar]) -> ScopeRules:
        """Return the same rules with other Sidecars."""
        return replace(self, sidecars=order_sidecars(sidecars, self.root_namespace))

    def with_registry(self, registry: Registry) -> ScopeRules:
        """Return the same rules for another istiod's registry of the same mesh."""
        everything = build_everything(registry, self.virtual_services)
        return replace(self, registry=registry, everything=everything)


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

    def leading_to(self, *hosts: str) -> list[VirtualService]:
        """List the VirtualServices with a route or mirror that leads to some host."""
        indexes = [made.index().virtual_services for made in self.listeners]
        return _distinct(vs for host in hosts for each in indexes for vs in each.leading_to(host))

    def rewriting_to(self, authority: str) -> list[VirtualService]:
        """List the VirtualServices with a route that puts an authority in place of others."""
        indexes = (made.index().virtual_services for made in self.listeners)
        return _distinct(vs for each in indexes for vs in each.rewriting_to(authority))

    def named_by(self, vs: VirtualService, port: int | None = None) -> list[RegistryService]:
        """List the imported services that a VirtualService names, at a port or at any."""
        near = (made.named_by(vs).values() for made in self.listeners)
        return [
            service
            for service in chain.from_iterable(near)
            if (port is None or service.port(port) is not None)
            and any(overlaps(host.lower(), service.hostname.lower()) for host in vs.hosts)
        ]

    def listener_services(self) -> dict[str, RegistryService]:
        """Map each host name to the service that some listener imports."""
        found: dict[str, RegistryService] = {}
        for listener in self.listeners:
            for service in listener.services:
                found.setdefault(service.hostname, service)
        return found


def build_scope_rules(mesh: Mesh) -> ScopeRules:
    """Compute what every scope of a mesh is made from, as far as istiod discovers it."""
    mesh = admitted(discovered(mesh))
    registry, virtual_services = build_registry(mesh), build_virtual_services(mesh)
    return ScopeRules(
        mesh,
        registry,
        virtual_services,
        build_destination_rules(mesh),
        order_sidecars(mesh.sidecars, mesh.config.root_namespace),
        build_attachments(mesh),
        build_everything(registry, virtual_services),
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


def _distinct(virtual_services: Iterable[VirtualService]) -> list[VirtualService]:
    return list({id(vs): vs for vs in virtual_services}.values())


def _left_to_chance(
    rules: ScopeRules, namespace: str, listeners: Iterable[ListenerScope]
) -> frozenset[ServiceKey]:
    """List the hosts with several objects that listeners of exact hosts import one of."""
    if rules.version < (1, 31) or not rules.registry.several:
        return frozenset()
    found: set[ServiceKey] = set()
    for made in listeners:
        if made.listener == EVERYTHING:
            continue
        several = rules.registry.several.intersection(s.key for s in made.services)
        if several and is_exact(parse_hosts(made.listener.hosts, namespace, rules.version)):
            found |= several
    return frozenset(found)


def _listener_scope(rules: ScopeRules, namespace: str, listener: EgressListener) -> ListenerScope:
    if listener == EVERYTHING:
        return rules.everything.listener_scope(namespace)
    patterns = parse_hosts(listener.hosts, namespace, rules.version)
    candidates = _exact_candidates(rules, namespace, patterns)
    if candidates is None:
        candidates = rules.registry.visible_from(namespace)
    return ListenerScope(
        listener,
        _select_services(candidates, namespace, patterns, listener),
        _select_virtual_services(rules, namespace, patterns),
    )


def _exact_candidates(
    rules: ScopeRules, namespace: str, patterns: Patterns
) -> tuple[RegistryService, ...] | None:
    """Look up exact hosts in istiod's index, which keeps one object per host and namespace.

    Returns None where istiod scans the whole registry: before 1.31, with any wildcard, or with
    the namespace `*`. The result is the same but for a host with several objects in one
    namespace, where the index keeps only one of them.
    """
    if not is_exact(patterns):
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


def _select_services(
    candidates: Iterable[RegistryService],
    namespace: str,
    patterns: Patterns,
    listener: EgressListener,
) -> tuple[RegistryService, ...]:
    anywhere = patterns.get(ANY_NAMESPACE)
    kept: list[RegistryService] = []
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
    winners = namespace_winners(kept, namespace)
    return tuple(s for s in kept if winners[s.hostname].namespace == s.namespace)


def _imported(
    service: RegistryService, patterns: HostPatterns, listener: EgressListener
) -> RegistryService | None:
    if not patterns.imports(service.hostname):
        return None
    limited = _limited(service, listener) if _limits_ports(listener) else service
    if limited is None:
        return None
    service = limited
    if service.aliases:
        kept = tuple(a for a in service.aliases if patterns.imports(a.hostname))
        service = service if kept == service.aliases else replace(service, aliases=kept)
    return service


def _limits_ports(listener: EgressListener) -> bool:
    """Tell whether a listener's own port is the only one it takes of a service."""
    return bool(listener.port) and (listener.port_protocol or "").upper() != "HTTP_PROXY"


def _limited(service: RegistryService, listener: EgressListener) -> RegistryService | None:
    """Limit a service to a listener's port: the first of the number, be it UDP's.

    Source: `serviceMatchingListenerPort`.
    """
    port = next((port for port in service.ports if port.number == listener.port), None)
    return None if port is None else replace(service, ports=(port,))


def _select_virtual_services(
    rules: ScopeRules, namespace: str, patterns: Patterns
) -> tuple[VirtualService, ...]:
    """Import each VirtualService one of whose hosts is asked for in *its own* namespace."""
    anywhere = patterns.get(ANY_NAMESPACE)
    visible = rules.virtual_services.visible_from(namespace)
    selected: list[VirtualService] = []
    for vs in (visible.ordered[place] for place in sorted(_perhaps(visible, patterns))):
        sources = [p for p in (patterns.get(vs.meta.namespace), anywhere) if p is not None]
        if any(
            source.imports_virtual_service_host(host, vs.gateway_api)
            and not any(p.excludes(host) for p in sources)
            for source in sources
            for host in vs.hosts
        ):
            selected.append(vs)
    return tuple(selected)


def _perhaps(visible: VirtualServiceIndex, patterns: Patterns) -> set[int]:
    """Find the places of the VirtualServices that patterns may import."""
    found: set[int] = set()
    for home, asked in patterns.items():
        groups = visible.by_namespace if asked.wild else visible.wildcards
        homes = groups if home == ANY_NAMESPACE else (home,)
        found.update(*(groups.get(each, ()) for each in homes))
        found.update(*(visible.by_host.get(host.lower(), ()) for host in asked.exact))
    return found


def _scope_services(
    rules: ScopeRules, namespace: str, listeners: tuple[ListenerScope, ...]
) -> Mapping[str, RegistryService]:
    if [made.listener for made in listeners] == [EVERYTHING]:
        everything = rules.everything.scope_services(namespace)
        _pull_in(everything, rules, namespace, listeners[0])
        return everything
    services: dict[str, RegistryService] = {}
    for made in listeners:
        for service in made.services:
            add_service(services, service)
        _pull_in(services, rules, namespace, made)
    return services


def _pull_in(
    services: MutableMapping[str, RegistryService],
    rules: ScopeRules,
    namespace: str,
    made: ListenerScope,
) -> None:
    """Add the services that VirtualServices lead to."""
    for vs in made.virtual_services:
        for host, ports in destinations(vs, namespace).items():
            pulled = _pulled_in(rules, namespace, host, ports, made.listener)
            if pulled is not None:
                add_service(services, pulled)


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
    if _limits_ports(listener):
        return _limited(service, listener)
    if 0 in ports:
        return service
    kept = tuple(port for port in service.ports if port.number in ports)
    if len(kept) == len(service.ports):
        # One without ports comes whatever port is named: most ExternalNames are like that.
        return service
    return replace(service, ports=kept) if kept else None


def _best_visible(
    rules: ScopeRules, services: Iterable[RegistryService], namespace: str
) -> RegistryService | None:
    """Prefer Kubernetes, then the oldest; up to 1.29 the alphabetically first namespace."""
    visible = [s for s in services if is_visible(s, namespace)]
    if rules.version < (1, 30):
        return min(visible, key=lambda s: s.namespace, default=None)
    return min(visible, key=lambda s: (not s.kubernetes, s.created, s.namespace), default=None)
