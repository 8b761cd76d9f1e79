"""Names in the settings that nothing of a mesh dump has: who mistyped one would not see it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from recommender.istio.egress_hosts import ANY_NAMESPACE, HostPatterns, parse_hosts
from recommender.istio.host_names import expand_short_name
from recommender.istio.sidecar_scope import NEWEST_VERSION
from recommender.mesh.objects import Mesh, MeshNote

UNKNOWN_PIN: Final = "no service and no VirtualService of the mesh dump has this pinned host"
UNKNOWN_ROOT: Final = "the mesh dump lacks the root namespace that the settings name"


def settings_notes(mesh: Mesh, pinned: Iterable[str], root_namespace: str) -> list[MeshNote]:
    """Note pinned hosts that would bring nothing, and a root namespace that is not there."""
    unknown = [pin for pin in dict.fromkeys(pinned) if not _brings_anything(pin, mesh)]
    notes = [MeshNote(UNKNOWN_PIN, pin[:300]) for pin in unknown]
    known = {namespace.meta.name for namespace in mesh.namespaces}
    if root_namespace and known and root_namespace not in known:
        notes.append(MeshNote(UNKNOWN_ROOT, root_namespace[:300]))
    return notes


def _brings_anything(pin: str, mesh: Mesh) -> bool:
    """Tell whether a Sidecar somewhere would import anything by an entry of its hosts."""
    found = parse_hosts([pin], ANY_NAMESPACE, mesh.istio_version or NEWEST_VERSION)
    return any(_match(patterns, mesh, namespace) for namespace, patterns in found.items())


def _match(patterns: HostPatterns, mesh: Mesh, wanted: str) -> bool:
    found = any(patterns.imports(host) for host in _service_hosts(mesh, wanted))
    return found or any(
        patterns.imports_virtual_service_host(
            expand_short_name(host, vs.meta.namespace, mesh.cluster_domain), vs.gateway_api
        )
        for vs in mesh.virtual_services
        if wanted in (ANY_NAMESPACE, vs.meta.namespace)
        for host in vs.hosts
    )


def _service_hosts(mesh: Mesh, wanted: str) -> Iterator[str]:
    for service in mesh.services:
        namespace = service.meta.namespace
        if wanted in (ANY_NAMESPACE, namespace):
            yield f"{service.meta.name}.{namespace}.svc.{mesh.cluster_domain}"
    for entry in mesh.service_entries:
        if wanted in (ANY_NAMESPACE, entry.meta.namespace):
            yield from entry.hosts
