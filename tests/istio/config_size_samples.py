"""Proxies of several meshes, with what the model says that they are sent and what istiod sends."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.config_size.shape import SMALL as SMALL_BENCHMARK
from benchmarks.config_size.shape import Shape
from benchmarks.plan import Sizes
from benchmarks.synthetic import LOGS, MESH, generate
from recommender.istio.call import ProxyConfig
from recommender.istio.proxy import Proxy, outbound_traffic_policy
from recommender.istio.sidecar_scope import (
    ScopeRules,
    build_scope_rules,
    select_sidecar,
    sidecar_scope,
)
from recommender.mesh import Mesh, load_mesh
from recommender.pipeline import Sources, recommend_sidecars
from recommender.recommendation.views import (
    View,
    ViewRules,
    Views,
    build_view_rules,
    known_labels,
)
from recommender.settings import Settings
from tests.istio.benchmark_mesh import sidecar_pods, write_benchmark_mesh
from tests.istio.conformance_case import Case, ask_istiod, random_case
from tests.istio.judge import JudgedProxy, run_judge
from tests.istio.shop_calls import MESH as SHOP
from tests.istio.verdicts import Resource, Size, Verdict

SMALL = Sizes(services=60, pods=150, lines=5000, namespaces=6)
INBOUND = "virtualInbound"
TYPES = {"cds": "clusters", "eds": "endpoints", "lds": "listeners", "rds": "routes"}
_POLICIES = "istio-policy.json"


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold a proxy's configuration by the model, and its size by istiod.

    `scoped` tells that the Sidecars that were recommended for its mesh are applied.
    """

    proxy: JudgedProxy
    config: ProxyConfig
    size: Size
    scoped: bool = False

    def sent(self, xds: str) -> list[Resource]:
        """List the resources of a type that have to do with outbound calls."""
        found: Sequence[Resource] = getattr(self.size, TYPES[xds])
        return [each for each in found if not is_inbound(each.name)]

    def true_bytes(self, *types: str) -> int:
        """Sum up what istiod sends of some types, by default of all."""
        return sum(each.bytes for xds in types or TYPES for each in self.sent(xds))


def is_inbound(name: str) -> bool:
    """Tell a resource for inbound calls by its name."""
    return name.startswith("inbound|") or name == INBOUND


def shop_samples(change: Callable[[dict[str, Any]], object] | None = None) -> list[Sample]:
    """Measure the proxies of the shop, perhaps with the spec of every Telemetry changed."""
    with TemporaryDirectory() as folder:
        mesh = Path(folder, "mesh")
        shutil.copytree(SHOP, mesh)
        if change is not None:
            policies = json.loads((mesh / _POLICIES).read_text(encoding="utf-8"))
            for each in policies["items"]:
                if each["kind"] == "Telemetry":
                    change(each["spec"])
            (mesh / _POLICIES).write_text(json.dumps(policies), encoding="utf-8")
        return _before_and_after(mesh, Sources((SHOP.parent / "logs",), (SHOP,)))


def synthetic_samples(sizes: Sizes = SMALL, most: int = 100) -> list[Sample]:
    """Measure the proxies of the first workloads of a synthetic mesh."""
    with TemporaryDirectory() as folder:
        generate(Path(folder), sizes)
        mesh = Path(folder, MESH)
        return _before_and_after(mesh, Sources((Path(folder, LOGS),), (mesh,)), most)


def benchmark_samples(shape: Shape = SMALL_BENCHMARK, most: int = 1000) -> list[Sample]:
    """Measure a proxy of each workload of the benchmark's mesh, or of about so many.

    One that runs in several Kubernetes clusters has a proxy in each.
    """
    with TemporaryDirectory() as name:
        written, out = write_benchmark_mesh(Path(name), shape), Path(name, "sidecars")
        written.recommend(out)
        mesh, sidecars = written.load(), load_mesh([out]).sidecars
        first = {(p.workload, p.meta.kubernetes_cluster): p for p in sidecar_pods(mesh)[::-1]}
        proxies = [
            JudgedProxy(
                pod.meta.namespace,
                pod.meta.labels,
                pod.meta.name,
                pod.ips,
                size=True,
                kubernetes_cluster=pod.meta.kubernetes_cluster,
            )
            for _, pod in sorted(first.items())
        ]
        proxies = proxies[:: ceil(len(proxies) / most)]
        answers = run_judge([written.case(proxies), written.case(proxies, out)])
    return [
        Sample(proxy, _view_of(rules, proxy).today, _size(verdict), scoped)
        for scoped, known, verdicts in (
            (False, mesh, answers[0]),
            (True, replace(mesh, sidecars=sidecars), answers[1]),
        )
        for rules in [build_view_rules(build_scope_rules(known))]
        for proxy, verdict in zip(proxies, verdicts, strict=True)
    ]


