"""Tell which protocol istiod assumes for a service port.

Source: istio pkg/config/kube/conversion.go `ConvertProtocol`, pkg/config/protocol/instance.go.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recommender.mesh.objects import ServicePort


class Protocol(Enum):
    """Name how Envoy handles a port; SNIFFED stands for istiod's `Unsupported`.

    MONGO and MYSQL are TCP that never shares a listener with another protocol. GRPC_WEB is HTTP
    that has a filter of its own.
    """

    HTTP = "HTTP"
    GRPC_WEB = "GRPC-Web"
    HTTP_PROXY = "HTTP_PROXY"
    TCP = "TCP"
    MONGO = "MONGO"
    MYSQL = "MYSQL"
    TLS = "TLS"
    UDP = "UDP"
    SNIFFED = "SNIFFED"

    @property
    def is_http(self) -> bool:
        """Tell whether such a port is known to be for requests to a server."""
        return self in (Protocol.HTTP, Protocol.GRPC_WEB)

    @property
    def may_be_http(self) -> bool:
        """Tell whether requests on such a port are routed by authority."""
        return self.is_http or self in (Protocol.HTTP_PROXY, Protocol.SNIFFED)

    @property
    def is_tcp(self) -> bool:
        """Tell whether connections on such a port are not looked into, but for their SNI."""
        return self in (Protocol.TCP, Protocol.MONGO, Protocol.MYSQL, Protocol.TLS)


_BY_NAME = {
    "tcp": Protocol.TCP,
    "mongo": Protocol.MONGO,
    "redis": Protocol.TCP,
    "mysql": Protocol.MYSQL,
    "udp": Protocol.UDP,
    "http": Protocol.HTTP,
    "http2": Protocol.HTTP,
    "grpc": Protocol.HTTP,
    "grpc-web": Protocol.GRPC_WEB,
    "http_proxy": Protocol.HTTP_PROXY,
    "https": Protocol.TLS,
    "tls": Protocol.TLS,
}
_BY_APP_PROTOCOL = {
    "kubernetes.io/h2c": Protocol.HTTP,
    "kubernetes.io/ws": Protocol.HTTP,
    "kubernetes.io/wss": Protocol.TLS,
}
# Servers that speak first: sniffing would hang them, so istiod takes TCP.
_TCP_UNLESS_NAMED = frozenset({25, 53, 3306, 27017})


def kubernetes_port_protocol(port: ServicePort) -> Protocol:
    """Take the protocol of a Kubernetes port: appProtocol first, else the name's prefix."""
    if port.protocol.upper() == "UDP":
        return Protocol.UDP
    name = port.name
    if port.app_protocol is not None:
        name = port.app_protocol
        if name in _BY_APP_PROTOCOL:
            return _BY_APP_PROTOCOL[name]
    if name.lower().startswith("grpc-web"):
        return Protocol.GRPC_WEB
    found = _BY_NAME.get(name.split("-", 1)[0].lower())
    if found is None:
        return Protocol.TCP if port.number in _TCP_UNLESS_NAMED else Protocol.SNIFFED
    return found


def protocol_of(text: str) -> Protocol:
    """Read a declared protocol, as a ServiceEntry's or a Sidecar's port has it; else sniffed."""
    return _BY_NAME.get(text.lower(), Protocol.SNIFFED)
