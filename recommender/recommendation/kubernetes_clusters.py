"""Calls in a mesh of several Kubernetes clusters, each of which has virtual IPs of its own.

A log tells neither of which Kubernetes cluster it is nor whose an address was. The name of the pod
tells the first, unless pods of several bear it; and a virtual IP that was called there stands for
the one that the same Service has elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address
from typing import Final

from recommender.istio.endpoints import is_address
from recommender.istio.proxy import Proxy
from recommender.istio.registry import Registry, RegistryService
from recommender.service_graph import Call

_BYTE: Final = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4: Final = re.compile(rf"{_BYTE}(\.{_BYTE}){{3}}", re.ASCII)


def readings(call: Call, registry: Registry, clusters: Iterable[str]) -> list[Call]:
    """List a call as it may have been made, if the log cannot tell in which Kubernetes cluster.

    That only matters for an address that is a virtual IP in one of them.
    """
    if call.kubernetes_cluster is not None:
        return [call]
    names, address = list(dict.fromkeys(clusters)), valid_address(call.address)
    if not any((name, address) in registry.virtual_ips for name in names):
        names = names[:1]
    return [replace(call, kubernetes_cluster=name) for name in names]


def can_be_made(call: Call, proxy: Proxy, registry: Registry) -> bool:
    """Tell whether a call means the same to a proxy.

    It does not if its address is a virtual IP to this proxy alone.
    """
    if not registry.virtual_ips:
        return True
    address = valid_address(call.address)
    return (
        (proxy.kubernetes_cluster, address) not in registry.virtual_ips
        or call.kubernetes_cluster in (None, proxy.kubernetes_cluster)
        or (call.kubernetes_cluster, address) in registry.virtual_ips
    )


def address_and_authority(
    call: Call, proxy: Proxy, registry: Registry
) -> tuple[str | None, str | None]:
    """Return where the application behind a proxy connects to, and the authority that it sends."""
    address = valid_address(call.address)
    service = registry.virtual_ips.get((call.kubernetes_cluster or "", address or ""))
    if address is None or service is None or call.kubernetes_cluster == proxy.kubernetes_cluster:
        return address, call.authority
    own = _own_address(service, proxy, address)
    if valid_address((call.authority or "").strip("[]")) != address:
        return own, call.authority
    return own, f"[{own}]" if ":" in own else own


def _own_address(service: RegistryService, proxy: Proxy, address: str) -> str:
    """Return a proxy's address of a Service; an endpoint's where it is headless to the proxy."""
    endpoints = tuple(
        each for found in service.endpoints.values() for each in found if is_address(each)
    )
    found = proxy.reachable(service) or endpoints or (address,)
    version = ip_address(address).version
    return next((each for each in found if ip_address(each).version == version), found[0])


def valid_address(text: str | None) -> str | None:
    """Write an address as the mesh does, None for what is none."""
    if text and _IPV4.fullmatch(text):
        return text
    try:
        return str(ip_address(text)) if text else None
    except ValueError:
        return None
