from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml

from benchmarks import alternatives, scale, stages
from benchmarks.kubectl_yaml import kubectl_yaml
from benchmarks.measure import Stopwatch
from benchmarks.plan import Sizes
from benchmarks.scale import Scale
from benchmarks.synthetic import LOGS, MESH, generate, size_options
from recommender import build_service_graph, load_mesh, read_access_logs, recommend, summarise_flows
from recommender.recommendation import Recommendations

TINY = Sizes(services=10, pods=20, lines=500, namespaces=3)
SMALL = Sizes(services=60, pods=150, lines=5000, namespaces=6)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    generate(folder, TINY)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    generate(folder, SMALL)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def recommended(folder: Path) -> Recommendations:
    mesh = load_mesh([folder / MESH])
    flows = summarise_flows(read_access_logs([folder / LOGS]))
    return recommend(build_service_graph(flows, mesh), mesh)


def access_log_lines(folder: Path) -> Iterator[str]:
    for path in (folder / LOGS).rglob("*.log"):
        yield from (line.split(" ", 3)[3] for line in path.read_text().splitlines())


def test_the_same_sizes_and_seed_give_the_same_bytes(tiny: Path, tmp_path: Path) -> None:
    generate(tmp_path, TINY)

    assert contents(tmp_path) == contents(tiny)


def test_another_seed_gives_another_mesh(tiny: Path, tmp_path: Path) -> None:
    generate(tmp_path, Sizes(services=10, pods=20, lines=500, namespaces=3, seed=2))

    assert contents(tmp_path).keys() != contents(tiny).keys()


def test_the_mesh_is_as_large_as_asked_for(tmp_path: Path) -> None:
    generate(tmp_path, Sizes(services=30, pods=80, lines=1, namespaces=4, workloads=50))

    mesh = load_mesh([tmp_path / MESH])

    platform = 3
    assert len(mesh.services) == 30 + platform
    assert len(mesh.pods) == 80
    assert len(mesh.workloads) == 50
    assert len({pod.ips for pod in mesh.pods}) == 80


def test_every_line_is_used(tiny: Path, small: Path) -> None:
    for folder, lines in ((tiny, 500), (small, 5000)):
        counts = summarise_flows(read_access_logs([folder / LOGS])).lines

        assert (counts.read, counts.used, counts.skipped) == (lines, lines, ())


def test_logs_hold_both_formats_both_directions_and_failures(small: Path) -> None:
    flows = summarise_flows(read_access_logs([small / LOGS])).frame

    assert {line[0] for line in access_log_lines(small)} == {"[", "{"}
    assert set(flows["direction"]) == {"inbound", "outbound"}
    assert set(flows["protocol"]) == {"http", "tcp"}
    assert flows["errors"].sum() > 0
    prefixes = flows["cluster"].str.extract(r"^([^|]*)")
    assert set(prefixes) == {"inbound", "outbound", "PassthroughCluster"}


def test_json_lines_have_the_types_of_istio(tiny: Path) -> None:
    line = next(line for line in access_log_lines(tiny) if line.startswith("{"))

    fields = json.loads(line)

    assert len(fields) == 24
    assert isinstance(fields["duration"], int)
    assert isinstance(fields["response_flags"], str)


def test_the_mesh_explains_every_call_in_the_logs(small: Path) -> None:
    """What is sent and what is received are drawn each for itself: some calls show there alone."""
    answer = recommended(small)

    assert {left.reason for left in answer.left_out} <= {"logged nothing"}
    notes = {note.name for one in answer.recommended for note in one.notes}
    assert notes <= {"unknown destination", "silent pods", "unlogged call"}
    reasons = {r.kind for one in answer.recommended for host in one.hosts for r in host.reasons}
    assert {"called", "virtual service", "own service", "provider"} <= reasons


def test_a_tiny_run_prints_every_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stages.main([*size_options(TINY), "--keep", str(tmp_path)])

    printed = capsys.readouterr().out
    for stage in ("the whole command", "load the mesh", "read the logs", "decide and prove"):
        assert f"\n{stage} " in printed
    assert "500 of 500 lines used" in printed
    commanded, staged = (contents(tmp_path / "out" / run) for run in ("command", "stages"))
    assert commanded
    assert commanded == staged


def test_a_tiny_scale_prints_a_row_for_each_mesh(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scales = [Scale("plain", TINY), Scale("again", TINY, again=True), Scale("idle", TINY, idle=7)]
    scale.main(["--keep", str(tmp_path)], scales)

    rows = [line.split() for line in capsys.readouterr().out.splitlines()[-3:]]
    names, services, *same = list(zip(*rows, strict=True))[:5]
    assert names == ("plain", "again", "idle")
    assert services == ("13", "13", "20")
    assert all(len(set(column)) == 1 for column in same)


def test_idle_services_are_named_by_no_recommendation(tiny: Path) -> None:
    flows = summarise_flows(read_access_logs([tiny / LOGS]))
    mesh = scale.with_idle_services(load_mesh([tiny / MESH]), 50)
    answer = recommend(build_service_graph(flows, mesh), mesh)

    plain = [[host.host for host in each.hosts] for each in recommended(tiny).recommended]
    assert [[host.host for host in each.hosts] for each in answer.recommended] == plain


def test_the_peak_of_a_stage_is_its_own() -> None:
    watch = Stopwatch()

    watch.run("large", lambda: len(bytearray(b"x" * 100_000_000)))
    watch.run("small", lambda: None)

    large, small = watch.measured
    assert large.memory_peak - large.memory_before > 90_000_000
    assert small.memory_peak < large.memory_peak - 90_000_000


def test_the_alternatives_read_the_same_as_this_tool(tiny: Path) -> None:
    flows = summarise_flows(read_access_logs([tiny / LOGS])).frame
    summed = flows.group_by("source_pod", "cluster").agg(pl.col("requests").sum())

    counts = alternatives.count_in_python(tiny / LOGS)

    assert counts == {(pod, cluster): requests for pod, cluster, requests in summed.iter_rows()}
    assert alternatives.load_with_pyyaml([tiny / MESH / "pods.yaml"]) == 20


def test_yaml_reads_back_as_it_was_written() -> None:
    texts = ("", "a", "yes", "null", "1", "1.5", "2026-11-02T08:00:00Z", "a: b", "- a", "#", "a\n")
    value = {
        text: [{"name": other, "list": [[0.5, None, True], {}, []]} for other in texts]
        for text in texts
    }

    assert yaml.safe_load(kubectl_yaml(value)) == value