def _view_of(rules: ViewRules, proxy: JudgedProxy) -> View:
    cluster = proxy.kubernetes_cluster
    known = [(cluster, known_labels(cluster, proxy.labels))]
    (view,) = Views(rules, proxy.namespace).of_pods(known, frozenset())
    return view


def random_samples(
    seeds: Iterable[int], mesh_config: Mapping[str, object] | None = None
) -> Iterator[list[Sample]]:
    """Measure the proxies of random meshes, perhaps with other settings of the MeshConfig."""
    cases = [asking_for_sizes(random_case(seed), mesh_config or {}) for seed in seeds]
    for case, verdicts in zip(cases, ask_istiod(cases), strict=True):
        yield samples_of(case, build_scope_rules(case.mesh()), verdicts)


def samples_of(case: Case, rules: ScopeRules, verdicts: Sequence[Verdict]) -> list[Sample]:
    """Put what the model and istiod say of the proxies of a case together."""
    return [
        Sample(proxy, config_of(rules, proxy), _size(verdict))
        for (proxy, _), verdict in zip(case.callers, verdicts, strict=True)
    ]


def asking_for_sizes(case: Case, mesh_config: Mapping[str, object]) -> Case:
    """Ask for sizes instead of calls, with some settings of the MeshConfig changed."""
    objects = copy.deepcopy(case.objects)
    for each in objects:
        if each["kind"] == "ConfigMap":
            settings = json.loads(each["data"]["mesh"])
            each["data"]["mesh"] = json.dumps({**settings, **mesh_config})
    callers = tuple((replace(proxy, size=True), ()) for proxy, _ in case.callers)
    return replace(case, objects=objects, callers=callers)


def config_of(rules: ScopeRules, proxy: JudgedProxy) -> ProxyConfig:
    """Compute what a proxy is sent."""
    sidecar = select_sidecar(rules, proxy.namespace, proxy.labels)
    scope = sidecar_scope(rules, proxy.namespace, sidecar.egress if sidecar else ())
    mode, _ = outbound_traffic_policy(rules.mesh.config, sidecar)
    known = Proxy(proxy.namespace, proxy.labels, proxy.ips)
    return ProxyConfig(rules, scope, known, mode)


def _before_and_after(mesh: Path, sources: Sources, most: int = 100) -> list[Sample]:
    """Measure a proxy of each workload, without and then with the Sidecars recommended."""
    with TemporaryDirectory() as folder:
        sidecars = Path(folder)
        recommend_sidecars(sources, sidecars, Settings())
        before = load_mesh([mesh])
        proxies = _proxies(before)[:most]
        case = {"mesh_dir": str(mesh), "proxies": [asdict(proxy) for proxy in proxies]}
        answers = run_judge([case, {**case, "sidecar_dir": str(sidecars)}])
        after = load_mesh([mesh, sidecars])
    return [
        Sample(proxy, config_of(rules, proxy), _size(verdict), scoped)
        for scoped, rules, verdicts in (
            (False, build_scope_rules(before), answers[0]),
            (True, build_scope_rules(after), answers[1]),
        )
        for proxy, verdict in zip(proxies, verdicts, strict=True)
    ]


def _proxies(mesh: Mesh) -> list[JudgedProxy]:
    pods = [pod for pod in mesh.pods if pod.proxy == "sidecar"]
    first = {pod.workload: pod for pod in reversed(pods)}
    return [
        JudgedProxy(pod.meta.namespace, pod.meta.labels, pod.meta.name, pod.ips, size=True)
        for _, pod in sorted(first.items())
    ]


def _size(verdict: Verdict) -> Size:
    assert verdict.size is not None
    return verdict.size
