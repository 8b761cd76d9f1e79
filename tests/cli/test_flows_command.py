"""The command `flows`: what the logs say, as a table for people and as data for programs."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from recommender.cli.main import main
from tests.access_logs.helpers import POD, container_path, text, write

SHOP = Path(__file__).parents[2] / "fixtures" / "shop"
LOGS, MESH = str(SHOP / "logs"), str(SHOP / "mesh")
COMMAND = [sys.executable, "-m", "recommender.cli.main", "flows"]


def run(
    capsys: pytest.CaptureFixture[str], *arguments: str, logs: str = LOGS, status: int = 0
) -> str:
    """Run `flows`; give what it prints, or its error."""
    assert main(["flows", "--logs", logs, *arguments]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def test_a_table_lists_destinations_below_their_source(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "--mesh", MESH).splitlines()

    assert lines[0] == "295 requests from 14 sources to 21 destinations, 8 errors"
    place = lines.index(
        next(line for line in lines if line.startswith("loyalty/deployment/cart-v2"))
    )
    assert [line.split()[:3] for line in lines[place : place + 4]] == [
        ["loyalty/deployment/cart-v2", "17", "3"],
        ["points.loyalty.svc.cluster.local:8080", "8", "0"],
        ["postgres.data.svc.cluster.local:5432", "6", "0"],
        ["coupons.loyalty.svc.cluster.local:8080", "3", "3"],
    ]
    assert "Log lines: 670 read, 550 used, 120 skipped" in lines


def test_a_workload_without_a_log_is_listed_with_what_others_received(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for path in Path(LOGS).rglob("*.log"):
        if "frontend" not in str(path):
            write(tmp_path / path.relative_to(LOGS), path.read_bytes())

    lines = run(capsys, "--mesh", MESH, logs=str(tmp_path)).splitlines()
    place = lines.index(next(line for line in lines if line.startswith("shop/deployment/frontend")))
    assert lines[place].split()[1] == "72"
    assert lines[place + 1].split()[:2] == ["shop/Deployment/catalog-v1:8080", "24"]
    assert any("the source logged no call" in line for line in lines[place + 1 : place + 3])
    # Without a mesh nothing tells whose an address is.
    assert "shop/frontend" not in run(capsys, logs=str(tmp_path))


def test_received_requests_tell_their_peer_where_it_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = json.loads(run(capsys, "--mesh", MESH, "--output", "json"))["flows"]
    users = [flow for flow in found if flow["destination"] == "payments/Deployment/users"]

    assert sorted(flow["peer"]["name"] for flow in users) == ["fraud", "payment"]
    assert all(flow["source"] is None for flow in users)
    assert all(flow["peer"] is None for flow in found if flow["kind"] != "received")
    through_gateway = [f for f in found if f["destination"] == "shop/Deployment/frontend"]
    assert [flow["peer"] for flow in through_gateway] == [None]


def test_what_a_proxy_answers_by_itself_is_no_call_of_its_pod(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Envoy has no cluster for it yet, and the caller chooses the authority."""
    here = {"downstream_local_address": "10.0.0.9:9080"}
    received = text(upstream_cluster="inbound|9080||", **here)
    answered = text(upstream_cluster="-", authority="evil", response_code="400", **here)
    unrouted = text(upstream_cluster="-", authority="gone", response_code="404")
    lines = write(container_path(tmp_path), [received, answered, unrouted])

    found = json.loads(run(capsys, "--output", "json", logs=str(lines)))["flows"]

    kinds = {(flow["destination"], flow["kind"]): flow["requests"] for flow in found}
    assert kinds == {("shop/Pod/frontend-1", "received"): 2, ("gone", "unrouted"): 1}


def test_unknown_hosts_are_told_apart_whoever_resolves_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the proxy does, they are reached through an Envoy cluster of another name."""
    clusters = {"a.example": "PassthroughCluster", "b.example": "AllowAnyDynamicDNSCluster"}
    lines = [text(upstream_cluster=name, authority=host) for host, name in clusters.items()]
    write(container_path(tmp_path), lines)

    found = json.loads(run(capsys, "--output", "json", logs=str(tmp_path)))["flows"]

    assert [(flow["destination"], flow["kind"]) for flow in found] == [
        ("a.example", "passthrough"),
        ("b.example", "passthrough"),
    ]


def test_without_a_mesh_sources_are_pods(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys)

    assert "shop/frontend-qxspnrfrxb-fs5c4" in out
    assert "deployment" not in out


def test_every_output_has_the_same_flows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What is summed up by workload is what the table shows, but for what is received."""
    found = json.loads(run(capsys, "--mesh", MESH, "--output", "json"))
    rows = list(csv.DictReader(io.StringIO(run(capsys, "--mesh", MESH, "--output", "csv"))))
    file = tmp_path / "flows.parquet"
    with file.open("wb") as out:
        arguments = ["--logs", LOGS, "--mesh", MESH, "--output", "parquet"]
        subprocess.run([*COMMAND, *arguments], stdout=out, check=True)
    table = pl.read_parquet(file)

    assert found["schema"] == 1
    assert found["lines"]["read"] == 670
    assert found["unknown_pods"] == 0
    assert sum(flow["requests"] for flow in found["flows"]) == 550
    assert table.columns == list(rows[0])
    assert [int(row["requests"]) for row in rows] == table["requests"].to_list()
    assert [flow["requests"] for flow in found["flows"]] == table["requests"].to_list()
    assert [flow["first_seen"] for flow in found["flows"]] == [row["first_seen"] for row in rows]
    sources = {tuple(flow["source"].values()) for flow in found["flows"] if flow["source"]}
    assert ("shop", "Deployment", "frontend") in sources
    assert {row["kind"] for row in rows} == {"service", "passthrough", "unrouted", "received"}


