"""The service registry: Kubernetes Services and ServiceEntry hosts as istiod sees them.

Source: istio serviceregistry/kube/conversion.go `ConvertService`,
serviceregistry/serviceentry/conversion.go `convertServices`,
serviceregistry/aggregate/controller.go `Services`, model/push_context.go `initServiceRegistry`,
`serviceExportTo` and `resolveServiceAliases`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from ipaddress import ip_network
from typing import NamedTuple

from recommender.istio.endpoints import Endpoints, find_endpoints
from recommender.istio.export_to import NOBODY, PRIVATE, PUBLIC, declared_export_to
from recommender.istio.protocols import (
    Protocol,
    kubernetes_port_protocol,
    protocol_of,
)
from recommender.istio.visibility import Visibilities
from recommender.mesh.objects import NO_TIME, Labels, Mesh, Service, ServiceEntry


class Resolution(Enum):
    """Name how Envoy finds the endpoints of a service (istio model/service.go `Resolution`)."""

    CLIENT_SIDE_LB = "ClientSideLB"
    DNS = "DNSLB"
    DNS_ROUND_ROBIN = "DNSRoundRobinLB"
    PASSTHROUGH = "Passthrough"
    DYNAMIC_DNS = "DynamicDNS"
    ALIAS = "Alias"


_SERVICE_ENTRY_RESOLUTIONS = {
    "NONE": Resolution.PASSTHROUGH,
    "STATIC": Resolution.CLIENT_SIDE_LB,
    "DNS": Resolution.DNS,
    "DNS_ROUND_ROBIN": Resolution.DNS_ROUND_ROBIN,
    "DYNAMIC_DNS": Resolution.DYNAMIC_DNS,
}


class ServiceKey(NamedTuple):
    """Identify a service as `egress.hosts` does: the object's namespace and the host name."""

    namespace: str
    hostname: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.hostname}"


@dataclass(frozen=True, slots=True)
class RegistryPort:
    """Describe one port of a registry service."""

    number: int
    name: str
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class RegistryService:
    """Describe one service of istiod's registry.

    `name` decides between services of one age: a Service's own, a ServiceEntry's host;
    `addresses` the virtual IPs, or one CIDR, empty where a proxy has none to listen on;
    `addresses_in` those of each Kubernetes cluster that has the Service, empty in a mesh of one;
    `endpoints` the endpoint addresses of a headless service by port number; `alias_for` the
    external name of an ExternalName Service; `aliases` the ExternalNames that stand for this one;
    `selector` is not None where endpoints are chosen by labels, so that they may come and go;
    `resolved_labels` holds the labels of each endpoint that Envoy resolves by DNS, None where
    istiod sends the endpoints; `declared_export_to` is None where the object leaves it to the mesh;
    `mesh_external` tells that endpoints are not expected to have proxies.
    """

    hostname: str
    namespace: str
    name: str
    kubernetes: bool
    ports: tuple[RegistryPort, ...] = ()
    addresses: tuple[str, ...] = ()
    addresses_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    resolution: Resolution = Resolution.CLIENT_SIDE_LB
    endpoints: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    selector: Labels | None = None
    resolved_labels: tuple[Labels, ...] | None = None
    labels: Labels = field(default_factory=dict)
    export_to: frozenset[str] = frozenset({PUBLIC})
    declared_export_to: frozenset[str] | None = None
    created: datetime = NO_TIME
    alias_for: str | None = None
    aliases: tuple[ServiceKey, ...] = ()
    mesh_external: bool = False

    def __hash__(self) -> int:
        return hash((self.hostname, self.namespace))  # of all fields it would take far longer

    @property
    def key(self) -> ServiceKey:
        """Return the namespace and host name that `egress.hosts` would use."""
        return ServiceKey(self.namespace, self.hostname)

    @property
    def headless(self) -> bool:
        """Tell whether callers reach the endpoints themselves: no virtual IP, nothing resolved."""
        return self.resolution is Resolution.PASSTHROUGH and not self.addresses

    @property
    def resolves_names(self) -> bool:
        """Tell whether it stands for all names of a wildcard, which Envoy resolves."""
        return self.resolution is Resolution.DYNAMIC_DNS and self.hostname.startswith("*")

    def port(self, number: int) -> RegistryPort | None:
        """Return the first port with this number that is not UDP's, or None (`GetByPort`)."""
        for port in self.ports:  # a loop, since this decides the speed of large scopes
            if port.number == number and port.protocol is not Protocol.UDP:
                return port
        return None


