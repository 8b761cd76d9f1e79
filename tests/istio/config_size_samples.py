"""Proxies of several meshes, with what the model says that they are sent and what istiod sends."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.config_size.shape import SMALL as SMALL_BENCHMARK
from benchmarks.config_size.shape import Shape
from benchmarks.plan import Sizes
from benchmarks.synthetic import LOGS, MESH, generate
from recommender.istio.proxy import Proxy, outbound_traffic_policy
from recommender.istio.proxy_config import ProxyConfig
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
from tests.istio.config_size_counts import Sample, differences
from tests.istio.conformance_case import Case, ask_istiod, random_case
from tests.istio.judge import JudgedProxy, run_judge
from tests.istio.shop_calls import MESH as SHOP
from tests.istio.verdicts import Size, Verdict
from tests.mesh.helpers import Object, obj

SMALL = Sizes(services=60, pods=150, lines=5000, namespaces=6)
_POLICIES = "istio-policy.json"


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
    seeds: Iterable[int],
    mesh_config: Mapping[str, object] | None = None,
    more: Sequence[Object] = (),
) -> list[Sample]:
    """Measure the proxies of random meshes, perhaps with other settings and with more objects.

    In every second mesh the proxies of endpoints take mutual TLS, and routes do more than they do
    by themselves; every third has nodes in two zones. DestinationRules limit or secure connections.
    """
    cases = [asking_for_sizes(random_case(seed), mesh_config or {}) for seed in seeds]
    cases = [replace(case, objects=(*case.objects, *more)) for case in cases]
    cases[::2] = [_changed(case, "VirtualService", _do_more) for case in cases[::2]]
    cases[::2] = [_changed(case, "Pod", _take_mutual_tls) for case in cases[::2]]
    cases[::3] = [_on_nodes(case) for case in cases[::3]]
    for every, change in ((1, _limit_requests), (2, _secure), (3, _limit_connections)):
        cases[every::4] = [_changed(each, "DestinationRule", change) for each in cases[every::4]]
    found = _measured(cases)
    # Now and then the fake server has not seen all when it is asked: it is asked again.
    differing = [n for n, each in enumerate(found) if any(map(differences, each))]
    for number, again in zip(differing, _measured([cases[n] for n in differing]), strict=True):
        found[number] = again
    return [sample for each in found for sample in each]


def _measured(cases: Sequence[Case]) -> list[list[Sample]]:
    return [
        samples_of(case, build_scope_rules(case.mesh()), verdicts)
        for case, verdicts in zip(cases, ask_istiod(cases), strict=True)
    ]


def _changed(case: Case, kind: str, change: Callable[[Object], object]) -> Case:
    objects = copy.deepcopy(case.objects)
    for each in objects:
        if each["kind"] == kind:
            change(each)
    return replace(case, objects=objects)


def _take_mutual_tls(pod: Object) -> None:
    pod["metadata"]["labels"]["security.istio.io/tlsMode"] = "istio"
    pod["spec"]["serviceAccountName"] = pod["metadata"]["labels"].get("app", "default")


def _on_nodes(case: Case) -> Case:
    """Give a mesh three nodes, one of them in no zone, and each pod one of these."""
    region = {"topology.kubernetes.io/region": "cn-hangzhou"}
    labels = ({}, *({**region, "topology.kubernetes.io/zone": f"cn-hangzhou-{z}"} for z in "hk"))
    nodes = [obj("v1", "Node", f"node-{n}", "", labels=each) for n, each in enumerate(labels)]
    placed = _changed(case, "Pod", _place)
    return replace(placed, objects=(*placed.objects, *nodes))


def _place(pod: Object) -> None:
    number = sum(map(ord, pod["metadata"]["name"] + pod["metadata"]["namespace"])) % 3
    pod["spec"]["nodeName"] = f"node-{number}"


def _do_more(vs: Object) -> None:
    """Let routes of a VirtualService do what else they can."""
    added: tuple[Object, ...] = (
        {"headers": {"request": {"set": {"x-tenant": "large"}, "remove": ["x-debug"]}}},
        {"corsPolicy": {"allowOrigins": [{"exact": "https://shop.example"}], "maxAge": "24h"}},
        {"fault": {"delay": {"fixedDelay": "2s", "percentage": {"value": 10}}}},
        {"rewrite": {"uri": "/v2/catalog"}},
        {"headers": {"response": {"add": {"x-served-by": "mesh"}}}, "timeout": "3s"},
        {"retries": {"attempts": 0}},
    )
    _add_to_routes(vs, "route", added)
    _add_to_routes(vs, "delegate", _FOR_DELEGATES)


_FOR_DELEGATES: tuple[Object, ...] = (
    {
        "retries": {"attempts": 3, "retryOn": "connect-failure,refused-stream"},
        "fault": {"abort": {"httpStatus": 503, "percentage": {"value": 1}}},
        "headers": {"request": {"set": {"x-root": "root"}, "remove": ["x-internal"]}},
    },
    {
        "corsPolicy": {"allowOrigins": [{"prefix": "https://shop."}], "allowMethods": ["GET"]},
        "rewrite": {"uri": "/v1/of/the/root"},
        "timeout": "5s",
    },
    {"retries": {"attempts": 0}},
    {"directResponse": {"status": 503, "body": {"string": "closed for a while"}}},
)
"""What a route that delegates gives the routes of its delegate, where these have none."""


def _add_to_routes(vs: Object, of: str, added: Sequence[Object]) -> None:
    """Add settings to the http routes that have a field, to each other ones."""
    routes = [route for route in vs["spec"].get("http", ()) if of in route]
    start = sum(map(ord, vs["metadata"]["name"]))
    for number, route in enumerate(routes, start):
        for field, value in added[number % len(added)].items():
            route.setdefault(field, value)


def _secure(rule: Object) -> None:
    """Let a DestinationRule say how connections are secured."""
    number = sum(map(ord, rule["metadata"]["name"]))
    mode = ("SIMPLE", "DISABLE", "ISTIO_MUTUAL")[number % 3]
    rule["spec"].setdefault("trafficPolicy", {"tls": {"mode": mode}})


def _limit_requests(rule: Object) -> None:
    rule["spec"].setdefault(
        "trafficPolicy", {"connectionPool": {"http": {"http2MaxRequests": 100}}}
    )


def _limit_connections(rule: Object) -> None:
    policy = rule["spec"].setdefault("trafficPolicy", {})
    policy.setdefault("connectionPool", {"http": {"maxRequestsPerConnection": 100}})
    policy.setdefault("outlierDetection", {"consecutive5xxErrors": 7})


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
