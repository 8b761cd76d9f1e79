"""Ask the published istiod code what a mesh dump means; see `tests/istiod/internal/judge`.

The Go program is built once per session, for minutes the first time and seconds from then on. A run
is one process with one istiod per case.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.istio.verdicts import ChangedKey, Resolution, Validation, Verdict, verdict

GO_MODULE = Path(__file__).resolve().parents[1] / "istiod"
PACKAGE = "./internal/judge"
REQUIRE = "REQUIRE_ISTIOD"
RUN_SECONDS = 900


@dataclass(frozen=True, slots=True)
class JudgedProxy:
    """Describe a proxy that is asked for its scope, for its clusters too if `clusters` is set.

    `size` asks for the size of all that it is sent, `config_dump` for that itself. Each of the
    `changes` is a list of what changed at once, and asks for a push; `kubernetes_cluster` is empty
    in a mesh of one.
    """

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    name: str = "app"
    ips: tuple[str, ...] = ("192.0.2.1",)
    clusters: bool = False
    size: bool = False
    config_dump: bool = False
    changes: tuple[tuple[ChangedKey, ...], ...] = ()
    kubernetes_cluster: str = ""


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """Describe a call by the pod that makes it and what it sends.

    `protocol` is http, http2 (also gRPC), tcp, or tls that is not terminated (sends `sni`);
    `proxy_type` is sidecar or router.
    """

    namespace: str
    pod: str
    labels: Mapping[str, str]
    ips: tuple[str, ...]
    address: str
    port: int
    protocol: str
    host: str = ""
    sni: str = ""
    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    proxy_type: str = "sidecar"
    kubernetes_cluster: str = ""


SENT = ("address", "port", "protocol", "host", "sni", "path", "method", "headers")


@dataclass(frozen=True, slots=True)
class Difference:
    """Tell of a call that a folder of Sidecars sends another way."""

    call: JudgedCall
    before: Resolution
    after: Resolution


def require_go() -> None:
    """Skip the test without Go, or fail it if istiod is required."""
    if shutil.which("go") is None:
        reason = f"istiod's code needs `go` on PATH ({REQUIRE}=1 makes this a failure)"
        if os.environ.get(REQUIRE):
            pytest.fail(reason)
        pytest.skip(reason)


@cache
def build_judge() -> Path:
    """Build the judge and return the program; Go does nothing where it is up to date."""
    program = GO_MODULE / "build" / "judge"
    command = ["go", "test", "-c", "-o", str(program), PACKAGE]
    done = subprocess.run(command, cwd=GO_MODULE, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"the judge does not build:\n{done.stderr}")
    return program


def run_judge(cases: Sequence[Mapping[str, object]]) -> list[list[Verdict]]:
    """Judge cases, as the Go type `Case` has them; answer per case and proxy."""
    return [[verdict(raw) for raw in case] for case in _ask({"cases": cases})["cases"]]


def validations(manifests: Sequence[Mapping[str, object]]) -> list[Validation]:
    """Ask istiod's webhook about manifests of Sidecars."""
    return [Validation(**raw) for raw in _ask({"manifests": manifests})["validations"]]


def _ask(question: Mapping[str, object]) -> dict[str, Any]:
    require_go()
    program = build_judge()
    with tempfile.TemporaryDirectory() as folder:
        request, response = Path(folder, "request.json"), Path(folder, "response.json")
        request.write_text(json.dumps(question), encoding="utf-8")
        done = subprocess.run(
            [str(program), "-test.run=TestJudge", "-test.timeout=0"],
            env={**os.environ, "JUDGE_REQUEST": str(request), "JUDGE_RESPONSE": str(response)},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"the judge failed:\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}")
        answer: dict[str, Any] = json.loads(response.read_text(encoding="utf-8"))
    return answer


def scopes(meshes: Iterable[tuple[Path, Sequence[JudgedProxy]]]) -> list[list[Verdict]]:
    """Return the scopes of proxies of several mesh folders."""
    cases = [
        {"mesh_dir": str(folder.resolve()), "proxies": [asdict(proxy) for proxy in proxies]}
        for folder, proxies in meshes
    ]
    return run_judge(cases)


