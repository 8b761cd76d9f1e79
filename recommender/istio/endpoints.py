"""The endpoint addresses of services without a virtual IP, which callers reach directly.

istiod keeps endpoints by host name, namespace and port name: a ServiceEntry's join those of a
Kubernetes Service of the same name. Source: istio model/endpointshards.go, model/push_context.go
`ServiceEndpointsByPort`, serviceregistry/kube/controller/endpointslice.go,
serviceregistry/serviceentry/conversion.go `convertServiceEntryToInstances`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from recommender.mesh.objects import EndpointSlice, Labels, Mesh, Pod, Service, ServiceEntry

Endpoints = Mapping[tuple[str, str], Mapping[str, tuple[str, ...]]]
"""Namespace and host name -> port name -> addresses in order."""

_Found = Iterator[tuple[str, Iterable[str]]]


def find_endpoints(mesh: Mesh) -> Endpoints:
    """Collect the endpoint addresses of headless Services and of ServiceEntries."""
    pods: dict[str, list[Pod]] = defaultdict(list)
    for pod in mesh.pods:
        if pod.phase not in ("Succeeded", "Failed"):
            pods[pod.meta.namespace].append(pod)
    slices: dict[tuple[str, str], list[EndpointSlice]] = defaultdict(list)
    for part in mesh.endpoint_slices:
        slices[part.meta.namespace, part.service].append(part)
    found: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for service in mesh.services:
        namespace, name = service.meta.namespace, service.meta.name
        if not service.headless:
            continue
        hostname = f"{name}.{namespace}.svc.{mesh.cluster_domain}"
        for port, addresses in _of_service(service, slices.get((namespace, name), []), pods):
            found[namespace, hostname][port].update(addresses)
    for entry in mesh.service_entries:
        for port, addresses in _of_service_entry(entry, pods):
            for host in entry.hosts:
                found[entry.meta.namespace, host][port].update(addresses)
    return {
        key: {port: tuple(sorted(addresses)) for port, addresses in ports.items() if addresses}
        for key, ports in found.items()
    }


def _of_service(
    service: Service, slices: list[EndpointSlice], pods: Mapping[str, list[Pod]]
) -> _Found:
    """Yield a Service's endpoints; without EndpointSlices the pods that it selects stand in."""
    if not slices and service.selector:
        selected = _addresses_of(pods.get(service.meta.namespace, ()), service.selector)
        yield from ((port.name, selected) for port in service.ports)
    for part in slices:
        addresses = [address for e in part.endpoints for address in e.addresses]
        yield from ((port.name, addresses) for port in part.ports)


def _of_service_entry(entry: ServiceEntry, pods: Mapping[str, list[Pod]]) -> _Found:
    addresses = [a for e in entry.endpoints for a in e.addresses if _is_address(a)]
    if entry.workload_selector:
        addresses += _addresses_of(pods.get(entry.meta.namespace, ()), entry.workload_selector)
    yield from ((port.name, addresses) for port in entry.ports)


def _addresses_of(pods: Iterable[Pod], selector: Labels) -> list[str]:
    chosen = (pod for pod in pods if selector.items() <= pod.meta.labels.items())
    return [ip for pod in chosen for ip in pod.ips[:1]]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
