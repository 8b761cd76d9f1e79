"""The calls of the recorded shop, as the judge takes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fixtures.shop import shop
from fixtures.shop.pods import pod_labels
from tests.istio.judge import JudgedCall

MESH = Path(shop.__file__).parent / "mesh"
PROTOCOLS = {"http": "http", "grpc": "http2", "tls": "tls", "tcp": "tcp"}
GATEWAY = "router"


def shop_calls() -> list[JudgedCall]:
    """List each call of each pod that has a sidecar proxy."""
    workloads = {workload.key: workload for workload in shop.WORKLOADS}
    return [
        _judged(pod, call)
        for call in shop.calls()
        if call.source != shop.BROWSER
        for pod in _callers(workloads[call.source], call)
    ]


def _callers(workload: shop.Workload, call: shop.Call) -> Iterator[shop.Pod]:
    """Yield the pods that make a call; none calls itself through its proxy."""
    return (
        pod for pod in workload.pods if workload.proxy not in (None, GATEWAY) and pod.key != call.to
    )


def _judged(pod: shop.Pod, call: shop.Call) -> JudgedCall:
    tls = call.protocol == "tls"
    return JudgedCall(
        namespace=pod.namespace,
        pod=pod.name,
        labels=pod_labels(pod),
        ips=(shop.pod_addresses()[pod.key],),
        address=_address(call.to),
        port=call.port,
        protocol=PROTOCOLS[call.protocol],
        host="" if tls else call.host,
        sni=call.host if tls else "",
        path=call.path,
        method=call.method,
        headers=call.headers,
    )


def _address(destination: str) -> str:
    """Return what DNS answers, as in the recording."""
    if destination in shop.OUTSIDE:
        return shop.OUTSIDE[destination][0]
    return {**shop.pod_addresses(), **shop.service_addresses()}[destination]
