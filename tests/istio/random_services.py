"""Random Services and ServiceEntries, and the pods, EndpointSlices and WorkloadEntries behind."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tests.istio.random_draw import (
    CALLERS,
    EXPORTS,
    HIDDEN,
    HOMES,
    ISTIO,
    KUBERNETES,
    NAMES,
    NAMESPACES,
    OUTSIDE,
    PORTS,
    WILDCARDS,
    Draw,
    protocol_of,
)
from tests.mesh.helpers import Object, obj, pod

# Ports whose protocol is told in other ways than by a plain name, or not at all.
ODD_PORTS: tuple[dict[str, object], ...] = (
    {"port": 81, "name": "any", "appProtocol": "kubernetes.io/h2c"},
    {"port": 82, "name": "tcp-a", "appProtocol": "http"},
    {"port": 83, "name": "http-b", "appProtocol": "mycompany.example/own"},
    {"port": 84, "name": "grpc-web-c"},
    {"port": 85, "name": "HTTP2-d"},
    {"port": 86, "name": "redis"},
    {"port": 87, "name": "mongo-e"},
    {"port": 88, "name": "mysql-f"},
    {"port": 89, "name": "tls-g"},
    {"port": 53, "name": "dns", "protocol": "UDP"},
    {"port": 90, "name": "http-h", "protocol": "UDP"},
    {"port": 91, "name": "udp-i"},
    {"port": 92, "name": "http-proxy"},
    {"port": 93, "name": "httpx"},
    {"port": 94, "name": "k", "appProtocol": "kubernetes.io/ws"},
    {"port": 95, "name": "m", "appProtocol": "kubernetes.io/wss"},
    {"port": 96, "name": "n", "appProtocol": "HTTPS"},
    {"port": 97, "name": "o", "protocol": "SCTP"},
    {"port": 27017, "name": "mgo"},
    {"port": 98, "name": "p", "appProtocol": "http_proxy"},
)
CONFLICTING = (
    "http",
    "tcp",
    "tls",
    "rest",
    "grpc",
    "grpc-web",
    "mongo",
    "mysql",
    "redis",
    "https",
)
RESOLUTIONS = ("NONE", "NONE", "STATIC", "STATIC", "DNS", "DNS_ROUND_ROBIN")


def services(draw: Draw) -> list[Object]:
    """Make the Services of every namespace, their pods and their EndpointSlices."""
    made: list[Object] = []
    hosts: list[str] = []
    for home, namespace in enumerate(HOMES):
        pods = [_app_pod(name, number, home) for name in NAMES for number in range(2)]
        callers = [caller(labels, namespace) for labels in CALLERS]
        pods = [each for each in pods if draw.chance(60)]
        for name in draw.some(NAMES, len(NAMES)):
            found = _service(draw, name, namespace)
            draw.known.append(f"{namespace}/{name}.{namespace}.svc.cluster.local")
            if '"port": 80,' in json.dumps(found):
                hosts.append(f"{name}.{namespace}.svc.cluster.local")
            made.append(found)
            made += _slices(draw, found, [*pods, *callers])
        made += pods
    draw.popular = draw.some(hosts, 3) if hosts else draw.popular
    return made


def caller(labels: dict[str, str], namespace: str) -> Object:
    """Make the pod of a proxy that calls."""
    home, kind = NAMESPACES.index(namespace), CALLERS.index(labels)
    status = _running(f"10.243.{home}.{kind + 1}")
    return pod(caller_name(labels), namespace=namespace, labels=dict(labels), status=status)


def caller_name(labels: dict[str, str]) -> str:
    """Name the pod of a proxy that calls."""
    return "-".join(("app", *labels.values()))


def _app_pod(name: str, number: int, home: int) -> Object:
    status = _running(f"10.244.{home}.{10 * NAMES.index(name) + number + 1}")
    labels = {"app": name}
    return pod(f"{name}-{number}", namespace=HOMES[home], labels=labels, status=status)


def _running(ip: str) -> dict[str, object]:
    ready = {"type": "Ready", "status": "True"}
    return {"podIP": ip, "podIPs": [{"ip": ip}], "phase": "Running", "conditions": [ready]}


def _service(draw: Draw, name: str, namespace: str) -> Object:
    spec: dict[str, object] = {"clusterIP": draw.address(), "selector": {"app": name}}
    if draw.on("headless Service", 25):
        spec["clusterIP"] = "None"
    elif draw.on("ExternalName", 20):
        others = (*KUBERNETES, *OUTSIDE)
        spec = {"type": "ExternalName", "externalName": draw.one(others)}
    if "selector" in spec and draw.on("own Service", 20):
        spec["selector"] = {"app": draw.one(("x", "y"))}
    spec["ports"] = _service_ports(draw)
    more: dict[str, object] = {"created": draw.created(), "spec": spec}
    if draw.on("exportTo of a Service", 30):
        exports = draw.one((",", ", ")).join(draw.one((*EXPORTS, *HIDDEN)))
        more["annotations"] = {"networking.istio.io/exportTo": exports}
    return obj("v1", "Service", name, namespace, **more)


def _service_ports(draw: Draw) -> list[dict[str, object]]:
    ports: list[dict[str, object]] = [
        {"name": name, "port": number, "protocol": "TCP"} for number, name in draw.some(PORTS, 3)
    ]
    if draw.chance(60) and all(port["port"] != 80 for port in ports):
        ports.append({"name": "http", "port": 80, "protocol": "TCP"})
    if draw.on("appProtocol and odd port names", 40):
        ports += draw.random.sample(ODD_PORTS, 2)
    if draw.on("listener conflict", 30):
        taken = {port["port"] for port in ports}
        number = draw.one([n for n, _ in PORTS if n not in taken])
        ports.append({"name": f"{draw.one(CONFLICTING)}-z", "port": number, "protocol": "TCP"})
    return _with_udp(draw.of_requests(), ports)


def _with_udp(draw: Draw, ports: list[dict[str, object]]) -> list[dict[str, object]]:
    """Let UDP have a port's number too, before or after it."""
    if not draw.chance(10):
        return ports
    draw.used["port of UDP and of TCP"] += 1
    place = draw.between(0, len(ports))
    udp = {"name": "udp-q", "port": draw.one(ports)["port"], "protocol": "UDP"}
    return [*ports[:place], udp, *ports[place:]]


