"""Small meshes, what their proxies logged, and the answer for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from recommender.access_logs import LineCounts
from recommender.flows import FLOW_SCHEMA, Flows
from recommender.mesh import Mesh
from recommender.recommendation import LeftOut, Recommendation, Recommendations, recommend
from recommender.service_graph import build_service_graph
from recommender.settings import Settings
from tests.mesh.helpers import Object, mesh_of_objects, obj, pod

NETWORKING = "networking.istio.io/v1"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
Flow = dict[str, Any]


def fqdn(name: str) -> str:
    """Complete `name.namespace`."""
    return f"{name}.svc.cluster.local"


def service(
    name: str,
    namespace: str = "shop",
    *,
    port: int = 8080,
    port_name: str = "http",
    ip: str = "10.96.0.1",
    **more: Any,
) -> Object:
    """Make a Service with one port that selects `app: <name>`."""
    spec: Object = {
        "clusterIP": ip,
        "ports": [{"port": port, "name": port_name}],
        "selector": {"app": name},
    }
    spec.update(more.pop("spec", {}))
    return obj("v1", "Service", name, namespace, spec=spec, **more)


def headless(name: str, namespace: str = "shop", *, port: int, port_name: str) -> Object:
    """Make a Service without a virtual IP."""
    return service(name, namespace, port=port, port_name=port_name, ip="None")


def deployment(
    name: str,
    namespace: str = "shop",
    *,
    pods: int = 1,
    labels: dict[str, str] | None = None,
    proxy: bool = True,
    ip: str = "10.244.0",
) -> list[Object]:
    """Make a Deployment with its ReplicaSet and pods, named `<name>-<hash>-<5>`."""
    own = labels or {"app": name}
    spec = {
        "selector": {"matchLabels": own},
        "template": {"metadata": {"labels": own}, "spec": {"containers": [{"name": "app"}]}},
    }
    replica_set = f"{name}-7d9c5b8f6d"
    hashed = {**own, "pod-template-hash": "7d9c5b8f6d"}
    made = [
        obj("apps/v1", "Deployment", name, namespace, spec=spec),
        obj("apps/v1", "ReplicaSet", replica_set, namespace, owner=f"Deployment/{name}", spec=spec),
    ]
    for number in range(pods):
        more: Object = {} if proxy else {"containers": [{"name": "app"}]}
        made.append(
            pod(
                pod_name(name, number),
                namespace=namespace,
                labels=hashed,
                owner=f"ReplicaSet/{replica_set}",
                status={"podIP": f"{ip}.{number + 1}", "phase": "Running"},
                **more,
            )
        )
    return made


def pod_name(workload: str, number: int = 0) -> str:
    """Name a pod of a Deployment."""
    return f"{workload}-7d9c5b8f6d-{'bcdfghjklm'[number]}2xxz"


def virtual_service(name: str, namespace: str = "shop", **spec: object) -> Object:
    """Make a VirtualService."""
    return obj(NETWORKING, "VirtualService", name, namespace, spec=spec)


def route_to(*hosts: str, **more: Any) -> Object:
    """Make an http route to some hosts with equal weights."""
    weight = {"weight": 100 // len(hosts)} if len(hosts) > 1 else {}
    return {"route": [{"destination": {"host": host}, **weight} for host in hosts], **more}


def service_entry(name: str, namespace: str, hosts: Sequence[str], **spec: object) -> Object:
    """Make a ServiceEntry; one HTTP port 80 unless the spec has other ports."""
    ports = spec.pop("ports", [{"number": 80, "name": "http", "protocol": "HTTP"}])
    spec = {"hosts": list(hosts), "ports": ports, "resolution": "DNS", **spec}
    return obj(NETWORKING, "ServiceEntry", name, namespace, spec=spec)


def sidecar(
    name: str,
    namespace: str = "shop",
    *,
    hosts: Sequence[str],
    selector: dict[str, str] | None = None,
    own: bool = False,
    **more: Any,
) -> Object:
    """Make a Sidecar, this tool's own or one made by hand."""
    spec: Object = {"egress": [{"hosts": list(hosts)}], **more}
    if selector is not None:
        spec["workloadSelector"] = {"labels": selector}
    labels = {"labels": {"app.kubernetes.io/managed-by": "recommend-sidecars"}} if own else {}
    return obj(NETWORKING, "Sidecar", name, namespace, spec=spec, **labels)


