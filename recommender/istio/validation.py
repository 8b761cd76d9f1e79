"""What istiod's webhook accepts as a Sidecar, and as an entry of its `egress.hosts`.

istiod asks this only of what is about to be stored; what is stored it applies, whatever it is.
Source: istio pkg/config/validation/validation.go (`ValidateSidecar`), agent/validation.go
(`ValidateNamespaceSlashWildcardHostname`) of release 1.31. Up to 1.30 `~` followed by a namespace
is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from recommender.istio.api_fields import DecodeError, Message, shown, texts_by_name
from recommender.istio.connection_pool import connection_pool_errors
from recommender.istio.dns_names import fqdn_problem, is_dns_label, wildcard_domain_problem
from recommender.istio.server_tls import TLS_PROTOCOLS, tls_errors, tls_warnings
from recommender.istio.sidecar_message import SIDECAR

_UNIX: Final = "unix://"
_MOST_PORT: Final = 65535
_MOST_SHOWN: Final = 100
_DYNAMIC_DNS: Final = "3"  # its number in MeshConfig: the Sidecar's own enum has no such name
_HTTP_PROTOCOLS: Final = ("http", "http2", "http_proxy", "grpc", "grpc-web")
_PROTOCOLS: Final = frozenset(
    ("", *_HTTP_PROTOCOLS, *TLS_PROTOCOLS, "tcp", "udp", "mongo", "redis", "mysql")
)
_ENDPOINT: Final = re.compile(
    r"(?:|127\.0\.0\.1|0\.0\.0\.0|\[(?:|127\.0\.0\.1|0\.0\.0\.0|::1?)\]):\+?0*([0-9]{1,5})",
    re.ASCII,
)
_REFUSED_ANNOTATIONS: Final = (
    "istio.io/dry-run",
    "internal.istio.io/webhook-always-reject",
    "internal.istio.io/parent-namespace",
    "internal.istio.io/parents",
)


@dataclass(frozen=True, slots=True)
class SidecarVerdict:
    """Hold why istiod would refuse a Sidecar, and what it would only warn of."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def validate_sidecar(manifest: Mapping[str, object]) -> SidecarVerdict:
    """Tell what istiod's webhook would say of a Sidecar's manifest.

    Like istiod it knows no other fields and asks not whether hosts exist. What Kubernetes itself
    refuses, by the schema of the CRD, is not looked for.
    """
    try:
        namespace, annotations = _metadata(manifest.get("metadata"))
        spec = SIDECAR.decode(manifest.get("spec"), "")
    except DecodeError as error:
        return SidecarVerdict((str(error),))
    refused = [name for name in _REFUSED_ANNOTATIONS if name in annotations]
    errors = [f"the annotation {name} is not allowed" for name in refused[:1]]
    errors = errors or list(_selector_errors(spec["workloadSelector"])) or _emptiness(spec)
    if errors:
        return SidecarVerdict(tuple(errors))
    return SidecarVerdict(tuple(_errors(spec)), tuple(_warnings(spec, namespace)))


def egress_host_problem(entry: str) -> str | None:
    """Say why istiod would refuse an `egress.hosts` entry, None if it would not.

    >>> egress_host_problem("shop/cart.shop.svc.cluster.local"), egress_host_problem("shop/*")
    (None, None)
    >>> egress_host_problem("shop/cart")
    'cart is a short name'
    """
    namespace, slash, host = entry.partition("/")
    if not slash:
        return f"{entry[:_MOST_SHOWN]} has no namespace"
    name = namespace.removeprefix("~")
    if not namespace or (name and name not in ("*", ".") and not is_dns_label(name)):
        return f"{namespace[:_MOST_SHOWN]} is no namespace"
    if host == "*":
        return None
    if host and "." not in host:
        return f"{host[:_MOST_SHOWN]} is a short name"
    if "*" in host and not host.startswith("*."):
        return f"{host[:_MOST_SHOWN]} has a partial wildcard"
    return wildcard_domain_problem(host)


