"""Guards: named rules that keep a host which no observed call asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recommender.istio.extension_providers import provider_gaps, provider_services
from recommender.istio.registry import RegistryService, ServiceKey
from recommender.istio.sidecar_scope import ScopeRules
from recommender.mesh import Labels, MeshIndex, WorkloadId
from recommender.recommendation.model import HostReason, Note
from recommender.recommendation.needs import HostNeed, host_entry, service_host
from recommender.recommendation.views import View
from recommender.settings import Settings


def guards(
    rules: ScopeRules,
    index: MeshIndex,
    workload: WorkloadId,
    labels: Iterable[Labels],
    view: View,
    settings: Settings,
) -> tuple[list[HostNeed], list[Note]]:
    """List the hosts that guards keep for a workload, and what they could not keep."""
    each = list(labels)
    hosts = [
        HostNeed(service_host(service.key), HostReason("own service", "its pods are the endpoints"))
        for service in _own_services(rules, index, workload, each, view)
    ]
    notes: list[Note] = []
    needed: dict[ServiceKey, tuple[str, ...]] = {}
    for one in each:
        needed |= provider_services(rules, workload.namespace, one)
    for key, reasons in sorted(needed.items()):
        if view.baseline.scope.services.get(key.hostname) is None:
            detail = f"{key} ({', '.join(reasons)}) is not in today's scope either"
            notes.append(Note("provider out of scope", detail))
        else:
            hosts.append(HostNeed(service_host(key), HostReason("provider", ", ".join(reasons))))
    absent: dict[tuple[str, str], str] = {}
    for one in each:
        absent |= provider_gaps(rules, workload.namespace, one).absent
    for (home, hostname), reason in sorted(absent.items()):
        entry = host_entry(home, hostname)
        hosts.append(HostNeed(entry, HostReason("provider", f"{reason}; not in the mesh dump")))
        detail = f"{reason} calls {hostname}, which the mesh dump lacks: kept unproved, as {entry}"
        notes.append(Note("gone", detail))
    proxied = view.baseline.scope.services.get(view.egress_proxy or "")
    if proxied is not None:
        detail = "outboundTrafficPolicy sends unknown destinations there"
        why = HostReason("egress proxy", detail)
        hosts.append(HostNeed(service_host(proxied.key), why))
    pinned = HostReason("pinned", "by the settings")
    hosts += [HostNeed(host, pinned) for host in settings.pinned_hosts]
    return hosts, notes


def _own_services(
    rules: ScopeRules,
    index: MeshIndex,
    workload: WorkloadId,
    labels: list[Labels],
    view: View,
) -> Iterator[RegistryService]:
    """Yield the services whose endpoints are the workload's pods, where it can see them today."""
    mesh, namespace = rules.mesh, workload.namespace
    for service in index.services_by_namespace.get(namespace, ()):
        if service.selector and any(service.selector.items() <= one.items() for one in labels):
            hostname = f"{service.meta.name}.{namespace}.svc.{mesh.cluster_domain}"
            yield from _in_scope(view, namespace, hostname)
    for entry in mesh.service_entries:
        chosen = entry.workload_selector
        if entry.meta.namespace != namespace or chosen is None:
            continue
        if any(chosen.items() <= one.items() for one in labels):
            for hostname in entry.hosts:
                yield from _in_scope(view, namespace, hostname)


def _in_scope(view: View, namespace: str, hostname: str) -> Iterator[RegistryService]:
    found = view.baseline.scope.services.get(hostname)
    if found is not None and found.namespace == namespace:
        yield found
