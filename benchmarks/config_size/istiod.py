"""Ask istiod's own code what it sends every proxy of a mesh, and what that costs it."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.config_size.mesh import MESH, BenchmarkMesh
from benchmarks.config_size.plan import Call
from fixtures.shop.pods import pod_labels
from fixtures.shop.record import GO_MODULE, STOCK_ENVOY

TYPES = ("cds", "eds", "lds", "rds")
BUILD = GO_MODULE / "build"
_PROTOCOLS = {"grpc": "http2", "http": "http", "tcp": "tcp"}
_PATHS = {"grpc": ("POST", "/api.v1.Items/Get"), "http": ("GET", "/api/v1/items"), "tcp": ("", "/")}


@dataclass(frozen=True, slots=True)
class Work:
    """Seconds of a piece of work, and those of all processors."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class ProxyName:
    """A proxy of a workload, `namespace/name`, and how many pods are sent the same as it."""

    kubernetes_cluster: str
    namespace: str
    pod: str
    workload: str
    pods: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What istiod says of one mesh: by workload's proxy, by change of one object, and as a whole.

    `push` is for one proxy of each workload. `sent` has a mapping from xDS type to resources and
    bytes for each. `reach` maps kind, namespace and name of an object to how many proxies, in all
    pods, a change of it is pushed to. `outcomes` are
    those of each proxy's calls, as values that are equal where nothing changed; `clusters` are the
    Envoy clusters where they end. `inbound` has a digest of what each proxy is sent for calls that
    it receives. `alike` counts the different configurations for outbound calls.
    """

    load: Work
    context: Work
    scopes: Work
    push: Work
    heap_bytes: int
    sent: tuple[Mapping[str, Mapping[str, int]], ...]
    reach: Mapping[tuple[str, str, str], int]
    outcomes: tuple[tuple[str, ...], ...]
    clusters: tuple[tuple[tuple[str, ...], ...], ...]
    inbound: tuple[str, ...]
    alike: int

    def bytes_of(self, proxy: int) -> int:
        """The bytes of all types that a proxy is sent."""
        return sum(amount["bytes"] for amount in self.sent[proxy].values())


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about: a proxy of each workload, in the order of all answers, and its calls."""

    proxies: tuple[ProxyName, ...]
    calls: tuple[tuple[Call, ...], ...]
    request: Sequence[Mapping[str, Any]]


def build_programs() -> None:
    """Build the programs around istiod's code; Go does nothing where they are up to date."""
    BUILD.mkdir(exist_ok=True)
    for command in (
        ["go", "test", "-c", "-o", str(BUILD / "meshcost"), "./internal/meshcost"],
        ["go", "build", "-o", str(BUILD / "adsserver"), "./cmd/adsserver"],
    ):
        subprocess.run(command, cwd=GO_MODULE, check=True)


def asked_of(mesh: BenchmarkMesh) -> Asked:
    """A proxy of each workload with its true calls; a workload in two places has two."""
    calls: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in mesh.calls:
        calls[call.kubernetes_cluster, call.caller].append(call)
    proxies, made, request = [], [], []
    for runner in mesh.plan.runners:
        cluster, workload = runner.kubernetes_cluster, runner.workload
        if workload.proxy and runner.pods:
            placed = runner.pods[0]
            proxies.append(
                ProxyName(
                    cluster, workload.namespace, placed.pod.name, workload.key, len(runner.pods)
                )
            )
            made.append(tuple(calls[cluster, workload.key]))
            request.append(
                {
                    "kubernetes_cluster": cluster,
                    "namespace": workload.namespace,
                    "name": placed.pod.name,
                    "type": "sidecar",
                    "labels": pod_labels(placed.pod),
                    "ips": [placed.address],
                    "pods": len(runner.pods),
                    "calls": [_request_of(call) for call in made[-1]],
                }
            )
    return Asked(tuple(proxies), tuple(made), request)


def _request_of(call: Call) -> dict[str, Any]:
    method, path = _PATHS[call.protocol]
    return {
        "address": call.address,
        "port": call.port,
        "protocol": _PROTOCOLS[call.protocol],
        "host": call.authority,
        "path": path,
        "method": method,
        "headers": {"x-tenant": call.tenant} if call.tenant else {},
    }


def measure(mesh: BenchmarkMesh, folder: Path, asked: Asked, sidecars: Path | None) -> Measured:
    """Measure a mesh that is written in a folder, with Sidecars applied or without."""
    place = {"request": folder / "request.json", "response": folder / "response.json"}
    request = {"mesh": mesh_of(mesh, folder, sidecars), "proxies": asked.request}
    place["request"].write_text(json.dumps(request), encoding="utf-8")
    files = {f"MEASURE_{name.upper()}": str(path) for name, path in place.items()}
    subprocess.run(
        [str(BUILD / "meshcost"), "-test.run=TestMeasure", "-test.timeout=0"],
        env=os.environ | STOCK_ENVOY | files,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return _measured(json.loads(place["response"].read_text(encoding="utf-8")))


def mesh_of(mesh: BenchmarkMesh, folder: Path, sidecars: Path | None) -> dict[str, Any]:
    """The mesh as the Go type `controlplane.Mesh` has it."""
    (home, *others) = mesh.objects
    return {
        "mesh_dir": str(folder / MESH / home),
        "kubernetes_cluster": home,
        "remotes": [
            {"kubernetes_cluster": name, "mesh_dir": str(folder / MESH / name)} for name in others
        ],
        "sidecar_dir": "" if sidecars is None else str(sidecars),
    }


def _measured(raw: Mapping[str, Any]) -> Measured:
    outcomes = [_outcome(each) for each in raw["resolutions"]]
    clusters = [_cluster_names(each) for each in raw["resolutions"]]
    calls = [each or () for each in raw["calls"]]
    return Measured(
        load=Work(**raw["load"]),
        context=Work(**raw["context"]),
        scopes=Work(**raw["scopes"]),
        push=Work(**raw["push"]),
        heap_bytes=raw["heap_bytes"],
        sent=tuple(raw["sent"]),
        reach={(r["kind"], r["namespace"], r["name"]): r["proxies"] for r in raw["reach"]},
        outcomes=tuple(tuple(outcomes[n] for n in numbers) for numbers in calls),
        clusters=tuple(tuple(clusters[n] for n in numbers) for numbers in calls),
        inbound=tuple(raw["inbound"]),
        alike=raw["alike"],
    )


def _outcome(resolution: Mapping[str, Any]) -> str:
    """What must stay the same: Envoy clusters with their configuration and endpoints, and route."""
    kept = ("clusters", "mirrors", "route_digest", "status", "redirect", "error")
    return json.dumps([resolution[name] for name in kept])


def _cluster_names(resolution: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(cluster["name"] for cluster in resolution["clusters"] or ())
