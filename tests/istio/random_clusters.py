"""Random meshes spread over two Kubernetes clusters, with what then differs between these."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from recommender.istio.registry import build_registry
from recommender.mesh.topology import CLUSTER_LABEL
from tests.istio.conformance_case import CALLERS, Case, with_calls
from tests.istio.judge import JudgedCall, JudgedProxy
from tests.istio.random_draw import EXPORTS
from tests.istio.random_meshes import proxies, random_mesh
from tests.mesh.helpers import Object

HOME, REMOTE = "east", "west"
ENDPOINT_CALLS = 4
SPREAD = (
    "Service at home alone",
    "Service in both",
    "Service in the remote one alone",
    "WorkloadEntry in the remote one",
    "Kubernetes cluster in a sourceLabels",
    "Kubernetes cluster in a workloadSelector",
    "another age in the remote one",
    "another exportTo in the remote one",
    "another virtual IP in the remote one",
    "headless in one of them",
    "hidden namespace in one of them",
    "other ports in the remote one",
    "pod in both",
    "pod in the remote one alone",
    "the virtual IP of another Service at home",
)
"""What a spread mesh may come to have."""
OF_EACH = ("EndpointSlice", "Namespace", "Pod", "Service", "WorkloadEntry")
"""The kinds that istiod reads in every Kubernetes cluster."""


@dataclass(slots=True)
class _Spread:
    """Hold the two parts while a mesh is spread; `moved` maps addresses to those of the remote."""

    random: Random
    home: list[Object] = field(default_factory=list)
    remote: list[Object] = field(default_factory=list)
    used: Counter[str] = field(default_factory=Counter)
    number: int = 0

    def on(self, feature: str, percent: int) -> bool:
        """Tell whether to use a feature here, and count it."""
        used = self.random.randrange(100) < percent
        self.used[feature] += used
        return used


def spread_case(seed: int) -> Case:
    """Make a case whose mesh has two Kubernetes clusters; equal seeds make equal cases."""
    spread = _spread(seed)
    asked = spread.random.sample(spread_proxies(), CALLERS)
    case = Case(
        f"spread seed {seed}",
        tuple(spread.home),
        tuple((proxy, ()) for proxy in asked),
        HOME,
        ((REMOTE, tuple(spread.remote)),),
    )
    return _with_endpoint_calls(with_calls(case, seed), spread.random)


def _with_endpoint_calls(case: Case, random: Random) -> Case:
    """Let the proxies call endpoints of headless services too, in either Kubernetes cluster."""
    endpoints = [
        (address, port)
        for service in build_registry(case.mesh()).services
        for port, found in sorted(service.endpoints.items())
        for address in found
        if address[0].isdigit()
    ]
    callers = []
    for proxy, calls in case.callers:
        chosen = random.sample(endpoints, min(ENDPOINT_CALLS, len(endpoints)))
        more = (_tcp_call(proxy, *place) for place in chosen if place[0] not in proxy.ips)
        callers.append((proxy, (*calls, *more)))
    return replace(case, callers=tuple(callers))


def _tcp_call(proxy: JudgedProxy, address: str, port: int) -> JudgedCall:
    return JudgedCall(
        proxy.namespace,
        proxy.name,
        proxy.labels,
        proxy.ips,
        address,
        port,
        "tcp",
        kubernetes_cluster=proxy.kubernetes_cluster,
    )


def without_gateway_api(case: Case) -> Case:
    """Leave out the routes whose parents an istiod looks for in its own Kubernetes cluster."""
    kept = (o for o in case.objects if not str(o["apiVersion"]).startswith("gateway."))
    return replace(case, objects=tuple(kept))


def as_seen_in_the_remote(case: Case) -> Case:
    """Ask the proxies of the remote Kubernetes cluster of an istiod there, configured alike."""
    ((remote, objects),) = case.remotes
    config = [each for each in case.objects if each["kind"] not in OF_EACH]
    own = [each for each in objects if each["kind"] in OF_EACH]
    others = tuple(each for each in case.objects if each["kind"] in OF_EACH)
    callers = tuple(c for c in case.callers if c[0].kubernetes_cluster == remote)
    return replace(
        case,
        name=f"{case.name} in {remote}",
        objects=(*own, *config),
        callers=callers,
        home=remote,
        remotes=((case.home, others),),
    )


def spread_features(seed: int) -> Counter[str]:
    """Count what differs between the two Kubernetes clusters of a seed's mesh."""
    return +_spread(seed).used


