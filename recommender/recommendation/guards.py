"""Guards: named rules that keep a host which no observed call asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from recommender.istio.extension_providers import MeshExtensions
from recommender.istio.registry import RegistryService, ServiceKey, is_visible
from recommender.istio.sidecar_scope import ScopeRules
from recommender.mesh import Labels, Mesh, MeshIndex, WorkloadId
from recommender.mesh.label_index import SelectorIndex, selectors_by
from recommender.mesh.objects import Endpoint
from recommender.recommendation.host_needs import HostNeed, host_entry, service_host
from recommender.recommendation.model import HostReason, Note
from recommender.recommendation.peer_authentications import EndpointPolicies
from recommender.recommendation.unexplained import leading_to
from recommender.recommendation.views import View
from recommender.settings import Settings


@dataclass(frozen=True, slots=True)
class Guards:
    """Keep hosts in a mesh; `own_hostnames` finds by namespace whose endpoints some pods are.

    `policies` keep what is asked for by the calls that are known.
    """

    extensions: MeshExtensions
    settings: Settings
    own_hostnames: Mapping[str, SelectorIndex[str]]
    policies: EndpointPolicies

    def of(
        self, workload: WorkloadId, labels: Iterable[Labels], view: View
    ) -> tuple[list[HostNeed], list[Note]]:
        """List the hosts that guards keep for a workload, and what they could not keep."""
        each = list(labels)
        provided, notes = self._provided(workload.namespace, each, view)
        proxied = view.baseline.scope.services.get(view.egress_proxy or "")
        hosts = [*self._own(workload.namespace, each, view), *provided]
        if proxied is not None:
            detail = "outboundTrafficPolicy sends unknown destinations there"
            why = HostReason("egress proxy", detail)
            hosts += [HostNeed(host, why) for host in _hosts_of(proxied, view)]
        pinned = HostReason("pinned", "by the settings")
        hosts += [HostNeed(host, pinned) for host in self.settings.pinned_hosts]
        return hosts, notes

    def called_by_proxies(self, namespace: str, labels: Iterable[Labels]) -> set[str]:
        """Name the services that the proxies of a workload call by themselves, and never log."""
        services = (self.extensions.of(namespace, one).services for one in labels)
        return {key.hostname for found in services for key in found}

    def _own(self, namespace: str, labels: list[Labels], view: View) -> Iterator[HostNeed]:
        """Yield the services whose endpoints the pods are, where they can see them today.

        Limits of what pods receive are those of the DestinationRule for the host name, whichever
        namespace has the service in scope. Source: istio networking/core/cluster_builder.go
        (`buildInboundCluster`), model/sidecar.go (`SidecarScope.DestinationRule`).
        """
        known = self.own_hostnames.get(namespace)
        selecting = (known.selecting(one) for one in labels) if known else ()
        for hostname in dict.fromkeys(chain.from_iterable(selecting)):
            found = view.baseline.scope.services.get(hostname)
            if found is not None:
                reason = HostReason("own service", "its pods are the endpoints")
                yield from (HostNeed(host, reason) for host in _hosts_of(found, view))

    def _provided(
        self, namespace: str, labels: list[Labels], view: View
    ) -> tuple[list[HostNeed], list[Note]]:
        """List what extension providers, EnvoyFilters and extensions ask for."""
        hosts: list[HostNeed] = []
        notes: list[Note] = []
        needed: dict[ServiceKey, tuple[str, ...]] = {}
        absent: dict[tuple[str, str], str] = {}
        for one in labels:
            found = self.extensions.of(namespace, one)
            needed |= found.services
            absent |= found.gaps.absent
        for key, reasons in sorted(needed.items()):
            service = view.baseline.scope.services.get(key.hostname)
            if service is None:
                detail = f"{key} ({', '.join(reasons)}) is not in today's scope either"
                notes.append(Note("provider out of scope", detail))
            else:
                why = HostReason("provider", ", ".join(reasons))
                hosts += [HostNeed(host, why) for host in _hosts_of(service, view)]
        for (home, hostname), reason in sorted(absent.items()):
            entry = host_entry(home, hostname)
            hosts.append(HostNeed(entry, HostReason("provider", f"{reason}; not in the mesh dump")))
            detail = (
                f"{reason} calls {hostname}, which the mesh dump lacks: kept unproved, as {entry}"
            )
            notes.append(Note("gone", detail))
        return hosts, notes


def _hosts_of(service: RegistryService, view: View) -> Iterator[str]:
    """Yield what brings a service that is in scope with all its ports.

    Of several objects an exact entry brings one. Of the proxy's own namespace a route brings
    services too that are exported elsewhere alone. Source: istio model/sidecar.go
    (`servicesForExactHosts`, `collectImportedServices`).
    """
    one = view.baseline.rules.registry.by_hostname[service.hostname].get(service.namespace)
    ports = {port.number for port in one.ports} if one else set()
    if not is_visible(service, view.proxy.namespace):
        yield from (entry for entry, _ in leading_to(service.hostname, view.baseline))
    elif ports.issuperset(port.number for port in service.ports):
        yield service_host(service.key)
    else:
        yield host_entry("*", service.hostname)


def build_guards(extensions: MeshExtensions, index: MeshIndex, settings: Settings) -> Guards:
    """Prepare the guards of a mesh."""
    by_label = endpoint_selectors(extensions.rules, index.mesh)
    selectors = selectors_by(chain(by_label, _endpoints_by_address(extensions.rules, index)))
    return Guards(extensions, settings, selectors, EndpointPolicies.of(extensions.rules))


def endpoint_selectors(rules: ScopeRules, mesh: Mesh) -> Iterator[tuple[str, Labels, str]]:
    """Yield the host names whose endpoints are chosen by label: namespace, selector, name."""
    for service in mesh.services:
        namespace = service.meta.namespace
        if service.selector:
            hostname = f"{service.meta.name}.{namespace}.svc.{rules.mesh.cluster_domain}"
            yield namespace, service.selector, hostname
    for entry in rules.mesh.service_entries:
        if entry.workload_selector is not None:
            for hostname in entry.hosts:
                yield entry.meta.namespace, entry.workload_selector, hostname


def _endpoints_by_address(rules: ScopeRules, index: MeshIndex) -> Iterator[tuple[str, Labels, str]]:
    """Yield the host names that have pods by their addresses: namespace, labels, name.

    Source: istio serviceregistry/kube/controller/endpointslice.go and serviceentry/controller.go
    (`GetProxyServiceTargets`).
    """
    for namespace, endpoints, hosts in _addressed(rules, index.mesh):
        addresses = {address for endpoint in endpoints for address in endpoint.addresses}
        for pod in chain.from_iterable(index.pods_by_ip.get(a, ()) for a in sorted(addresses)):
            if pod.meta.namespace == namespace:
                for hostname in hosts:
                    yield namespace, pod.meta.labels, hostname


def _addressed(
    rules: ScopeRules, mesh: Mesh
) -> Iterator[tuple[str, Sequence[Endpoint], Sequence[str]]]:
    chosen = {(s.meta.namespace, s.meta.name) for s in mesh.services if s.selector}
    for part in mesh.endpoint_slices:
        namespace = part.meta.namespace
        if (namespace, part.service) not in chosen:
            hostname = f"{part.service}.{namespace}.svc.{rules.mesh.cluster_domain}"
            yield namespace, part.endpoints, (hostname,)
    for entry in rules.mesh.service_entries:
        if entry.workload_selector is None:
            yield entry.meta.namespace, entry.endpoints, entry.hosts