def test_the_same_input_gives_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    for output in ("table", "json", "csv"):
        assert run(capsys, "--output", output) == run(capsys, "--output", output)


def test_no_cell_of_a_csv_is_a_formula(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clusters = ["=1+1", "+1", "-1", "@SUM(1)", "a=1"]
    lines = [text(upstream_cluster=cluster, authority="-") for cluster in clusters]
    write(container_path(tmp_path), [*lines, text(upstream_cluster="-", authority="-x")])

    printed = run(capsys, "--output", "csv", logs=str(tmp_path))
    found = [row["destination"] for row in csv.DictReader(io.StringIO(printed))]

    assert sorted(found) == sorted(["'=1+1", "'+1", "'-1", "'@SUM(1)", "a=1", "'-x"])
    assert "\t" not in printed


def test_nothing_of_a_log_steers_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = "\x1b]0;owned\x07\u202e"
    lines = [
        text(upstream_cluster=f"x{forged}y", authority="-"),
        text(upstream_cluster="-", authority=f"a{forged}"),
        text(user_agent=forged),
        forged,
    ]
    write(tmp_path / f"{forged}.log", lines)

    for output in ("table", "csv", "json"):
        printed = run(capsys, "--output", output, "--source-pod", "/".join(POD), logs=str(tmp_path))
        assert "\x1b" not in printed
        assert "\x07" not in printed
        assert output == "csv" or "\u202e" not in printed


def test_parquet_is_refused_on_a_terminal() -> None:
    leader, follower = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "--logs", LOGS, "--output", "parquet"],
        stdout=follower,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(follower)
    os.close(leader)

    assert done.returncode == 2
    assert b"> flows.parquet" in done.stderr


@pytest.mark.parametrize("width", [80, 160])
def test_a_terminal_gets_lines_of_its_width(width: int) -> None:
    leader, follower = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "--logs", LOGS, "--mesh", MESH],
        stdout=follower,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": str(width), "NO_COLOR": "1"},
        check=True,
    )
    os.close(follower)
    with open(leader, "rb", closefd=True) as terminal:  # noqa: PTH123 - a descriptor
        printed = terminal.read1(1 << 20).decode()
    flows = printed.partition("Log lines")[0].splitlines()

    assert done.stderr == b"" or b"\x1b[K" in done.stderr
    assert max(map(len, flows)) <= width


def test_what_is_lost_is_told_and_fails_only_when_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(container_path(tmp_path), [text(), "nothing"])
    missing = str(tmp_path / "rotated.log")

    out = run(capsys, "--logs", missing, logs=str(tmp_path))
    assert "! Log lines lost: 2 of 3 (66.7 %); 1 of them is a file, lost whole or in part" in out
    assert f"there is no such file or folder, first {missing}" in out.replace("\n       ", " ")
    assert "2 lines cannot be used" in run(
        capsys, "--logs", missing, "--strict", logs=str(tmp_path), status=2
    )


def test_a_namespace_completes_what_wrappers_leave_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write(tmp_path / "a.log", [f"[pod/cart-1/istio-proxy] {text()}"]))

    assert "shop/cart-1" in run(capsys, "--source-pod", "shop", logs=path)
    assert "--source-pod" in run(capsys, logs=path, status=2)
    assert "--source-pod" in run(capsys, "--source-pod", "shop/cart-2", logs=path, status=2)
    assert "NAMESPACE" in run(capsys, "--source-pod", "a/b/c", logs=path, status=2)


def test_an_unusable_log_format_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = run(capsys, "--log-format", f"@{tmp_path / 'none'}", status=2)

    assert "none cannot be read: No such file or directory" in missing
    assert "Errno" not in missing


@pytest.mark.parametrize("content", ["", "\n", " "])
def test_an_empty_log_format_is_refused_with_what_to_try(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    """A variable that is not set would otherwise mean all known formats, in silence."""
    path = write(tmp_path / "a.format", content)

    for given in (content, f"@{path}"):
        error = run(capsys, "--log-format", given, status=2)
        assert "the log format is empty" in error
        assert "istio-text" in error


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_with_a_log_format_may_have_a_byte_order_mark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    """A setting names the file to another reader than the option does."""
    content = "%REQ(:AUTHORITY)% %UPSTREAM_CLUSTER_RAW% %START_TIME%\n"
    path = write(tmp_path / "a.format", content.encode(encoding))
    file = write(tmp_path / "recommender.toml", f'log_format = "@{path}"\n')
    line = "reviews:9080 outbound|9080||reviews.default.svc.cluster.local 2026-11-23T12:16:11.401Z"
    logs = str(write(container_path(tmp_path), [line]))

    for option in (("--log-format", f"@{path}"), ("--settings", str(file))):
        assert "1 request from 1 source" in run(capsys, *option, logs=logs)