@dataclass(frozen=True, slots=True)
class Registry:
    """Hold every registry service, oldest first, and the ways to look one up.

    `by_hostname` holds for each namespace the one object istiod's index keeps (the oldest,
    Kubernetes preferred); `objects` all of them. `virtual_ips` tells in a mesh of several
    Kubernetes clusters whose a virtual IP is, by the name of the cluster and the address;
    `headless` names the hosts with a headless service, `several` those with more than one object;
    `entries_at` are the hosts of ServiceEntries by their addresses.
    """

    services: tuple[RegistryService, ...]
    by_hostname: Mapping[str, Mapping[str, RegistryService]]
    objects: Mapping[ServiceKey, tuple[RegistryService, ...]]
    public: tuple[RegistryService, ...]
    exported: Mapping[str, tuple[RegistryService, ...]]
    virtual_ips: Mapping[tuple[str, str], RegistryService] = field(default_factory=dict)
    headless: frozenset[str] = frozenset()
    several: frozenset[ServiceKey] = frozenset()
    entries_at: Mapping[str, tuple[RegistryService, ...]] = field(default_factory=dict)

    def visible_from(self, namespace: str) -> tuple[RegistryService, ...]:
        """List what a client namespace may import, in istiod's order of preference.

        Source: `servicesExportedToNamespace`: exported to the namespace first, then public.
        """
        return self.exported.get(namespace, ()) + self.public


def build_registry(mesh: Mesh, first: str | None = None) -> Registry:
    """Build the registry of a mesh, as an istiod sees it whose Kubernetes cluster is `first`."""
    endpoints = find_endpoints(mesh)
    found = list(_kubernetes_services(mesh, first))
    visibilities = Visibilities.of(mesh)
    for entry in mesh.service_entries:
        found += _from_service_entry(entry, mesh, visibilities)
    found.sort(key=lambda s: (s.created, s.name, s.namespace))
    return _indexed(_with_aliases(_with_endpoints(found, endpoints)))


def is_visible(service: RegistryService, namespace: str) -> bool:
    """Tell whether a client namespace may use a service (`IsServiceVisible`)."""
    return (
        PUBLIC in service.export_to
        or namespace in service.export_to
        or (PRIVATE in service.export_to and service.namespace == namespace)
    )


def _kubernetes_services(mesh: Mesh, first: str | None) -> Iterator[RegistryService]:
    """Make one registry service of those of one name, as the first Kubernetes cluster has it.

    Each keeps its virtual IPs. Source: `mergeService`.
    """
    copies: dict[tuple[str, str], list[Service]] = defaultdict(list)
    for service in mesh.services:
        copies[service.meta.namespace, service.meta.name].append(service)
    for found in copies.values():
        found.sort(key=lambda service: service.meta.kubernetes_cluster != first)
        made = _from_kubernetes(found[0], mesh)
        if len(mesh.kubernetes_clusters) > 1:
            addresses = {each.meta.kubernetes_cluster: each.cluster_ips for each in found}
            made = replace(made, addresses_in=addresses)
        yield made


def _from_kubernetes(service: Service, mesh: Mesh) -> RegistryService:
    meta = service.meta
    declared = declared_export_to(service)
    alias = service.external_name if service.type == "ExternalName" else None
    return RegistryService(
        hostname=f"{meta.name}.{meta.namespace}.svc.{mesh.cluster_domain}",
        namespace=meta.namespace,
        name=meta.name,
        kubernetes=True,
        ports=tuple(
            RegistryPort(p.number, p.name, kubernetes_port_protocol(p)) for p in service.ports
        ),
        addresses=service.cluster_ips,
        resolution=_kubernetes_resolution(service, alias),
        selector=service.selector,
        labels=meta.labels,
        export_to=declared or frozenset(mesh.config.default_service_export_to),
        declared_export_to=declared,
        created=meta.created or NO_TIME,
        alias_for=alias,
    )


def _kubernetes_resolution(service: Service, alias: str | None) -> Resolution:
    if alias is not None:
        return Resolution.ALIAS
    return Resolution.PASSTHROUGH if service.headless else Resolution.CLIENT_SIDE_LB


def _from_service_entry(
    entry: ServiceEntry, mesh: Mesh, visibilities: Visibilities
) -> list[RegistryService]:
    """Make one registry service per host and address; without addresses one per host."""
    meta = entry.meta
    resolution = _SERVICE_ENTRY_RESOLUTIONS.get(entry.resolution, Resolution.PASSTHROUGH)
    declared = frozenset(entry.export_to) if entry.export_to else None
    wanted = declared or frozenset(mesh.config.default_service_export_to)
    template = RegistryService(
        hostname="",
        namespace=meta.namespace,
        name="",
        kubernetes=False,
        ports=tuple(RegistryPort(p.number, p.name, protocol_of(p.protocol)) for p in entry.ports),
        resolution=resolution,
        selector=entry.workload_selector,
        resolved_labels=_resolved_labels(entry, mesh) if resolution in _BY_DNS else None,
        labels=meta.labels,
        export_to=visibilities.narrowed(wanted, meta.namespace),
        declared_export_to=declared,
        created=meta.created or NO_TIME,
        mesh_external=entry.location != "MESH_INTERNAL",
    )
    valid = [address for address in map(listen_address, entry.addresses) if address]
    return [
        replace(template, hostname=host, name=host, addresses=addresses)
        for host in entry.hosts
        for addresses in (
            [() if address == _UNSPECIFIED else (address,) for address in valid]
            if entry.addresses
            else [entry.allocated.get(host, ()) if mesh.config.dns_capture else ()]
        )
    ]


