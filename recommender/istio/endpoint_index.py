"""The endpoints of every service, with what decides in which Envoy clusters they are.

`endpoints.py` finds less, and faster: the addresses of services without a virtual IP.

Source: istio xds/endpoints/endpoint_builder.go (`BuildClusterLoadAssignment`,
`FromServiceEndpoints`), model/endpointshards.go `CopyEndpoints`,
serviceregistry/kube/controller/endpointslice.go (`updateEndpointCacheForSlice`,
`endpointSliceCache.get`), controller.go `serviceInstancesFromWorkloadInstances` and
serviceregistry/serviceentry/conversion.go (`services`, `mergeServicesInstancesByNamespaceHost`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from recommender.istio.endpoints import (
    by_namespace,
    is_address,
    is_hidden,
    live_pods,
    selected_workload_entries,
)
from recommender.istio.localities import Localities, labelled_locality
from recommender.istio.registry import (
    RegistryPort,
    RegistryService,
    Resolution,
    ServiceKey,
    listen_address,
)
from recommender.mesh.objects import (
    EndpointSlice,
    Labels,
    Mesh,
    ObjectMeta,
    Pod,
    Service,
    ServiceEntry,
    WorkloadEntry,
)

# Source: istio pkg/kube/labels `CanonicalService`.
_CANONICAL_NAME = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
_CANONICAL_REVISION = (
    "service.istio.io/canonical-revision",
    "app.kubernetes.io/version",
    "version",
)
_LATEST = "latest"
_CLUSTER_ID = "Kubernetes"
"""What istiod calls its Kubernetes cluster if it is told no name."""
_REGISTRATION_GROUP = "istio.io/autoRegistrationGroup"
_WORKLOAD_NAME = "service.istio.io/workload-name"
_UNIX = "unix://"
_BY_DNS = (Resolution.DNS, Resolution.DNS_ROUND_ROBIN)


class ServiceEndpoint(NamedTuple):
    """Hold an endpoint: an address or a name, and the labels that subsets choose by.

    `service_account` is (namespace, name), None where no pod is known; `reported_as` is what the
    proxy's telemetry names it by, `locality` where it is.
    """

    address: str
    labels: Labels
    service_account: tuple[str, str] | None = None
    reported_as: str = ""
    locality: str = ""


class _PortKey(NamedTuple):
    """Tell which port of a service endpoints serve; only a ServiceEntry's have the number."""

    name: str
    number: int | None


_ByService = Mapping[ServiceKey, Mapping[_PortKey, Sequence[ServiceEndpoint]]]


@dataclass(frozen=True, slots=True)
class EndpointIndex:
    """Hold the endpoints of a mesh by service and port; `_sent` are those with an address."""

    _by_service: _ByService
    _sent: _ByService

    @classmethod
    def of(cls, by_service: _ByService) -> EndpointIndex:
        """Index endpoints."""
        sent = {
            service: {
                port: [endpoint for endpoint in endpoints if _is_sent(endpoint)]
                for port, endpoints in by_port.items()
            }
            for service, by_port in by_service.items()
        }
        return cls(by_service, sent)

    def of_cluster(
        self, service: RegistryService, port: RegistryPort, subset: Labels
    ) -> list[ServiceEndpoint]:
        """List the endpoints of an Envoy cluster of a service.

        Those that istiod sends it finds by the name of the port, and leaves out host names; those
        that Envoy resolves by DNS it finds by the number, as far as they have one.
        """
        by_dns = service.resolution in _BY_DNS
        by_port = (self._by_service if by_dns else self._sent).get(service.key, {})
        return [
            endpoint
            for key, endpoints in by_port.items()
            if (key.number == port.number if by_dns and key.number else key.name == port.name)
            for endpoint in endpoints
            if not subset or subset.items() <= endpoint.labels.items()
        ]

    def service_accounts(self, service: ServiceKey) -> frozenset[tuple[str, str]]:
        """Return the service accounts that the pods of a service run as."""
        by_port = self._by_service.get(service, {})
        each = (e.service_account for endpoints in by_port.values() for e in endpoints)
        return frozenset(account for account in each if account is not None)


