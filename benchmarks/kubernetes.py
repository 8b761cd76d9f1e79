"""The objects of a synthetic mesh, as an API server returns them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.plan import Application, MeshPlan, Outside, Placed, platform_services
from fixtures.shop import pods as shop_pods
from fixtures.shop.dump import mesh_config, stored
from fixtures.shop.kubernetes import (
    Object,
    deployment,
    make,
    owned_by,
    service_labels,
    service_ports,
    slice_ports,
    stateful_set,
    uid,
)
from fixtures.shop.shop import Service, generated_name, service_addresses

NETWORKING = "networking.istio.io/v1"
# Any address with a node in the shop: what depends on it is replaced.
_SHOP_ADDRESS = "10.244.1.1"


def namespaces(plan: MeshPlan) -> Iterator[Object]:
    """Every namespace; proxies are injected where the workloads are."""
    platform = {service.namespace for service in platform_services()}
    for name in sorted({*plan.namespaces, *platform}):
        labels = {"kubernetes.io/metadata.name": name}
        if name in plan.namespaces:
            labels["istio-injection"] = "enabled"
        yield make("Namespace", "", name, {"labels": labels}, status={"phase": "Active"})


def services(plan: MeshPlan) -> Iterator[Object]:
    """Every Service."""
    for application in plan.applications:
        yield service_object(application.service, application.address)
    addresses = service_addresses()
    for service in platform_services():
        yield service_object(service, addresses[service.key])


def controllers(plan: MeshPlan) -> Iterator[Object]:
    """Deployments with their ReplicaSets, and StatefulSets."""
    for workload in plan.workloads:
        build = stateful_set if workload.kind == "StatefulSet" else deployment
        yield from build(workload)


def pods(plan: MeshPlan) -> Iterator[Object]:
    """Every pod with its proxy and its status."""
    for placed in plan.pods.values():
        yield from map(pod_object, placed)


def endpoint_slices(plan: MeshPlan) -> Iterator[Object]:
    """One EndpointSlice for each Service of the workloads."""
    for application in plan.applications:
        yield endpoint_slice(application.service, plan.endpoints(application))


def endpoint_slice(service: Service, pods: Sequence[Placed]) -> Object:
    """The slice with the pods of a Service."""
    endpoints = [endpoint(placed) for placed in pods]
    labels = {"kubernetes.io/service-name": service.name} | service_labels(service)
    return make(
        "EndpointSlice",
        service.namespace,
        f"{service.name}-{generated_name(5, 'slice', service.key)}",
        {
            "labels": labels,
            "ownerReferences": owned_by("Service", service.namespace, service.name),
        },
        addressType="IPv4",
        endpoints=endpoints or None,
        ports=slice_ports(service) if endpoints else None,
    )


def istio_objects(plan: MeshPlan) -> Iterator[Object]:
    """What steers traffic: every kind of service has its own resources."""
    yield networking("Gateway", "team-000", "public", servers=[_gateway_server()])
    for number, application in enumerate(plan.applications):
        service = application.service
        where = (service.namespace, service.name)
        if application.moved_to is not None:
            moved = [{"destination": {"host": application.moved_to.host}}]
            yield _virtual_service(where, service.name, {"name": "moved", "route": moved})
        elif application.kind == "subsets":
            yield _virtual_service(where, service.name, _split_route(application))
            yield networking("DestinationRule", *where, host=service.name, subsets=_subsets())
        elif number % 8 == 0:
            policy = {"connectionPool": {"http": {"http2MaxRequests": 1000}}}
            yield networking("DestinationRule", *where, host=service.name, trafficPolicy=policy)
        if number % 10 == 0:
            yield _published(application)
    for number, outside in enumerate(plan.outside):
        if outside.known:
            yield _service_entry(plan.namespaces[number % len(plan.namespaces)], outside)


def policies(plan: MeshPlan) -> Iterator[Object]:
    """What proxies log and trace: text by default, JSON in half of the namespaces."""
    logging = {"accessLogging": [{"providers": [{"name": "text-log"}]}]}
    tracing = {"tracing": [{"providers": [{"name": "otel"}], "randomSamplingPercentage": 1}]}
    yield telemetry("istio-system", "mesh-default", logging | tracing)
    json_logging = {"accessLogging": [{"providers": [{"name": "json-log"}]}]}
    for namespace in filter(plan.logs_json, plan.namespaces):
        yield telemetry(namespace, "json", json_logging)


def mesh_configuration() -> Object:
    """The ConfigMap with the MeshConfig; it has a tracing provider."""
    return mesh_config()


def service_object(service: Service, address: str) -> Object:
    """A Service with its virtual IP."""
    return make(
        "Service",
        service.namespace,
        service.name,
        {"labels": service_labels(service)},
        spec={
            "clusterIP": address,
            "clusterIPs": [address],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": list(service_ports(service, gateway=False)),
            "selector": service.pod_selector,
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
        status={"loadBalancer": {}},
    )


def pod_object(placed: Placed) -> Object:
    """A pod of the shop's making, at its own place."""
    pod, workload = placed.pod, placed.pod.workload
    meta: Object = {
        "labels": shop_pods.pod_labels(pod),
        "annotations": shop_pods.injection_notes(workload),
        "ownerReferences": shop_pods.owner(workload),
    }
    if workload.kind != "StatefulSet":
        meta["generateName"] = pod.name[:-5]
    spec = shop_pods.pod_spec(pod, _SHOP_ADDRESS) | {"nodeName": f"worker-{placed.node}"}
    node = f"172.20.{placed.node // 250}.{placed.node % 250 + 1}"
    status = shop_pods.pod_status(pod, _SHOP_ADDRESS) | {
        "hostIP": node,
        "hostIPs": [{"ip": node}],
        "podIP": placed.address,
        "podIPs": [{"ip": placed.address}],
    }
    return make("Pod", pod.namespace, pod.name, meta, spec=spec, status=status)


