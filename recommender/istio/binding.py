"""Where a service wants to listen on the pod: at its virtual IPs, its endpoints, or everywhere.

Source: istio networking/core/listener.go (`buildSidecarOutboundListeners`,
`buildSidecarOutboundListener`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recommender.istio.endpoints import is_address
from recommender.istio.protocols import Protocol, protocol_of
from recommender.istio.proxy import Proxy
from recommender.istio.registry import RegistryPort, RegistryService, Resolution
from recommender.mesh.objects import EgressListener

RESERVED_PORTS = frozenset({15001, 15006, 15021, 15090})
LOCAL_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ServiceAtPort:
    """Hold a service at a listener's port, bound to an address, with its CIDR if it has one.

    `extra` are further addresses that lead to the same listener.
    """

    service: RegistryService
    port: RegistryPort
    bind: str
    subnets: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


def bindings(
    service: RegistryService, listener: EgressListener, proxy: Proxy, port: int
) -> Iterator[ServiceAtPort]:
    """Yield a service at a port, bound to where it listens for an egress listener."""
    bind = listener.bind or (LOCAL_HOST if listener.capture_mode == "NONE" else "")
    if service.resolution is Resolution.ALIAS:
        return
    numbers = [number for number in service.ports if number.number == port]
    if listener.port is not None:
        numbers = [RegistryPort(port, "", protocol_of(listener.port_protocol or ""))]
    for number in numbers:  # one port may be there for UDP and for TCP
        if _is_reserved(number, bind, proxy):
            continue
        direct = listener.port is None and not bind
        if direct and _has_endpoint_listeners(service, number, proxy):
            for address in service.endpoints.get(port, ()):
                if is_address(address) and address not in proxy.addresses[:1]:
                    yield ServiceAtPort(service, number, address)
            continue
        yield _at_own_address(service, number, bind, proxy)


def _is_reserved(port: RegistryPort, bind: str, proxy: Proxy) -> bool:
    wide = bind == proxy.wildcard or (not bind and port.protocol.is_http)
    return wide and port.number in RESERVED_PORTS


def _has_endpoint_listeners(service: RegistryService, port: RegistryPort, proxy: Proxy) -> bool:
    """Tell whether each endpoint has a listener; a ServiceEntry without any has one for all."""
    direct = service.resolution is Resolution.PASSTHROUGH and not proxy.reachable(service)
    if not direct or not is_direct(port):
        return False
    return service.selector is not None or bool(service.endpoints.get(port.number))


def is_direct(port: RegistryPort) -> bool:
    """Tell whether a headless service's endpoints are listened to one by one at a port."""
    return port.protocol.is_tcp or port.protocol is Protocol.SNIFFED


def _at_own_address(
    service: RegistryService, port: RegistryPort, bind: str, proxy: Proxy
) -> ServiceAtPort:
    """Bind a service: HTTP everywhere, else at its virtual IP, its CIDR, or everywhere."""
    if bind:
        return ServiceAtPort(service, port, bind)
    addresses = proxy.reachable(service)
    if port.protocol.is_http or port.protocol is Protocol.HTTP_PROXY or not addresses:
        return ServiceAtPort(service, port, proxy.wildcard)
    if "/" in addresses[0]:
        return ServiceAtPort(service, port, proxy.wildcard, addresses)
    return ServiceAtPort(service, port, addresses[0], extra=addresses[1:])
