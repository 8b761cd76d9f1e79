"""A mesh whose services have endpoints of every kind, and Sidecars that listen in every way."""

from __future__ import annotations

from tests.istio.helpers import ISTIO, at, external_name, service, service_entry
from tests.mesh.helpers import Object, obj, pod

HTTP: Object = {"name": "http", "number": 80, "protocol": "HTTP"}
TLS: Object = {"name": "tls", "number": 443, "protocol": "TLS"}


def endpoint_mesh() -> list[Object]:
    """Make the objects; the namespace `b` has them all."""
    return [
        *(obj("v1", "Namespace", name, "", labels={}) for name in ("a", "b", "istio-system")),
        *_web(),
        *_hosts(),
        service("db", "b", clusterIP="None", selector={"app": "web"}, ports=[port("tcp", 5432)]),
        endpoint_slice("db", [port("tcp", 5432)], ready("10.244.0.1", "web-1")),
        service("dns", "b", ports=[{**port("dns", 53), "protocol": "UDP"}, port("dns-tcp", 53)]),
        external_name("alias", "a", "web.b.svc.cluster.local"),
    ]


def listening(*egress: Object) -> Object:
    """Make the Sidecar of the proxies of the namespace `a`."""
    return obj(ISTIO, "Sidecar", "own", "a", created=at(3), spec={"egress": list(egress)})


LISTENERS: dict[str, tuple[Object, ...]] = {
    "everything": ({"hosts": ["*/*"]},),
    "bound": (
        {
            "port": {"number": 3306, "protocol": "TCP", "name": "tcp"},
            "bind": "127.0.0.1",
            "captureMode": "NONE",
            "hosts": ["*/web.b.svc.cluster.local"],
        },
        {
            "port": {"number": 81, "protocol": "HTTP", "name": "http"},
            "captureMode": "NONE",
            "hosts": ["*/web.b.svc.cluster.local"],
        },
        {"hosts": ["b/*"]},
    ),
    "HTTP proxy": (
        {
            "port": {"number": 3128, "protocol": "HTTP_PROXY", "name": "proxy"},
            "bind": "127.0.0.1",
            "hosts": ["*/*"],
        },
        {"hosts": ["b/*"]},
    ),
    "all bound": ({"bind": "127.0.0.2", "hosts": ["b/*"]},),
    "not captured": ({"captureMode": "NONE", "hosts": ["b/*"]},),
}
"""Name -> the egress of a Sidecar."""


def _web() -> list[Object]:
    """Make a Service whose endpoints are pods, ready or not, and WorkloadEntries."""
    ports = [{**port("http", 80), "targetPort": "web"}, {**port("grpc", 90), "targetPort": 9000}]
    pods = [
        pod(
            f"web-{number}",
            namespace="b",
            labels={"app": "web", "version": f"v{min(number, 2)}"},
            status=_running(f"10.244.0.{number}"),
        )
        for number in (1, 2, 3)
    ]
    unready = {"ready": False, "terminating": False}
    http, grpc = port("http", 8080), port("grpc", 9000)
    more: list[Object] = [{"addresses": ["10.9.0.9"]}, *ready("10.244.0.1", "web-1")]
    slices = [
        endpoint_slice("web", [http, grpc], ready("10.244.0.1", "web-1"), number=1),
        endpoint_slice("web", [http], ready("10.244.0.2", "web-2", **unready), number=2),
        endpoint_slice("web", [http, grpc], [*more, *ready("10.244.0.3", "web-3")], number=3),
    ]
    return [
        service("web", "b", selector={"app": "web"}, ports=ports),
        *pods,
        *slices,
        workload_entry("vm-1", "10.9.0.1", version="v1", ports={"web": 8081}),
        workload_entry("vm-2", "10.9.0.2"),
        workload_entry("vm-3", "vm.example"),
        subsets("web", "web.b.svc.cluster.local", v1="v1", v2="v2", none="v3"),
    ]


def _running(address: str) -> Object:
    conditions = [{"type": "Ready", "status": "True"}]
    return {"podIP": address, "phase": "Running", "conditions": conditions}