def spread_proxies() -> list[JudgedProxy]:
    """List the proxies of both Kubernetes clusters; those of one workload have names of their own.

    A proxy of the namespace `c` has the same name in both, as the pods of a StatefulSet do.
    """
    return [
        replace(
            proxy,
            name=_caller_name(proxy.name, proxy.namespace, cluster),
            ips=tuple(_moved(ip) if cluster == REMOTE else ip for ip in proxy.ips),
            kubernetes_cluster=cluster,
        )
        for proxy in proxies()
        for cluster in (HOME, REMOTE)
    ]


def _caller_name(workload: str, namespace: str, cluster: str) -> str:
    return f"{workload}-0" if namespace == "c" else f"{workload}-{cluster}"


def _pod_name(name: str, namespace: str, ip: str, cluster: str) -> str:
    """Name a pod; of the same name in both a ServiceEntry could select one, which is chance."""
    if _is_of_caller(ip):
        return _caller_name(name, namespace, cluster)
    return f"{name}-{cluster}"


def _spread(seed: int) -> _Spread:
    spread = _Spread(Random(seed))  # noqa: S311 - nothing here is secret
    objects = [copy.deepcopy(each) for each in random_mesh(seed)]
    virtual_ips = [ip for each in objects if (ip := _spec(each).get("clusterIP", "None")) != "None"]
    where: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for each in objects:
        if each["kind"] in ("Pod", "Service"):
            where[_key(each)] = _places(spread, each)
    for each in objects:
        _place(spread, each, where, virtual_ips)
    return spread


def _places(spread: _Spread, each: Object) -> tuple[str, ...]:
    """Choose where a pod or Service is."""
    if _is_caller(each):
        return (HOME, REMOTE)
    kind = str(each["kind"])
    if spread.on(f"{kind} in both" if kind == "Service" else "pod in both", 45):
        return (HOME, REMOTE)
    if spread.on(f"{kind if kind == 'Service' else 'pod'} in the remote one alone", 50):
        return (REMOTE,)
    spread.used["Service at home alone"] += kind == "Service"
    return (HOME,)


def _place(
    spread: _Spread,
    each: Object,
    where: dict[tuple[str, str, str], tuple[str, ...]],
    virtual_ips: list[str],
) -> None:
    kind = each["kind"]
    if kind == "Namespace":
        _place_namespace(spread, each)
    elif kind == "Pod":
        for cluster in where[_key(each)]:
            _part(spread, cluster).append(_pod(each, cluster))
    elif kind == "Service":
        _place_service(spread, each, where[_key(each)], virtual_ips)
    elif kind == "EndpointSlice":
        name = each["metadata"]["labels"]["kubernetes.io/service-name"]
        for cluster in where["Service", each["metadata"]["namespace"], name]:
            _part(spread, cluster).append(_slice(each, cluster, where))
    elif kind == "WorkloadEntry" and spread.on("WorkloadEntry in the remote one", 50):
        spread.remote.append(each)
    else:
        _use_cluster_label(spread, each)
        spread.home.append(each)
        if spread.random.random() < 0.3 and kind != "WorkloadEntry":
            spread.remote.append(each)  # a copy that istiod does not read


def _place_namespace(spread: _Spread, each: Object) -> None:
    spread.home.append(each)
    other = copy.deepcopy(each)
    if each["metadata"]["labels"] and spread.on("hidden namespace in one of them", 60):
        other["metadata"]["labels"] = {}
    spread.remote.append(other)


def _place_service(
    spread: _Spread, each: Object, places: Iterable[str], virtual_ips: list[str]
) -> None:
    for cluster in places:
        made = copy.deepcopy(each)
        if cluster == REMOTE:
            _vary(spread, made, virtual_ips)
        _part(spread, cluster).append(made)


