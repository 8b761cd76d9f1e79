"""The service registry: Kubernetes Services and ServiceEntry hosts as istiod sees them.

One ServiceEntry yields one registry service per host and address. Source: istio
serviceregistry/kube/conversion.go `ConvertService`, serviceregistry/serviceentry/conversion.go
`convertServices`, model/push_context.go `initServiceRegistry` and `resolveServiceAliases`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from recommender.istio.protocols import (
    Protocol,
    kubernetes_port_protocol,
    service_entry_port_protocol,
)
from recommender.mesh.objects import Mesh, Service, ServiceEntry

EXPORT_TO_ANNOTATION = "networking.istio.io/exportTo"
PUBLIC, PRIVATE, NOBODY = "*", ".", "~"
_NO_TIME = datetime.min.replace(tzinfo=UTC)


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

    `name` is the object's name (several hosts of one ServiceEntry share it); `addresses` the
    virtual IPs; `alias_for` the external name of an ExternalName Service; `aliases` the
    ExternalName Services that stand for this one; `resolution` istiod's word for it.
    """

    hostname: str
    namespace: str
    name: str
    kubernetes: bool
    ports: tuple[RegistryPort, ...] = ()
    addresses: tuple[str, ...] = ()
    headless: bool = False
    resolution: str = "ClientSideLB"
    export_to: frozenset[str] = frozenset({PUBLIC})
    created: datetime = _NO_TIME
    alias_for: str | None = None
    aliases: tuple[ServiceKey, ...] = ()

    @property
    def key(self) -> ServiceKey:
        """Return the namespace and host name that `egress.hosts` would use."""
        return ServiceKey(self.namespace, self.hostname)

    def port(self, number: int) -> RegistryPort | None:
        """Return the port with this number, or None."""
        return next((port for port in self.ports if port.number == number), None)


@dataclass(frozen=True, slots=True)
class Registry:
    """Hold every registry service, oldest first, and the ways to look one up.

    `by_hostname` holds for each namespace the one object istiod's index keeps (the oldest,
    Kubernetes preferred); `objects` all of them.
    """

    services: tuple[RegistryService, ...]
    by_hostname: Mapping[str, Mapping[str, RegistryService]]
    objects: Mapping[ServiceKey, tuple[RegistryService, ...]]
    public: tuple[RegistryService, ...]
    exported: Mapping[str, tuple[RegistryService, ...]]
    by_address: Mapping[str, tuple[RegistryService, ...]]

    def visible_from(self, namespace: str) -> tuple[RegistryService, ...]:
        """List what a client namespace may import, in istiod's order of preference.

        Source: `servicesExportedToNamespace`: exported to the namespace first, then public.
        """
        return self.exported.get(namespace, ()) + self.public


def build_registry(mesh: Mesh) -> Registry:
    """Build the registry of a mesh."""
    default_export = frozenset(mesh.config.default_service_export_to)
    found = [_from_kubernetes(s, mesh.cluster_domain, default_export) for s in mesh.services]
    for entry in mesh.service_entries:
        found += _from_service_entry(entry, default_export)
    found.sort(key=lambda s: (s.created, s.name, s.namespace))
    return _indexed(_with_aliases(found))


def is_visible(service: RegistryService, namespace: str) -> bool:
    """Tell whether a client namespace may use a service (`IsServiceVisible`)."""
    return (
        PUBLIC in service.export_to
        or namespace in service.export_to
        or (PRIVATE in service.export_to and service.namespace == namespace)
    )


def _from_kubernetes(
    service: Service, domain: str, default_export: frozenset[str]
) -> RegistryService:
    meta = service.meta
    annotation = meta.annotations.get(EXPORT_TO_ANNOTATION)
    export_to = (
        frozenset(part.strip() for part in annotation.split(",")) if annotation else default_export
    )
    alias = service.external_name if service.type == "ExternalName" else None
    return RegistryService(
        hostname=f"{meta.name}.{meta.namespace}.svc.{domain}",
        namespace=meta.namespace,
        name=meta.name,
        kubernetes=True,
        ports=tuple(
            RegistryPort(p.number, p.name, kubernetes_port_protocol(p)) for p in service.ports
        ),
        addresses=service.cluster_ips,
        headless=service.headless,
        resolution=_kubernetes_resolution(service, alias),
        export_to=export_to,
        created=meta.created or _NO_TIME,
        alias_for=alias,
    )


def _kubernetes_resolution(service: Service, alias: str | None) -> str:
    if alias is not None:
        return "Alias"
    return "Passthrough" if service.headless else "ClientSideLB"


def _from_service_entry(
    entry: ServiceEntry, default_export: frozenset[str]
) -> list[RegistryService]:
    meta = entry.meta
    template = RegistryService(
        hostname="",
        namespace=meta.namespace,
        name=meta.name,
        kubernetes=False,
        ports=tuple(
            RegistryPort(p.number, p.name, service_entry_port_protocol(p)) for p in entry.ports
        ),
        headless=entry.resolution == "NONE",
        resolution=entry.resolution,
        export_to=frozenset(entry.export_to) if entry.export_to else default_export,
        created=meta.created or _NO_TIME,
    )
    addresses: tuple[tuple[str, ...], ...] = tuple((a,) for a in entry.addresses) or ((),)
    return [
        replace(template, hostname=host, addresses=address)
        for host in entry.hosts
        for address in addresses
    ]


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
    by_address: dict[str, list[RegistryService]] = defaultdict(list)
    for service in services:
        objects[service.key].append(service)
        kept = by_hostname[service.hostname].get(service.namespace)
        if kept is None or (service.kubernetes and not kept.kubernetes):
            by_hostname[service.hostname][service.namespace] = service
        for address in service.addresses:
            by_address[address].append(service)
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
        {address: tuple(found) for address, found in by_address.items()},
    )
