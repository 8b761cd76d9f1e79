"""The objects of the benchmark's mesh, by Kubernetes cluster, as an API server returns them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.config_size.plan import BOTH, TENANT_NAMES, Application, Plan, Runner
from benchmarks.config_size.shape import CENTRAL
from benchmarks.kubernetes import (
    endpoint_slice,
    mesh_configuration,
    networking,
    pod_object,
    service_object,
    telemetry,
)
from benchmarks.plan import Placed, platform_services
from fixtures.shop.kubernetes import Object, deployment, make
from fixtures.shop.shop import service_addresses

_IN_USE_LABEL = {"mesh.example/in-use": "true"}
_SYSTEM = ("default", "istio-system", "kube-system")


def objects(plan: Plan) -> Mapping[str, Mapping[str, tuple[Object, ...]]]:
    """Kubernetes cluster -> name of a file -> objects."""
    return {
        cluster: {
            "namespaces": tuple(_namespaces(plan)),
            "services": tuple(_services(plan, cluster)),
            "workloads": tuple(_controllers(plan, cluster)),
            "pods": tuple(_pods(plan, cluster)),
            "endpointslices": tuple(_endpoint_slices(plan, cluster)),
        }
        | (_configuration(plan) if cluster == CENTRAL else {})
        for cluster in BOTH
    }


def _configuration(plan: Plan) -> dict[str, tuple[Object, ...]]:
    """What configures istiod; only one Kubernetes cluster has it."""
    return {
        "configmap-istio": (mesh_configuration(),),
        "istio-networking": tuple(_networking(plan)),
        "istio-policy": (_telemetry(),),
    }


def _namespaces(plan: Plan) -> Iterator[Object]:
    """The namespaces, the same in every Kubernetes cluster."""
    found = {**dict.fromkeys(_SYSTEM, False), **plan.namespaces()}
    for name, injected in sorted(found.items()):
        labels = {"kubernetes.io/metadata.name": name}
        if injected:
            labels["istio-injection"] = "enabled"
        if plan.shape.discovery_label and name not in plan.idle:
            labels |= _IN_USE_LABEL
        yield make("Namespace", "", name, {"labels": labels}, status={"phase": "Active"})


def _services(plan: Plan, cluster: str) -> Iterator[Object]:
    for application in plan.applications:
        if cluster in application.clusters:
            yield service_object(application.service, application.addresses[cluster])
    for service in platform_services():
        if service.namespace in _SYSTEM:
            yield service_object(service, service_addresses()[service.key])


def _controllers(plan: Plan, cluster: str) -> Iterator[Object]:
    for runner in _runners(plan, cluster):
        yield from deployment(runner.workload)


def _pods(plan: Plan, cluster: str) -> Iterator[Object]:
    for runner in _runners(plan, cluster):
        for placed in runner.pods:
            yield _of_cluster(pod_object(placed), cluster)


def _of_cluster(pod: Object, cluster: str) -> Object:
    """A pod whose proxy says in which Kubernetes cluster it is."""
    for container in pod["spec"].get("initContainers", ()):
        for variable in container.get("env", ()):
            if variable["name"] == "ISTIO_META_CLUSTER_ID":
                variable["value"] = cluster
    return pod


def _endpoint_slices(plan: Plan, cluster: str) -> Iterator[Object]:
    behind: dict[str, list[Placed]] = {}
    for runner in _runners(plan, cluster):
        behind.setdefault(runner.serves, []).extend(runner.pods)
    for application in plan.applications:
        if cluster in application.clusters:
            service = application.service
            yield endpoint_slice(service, behind.get(service.key, []))


def _runners(plan: Plan, cluster: str) -> Iterator[Runner]:
    return (runner for runner in plan.runners if runner.kubernetes_cluster == cluster)


def _networking(plan: Plan) -> Iterator[Object]:
    """What steers traffic."""
    for application in plan.applications:
        routing = application.part.routing
        where = (application.service.namespace, application.service.name)
        if routing == "plain":
            continue
        yield networking("DestinationRule", *where, **_rule(application))
        if routing in ("canary", "tenants"):
            routes = _canary_routes if routing == "canary" else _tenant_routes
            host = application.host
            yield networking("VirtualService", *where, hosts=[host], http=routes(host))


def _rule(application: Application) -> dict[str, Any]:
    pool = {"http": {"http2MaxRequests": 1000, "maxRequestsPerConnection": 100}}
    rule: dict[str, Any] = {
        "host": application.host,
        "trafficPolicy": {
            "connectionPool": pool,
            "outlierDetection": {"consecutive5xxErrors": 7, "baseEjectionTime": "30s"},
        },
    }
    versions = application.part.versions
    if len(versions) > 1:
        rule["subsets"] = [{"name": v, "labels": {"version": v}} for v in versions]
    return rule


def _canary_routes(host: str) -> list[Object]:
    """Most requests to the first version, some to the second."""
    shares = {"v1": 95, "v2": 5}
    destinations = [
        {"destination": {"host": host, "subset": subset}, "weight": weight}
        for subset, weight in shares.items()
    ]
    return [{"name": "canary", "route": destinations, "timeout": "10s", "retries": _retries()}]


def _tenant_routes(host: str) -> list[Object]:
    """A route for each tenant with pods of its own, and one for all others."""
    dedicated = [
        {
            "name": tenant,
            "match": [{"headers": {"x-tenant": {"exact": tenant}}}],
            "route": [{"destination": {"host": host, "subset": "dedicated"}}],
            "timeout": "10s",
            "retries": _retries(),
        }
        for tenant in TENANT_NAMES
    ]
    return [*dedicated, {"name": "all", "route": [{"destination": {"host": host, "subset": "v1"}}]}]


def _retries() -> Object:
    return {"attempts": 2, "perTryTimeout": "2s", "retryOn": "unavailable,connect-failure"}


def _telemetry() -> Object:
    """Every proxy logs in Istio's default text, and sends traces."""
    return telemetry(
        "istio-system",
        "mesh-default",
        {
            "accessLogging": [{"providers": [{"name": "text-log"}]}],
            "tracing": [{"providers": [{"name": "otel"}], "randomSamplingPercentage": 1}],
        },
    )