def _metadata(metadata: object) -> tuple[str, Mapping[str, str]]:
    if metadata is None:
        return "", {}
    if not isinstance(metadata, Mapping):
        raise DecodeError(f"metadata is {shown(metadata)}, expected an object")
    namespace, annotations = metadata.get("namespace"), metadata.get("annotations")
    if not isinstance(namespace, str | None):
        raise DecodeError(f"metadata.namespace is {shown(namespace)}, expected text")
    found = {} if annotations is None else texts_by_name(annotations, "metadata.annotations")
    return namespace or "", found


def _selector_errors(selector: Message | None) -> Iterator[str]:
    for key, value in sorted(selector["labels"].items()) if selector else ():
        if not key:
            yield "workloadSelector has an empty key"
        if "*" in key or "*" in value:
            yield f"workloadSelector has a wildcard: {shown(f'{key}={value}')}"


def _emptiness(spec: Message) -> list[str]:
    settings = (spec["outboundTrafficPolicy"], spec["inboundConnectionPool"])
    is_empty = not spec["egress"] and not spec["ingress"] and settings == (None, None)
    return ["the spec is empty"] if is_empty else []


def _errors(spec: Message) -> Iterator[str]:
    yield from _ingress_errors(spec["ingress"])
    for error in connection_pool_errors(spec["inboundConnectionPool"]):
        yield f"inboundConnectionPool: {error}"
    yield from _egress_errors(spec["egress"])
    for error in _traffic_policy_errors(spec["outboundTrafficPolicy"]):
        yield f"outboundTrafficPolicy: {error}"


def _ingress_errors(listeners: list[Message]) -> Iterator[str]:
    ports: set[int] = set()
    for place, listener in enumerate(listeners):
        port = listener["port"]
        if port is None:
            yield f"ingress[{place}] has no port"
            continue
        if port["number"] in ports:
            yield f"ingress[{place}]: port {port['number']} is there already"
        ports.add(port["number"])
        for error in _ingress_listener_errors(listener, port):
            yield f"ingress[{place}]: {error}"


def _ingress_listener_errors(listener: Message, port: Message) -> Iterator[str]:
    yield from _port_errors(port)
    yield from _number_errors(port["number"])
    yield from _address_errors(listener["bind"])
    yield from _endpoint_errors(listener["defaultEndpoint"])
    if listener["tls"] is not None:
        for error in tls_errors(listener["tls"], port["protocol"]):
            yield f"tls: {error}"
    for error in connection_pool_errors(listener["connectionPool"]):
        yield f"connectionPool: {error}"


def _egress_errors(listeners: list[Message]) -> Iterator[str]:
    ports: set[int] = set()
    sockets: set[str] = set()
    for place, listener in enumerate(listeners):
        port, bind = listener["port"], listener["bind"]
        if port is None and place != len(listeners) - 1:
            yield f"egress[{place}] has no port but is not the last listener"
        if port is not None and port["number"]:
            if port["number"] in ports:
                yield f"egress[{place}]: port {port['number']} is there already"
            ports.add(port["number"])
        elif port is not None:
            if bind in sockets:
                yield f"egress[{place}]: {shown(bind)} is bound already"
            sockets.add(bind)
        for error in _egress_listener_errors(listener):
            yield f"egress[{place}]: {error}"


def _egress_listener_errors(listener: Message) -> Iterator[str]:
    port, bind = listener["port"], listener["bind"]
    if port is not None:
        yield from _port_errors(port)
        if port["number"]:
            yield from _number_errors(port["number"])
            yield from _address_errors(bind)
        else:
            yield from _socket_errors(bind, "port 0 needs a bind that begins with unix://")
            if listener["captureMode"] not in ("DEFAULT", "NONE"):
                yield f"captureMode {listener['captureMode']} does not go with port 0"
    if not listener["hosts"]:
        yield "hosts is empty"
    for host in listener["hosts"]:
        problem = egress_host_problem(host)
        if problem:
            yield f"hosts: {problem}"


def _port_errors(port: Message) -> Iterator[str]:
    if port["targetPort"]:
        yield "targetPort has no meaning in a Sidecar"
    if port["name"] and not is_dns_label(port["name"]):
        yield f"the port's name {shown(port['name'])} is no DNS label"
    if port["protocol"].lower() not in _PROTOCOLS:
        yield f"the protocol {shown(port['protocol'])} is unknown"