def _is_sent(endpoint: ServiceEndpoint) -> bool:
    return is_address(endpoint.address) or endpoint.address.startswith(_UNIX)


_Found = Iterator[tuple[_PortKey, ServiceEndpoint]]


def build_endpoint_index(mesh: Mesh) -> EndpointIndex:
    """Collect the endpoints of a mesh as far as istiod discovers it."""
    backends = _Backends(
        live_pods(mesh),
        {
            (pod.meta.kubernetes_cluster, pod.meta.namespace, pod.meta.name): pod
            for pod in mesh.pods
        },
        by_namespace(mesh.workload_entries),
        Localities.of(mesh),
    )
    slices: dict[tuple[str, str, str], list[EndpointSlice]] = defaultdict(list)
    for part in mesh.endpoint_slices:
        slices[part.meta.kubernetes_cluster, part.meta.namespace, part.service].append(part)
    found: dict[ServiceKey, dict[_PortKey, list[ServiceEndpoint]]]
    found = defaultdict(lambda: defaultdict(list))
    for service in mesh.services:
        namespace, name = service.meta.namespace, service.meta.name
        if not is_hidden(service):
            by_port = found[ServiceKey(namespace, f"{name}.{namespace}.svc.{mesh.cluster_domain}")]
            own = slices.get((service.meta.kubernetes_cluster, namespace, name), [])
            for port, endpoint in backends.of_service(service, own):
                by_port[port].append(endpoint)
    # Of a host with DNS_ROUND_ROBIN the first endpoint at each port counts: the oldest's.
    for entry in sorted(mesh.service_entries, key=lambda each: each.meta.age):
        for host in entry.hosts:
            by_port = found[ServiceKey(entry.meta.namespace, host)]
            taken = {key.number for key in by_port}
            for port, endpoint in backends.of_service_entry(entry, host):
                if entry.resolution != "DNS_ROUND_ROBIN" or port.number not in taken:
                    by_port[port].append(endpoint)
                    taken.add(port.number)
    return EndpointIndex.of({service: dict(by_port) for service, by_port in found.items()})


def _of_pod(pod: Pod, address: str, locality: str) -> ServiceEndpoint:
    meta, account = pod.meta, (pod.meta.namespace, pod.service_account)
    told = _reported_as(pod.workload.name, meta)
    return ServiceEndpoint(address, meta.labels, account, told, locality)


def _of_workload_entry(entry: WorkloadEntry) -> ServiceEndpoint:
    """Name it as istiod does. Source: istio pkg/kube/labels `WorkloadNameFromWorkloadEntry`."""
    meta = entry.meta
    name = meta.annotations.get(_REGISTRATION_GROUP) or meta.labels.get(_WORKLOAD_NAME) or meta.name
    told = _reported_as(name, meta, entry.labels)
    locality = entry.locality or labelled_locality(entry.labels)
    return ServiceEndpoint(entry.address, entry.labels, reported_as=told, locality=locality)


def _reported_as(workload: str, meta: ObjectMeta, labels: Labels | None = None) -> str:
    """Name an endpoint for telemetry.

    Source: istio networking/util/util.go `AppendLbEndpointMetadata`.
    """
    labels = meta.labels if labels is None else labels
    canonical = next((labels[key] for key in _CANONICAL_NAME if key in labels), workload)
    revision = next((labels[key] for key in _CANONICAL_REVISION if key in labels), _LATEST)
    shown = "" if revision == _LATEST else revision
    cluster = meta.kubernetes_cluster or _CLUSTER_ID
    return ";".join((workload, meta.namespace, canonical, shown, cluster))


def _listed(entry: ServiceEntry) -> Iterator[ServiceEndpoint]:
    """Yield the endpoints that a ServiceEntry lists itself, which are named by their number."""
    for number, each in enumerate(entry.endpoints):
        told = _reported_as(f"{entry.meta.name}-{number}", entry.meta, each.labels)
        where = each.locality or labelled_locality(each.labels)
        for address in each.addresses:
            yield ServiceEndpoint(address, each.labels, reported_as=told, locality=where)