def endpoint(placed: Placed) -> Object:
    """A ready pod in a slice."""
    pod = placed.pod
    target = {
        "kind": "Pod",
        "name": pod.name,
        "namespace": pod.namespace,
        "uid": uid("Pod", pod.namespace, pod.name),
    }
    entry: Object = {
        "addresses": [placed.address],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": f"worker-{placed.node}",
        "targetRef": target,
    }
    return entry | ({"hostname": pod.name} if pod.workload.kind == "StatefulSet" else {})


def networking(kind: str, namespace: str, name: str, **spec: Any) -> Object:
    """A resource that steers traffic."""
    meta = {"namespace": namespace, "name": name}
    return stored({"apiVersion": NETWORKING, "kind": kind, "metadata": meta, "spec": spec})


def _virtual_service(where: tuple[str, str], host: str, route: Object) -> Object:
    return networking("VirtualService", *where, hosts=[host], http=[route])


def _split_route(application: Application) -> Object:
    """Most requests to the first version, some to the second."""
    host = application.service.name
    shares = {"v1": 90, "v2": 10}
    return {
        "name": "split",
        "route": [
            {"destination": {"host": host, "subset": subset}, "weight": weight}
            for subset, weight in shares.items()
        ],
        "timeout": "10s",
    }


def _subsets() -> list[Object]:
    return [{"name": version, "labels": {"version": version}} for version in ("v1", "v2")]


def _published(application: Application) -> Object:
    """A route of the ingress gateway, which proxies in the mesh ignore."""
    service = application.service
    return networking(
        "VirtualService",
        service.namespace,
        f"{service.name}-public",
        gateways=["team-000/public"],
        hosts=[f"{service.name}.public.example"],
        http=[{"route": [{"destination": {"host": service.name}}]}],
    )


def _gateway_server() -> Object:
    port = {"name": "http", "number": 80, "protocol": "HTTP"}
    return {"hosts": ["*.public.example"], "port": port}


def _service_entry(namespace: str, outside: Outside) -> Object:
    return networking(
        "ServiceEntry",
        namespace,
        outside.host.replace(".", "-"),
        hosts=[outside.host],
        location="MESH_EXTERNAL",
        ports=[{"name": "tls", "number": 443, "protocol": "TLS"}],
        resolution="DNS",
    )


def telemetry(namespace: str, name: str, spec: Object) -> Object:
    """A Telemetry."""
    meta = {"namespace": namespace, "name": name}
    version = "telemetry.istio.io/v1"
    return stored({"apiVersion": version, "kind": "Telemetry", "metadata": meta, "spec": spec})