def _slices(draw: Draw, service: Object, pods: Iterable[Object]) -> list[Object]:
    """Make the EndpointSlice that Kubernetes would, one for each Service with a selector.

    Every endpoint is ready: one that is not istiod sends or leaves out, depending on what it saw
    of it before (`EndpointIndex.UpdateServiceEndpoints`).
    """
    metadata, spec = service["metadata"], service["spec"]
    assert isinstance(metadata, dict)
    assert isinstance(spec, dict)
    if "selector" not in spec:
        return []
    endpoints = []
    for each in pods:
        about, status = each["metadata"], each["status"]
        assert isinstance(about, dict)
        assert isinstance(status, dict)
        if spec["selector"].items() <= about["labels"].items():
            target = {"kind": "Pod", "name": about["name"], "namespace": metadata["namespace"]}
            endpoints.append(
                {
                    "addresses": [status["podIP"]],
                    "conditions": {"ready": True, "serving": True},
                    "targetRef": target,
                }
            )
    if spec["clusterIP"] == "None" and endpoints:
        draw.used["endpoints of a headless Service"] += 1
    return [
        obj(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            f"{metadata['name']}-abc",
            str(metadata["namespace"]),
            labels={"kubernetes.io/service-name": metadata["name"]},
            addressType="IPv4",
            endpoints=endpoints,
            ports=[
                {
                    "name": port["name"],
                    "port": port["port"],
                    "protocol": port.get("protocol", "TCP"),
                }
                for port in spec["ports"]
            ],
        )
    ]


def service_entries(draw: Draw) -> list[Object]:
    """Make ServiceEntries, and WorkloadEntries that some of them select."""
    ages: set[tuple[int, str, str]] = set()
    made = [_distinct(draw, _service_entry(draw), ages) for _ in range(draw.between(0, 8))]
    for each in made:
        metadata, spec = each["metadata"], each["spec"]
        assert isinstance(metadata, dict)
        assert isinstance(spec, dict)
        draw.known += [f"{metadata['namespace']}/{host}" for host in spec["hosts"]]
    for _ in range(draw.between(0, 3)):
        if draw.on("WorkloadEntry", 70):
            spec = {"address": draw.address(), "labels": {"app": draw.one(NAMES)}}
            namespace = draw.one(HOMES)
            made.append(obj(ISTIO, "WorkloadEntry", draw.name("we"), namespace, spec=spec))
    return made