_BY_DNS = (Resolution.DNS, Resolution.DNS_ROUND_ROBIN)
_UNSPECIFIED = "0.0.0.0"  # noqa: S104 - what istiod writes where there is no address


def _resolved_labels(entry: ServiceEntry, mesh: Mesh) -> tuple[Labels, ...]:
    """List the labels of a ServiceEntry's endpoints; without any the host itself is one."""
    if entry.workload_selector is not None:
        selector, namespace = entry.workload_selector.items(), entry.meta.namespace
        pods = [pod.meta.labels for pod in mesh.pods if pod.meta.namespace == namespace]
        others = [w.labels for w in mesh.workload_entries if w.meta.namespace == namespace]
        return tuple(labels for labels in pods + others if selector <= labels.items())
    return tuple(endpoint.labels for endpoint in entry.endpoints) or ({},)


def _with_endpoints(services: list[RegistryService], endpoints: Endpoints) -> list[RegistryService]:
    """Give headless services their endpoints; objects of one host and namespace share them.

    Of two that find endpoints for a port number, the younger counts for both
    (`ServiceIndex.instancesByPort`).
    """
    shared: dict[ServiceKey, dict[int, tuple[str, ...]]] = defaultdict(dict)
    for service in services:
        known = endpoints.get(service.key, {})
        for port in service.ports if known else ():
            found = (*known.get(port.name, ()), *known.get(port.number, ()))
            if found:
                shared[service.key][port.number] = found
    return [_sharing(service, shared[service.key]) for service in services]


def _sharing(service: RegistryService, endpoints: Mapping[int, tuple[str, ...]]) -> RegistryService:
    found = {p.number: endpoints[p.number] for p in service.ports if p.number in endpoints}
    return replace(service, endpoints=found) if service.headless and found else service


def listen_address(text: str) -> str | None:
    """Return an IP address or a CIDR as istiod keeps it, None for what is neither."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    return str(network.network_address) if network.num_addresses == 1 else text


def _with_aliases(services: list[RegistryService]) -> list[RegistryService]:
    """Hang each ExternalName on the service it finally stands for; a loop stands for nothing."""
    target_of = {s.hostname: s.alias_for for s in services if s.alias_for is not None}
    aliases: dict[str, list[ServiceKey]] = defaultdict(list)
    for service in services:
        if service.alias_for is None:
            continue
        seen = {service.hostname}
        target: str | None = service.alias_for
        while target in target_of and target not in seen:
            seen.add(target)
            target = target_of[target]
        if target is not None and target not in seen:
            aliases[target].append(service.key)
    return [
        replace(s, aliases=tuple(sorted(aliases[s.hostname]))) if s.hostname in aliases else s
        for s in services
    ]


def _indexed(services: Iterable[RegistryService]) -> Registry:
    services = tuple(services)
    by_hostname: dict[str, dict[str, RegistryService]] = defaultdict(dict)
    objects: dict[ServiceKey, list[RegistryService]] = defaultdict(list)
    public: list[RegistryService] = []
    exported: dict[str, list[RegistryService]] = defaultdict(list)
    for service in services:
        objects[service.key].append(service)
        kept = by_hostname[service.hostname].get(service.namespace)
        if kept is None or (service.kubernetes and not kept.kubernetes):
            by_hostname[service.hostname][service.namespace] = service
        if PUBLIC in service.export_to:
            public.append(service)
        elif NOBODY not in service.export_to:
            targets = {service.namespace if e == PRIVATE else e for e in service.export_to}
            for target in sorted(targets):
                exported[target].append(service)
    return Registry(
        services,
        dict(by_hostname),
        {key: tuple(found) for key, found in objects.items()},
        tuple(public),
        {ns: tuple(found) for ns, found in exported.items()},
        {
            (cluster, address): service
            for service in services
            for cluster, addresses in service.addresses_in.items()
            for address in addresses
        },
        frozenset(service.hostname for service in services if service.headless),
        frozenset(key for key, found in objects.items() if len(found) > 1),
        _entries_at(services),
    )


def _entries_at(services: Iterable[RegistryService]) -> dict[str, tuple[RegistryService, ...]]:
    found: dict[str, list[RegistryService]] = defaultdict(list)
    for service in services:
        for address in () if service.kubernetes else service.addresses:
            found[address].append(service)
    return {address: tuple(each) for address, each in found.items()}
