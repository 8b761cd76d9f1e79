"""The HTTP filters that an outbound listener has for the sake of one service.

Services of one port share a listener; it has what the first of them asks for. Source: istio
networking/core/listener_builder.go (`buildHTTPConnectionManager`). Envoy's filter that resolves
names passes by calls to clusters that need no name resolved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from recommender.istio.protocols import Protocol
from recommender.istio.registry import RegistryPort, RegistryService


@dataclass(frozen=True, slots=True)
class HttpFilters:
    """Tell of `grpc_web`, and of which wildcard host's names are resolved."""

    grpc_web: bool = False
    resolves: str | None = None

    def for_call(self, *, is_resolved: bool) -> HttpFilters:
        """Leave out what a call does not meet that needs its name resolved, or does not."""
        return self if is_resolved else replace(self, resolves=None)


NO_FILTERS = HttpFilters()


def filters_for(service: RegistryService, port: RegistryPort) -> HttpFilters:
    """Tell which filters a listener has if this service is its first."""
    if port.protocol is not Protocol.GRPC_WEB and not service.resolves_names:
        return NO_FILTERS
    resolves = service.hostname if service.resolves_names else None
    return HttpFilters(port.protocol is Protocol.GRPC_WEB, resolves)