@dataclass(frozen=True, slots=True)
class _Backends:
    """Hold what may stand behind a service: pods that run, every pod by name, WorkloadEntries."""

    live: Mapping[str, list[Pod]]
    by_name: Mapping[tuple[str, str, str], Pod]
    workload_entries: Mapping[str, list[WorkloadEntry]]
    localities: Localities

    def of_service(self, service: Service, slices: Sequence[EndpointSlice]) -> _Found:
        """Yield a Service's endpoints, then the WorkloadEntries that it selects.

        All are of its own Kubernetes cluster. Without EndpointSlices the pods that it selects
        stand in.
        """
        selector, namespace = service.selector, service.meta.namespace
        home = service.meta.kubernetes_cluster
        yield from self._of_slices(slices)
        if not selector:
            return
        if not slices:
            for endpoint in self._pods(namespace, selector, home):
                yield from ((_PortKey(port.name, None), endpoint) for port in service.ports)
        for name, entry in selected_workload_entries(service, self.workload_entries):
            if is_address(entry.address):
                yield _PortKey(name, None), _of_workload_entry(entry)

    def _of_slices(self, slices: Iterable[EndpointSlice]) -> _Found:
        """Yield each endpoint once, unless it is terminating; one that is not ready is sent."""
        seen: set[tuple[str, str]] = set()
        for part in slices:
            nobody = ObjectMeta("", "", kubernetes_cluster=part.meta.kubernetes_cluster)
            unknown = partial(ServiceEndpoint, labels={}, reported_as=_reported_as("", nobody))
            for endpoint in part.endpoints:
                named = (part.meta.kubernetes_cluster, *endpoint.pod) if endpoint.pod else None
                pod = self.by_name.get(named) if named else None
                where = self.localities.of_pod(pod, endpoint.zone) if pod else ""
                for address in () if endpoint.terminating else endpoint.addresses:
                    made = _of_pod(pod, address, where) if pod else unknown(address)
                    for port in part.ports:
                        if (address, port.name) not in seen:
                            seen.add((address, port.name))
                            yield _PortKey(port.name, None), made

    def of_service_entry(self, entry: ServiceEntry, host: str) -> _Found:
        """Yield the endpoints of a ServiceEntry's host, once for each address that it has.

        By DNS a host without any is its own endpoint.
        """
        by_dns = entry.resolution in ("DNS", "DNS_ROUND_ROBIN")
        namespace, selector = entry.meta.namespace, entry.workload_selector
        if selector is not None:
            chosen = self._entries(namespace, selector)
            usable = (each for each in chosen if by_dns or is_address(each.address))
            found = list(self._pods(namespace, selector))
            found += map(_of_workload_entry, usable)
        else:
            found = list(_listed(entry))
            alone = ServiceEndpoint(
                host, {}, reported_as=_reported_as(entry.meta.name, entry.meta, {})
            )
            found = found or ([alone] if by_dns else [])
        listening = sum(listen_address(address) is not None for address in entry.addresses)
        for endpoint in found * (listening if entry.addresses else 1):
            yield from ((_PortKey(port.name, port.number), endpoint) for port in entry.ports)

    def _pods(
        self, namespace: str, selector: Labels, home: str | None = None
    ) -> Iterator[ServiceEndpoint]:
        for pod in self.live.get(namespace, ()):
            is_near = home in (None, pod.meta.kubernetes_cluster)
            if is_near and pod.ips and selector.items() <= pod.meta.labels.items():
                yield _of_pod(pod, pod.ips[0], self.localities.of_pod(pod))

    def _entries(self, namespace: str, selector: Labels) -> Iterator[WorkloadEntry]:
        for entry in self.workload_entries.get(namespace, ()):
            if entry.address and selector.items() <= entry.labels.items():
                yield entry
