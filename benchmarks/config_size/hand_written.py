"""Sidecars as somebody would write them who knows the true graph: what each workload calls.

A careful hand adds the workload's own service. Of a DestinationRule for it, istiod applies the
connection pool to received calls, but only where the service is in scope (istio
networking/core/cluster_builder.go, `buildInboundCluster`).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from benchmarks.config_size.plan import Plan
from benchmarks.kubernetes import networking
from benchmarks.plan import DOMAIN
from fixtures.shop.dump import as_yaml

# Every proxy sends its traces there.
COLLECTOR = "observability/otel-collector"


def write_sidecars(plan: Plan, folder: Path, *, own_services: bool) -> None:
    """Write a Sidecar for each workload with a proxy: hosts of its calls, and of its traces."""
    called: dict[str, set[str]] = defaultdict(set)
    for call in plan.calls:
        called[call.caller].add(call.service)
    runners = {r.workload.key: r for r in plan.runners if r.workload.proxy}
    for key, runner in runners.items():
        workload = runner.workload
        own = {runner.serves} if own_services and runner.serves else set()
        hosts = sorted(_host(service) for service in {*called[key], *own, COLLECTOR})
        sidecar = networking(
            "Sidecar",
            workload.namespace,
            workload.name,
            workloadSelector={"labels": workload.own_labels},
            egress=[{"hosts": hosts}],
        )
        path = folder / workload.namespace / f"{workload.name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(as_yaml(sidecar), encoding="utf-8")


def _host(service: str) -> str:
    namespace, _, name = service.partition("/")
    return f"{namespace}/{name}.{namespace}.{DOMAIN}"
