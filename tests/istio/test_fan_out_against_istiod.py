"""The model counts the proxies that istiod pushes a change to, before and after the Sidecars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from recommender.istio.pushes import ConfigKey
from recommender.mesh import Labels, Mesh, load_mesh
from recommender.mesh.objects import ObjectMeta
from recommender.pipeline import Sources, recommend_sidecars
from recommender.savings import Savings, measure_savings
from tests.istio.benchmark_mesh import write_benchmark_mesh
from tests.istio.conformance import judge_cases
from tests.istio.conformance_case import ask_istiod, random_case
from tests.istio.judge import JudgedProxy, require_go, run_judge
from tests.istio.shop_calls import MESH as SHOP
from tests.istio.verdicts import ChangedKey, Verdict

SEEDS = range(40_000, 40_012)
Reach = dict[ConfigKey, int]


def asking(mesh: Mesh, savings: Savings) -> list[JudgedProxy]:
    """Ask about every change for each proxy that was counted; one to come has no address yet."""
    counted = {each.workload for each in savings.workloads}
    changes = tuple((ChangedKey(*each.change),) for each in savings.reach)
    live = [
        pod
        for pod in mesh.pods
        if pod.proxy == "sidecar" and not pod.has_ended and pod.workload in counted
    ]
    to_come = counted - {pod.workload for pod in live}
    known: list[tuple[ObjectMeta, Labels, tuple[str, ...]]]
    known = [(pod.meta, pod.meta.labels, pod.ips) for pod in live]
    known += [(w.meta, w.template_labels or {}, ()) for w in mesh.workloads if w.id in to_come]
    return [
        JudgedProxy(
            meta.namespace,
            labels,
            meta.name,
            ips,
            changes=changes,
            kubernetes_cluster=meta.kubernetes_cluster,
        )
        for meta, labels, ips in known
    ]


def reached(savings: Savings, verdicts: Iterable[Verdict]) -> Reach:
    """Count the proxies that istiod pushes each change to."""
    found: Counter[ConfigKey] = Counter()
    for verdict in verdicts:
        for each, push in zip(savings.reach, verdict.pushes, strict=True):
            found[each.change] += push.needed
    return found


def differences(savings: Savings, before: Reach, after: Reach) -> list[str]:
    """Say for which change the model counts other proxies than istiod."""
    return [
        f"{each}, istiod {before[each.change]} → {after[each.change]}"
        for each in savings.reach
        if (each.before, each.after) != (before[each.change], after[each.change])
    ]


def test_the_shop_is_counted_as_istiod_does(tmp_path: Path) -> None:
    require_go()
    report = recommend_sidecars(Sources((SHOP.parent / "logs",), (SHOP,)), tmp_path)
    mesh = load_mesh([SHOP])
    savings = measure_savings(mesh, report.recommendations)
    proxies = [asdict(proxy) for proxy in asking(mesh, savings)]
    case = {"mesh_dir": str(SHOP), "proxies": proxies}
    before, after = run_judge([case, {**case, "sidecar_dir": str(tmp_path)}])

    assert len(proxies) == savings.proxies > 20
    assert differences(savings, reached(savings, before), reached(savings, after)) == []
    assert any(each.after < each.before for each in savings.reach)


@pytest.mark.parametrize("granularity", ["workload", "namespace"])
def test_the_mesh_of_the_benchmark_is_counted_as_istiod_does(
    granularity: str, tmp_path: Path
) -> None:
    require_go()
    written, out = write_benchmark_mesh(tmp_path), tmp_path / "sidecars"
    report = written.recommend(out, granularity)
    mesh = written.load()
    savings = measure_savings(mesh, report.recommendations)
    proxies = asking(mesh, savings)
    before, after = run_judge([written.case(proxies), written.case(proxies, out)])

    assert len(proxies) == savings.proxies > 100
    assert differences(savings, reached(savings, before), reached(savings, after)) == []
    assert bool(report.recommendations.namespace_sidecars) == (granularity == "namespace")


@pytest.fixture(scope="module")
def random_findings() -> tuple[list[str], Counter[str]]:
    """Compare random meshes; count how many changes reach fewer proxies than before."""
    require_go()
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    judged = list(judge_cases([random_case(seed) for seed in SEEDS]))
    cases, measured = [], []
    for each in judged:
        mesh = each.scoped.case.mesh()
        savings = measure_savings(mesh, each.scoped.answer)
        callers = tuple((proxy, ()) for proxy in asking(mesh, savings))
        measured.append((each.scoped.case.name, savings))
        cases += [replace(case, callers=callers) for case in (each.scoped.case, each.scoped.after)]
    answers: Sequence[Sequence[Verdict]] = ask_istiod(cases)
    for number, (name, savings) in enumerate(measured):
        before, after = (reached(savings, answers[2 * number + place]) for place in (0, 1))
        wrong += [f"{name}: {what}" for what in differences(savings, before, after)]
        counts["changes"] += len(savings.reach)
        counts["fewer"] += sum(each.after < each.before for each in savings.reach)
        counts["some"] += sum(0 < each.after < savings.proxies for each in savings.reach)
    return wrong, counts


def test_random_meshes_are_counted_as_istiod_does(
    random_findings: tuple[list[str], Counter[str]],
) -> None:
    wrong, _ = random_findings

    assert not wrong, "\n".join(wrong[:12])


def test_random_meshes_have_changes_that_reach_fewer_proxies_than_before(
    random_findings: tuple[list[str], Counter[str]],
) -> None:
    _, counts = random_findings

    assert counts["fewer"] > 100, counts
    assert counts["some"] > 100, counts