def pushes(
    meshes: Iterable[tuple[Path, Path, Sequence[JudgedProxy]]],
) -> list[list[Verdict]]:
    """Ask for pushes in mesh folders, each with what it was before: folder, then earlier one."""
    cases = [
        {
            "mesh_dir": str(folder.resolve()),
            "previous_mesh_dir": str(previous.resolve()),
            "proxies": [asdict(proxy) for proxy in proxies],
        }
        for folder, previous, proxies in meshes
    ]
    return run_judge(cases)


def before_and_after(
    mesh: Path, sidecars: Path, calls: Sequence[JudgedCall]
) -> list[tuple[Resolution, Resolution]]:
    """Resolve calls in a mesh, and in the same mesh after a folder of Sidecars is applied.

    The folder may have subfolders; objects of other kinds are ignored. A Sidecar replaces the one
    of its namespace and name; a new one is the youngest of the mesh.
    """
    (pairs,) = before_and_after_each([(mesh, sidecars, calls)])
    return pairs


def before_and_after_each(
    cases: Sequence[tuple[Path, Path, Sequence[JudgedCall]]],
) -> list[list[tuple[Resolution, Resolution]]]:
    """Resolve the calls of several meshes before and after, in one run of the judge."""
    pods = [_by_pod(calls) for _, _, calls in cases]
    asked: list[dict[str, object]] = []
    for (mesh, sidecars, _), made in zip(cases, pods, strict=True):
        proxies = [_proxy(calls) for calls in made.values()]
        case: dict[str, object] = {"mesh_dir": str(mesh.resolve()), "proxies": proxies}
        asked += [case, {**case, "sidecar_dir": str(sidecars.resolve())}]
    verdicts = run_judge(asked)
    pairs = []
    for number, ((_, _, calls), made) in enumerate(zip(cases, pods, strict=True)):
        before = _in_order(calls, made, verdicts[2 * number])
        after = _in_order(calls, made, verdicts[2 * number + 1])
        pairs.append(list(zip(before, after, strict=True)))
    return pairs


def compare(mesh: Path, sidecars: Path, calls: Sequence[JudgedCall]) -> list[Difference]:
    """List the calls whose outcome a folder of Sidecars changes."""
    pairs = before_and_after(mesh, sidecars, calls)
    return [
        Difference(call, before, after)
        for call, (before, after) in zip(calls, pairs, strict=True)
        if before.outcome != after.outcome
    ]


_Pods = dict[tuple[str, str], list[JudgedCall]]


def _by_pod(calls: Iterable[JudgedCall]) -> _Pods:
    found: _Pods = {}
    for call in calls:
        found.setdefault((call.namespace, call.pod), []).append(call)
    return found


def _proxy(calls: Sequence[JudgedCall]) -> dict[str, Any]:
    first = calls[0]
    return {
        "namespace": first.namespace,
        "name": first.pod,
        "type": first.proxy_type,
        "labels": dict(first.labels),
        "ips": first.ips,
        "calls": [{name: getattr(call, name) for name in SENT} for call in calls],
    }


def _in_order(
    calls: Sequence[JudgedCall], pods: _Pods, verdicts: Sequence[Verdict]
) -> list[Resolution]:
    answers = {pod: iter(v.calls) for pod, v in zip(pods, verdicts, strict=True)}
    return [next(answers[call.namespace, call.pod]) for call in calls]


def resolutions(
    meshes: Iterable[tuple[Path, Sequence[JudgedCall]]],
) -> list[list[Resolution]]:
    """Resolve the calls of several mesh folders, in their order."""
    grouped = [(folder, calls, _by_pod(calls)) for folder, calls in meshes]
    cases = [
        {"mesh_dir": str(folder.resolve()), "proxies": [_proxy(made) for made in pods.values()]}
        for folder, _, pods in grouped
    ]
    return [
        _in_order(calls, pods, answer)
        for (_, calls, pods), answer in zip(grouped, run_judge(cases), strict=True)
    ]
