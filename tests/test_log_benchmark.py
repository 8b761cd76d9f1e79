"""The benchmark of log reading: every engine finds what was written, also where it is hostile."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import polars as pl
import pytest

from benchmarks import log_reading
from benchmarks.log_files import write_log_files
from benchmarks.log_flows import KEYS, counts_of_rows, difference
from benchmarks.log_paths import KINDS, PodLogs, pods_of
from benchmarks.log_readers import CHDB, DUCKDB, READERS, THIS_TOOL, counts_found
from recommender.access_logs.container_paths import container_log

LINES = 10_000
PODS = 20
ALL_LOGS = list(product(KINDS, (1, PODS), (False, True)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("logs")
    for pods in (1, PODS):
        assert write_log_files(made, LINES, pods=pods) == []
    return made


def logs_of(folder: Path, kind: str, pods: int = 1, *, packed: bool = False) -> PodLogs:
    return PodLogs(folder, kind, LINES, pods, packed)


def written(logs: PodLogs) -> pl.DataFrame:
    return counts_of_rows(pl.read_parquet(logs.expected))


def found_by(engine: str, logs: PodLogs) -> pl.DataFrame:
    return counts_found(engine, logs.path, READERS[engine](logs.path)())


def text_of(folder: Path, kind: str) -> str:
    return logs_of(folder, kind).path.read_text("utf-8")


def access_log_lines(folder: Path, kind: str) -> Iterator[str]:
    start = "{" if kind.startswith("json") else "["
    for stored in text_of(folder, kind).removesuffix("\n").split("\n"):
        line = stored.split(" ", 3)[3] if kind.endswith("-cri") else stored
        if line.startswith(start):
            yield line


@pytest.mark.parametrize(("kind", "pods", "packed"), ALL_LOGS)
def test_this_tool_finds_what_was_written(folder: Path, kind: str, pods: int, packed: bool) -> None:
    logs = logs_of(folder, kind, pods, packed=packed)

    assert difference(found_by(THIS_TOOL, logs), written(logs)) is None


@pytest.mark.parametrize("engine", [DUCKDB, CHDB])
@pytest.mark.parametrize(("kind", "pods", "packed"), ALL_LOGS)
def test_a_query_finds_what_was_written(
    folder: Path, engine: str, kind: str, pods: int, packed: bool
) -> None:
    pytest.importorskip(engine, reason="the extra `benchmark` is not installed: it is large")
    logs = logs_of(folder, kind, pods, packed=packed)

    assert difference(found_by(engine, logs), written(logs)) is None


@pytest.mark.parametrize("pods", [1, PODS])
def test_a_thousandth_of_the_lines_is_no_access_log_line(folder: Path, pods: int) -> None:
    for kind in KINDS:
        assert text_of(folder, kind).count("\n") == LINES
        assert len(list(access_log_lines(folder, kind))) == LINES - LINES // 1000
    requests = written(logs_of(folder, "text", pods))["requests"]
    assert requests.sum() == LINES - LINES // 1000


def test_flows_are_of_many_kinds(folder: Path) -> None:
    flows = written(logs_of(folder, "text"))

    assert flows.height > 500
    assert flows["day"].n_unique() == 2
    assert {"", "PassthroughCluster", "inbound|8080||"} < set(flows["cluster"])
    assert flows["cluster"].n_unique() > 250
    assert flows["authority"].n_unique() > 250
    assert flows["server_name"].n_unique() > 20
    assert 0 < flows["errors"].sum() < LINES / 10


def test_many_pods_share_the_lines_of_one(folder: Path) -> None:
    """None has a flow more than all lines have, and only a part of the flows."""
    for kind in KINDS:
        files = logs_of(folder, kind, PODS).files
        texts = [path.read_text("utf-8") for path in files.values()]
        assert sorted("".join(texts).split("\n")) == sorted(text_of(folder, kind).split("\n"))
        sizes = [text.count("\n") for text in texts]
        assert 0.7 * LINES / PODS < min(sizes) < max(sizes) < 1.3 * LINES / PODS
    alone, shared = (written(logs_of(folder, "text", pods)) for pods in (1, PODS))
    keys = KEYS[1:]
    together = shared.group_by(keys).agg(pl.col("requests", "errors").sum())
    assert together.sort(keys).equals(alone.drop("pod").sort(keys))
    of_pods = shared.group_by("pod").len()
    assert of_pods.height == PODS
    assert max(of_pods["len"]) < alone.height / 2


@pytest.mark.parametrize("packed", [False, True])
def test_every_pod_has_a_file_as_a_node_names_it(folder: Path, packed: bool) -> None:
    logs = logs_of(folder, "json-cri", PODS, packed=packed)

    writers = {path: container_log(path) for path in logs.path.iterdir()}

    assert len(writers) == PODS
    assert len({path.name.rpartition("-")[2] for path in writers}) == PODS
    for pod, path in logs.files.items():
        writer = writers[path]
        assert writer is not None
        assert (writer.namespace, writer.pod, writer.container) == ("gateways", pod, "istio-proxy")


def test_a_regex_from_the_left_is_fooled(folder: Path) -> None:
    quoted = r'"(.*?)" "(.*?)" "(.*?)" "(.*?)" "(.*?)" (\S+) '
    naive = re.compile(rf'^\[.*?\] ".*?" .*? ".*?" .*? {quoted}')
    read = {match[6] for line in access_log_lines(folder, "text") if (match := naive.match(line))}
    searched = re.compile(r'"upstream_cluster":"(.*?)"')
    unescaped = (line.replace(r"\"", '"') for line in access_log_lines(folder, "json"))
    found = {match[1] for line in unescaped for match in searched.finditer(line)}

    forged = "outbound|80||evil.example"
    assert forged in read
    assert forged in found
    assert forged not in set(written(logs_of(folder, "text"))["cluster"])


def test_every_kind_of_file_holds_the_same_requests(folder: Path) -> None:
    for kind, pods in product(KINDS, (1, PODS)):
        logs = logs_of(folder, kind, pods)
        packed = logs_of(folder, kind, pods, packed=True).files
        for pod, path in logs.files.items():
            assert gzip.decompress(packed[pod].read_bytes()) == path.read_bytes()
    bare, wrapped = (list(access_log_lines(folder, kind)) for kind in ("json", "json-cri"))
    assert bare == wrapped
    lines = list(access_log_lines(folder, "text"))
    assert lines == list(access_log_lines(folder, "text-cri"))
    for line, stored in zip(lines, bare, strict=True):
        fields = json.loads(stored)
        assert len(fields) == 24
        assert line.startswith(f"[{fields['start_time']}] ")
        assert f' "{fields["user_agent"] or "-"}" "{fields["request_id"] or "-"}" ' in line
        assert line.endswith(
            f" {fields['requested_server_name'] or '-'} {fields['route_name'] or '-'}"
        )


def test_a_run_prints_every_engine_and_how_its_peak_grows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--keep", str(tmp_path), "--kinds", "text", "--readers", "this-tool", "line-scan"]

    assert log_reading.main([*options, "--lines", "2000", "4000"]) == 0

    printed = capsys.readouterr().out
    for title in (
        "text: 2,000 lines of 1 pod,",
        "text: 2,000 lines of 10 pods,",
        "text, gz: 4,000 lines of 1 pod,",
        "text, gz: 4,000 lines of 10 pods,",
        "peak memory, 4,000 lines to 2,000",
        "text, one pod ",
        "text, gz, many pods ",
    ):
        assert f"\n{title}" in printed
    assert len(re.findall(r"^this-tool .* as written$", printed, re.MULTILINE)) == 8
    assert printed.count("times as long as the line scan") == 8


def test_several_rounds_are_compared_by_the_middle_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--keep", str(tmp_path), "--kinds", "text", "--packing", "plain", "--pods", "one"]
    options += ["--readers", "this-tool", "line-scan"]

    assert log_reading.main([*options, "--lines", "2000", "--repeat", "2"]) == 0

    number = r"\d+\.\d\d"
    compared = rf"{number} in the middle round, by CPU {number} \(rounds {number} to {number}, "
    printed = capsys.readouterr().out
    assert re.search(rf"\ntimes as long as the line scan: {compared}of the fewest", printed)


def test_a_run_has_the_shape_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--keep", str(tmp_path), "--kinds", "text", "--readers", "this-tool"]

    assert log_reading.main([*options, "--lines", "2000", "--pods", "many"]) == 0

    printed = capsys.readouterr().out
    assert "of 10 pods" in printed
    assert "of 1 pod," not in printed
    assert not PodLogs(tmp_path, "text", 2000).path.exists()


@pytest.mark.parametrize("shape", ["one", "many"])
def test_a_run_fails_when_flows_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: str
) -> None:
    options = ["--keep", str(tmp_path), "--kinds", "text", "--readers", "this-tool"]
    pods = pods_of(shape, 2000)
    write_log_files(tmp_path, 2000, ["text"], pods=pods, packed=False)
    expected = PodLogs(tmp_path, "text", 2000, pods).expected
    rows = pl.read_parquet(expected)
    is_first = pl.int_range(pl.len()) == 0
    rows.with_columns(pl.col("requests") + is_first.cast(pl.Int64)).write_parquet(expected)

    options += ["--lines", "2000", "--pods", shape, "--packing", "plain"]
    assert log_reading.main(options) == 1

    assert "\nthis-tool" in (printed := capsys.readouterr().out)
    assert re.search(r"  1 of [\d,]+ flows differ, such as", printed)


def test_a_flow_of_another_pod_is_a_difference(folder: Path) -> None:
    logs = logs_of(folder, "text", PODS)
    found = found_by(THIS_TOOL, logs)
    one, other, *_ = logs.files

    swapped = found.with_columns(pl.col("pod").replace({one: other, other: one}))

    assert difference(swapped, written(logs)) is not None


@pytest.mark.parametrize("pods", [1, 10])
def test_what_a_broken_off_run_left_is_written_anew(tmp_path: Path, pods: int) -> None:
    logs = PodLogs(tmp_path, "text", 2000, pods)
    for left in logs.unfinished_files.values():
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_text("left over\n", "utf-8")
    if pods > 1:
        (logs.unfinished / "other.log").touch()

    assert write_log_files(tmp_path, 2000, ["text"], pods=pods, packed=False) == []

    texts = [path.read_text("utf-8") for path in tmp_path.rglob("*.log")]
    assert len(texts) == pods
    assert sum(text.count("\n") for text in texts) == 2000


@pytest.mark.parametrize("pods", [1, 10])
def test_only_what_is_not_there_yet_is_written(tmp_path: Path, pods: int) -> None:
    text, json_cri = (PodLogs(tmp_path, kind, 2000, pods) for kind in ("text", "json-cri"))
    write_log_files(tmp_path, 2000, ["text"], pods=pods, packed=False)
    for path in text.files.values():
        path.write_text("kept\n", "utf-8")
    text.expected.unlink()

    write_log_files(tmp_path, 2000, ["text"], pods=pods, packed=False)
    write_log_files(tmp_path, 2000, ["text", "json-cri"], pods=pods, packed=False)

    assert {path.read_text("utf-8") for path in text.files.values()} == {"kept\n"}
    assert difference(found_by(THIS_TOOL, json_cri), written(text)) is None


def test_ten_times_the_lines_are_of_ten_times_the_pods() -> None:
    assert [pods_of("many", lines) for lines in (1_000_000, 10_000_000)] == [100, 1000]
    assert [pods_of("one", lines) for lines in (1_000_000, 10_000_000)] == [1, 1]


@pytest.mark.parametrize("pods", [1, 10])
def test_files_that_do_not_fit_the_disk_are_left_out(tmp_path: Path, pods: int) -> None:
    left_out = write_log_files(tmp_path, 10**12, ["text", "json"], pods=pods)

    assert [logs.kind for logs in left_out] == ["text", "json", "text", "json"]
    assert not list(tmp_path.rglob("*.log*"))
