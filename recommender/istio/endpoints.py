"""The endpoint addresses of services without a virtual IP, which callers reach directly.

istiod keeps endpoints by host name and namespace, those of a Kubernetes Service by port name, those
of a ServiceEntry by port number (`LegacyClusterPortKey`): objects of one host share them, whatever
Kubernetes cluster or network the endpoints are in.

Source: istio model/endpointshards.go `CopyEndpoints`, model/push_context.go
`ServiceEndpointsByPort`, serviceregistry/kube/controller/endpointslice.go,
controller.go `serviceInstancesFromWorkloadInstances` and
serviceregistry/serviceentry/conversion.go `convertServiceEntryToInstances`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import TypeVar

from recommender.istio.export_to import NOBODY, declared_export_to
from recommender.mesh.objects import (
    EndpointSlice,
    Labels,
    Mesh,
    Pod,
    Service,
    ServiceEntry,
    ServicePort,
    WorkloadEntry,
)

Endpoints = Mapping[tuple[str, str], Mapping[str | int, tuple[str, ...]]]
"""Namespace and host name -> port name, of a ServiceEntry its number -> addresses in order."""

_Object = TypeVar("_Object", Pod, WorkloadEntry)
_Found = Iterator[tuple[str | int, Iterable[str]]]


def find_endpoints(mesh: Mesh) -> Endpoints:
    """Collect the endpoints of ServiceEntries, of Services that share a host, of headless ones.

    They are addresses and, of ServiceEntries, names.
    """
    pods = live_pods(mesh)
    slices: dict[tuple[str, str, str], list[EndpointSlice]] = defaultdict(list)
    for part in mesh.endpoint_slices:
        slices[part.meta.kubernetes_cluster, part.meta.namespace, part.service].append(part)
    found: dict[tuple[str, str], dict[str | int, set[str]]] = defaultdict(lambda: defaultdict(set))
    counted = {
        (entry.meta.namespace, host) for entry in mesh.service_entries for host in entry.hosts
    } | {_place(service, mesh) for service in mesh.services if service.headless}
    workloads = by_namespace(mesh.workload_entries)
    for service in mesh.services:
        place, meta = _place(service, mesh), service.meta
        if place not in counted or is_hidden(service):
            continue
        own = slices.get((meta.kubernetes_cluster, meta.namespace, meta.name), [])
        for port, addresses in _of_service(service, own, pods):
            found[place][port].update(addresses)
        for port, workload in selected_workload_entries(service, workloads):
            found[place][port].add(workload.address)
    for entry in mesh.service_entries:
        for host in entry.hosts:
            for port, addresses in _of_service_entry(entry, host, pods, workloads):
                found[entry.meta.namespace, host][port].update(addresses)
    return {
        key: {port: tuple(sorted(addresses)) for port, addresses in ports.items() if addresses}
        for key, ports in found.items()
    }


def _place(service: Service, mesh: Mesh) -> tuple[str, str]:
    namespace = service.meta.namespace
    return namespace, f"{service.meta.name}.{namespace}.svc.{mesh.cluster_domain}"


def live_pods(mesh: Mesh) -> dict[str, list[Pod]]:
    """Group the pods whose containers may run by their namespace."""
    return by_namespace(pod for pod in mesh.pods if not pod.has_ended)


def by_namespace(objects: Iterable[_Object]) -> dict[str, list[_Object]]:
    """Group objects by their namespace."""
    found: dict[str, list[_Object]] = defaultdict(list)
    for each in objects:
        found[each.meta.namespace].append(each)
    return found


def is_hidden(service: Service) -> bool:
    """Tell a Service whose endpoints istiod passes over, whoever else it is exported to.

    What the mesh's default says does not count. Source: `serviceNeedsPush`, endpointslice.go.
    """
    return NOBODY in (declared_export_to(service) or ())


def _of_service(
    service: Service, slices: list[EndpointSlice], pods: Mapping[str, list[Pod]]
) -> _Found:
    """Yield a Service's endpoints; without EndpointSlices the pods that it selects stand in."""
    if not slices and service.selector:
        home = service.meta.kubernetes_cluster
        near = (
            p for p in pods.get(service.meta.namespace, ()) if p.meta.kubernetes_cluster == home
        )
        selected = _addresses_of(near, service.selector)
        yield from ((port.name, selected) for port in service.ports)
    for part in slices:
        addresses = [address for e in part.endpoints for address in e.addresses]
        yield from ((port.name, addresses) for port in part.ports)


def selected_workload_entries(
    service: Service, workloads: Mapping[str, list[WorkloadEntry]]
) -> Iterator[tuple[str, WorkloadEntry]]:
    """Yield the WorkloadEntries that a Service with a virtual IP selects, with each port's name.

    They are of its own Kubernetes cluster. One without the port that the Service's port names is
    left out there.
    """
    if not service.selector or service.headless or service.type == "ExternalName":
        return
    home, selector = service.meta.kubernetes_cluster, service.selector.items()
    for workload in workloads.get(service.meta.namespace, ()):
        is_near = workload.meta.kubernetes_cluster == home and workload.address
        if is_near and selector <= workload.labels.items():
            yield from ((p.name, workload) for p in service.ports if _serves(workload, p))


def _serves(workload: WorkloadEntry, port: ServicePort) -> bool:
    """Tell whether a WorkloadEntry has the port that a Service's port names."""
    return not isinstance(port.target_port, str) or bool(workload.ports.get(port.target_port))


def _of_service_entry(
    entry: ServiceEntry,
    host: str,
    pods: Mapping[str, list[Pod]],
    workloads: Mapping[str, list[WorkloadEntry]],
) -> _Found:
    """Yield a ServiceEntry's endpoints, names among them; by DNS a host is its own endpoint."""
    namespace, selector = entry.meta.namespace, entry.workload_selector
    addresses = [a for e in entry.endpoints for a in e.addresses]
    if selector is not None:
        addresses += _addresses_of(pods.get(namespace, ()), selector)
        chosen = [w for w in workloads.get(namespace, ()) if selector.items() <= w.labels.items()]
        addresses += [workload.address for workload in chosen if workload.address]
    elif not addresses and entry.resolution in ("DNS", "DNS_ROUND_ROBIN"):
        addresses = [host]
    yield from ((port.number, addresses) for port in entry.ports)


def _addresses_of(pods: Iterable[Pod], selector: Labels) -> list[str]:
    chosen = (pod for pod in pods if selector.items() <= pod.meta.labels.items())
    return [ip for pod in chosen for ip in pod.ips[:1]]


def is_address(text: str) -> bool:
    """Tell an IP address from a name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