def _service_entry(draw: Draw) -> Object:
    hosts = draw.some((*OUTSIDE, *WILDCARDS[:3], *KUBERNETES), 3)
    ports = [port for port in PORTS[:5] if len(hosts) == 1 or not port[1].startswith("tcp")]
    chosen = draw.some(ports, 2)
    resolution = draw.one(RESOLUTIONS)
    if any(host.startswith("*") for host in hosts):
        draw.used["wildcard ServiceEntry"] += 1
        resolution = "NONE"
        if draw.on("dynamic DNS", 30):
            hosts = [host for host in hosts if host.startswith("*")]
            resolution, chosen = "DYNAMIC_DNS", [(80, "http"), (443, "tls")][: draw.between(1, 2)]
    draw.used[f"ServiceEntry resolution {resolution}"] += 1
    spec: dict[str, object] = {
        "hosts": hosts,
        "resolution": resolution,
        "location": draw.one(("MESH_EXTERNAL", "MESH_INTERNAL")),
        "ports": _entry_ports(draw, hosts, resolution, chosen),
    }
    if resolution != "DYNAMIC_DNS" and draw.on("ServiceEntry addresses", 40):
        spec["addresses"] = _addresses(draw, cidr=resolution in ("NONE", "STATIC"))
    if resolution in ("STATIC", "NONE") and draw.on("ServiceEntry workloadSelector", 30):
        spec["workloadSelector"] = {"labels": {"app": draw.one(NAMES)}}
    elif resolution == "STATIC":
        spec["endpoints"] = [{"address": draw.address()}]
    elif resolution == "DNS" and draw.chance(20):
        spec["endpoints"] = [{"address": "elsewhere.example"}]
    return draw.istio("ServiceEntry", "se", spec)


def _entry_ports(
    draw: Draw, hosts: list[str], resolution: str, chosen: list[tuple[int, str]]
) -> list[dict[str, object]]:
    """Make ports; istiod refuses some protocols for several hosts, and for dynamic DNS."""
    if resolution == "NONE" or (len(hosts) == 1 and resolution != "DYNAMIC_DNS"):
        if draw.on("listener conflict", 30):
            protocol = draw.one(("HTTP", "TCP", "MONGO", "MYSQL", "TLS", ""))
            return [{"name": "conflict", "number": draw.one(PORTS)[0], "protocol": protocol}]
        if draw.on("HTTP_PROXY port", 10):
            return [{"name": "proxy", "number": 3128, "protocol": "HTTP_PROXY"}]
    return [
        {"name": name, "number": number, "protocol": protocol_of(name) or name.upper()}
        for number, name in chosen
    ]


def _addresses(draw: Draw, *, cidr: bool) -> list[str]:
    shapes = ["{}", "{}", "2001:db8::{}", *(("{}/32", "{}/31", "{}/28") if cidr else ())]
    found = [draw.address(draw.one(shapes)) for _ in range(draw.between(1, 2))]
    if any("/" in address for address in found):
        draw.used["ServiceEntry CIDR"] += 1
    if draw.on("shared address", 10):
        found.append("10.0.0.1")  # most often that of a Service
    return found


def _distinct(draw: Draw, entry: Object, ages: set[tuple[int, str, str]]) -> Object:
    """Age a ServiceEntry until none of its hosts ties in a way that istiod leaves to chance.

    Of two objects of one host and age in one namespace istiod keeps the one it meets first, in
    the order of a Go map (`SortServicesByCreationTime` knows no more of them than host and
    namespace). Across namespaces a VirtualService's destination meets them by chance too
    (`SidecarScope.collectImportedServices` compares nothing but the age), so only a mesh with
    `ties`, which has no VirtualService, keeps those.
    """
    metadata, spec = entry["metadata"], entry["spec"]
    assert isinstance(metadata, dict)
    assert isinstance(spec, dict)
    second = draw.random.randrange(4)
    while True:
        place = metadata["namespace"] if draw.ties else ""
        keys = {(second, place, host) for host in spec["hosts"]}
        if not keys & ages:
            break
        second += 1
    ages |= keys
    metadata["creationTimestamp"] = f"2026-01-01T00:00:{second:02}Z"
    return entry