def mesh_config(text: str) -> Object:
    """Make the ConfigMap with the mesh's configuration."""
    return obj("v1", "ConfigMap", "istio", "istio-system", data={"mesh": text})


def http_call(
    source: str,
    authority: str,
    to: str | None = None,
    *,
    port: int = 8080,
    address: str = "10.96.0.1",
    subset: str = "",
    **more: Any,
) -> Flow:
    """Make the flow of HTTP requests from `namespace/pod`; `to` is the host that answered."""
    destination = {"destination_host": to, "destination_port": port, "destination_subset": subset}
    cluster = f"outbound|{port}|{subset}|{to}"
    return {
        **_flow(source),
        "protocol": "http",
        "authority": authority,
        "destination_address": f"{address}:{port}",
        "route": "default",
        **({"cluster": cluster, **destination} if to else {}),
        **more,
    }


def tcp_call(source: str, address: str, port: int, to: str | None = None, **more: Any) -> Flow:
    """Make the flow of TCP connections from `namespace/pod`."""
    call = http_call(source, "", to, port=port, address=address)
    return call | {"protocol": "tcp", "authority": None, "route": None} | more


def received(source: str, port: int = 8080, peer: str | None = None, **more: Any) -> Flow:
    """Make the flow of requests that a pod's proxy received, from a `peer` at an address."""
    return {
        **_flow(source),
        "direction": "inbound",
        "protocol": "http",
        "cluster": f"inbound|{port}||",
        "destination_address": f"10.244.9.9:{port}",
        "peer_address": peer,
        **more,
    }


def _flow(source: str) -> Flow:
    namespace, _, name = source.partition("/")
    return {
        "day": date(2026, 11, 24),
        "source_namespace": namespace,
        "source_pod": name,
        "direction": "outbound",
        "requests": 1,
        "errors": 0,
        "first_seen": NOON,
        "last_seen": NOON,
    }


def flows_of(rows: Iterable[Flow]) -> Flows:
    """Put flows together."""
    found = [{**dict.fromkeys(FLOW_SCHEMA), **row} for row in rows]
    frame = pl.DataFrame(found, schema=FLOW_SCHEMA)
    used = int(frame["requests"].sum())
    return Flows(frame, LineCounts(used, used, ()))


def decide(objects: Iterable[Object], rows: Iterable[Flow], **settings: Any) -> Recommendations:
    """Recommend for a mesh of some objects from some flows."""
    return decide_for(mesh_of_objects(*objects), rows, **settings)


def decide_for(
    mesh: Mesh, rows: Iterable[Flow], *, with_options: bool = False, **settings: Any
) -> Recommendations:
    """Recommend for a mesh from some flows."""
    graph = build_service_graph(flows_of(rows), mesh)
    return recommend(graph, mesh, Settings(**settings), with_options=with_options)


def of(answer: Recommendations, workload: str) -> Recommendation:
    """Return the recommendation for a workload by name."""
    found = [r for r in answer.recommended if r.workload.name == workload]
    assert len(found) == 1, [str(x) for x in answer.left_out]
    return found[0]


def left_out(answer: Recommendations, workload: str) -> LeftOut:
    """Return why a workload was left out."""
    found = [item for item in answer.left_out if item.workload.name == workload]
    assert len(found) == 1, [r.workload for r in answer.recommended]
    return found[0]


def hosts(answer: Recommendations, workload: str) -> list[str]:
    """List the hosts recommended for a workload."""
    return [entry.host for entry in of(answer, workload).hosts]


def notes(answer: Recommendations, workload: str) -> set[str]:
    """List the names of a recommendation's notes."""
    return {note.name for note in of(answer, workload).notes}


def web_calls(*objects: Object, calls: list[Flow]) -> list[str]:
    """List the hosts of a workload `web` without a Service."""
    return hosts(decide([*deployment("web"), *objects], calls), "web")
