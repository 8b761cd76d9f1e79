"""The benchmark of configuration size: its mesh is what it says, and its promises hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.config_size.mesh import LOGS, build_mesh
from benchmarks.config_size.shape import FULL, SMALL
from recommender import load_mesh, read_access_logs, summarise_flows


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    build_mesh(SMALL).write(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_shape_gives_the_same_bytes(small: Path, tmp_path: Path) -> None:
    build_mesh(SMALL).write(tmp_path)

    assert contents(tmp_path) == contents(small)
    assert build_mesh(replace(SMALL, seed=2)).calls != build_mesh(SMALL).calls


def test_every_true_call_is_in_the_log_of_every_pod_that_makes_it(small: Path) -> None:
    mesh = build_mesh(SMALL)
    pods = {(r.kubernetes_cluster, r.workload.key): r.pods for r in mesh.plan.runners}
    true = {
        (
            placed.pod.namespace,
            placed.pod.name,
            envoy_cluster,
            call.authority.partition(":")[0] or None,
        )
        for call in mesh.calls
        for placed in pods[call.kubernetes_cluster, call.caller]
        for envoy_cluster in call.envoy_clusters
    }

    flows = summarise_flows(read_access_logs([small / LOGS]))

    assert flows.lines.skipped == ()
    sent = flows.frame.filter(flows.frame["direction"] == "outbound")
    columns = ("source_namespace", "source_pod", "cluster", "authority")
    assert set(sent.select(columns).iter_rows()) == true


def test_the_full_mesh_has_the_size_and_shape_of_the_case() -> None:
    plan = build_mesh(FULL).plan
    fan_out = Counter((call.kubernetes_cluster, call.caller) for call in plan.calls)
    called_by = Counter(call.service for call in plan.calls)
    nodes = {placed.node for runner in plan.runners for placed in runner.pods}

    assert 1050 < len(plan.applications) < 1090
    assert sum(len(runner.pods) for runner in plan.runners) == 2500
    assert 140 < len(nodes) <= 150
    assert 4.5 < len(plan.calls) / len(plan.runners) < 5.5
    assert len([hub for hub, count in fan_out.items() if count >= 60]) > 3
    assert [name for name, count in called_by.items() if count > 0.9 * len(fan_out)] == [
        "platform/auth",
        "platform/config",
    ]


def test_idle_namespaces_are_a_share_and_nobody_calls_them(tmp_path: Path) -> None:
    mesh = build_mesh(replace(SMALL, idle=0.3, discovery_label=True))
    mesh.write(tmp_path)

    loaded = load_mesh(mesh.mesh_sources(tmp_path))

    used = {a.service.namespace for a in mesh.plan.applications} - set(mesh.idle)
    assert round(len(mesh.idle) / (len(mesh.idle) + len(used)), 1) == 0.3
    assert not {call.service.partition("/")[0] for call in mesh.calls} & set(mesh.idle)
    labelled = {n.meta.name for n in loaded.namespaces if "mesh.example/in-use" in n.meta.labels}
    assert labelled >= used
    assert not labelled & set(mesh.idle)
    assert {s.meta.namespace for s in loaded.services} >= set(mesh.idle)
    assert {p.meta.namespace for p in loaded.pods} >= set(mesh.idle)
