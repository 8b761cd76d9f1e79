"""A proxy as istiod knows it, and what its Sidecar does with unknown destinations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from recommender.istio.registry import RegistryService
from recommender.mesh.objects import Labels, MeshConfig, RouteMatch, Sidecar

MESH_GATEWAY = "mesh"
ALLOW_ANY = "ALLOW_ANY"
REGISTRY_ONLY = "REGISTRY_ONLY"
DYNAMIC_DNS = "ALLOW_ANY_DYNAMIC_DNS"
PASSTHROUGH_CLUSTERS = ("PassthroughCluster", "AllowAnyDynamicDNSCluster")
"""Where unknown destinations are reached (pilot/pkg/networking/util/util.go)."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Describe the proxy of a pod by what decides its configuration."""

    namespace: str
    labels: Labels = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    kubernetes_cluster: str = ""

    @property
    def wildcard(self) -> str:
        """Return the address that stands for every address (`getWildcardsAndLocalHost`)."""
        only_v6 = self.addresses and all(ip_address(a).version == 6 for a in self.addresses)
        return "::" if only_v6 else "0.0.0.0"  # noqa: S104 - a name, nothing is bound

    def reachable(self, service: RegistryService) -> tuple[str, ...]:
        """Return a service's addresses of the proxy's Kubernetes cluster and IP families.

        Where that has no such Service, the first address elsewhere stands in. Those of a
        ServiceEntry count whatever their family, and a Service's first one where it has none of
        the proxy's (`GetAddressForProxy`, `getAllAddressesForProxy`).
        """
        addresses, default = service.addresses, service.addresses[:1]
        if service.addresses_in:
            addresses = service.addresses_in.get(self.kubernetes_cluster, default)
        if not self.addresses or not service.kubernetes:
            return addresses
        families = {ip_address(own).version for own in self.addresses}
        if not addresses and 4 in families:  # headless: istiod writes 0.0.0.0
            return ()
        return tuple(a for a in addresses if ip_address(a).version in families) or default


def matches_source(match: RouteMatch, proxy: Proxy, port: int, *, http: bool) -> bool:
    """Tell whether a route match can hold for a proxy, before any request is seen.

    Source: `sourceMatchHTTP` and `TranslateRoute` for http, `matchTCP` and `matchTLS` otherwise.
    An http match that names a gateway ignores source labels and namespace.
    """
    if match.port and match.port != port:
        return False
    if match.gateways and http:
        return MESH_GATEWAY in match.gateways
    if match.gateways and MESH_GATEWAY not in match.gateways:
        return False
    if not match.source_labels.items() <= proxy.labels.items():
        return False
    return match.source_namespace in (None, proxy.namespace)


def outbound_traffic_policy(config: MeshConfig, sidecar: Sidecar | None) -> tuple[str, str | None]:
    """Return the mode for unknown destinations, and the egress proxy's host if there is one.

    A Sidecar's policy replaces the mesh's; one without a mode is REGISTRY_ONLY, the zero value.
    """
    policy = sidecar.other_spec.get("outboundTrafficPolicy") if sidecar else None
    if not isinstance(policy, Mapping):
        return config.outbound_traffic_policy, None
    mode = policy.get("mode")
    egress_proxy = policy.get("egressProxy")
    host = egress_proxy.get("host") if isinstance(egress_proxy, Mapping) else None
    return (
        mode if isinstance(mode, str) else REGISTRY_ONLY,
        host if isinstance(host, str) else None,
    )
