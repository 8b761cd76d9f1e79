"""Names and addresses -> the namespaces that they are of."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from recommender.istio.host_names import is_subset, is_wildcard
from recommender.istio.registry import Registry
from recommender.istio.virtual_service_index import without_port
from recommender.mesh import Mesh
from recommender.recommendation.kubernetes_clusters import valid_address

_SERVICE_NAME: Final = re.compile(r"(?:[^.]+\.)+([^.]+)\.svc(?:\..+)?")
_SHORT_NAME: Final = re.compile(r"(?:[^.]+\.)?([^.]+)\.([^.]+)")

_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)


def is_namespace_name(name: str) -> bool:
    """Tell whether a namespace may have this name."""
    return _NAMESPACE.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class NamespacesOf:
    """Find the namespaces that something is of.

    `services` are the namespaces and names of Services; `addresses` are those of Services and
    pods.
    """

    registry: Registry
    services: frozenset[tuple[str, str]]
    addresses: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, mesh: Mesh, registry: Registry) -> NamespacesOf:
        """Index a mesh."""
        addresses: dict[str, set[str]] = defaultdict(set)
        for service in mesh.services:
            for address in service.cluster_ips:
                addresses[address].add(service.meta.namespace)
        for pod in mesh.pods:
            for address in () if pod.host_network or pod.has_ended else pod.ips:
                addresses[address].add(pod.meta.namespace)
        services = frozenset((s.meta.namespace, s.meta.name) for s in mesh.services)
        placed = {address: frozenset(found) for address, found in addresses.items()}
        return cls(registry, services, placed)

    def of_host(self, host: str, home: str = "") -> set[str]:
        """List the namespaces with a service of a host name; `home` alone if it has one.

        For a Service that is gone it is the one in its name.
        """
        found = self.registry.by_hostname.get(host)
        if not found:
            return self.of_service_name(host)
        return {home} if home in found else set(found)

    def of_service_name(self, name: str) -> set[str]:
        """Return the namespace of `name.namespace.svc`, with or without a domain, or a pod below.

        It may be one that the mesh lacks. Of `name.namespace`, or a pod below, only where that is
        a Service: else it may be anything.
        """
        full = _SERVICE_NAME.fullmatch(name)
        if full is not None:
            return {full[1]}
        short = _SHORT_NAME.fullmatch(name)
        return {short[2]} if short and (short[2], short[1]) in self.services else set()

    def of_entry(self, entry: str) -> set[str]:
        """List the namespaces that an `egress.hosts` entry asks for by name or by host.

        `.` and `~` are of no other namespace, and `*/*` names none.
        """
        namespace, _, host = entry.partition("/")
        if namespace in (".", "") or namespace.startswith("~"):
            return set()
        if namespace != "*":
            return {namespace}
        if host == "*":
            return set()
        if not is_wildcard(host):
            return self.of_host(host)
        return {s.namespace for s in self.registry.services if is_subset(s.hostname, host)}

    def of_authority(self, authority: str | None) -> set[str]:
        """List the namespaces that an authority or server name names."""
        name = without_port((authority or "").lower())
        return self.of_address(name.strip("[]")) or self.of_service_name(name)

    def of_address(self, address: str | None) -> set[str]:
        """List the namespaces of the Services and pods of an address."""
        return set(self.addresses.get(valid_address(address) or "", ()))