def _vary(spread: _Spread, service: Object, virtual_ips: list[str]) -> None:
    """Make the remote Service of a name another one than that at home."""
    spec = _spec(service)
    spread.number += 1
    if spec.get("clusterIP", "None") != "None":
        spread.used["another virtual IP in the remote one"] += 1
        spec["clusterIP"] = f"10.1.0.{spread.number}"
        if virtual_ips and spread.on("the virtual IP of another Service at home", 30):
            spec["clusterIP"] = virtual_ips.pop(spread.random.randrange(len(virtual_ips)))
    is_headless = spec.get("clusterIP") == "None"
    if "clusterIP" in spec and spread.on("headless in one of them", 50 if is_headless else 20):
        spec["clusterIP"] = f"10.1.0.{spread.number}" if is_headless else "None"
    if spread.on("other ports in the remote one", 15):
        spec["ports"] = [{"name": "http-other", "port": 8081, "protocol": "TCP"}, spec["ports"][0]]
    if spread.on("another exportTo in the remote one", 15):
        exports = ",".join(spread.random.choice(EXPORTS))
        service["metadata"]["annotations"] = {"networking.istio.io/exportTo": exports}
    if spread.on("another age in the remote one", 30):
        second = spread.random.randrange(4)
        service["metadata"]["creationTimestamp"] = f"2026-01-01T00:00:0{second}Z"


def _pod(each: Object, cluster: str) -> Object:
    made = copy.deepcopy(each)
    metadata, status = made["metadata"], made["status"]
    workload = metadata["name"]
    metadata["name"] = _pod_name(workload, metadata["namespace"], status["podIP"], cluster)
    if _is_caller(each):
        kind = "StatefulSet" if metadata["namespace"] == "c" else "DaemonSet"
        owner = {"apiVersion": "apps/v1", "kind": kind, "name": workload, "controller": True}
        metadata["ownerReferences"] = [{**owner, "uid": "0"}]
    if cluster == REMOTE:
        status["podIP"] = _moved(status["podIP"])
        status["podIPs"] = [{"ip": status["podIP"]}]
    return made


def _slice(
    each: Object, cluster: str, where: dict[tuple[str, str, str], tuple[str, ...]]
) -> Object:
    """Keep the endpoints of a Kubernetes cluster, by their addresses and names there."""
    made = copy.deepcopy(each)
    made["endpoints"] = list(_endpoints(made["endpoints"], cluster, where))
    return made


def _endpoints(
    endpoints: Iterable[Any], cluster: str, where: dict[tuple[str, str, str], tuple[str, ...]]
) -> Iterator[Any]:
    for endpoint in endpoints:
        target, ip = endpoint["targetRef"], endpoint["addresses"][0]
        if cluster not in where["Pod", target["namespace"], target["name"]]:
            continue
        target["name"] = _pod_name(target["name"], target["namespace"], ip, cluster)
        if cluster == REMOTE:
            endpoint["addresses"] = [_moved(address) for address in endpoint["addresses"]]
        yield endpoint


def _use_cluster_label(spread: _Spread, each: Object) -> None:
    """Let some rules ask for the Kubernetes cluster of a proxy."""
    spec = _spec(each)
    label = {CLUSTER_LABEL: spread.random.choice((HOME, REMOTE))}
    if each["kind"] == "VirtualService":
        for route in spec.get("http", ()):
            for match in route.get("match", ()):
                if not match.get("gateways") and spread.on(SPREAD[4], 20):
                    match["sourceLabels"] = label
    selector = spec.get("workloadSelector", {})
    if each["kind"] == "Sidecar" and selector.get("labels") and spread.on(SPREAD[5], 15):
        selector["labels"] = {**selector["labels"], **label}


def _is_caller(each: Object) -> bool:
    return each["kind"] == "Pod" and _is_of_caller(each["status"]["podIP"])


def _is_of_caller(ip: str) -> bool:
    return ip.startswith("10.243.")


def _moved(ip: str) -> str:
    """Return the address of the remote pod of a name."""
    return ip.replace("10.243.", "10.246.").replace("10.244.", "10.247.")


def _part(spread: _Spread, cluster: str) -> list[Object]:
    return spread.home if cluster == HOME else spread.remote


def _key(each: Object) -> tuple[str, str, str]:
    metadata = each["metadata"]
    return (each["kind"], metadata["namespace"], metadata["name"])


def _spec(each: Object) -> dict[str, Any]:
    spec = each.get("spec", {})
    assert isinstance(spec, dict)
    return spec
