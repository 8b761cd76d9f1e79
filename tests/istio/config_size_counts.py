"""What istiod sends and what the model counts of it, resource by resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recommender.istio.outbound_clusters import Discovery
from recommender.istio.outbound_listeners import has_catch_all, passes_through
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.size_amounts import OutboundResources
from tests.istio.judge import JudgedProxy
from tests.istio.verdicts import Resource, Size

INBOUND = "virtualInbound"
TYPES = {"cds": "clusters", "eds": "endpoints", "lds": "listeners", "rds": "routes"}
STATIC = {"BlackHoleCluster", "PassthroughCluster", "InboundPassthroughCluster"}
VIRTUAL_OUTBOUND = "virtualOutbound"


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold a proxy's configuration by the model, and its size by istiod.

    `scoped` tells that the Sidecars that were recommended for its mesh are applied.
    """

    proxy: JudgedProxy
    config: ProxyConfig
    size: Size
    scoped: bool = False

    def sent(self, xds: str) -> list[Resource]:
        """List the resources of a type that have to do with outbound calls."""
        found: Sequence[Resource] = getattr(self.size, TYPES[xds])
        return [each for each in found if not is_inbound(each.name)]

    def true_bytes(self, *types: str) -> int:
        """Sum up what istiod sends of some types, by default of all."""
        return sum(each.bytes for xds in types or TYPES for each in self.sent(xds))


def is_inbound(name: str) -> bool:
    """Tell a resource for inbound calls by its name."""
    return name.startswith("inbound|") or name == INBOUND


Parts = Mapping[str, tuple[int, ...]]


def by_istiod(sample: Sample) -> dict[str, Parts]:
    """Map the names of what istiod sends to the parts of each: see the Go type `Resource`."""
    return {
        "cds": {each.name: (each.parts,) for each in sample.sent("cds")},
        "eds": {each.name: (each.parts,) for each in sample.sent("eds")},
        "lds": {each.name: (each.parts,) for each in sample.sent("lds")},
        "rds": {each.name: (each.parts, each.routes) for each in sample.sent("rds")},
    }


def by_the_model(sample: Sample) -> dict[str, Parts]:
    """Map the names of what the model knows of to the parts of each."""
    resources = OutboundResources.of(sample.config)
    clusters = resources.clusters
    routes = {}
    for name, hosts in resources.routes.items():
        last = has_catch_all(name)
        routes[name] = (len(hosts) + last, sum(len(host.routes) for host in hosts) + last)
    return {
        "cds": {
            **dict.fromkeys(STATIC, (0,)),
            **{c.name: (len(c.endpoints) * (c.discovery is Discovery.DNS),) for c in clusters},
        },
        "eds": {c.name: (len(c.endpoints),) for c in clusters if c.discovery is Discovery.EDS},
        "lds": {
            VIRTUAL_OUTBOUND: (2,),
            **{x.name: (len(x.chains) + passes_through(x),) for x in resources.listeners},
        },
        "rds": routes,
    }


def differences(sample: Sample) -> dict[str, object]:
    """Say by type which resources the two count differently."""
    ours, theirs = by_the_model(sample), by_istiod(sample)
    return {
        xds: sorted(ours[xds].items() ^ theirs[xds].items())
        for xds in ours
        if ours[xds] != theirs[xds]
    }
