"""The endpoint addresses of services without a virtual IP, which callers reach directly.

Source: istio serviceregistry/kube/controller/endpointslice.go, serviceregistry/serviceentry
`convertServiceEntryToInstances`, model/push_context.go `ServiceEndpointsByPort`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from recommender.mesh.objects import EndpointSlice, Labels, Mesh, Pod, Service, ServiceEntry


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Hold what endpoint addresses are found in; make it with `find_endpoints`."""

    slices: Mapping[tuple[str, str], tuple[EndpointSlice, ...]]
    pods: Mapping[str, tuple[Pod, ...]]

    def of_service(self, service: Service) -> dict[int, tuple[str, ...]]:
        """Map each port number of a Kubernetes Service to its endpoint addresses.

        Without EndpointSlices in the dump the pods that the Service selects stand for them.
        """
        meta = service.meta
        slices = self.slices.get((meta.namespace, meta.name), ())
        if not slices and service.selector:
            found = _addresses_of_pods(self.pods.get(meta.namespace, ()), service.selector)
            return {port.number: found for port in service.ports if found}
        addresses: dict[int, set[str]] = defaultdict(set)
        for port in service.ports:
            for part in slices:
                if any(p.name == port.name for p in part.ports):
                    addresses[port.number] |= {a for e in part.endpoints for a in e.addresses}
        return {number: tuple(sorted(found)) for number, found in addresses.items()}

    def of_service_entry(self, entry: ServiceEntry) -> dict[int, tuple[str, ...]]:
        """Map each port number of a ServiceEntry to the IP addresses of its endpoints."""
        found = tuple(a for e in entry.endpoints for a in e.addresses if _is_address(a))
        if entry.workload_selector:
            pods = self.pods.get(entry.meta.namespace, ())
            found += _addresses_of_pods(pods, entry.workload_selector)
        return {port.number: found for port in entry.ports if found}


def find_endpoints(mesh: Mesh) -> Endpoints:
    """Group a mesh's EndpointSlices by Service and its running pods by namespace."""
    slices: dict[tuple[str, str], list[EndpointSlice]] = defaultdict(list)
    for part in mesh.endpoint_slices:
        slices[part.meta.namespace, part.service].append(part)
    pods: dict[str, list[Pod]] = defaultdict(list)
    for pod in mesh.pods:
        if pod.phase not in ("Succeeded", "Failed"):
            pods[pod.meta.namespace].append(pod)
    return Endpoints(
        {key: tuple(found) for key, found in slices.items()},
        {namespace: tuple(found) for namespace, found in pods.items()},
    )


def _addresses_of_pods(pods: Iterable[Pod], selector: Labels) -> tuple[str, ...]:
    chosen = [p for p in pods if selector.items() <= p.meta.labels.items()]
    return tuple(sorted(ip for pod in chosen for ip in pod.ips[:1]))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