def _hosts() -> list[Object]:
    """Make ServiceEntries with every resolution."""
    several = [{"address": "10.2.0.1"}, {"address": "10.2.0.2", "labels": {"version": "v1"}}]
    named = [{"address": "a.example", "labels": {"version": "v1"}}, {"address": "10.3.0.3"}]
    addresses = ["10.1.0.1", "10.1.0.2/32", "10.1.0.0/24"]
    selected: Object = {"workloadSelector": {"labels": {"app": "web"}}}
    nobody: Object = {"workloadSelector": {"labels": {"app": "nobody"}}}
    return [
        entry("static", "STATIC", addresses=addresses, endpoints=several),
        subsets("static", "static.example", v1="v1"),
        entry("chosen", "STATIC", addresses=["10.1.0.9"], **selected),
        entry("unix", "STATIC", addresses=["10.1.0.77"], endpoints=[{"address": "unix:///run/x"}]),
        entry("dns", "DNS", endpoints=named),
        subsets("dns", "dns.example", v1="v1", none="v9"),
        entry("dns", "DNS", name="younger", created=1, ports=[{**HTTP, "number": 81}]),
        entry("chosen-dns", "DNS", **selected),
        entry("nobody", "DNS", **nobody),
        entry("turns", "DNS_ROUND_ROBIN", ports=[HTTP, TLS], endpoints=[{"address": "x.example"}]),
        entry("turns", "DNS_ROUND_ROBIN", name="later", created=2, endpoints=named[:1]),
        entry("none", "NONE", ports=[{"name": "tcp", "number": 5000, "protocol": "TCP"}]),
        service_entry("wild", "b", "*.wild.example", resolution="DYNAMIC_DNS", ports=[HTTP, TLS]),
    ]


def port(name: str, number: int) -> Object:
    """Make a port of a Service or EndpointSlice."""
    return {"name": name, "port": number, "protocol": "TCP"}


def ready(address: str, name: str, **conditions: bool) -> list[Object]:
    """Make the endpoint of a pod, ready unless the conditions say otherwise."""
    target = {"kind": "Pod", "name": name, "namespace": "b"}
    conditions = conditions or {"ready": True}
    return [{"addresses": [address], "conditions": conditions, "targetRef": target}]


def endpoint_slice(
    name: str, ports: list[Object], endpoints: list[Object], number: int = 0
) -> Object:
    """Make an EndpointSlice of a Service."""
    labels = {"kubernetes.io/service-name": name}
    version = "discovery.k8s.io/v1"
    more: Object = {"addressType": "IPv4", "ports": ports, "endpoints": endpoints}
    return obj(version, "EndpointSlice", f"{name}-{number}", "b", labels=labels, **more)


def workload_entry(
    name: str, address: str, version: str = "", ports: dict[str, int] | None = None
) -> Object:
    """Make a WorkloadEntry that `web` selects."""
    labels = {"app": "web", **({"version": version} if version else {})}
    spec = {"address": address, "labels": labels, "ports": ports or {}}
    return obj(ISTIO, "WorkloadEntry", name, "b", created=at(0), spec=spec)


def subsets(name: str, host: str, **versions: str) -> Object:
    """Make a DestinationRule with subsets by version."""
    each = [{"name": name, "labels": {"version": label}} for name, label in versions.items()]
    spec = {"host": host, "subsets": each}
    return obj(ISTIO, "DestinationRule", name, "b", created=at(0), spec=spec)


def entry(host: str, resolution: str, name: str = "", created: int = 0, **spec: object) -> Object:
    """Make a ServiceEntry of `<host>.example` with an HTTP port unless it has others."""
    spec = {"ports": [HTTP], "resolution": resolution, **spec}
    return service_entry(name or host, "b", f"{host}.example", created=created, **spec)


def destination_rule(name: str, **policy: object) -> Object:
    """Make the traffic policy of a service in namespace `b`."""
    spec = {"host": f"{name}.b.svc.cluster.local", "trafficPolicy": policy}
    return obj("networking.istio.io/v1", "DestinationRule", name, "b", spec=spec)