def _number_errors(number: int) -> Iterator[str]:
    if not 1 <= number <= _MOST_PORT:
        yield f"the port {number} is not from 1 to {_MOST_PORT}"


def _address_errors(bind: str) -> Iterator[str]:
    if bind and not _is_address(bind):
        yield f"bind {shown(bind)} is no IP address"


def _is_address(text: str) -> bool:
    """Tell whether Go takes a text for an IP address: only IPv6 may have a zone, of any kind."""
    address, percent, zone = text.partition("%")
    try:
        version = ip_address(address).version
    except ValueError:
        return False
    return not percent or (bool(zone) and version == 6)


def _socket_errors(address: str, otherwise: str) -> Iterator[str]:
    path = address.removeprefix(_UNIX)
    if not address.startswith(_UNIX):
        yield otherwise
    elif not path.startswith("@") and (not path.startswith("/") or path.endswith("/")):
        yield f"{shown(address)} names no file by its absolute path"


def _endpoint_errors(endpoint: str) -> Iterator[str]:
    if endpoint.startswith(_UNIX):
        yield from _socket_errors(endpoint, "")
    elif endpoint:
        found = _ENDPOINT.fullmatch(endpoint)
        if found is None or not 1 <= int(found[1]) <= _MOST_PORT:
            yield f"defaultEndpoint {shown(endpoint)} is no port of this pod or socket"


def _traffic_policy_errors(policy: Message | None) -> Iterator[str]:
    if policy is None:
        return
    proxy = policy["egressProxy"]
    if policy["mode"] == _DYNAMIC_DNS:
        yield "mode ALLOW_ANY_DYNAMIC_DNS is for the MeshConfig only"
    elif proxy is not None and policy["mode"] != "ALLOW_ANY":
        yield "egressProxy needs mode ALLOW_ANY"
    elif proxy is not None:
        yield from (f"egressProxy: {error}" for error in _egress_proxy_errors(proxy))


def _egress_proxy_errors(proxy: Message) -> Iterator[str]:
    problem = fqdn_problem(proxy["host"])
    if problem:
        yield problem
    if proxy["port"] is None:
        yield "it has no port"
        return
    yield from _number_errors(proxy["port"]["number"])
    if proxy["subset"] and not is_dns_label(proxy["subset"]):
        yield f"the subset {shown(proxy['subset'])} is no DNS label"


def _warnings(spec: Message, namespace: str) -> Iterator[str]:
    selector = spec["workloadSelector"]
    if selector is not None and not selector["labels"]:
        yield "workloadSelector is empty: it selects every workload of the namespace"
    for place, listener in enumerate(spec["ingress"]):
        for warning in _ingress_warnings(listener):
            yield f"ingress[{place}]: {warning}"
    for place, listener in enumerate(spec["egress"]):
        for warning in _host_warnings(listener["hosts"], namespace):
            yield f"egress[{place}]: {warning}"


def _ingress_warnings(listener: Message) -> Iterator[str]:
    port, pool = listener["port"], listener["connectionPool"]
    if port is None:
        return
    if listener["tls"] is not None:
        yield from (f"tls: {warning}" for warning in tls_warnings(listener["tls"]))
    http_settings = pool is not None and pool["http"] is not None
    if http_settings and port["protocol"].lower() not in _HTTP_PROTOCOLS:
        yield "http settings of the connection pool for a port that is not HTTP"


def _host_warnings(hosts: list[str], namespace: str) -> Iterator[str]:
    """Look for entries that others cover; exclusions do not count."""
    found: dict[str, set[str]] = {}
    for entry in hosts:
        home, slash, host = entry.partition("/")
        if not slash or home.startswith("~"):
            continue
        there = found.setdefault(namespace if home == "." else home, set())
        if there and (host in ("*", *there) or "*" in there):
            yield f"{shown(entry)} is covered twice"
        there.add(host)
    if "*" in found.get("*", ()) and len(found) > 1:
        yield "*/* is everything: no other host adds to it"
