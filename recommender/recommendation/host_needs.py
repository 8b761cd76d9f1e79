"""Entries of `egress.hosts`, and why each is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.registry import ServiceKey
from recommender.istio.validation import egress_host_problem
from recommender.mesh import VirtualService
from recommender.recommendation.model import HostReason, ReasonKind
from recommender.service_graph import Call


@dataclass(frozen=True, slots=True)
class HostNeed:
    """Name an `egress.hosts` entry and why it is needed."""

    host: str
    reason: HostReason


def service_host(key: ServiceKey) -> str:
    """Write the entry that imports a service."""
    return host_entry(key.namespace, key.hostname)


def alias_host(service: ServiceKey, alias: ServiceKey) -> str:
    """Write the entry by which a service keeps an ExternalName that stands for it.

    It is one of the service's own namespace. Source: istio model/sidecar.go `matchingAliasService`.
    """
    return host_entry(service.namespace, alias.hostname)


def host_entry(namespace: str, host: str) -> str:
    """Write an `egress.hosts` entry for a host; all of the namespace if istiod refuses it."""
    entry = f"{namespace}/{host}"
    return f"{namespace}/*" if egress_host_problem(entry) else entry


def listener_at(config: ProxyConfig, port: int) -> Iterator[HostNeed]:
    """Yield an HTTP service at a port: without any there is no listener to route at."""
    serving = config.http_services_at(port)
    if serving:
        own = config.proxy.namespace
        service = min(serving, key=lambda s: (s.namespace != own, s.key))
        detail = f"without any HTTP service at port {port} a proxy has no listener to route at"
        yield HostNeed(service_host(service.key), HostReason("listener", detail))


def need_of(host: str, kind: ReasonKind, detail: str, call: Call) -> HostNeed:
    """Say that a call needs an entry."""
    return HostNeed(host, HostReason(kind, detail, call.evidence))


def name_of(vs: VirtualService) -> str:
    """Name a VirtualService for people."""
    return f"VirtualService {vs.meta.namespace}/{vs.meta.name}"
