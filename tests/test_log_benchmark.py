"""The benchmark of log reading: every engine finds what was written, also where it is hostile."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import log_reading
from benchmarks.log_files import EXPECTED, KINDS, log_file, write_log_files
from benchmarks.log_flows import Counts, counts_of_flows, counts_of_rows, difference
from benchmarks.log_readers import CHDB, DUCKDB, READERS, THIS_TOOL

LINES = 10_000
FILES = [(kind, packed) for kind in KINDS for packed in (False, True)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("logs")
    assert write_log_files(made, LINES) == []
    return made


@pytest.fixture(scope="module")
def written(folder: Path) -> Counts:
    return counts_of_rows(json.loads((folder / str(LINES) / EXPECTED).read_text("utf-8")))


def text_of(folder: Path, kind: str) -> str:
    return log_file(folder, kind, LINES).read_text("utf-8")


def access_log_lines(folder: Path, kind: str) -> Iterator[str]:
    start = "{" if kind.startswith("json") else "["
    for stored in text_of(folder, kind).removesuffix("\n").split("\n"):
        line = stored.split(" ", 3)[3] if kind.endswith("-cri") else stored
        if line.startswith(start):
            yield line


@pytest.mark.parametrize(("kind", "packed"), FILES)
def test_this_tool_finds_what_was_written(
    folder: Path, written: Counts, kind: str, packed: bool
) -> None:
    flows = READERS[THIS_TOOL]()(log_file(folder, kind, LINES, packed=packed))

    assert difference(counts_of_flows(flows), written) is None


@pytest.mark.parametrize("engine", [DUCKDB, CHDB])
@pytest.mark.parametrize(("kind", "packed"), FILES)
def test_a_query_finds_what_was_written(
    folder: Path, written: Counts, engine: str, kind: str, packed: bool
) -> None:
    pytest.importorskip(engine, reason="the extra `benchmark` is not installed: it is large")

    rows = READERS[engine]()(log_file(folder, kind, LINES, packed=packed))

    assert difference(counts_of_rows(rows), written) is None


def test_a_thousandth_of_the_lines_is_no_access_log_line(folder: Path, written: Counts) -> None:
    for kind in KINDS:
        assert text_of(folder, kind).count("\n") == LINES
        assert len(list(access_log_lines(folder, kind))) == LINES - LINES // 1000
    assert sum(requests for requests, _ in written.values()) == LINES - LINES // 1000


def test_flows_are_of_many_kinds(written: Counts) -> None:
    assert len(written) > 500
    days, clusters, authorities, names, _, _ = (set(part) for part in zip(*written, strict=True))
    assert len(days) == 2
    assert {"", "PassthroughCluster", "inbound|8080||"} < clusters
    assert len(clusters) > 250
    assert len(authorities) > 250
    assert len(names) > 20
    assert 0 < sum(errors for _, errors in written.values()) < LINES / 10


def test_a_regex_from_the_left_is_fooled(folder: Path, written: Counts) -> None:
    quoted = r'"(.*?)" "(.*?)" "(.*?)" "(.*?)" "(.*?)" (\S+) '
    naive = re.compile(rf'^\[.*?\] ".*?" .*? ".*?" .*? {quoted}')
    read = {match[6] for line in access_log_lines(folder, "text") if (match := naive.match(line))}
    searched = re.compile(r'"upstream_cluster":"(.*?)"')
    unescaped = (line.replace(r"\"", '"') for line in access_log_lines(folder, "json"))
    found = {match[1] for line in unescaped for match in searched.finditer(line)}

    forged = "outbound|80||evil.example"
    assert forged in read
    assert forged in found
    assert forged not in {cluster for _, cluster, *_ in written}


def test_every_kind_of_file_holds_the_same_requests(folder: Path) -> None:
    for text, packed in ((kind, log_file(folder, kind, LINES, packed=True)) for kind in KINDS):
        assert gzip.decompress(packed.read_bytes()).decode("utf-8") == text_of(folder, text)
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
        "text: 2,000 lines",
        "text, gz: 4,000 lines",
        "peak memory, 4,000 lines to 2,000",
    ):
        assert f"\n{title}" in printed
    assert len(re.findall(r"^this-tool .* as written$", printed, re.MULTILINE)) == 4
    assert printed.count("times as long as the line scan") == 4


def test_a_run_fails_when_flows_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--keep", str(tmp_path), "--kinds", "text", "--readers", "this-tool"]
    write_log_files(tmp_path, 2000, ["text"], packed=False)
    expected = tmp_path / "2000" / EXPECTED
    first, *others = json.loads(expected.read_text("utf-8"))
    expected.write_text(json.dumps([[*first[:-1], first[-1] + 1], *others]), "utf-8")

    assert log_reading.main([*options, "--lines", "2000", "--packing", "plain"]) == 1

    assert "flows differ, such as" in capsys.readouterr().out


def test_files_that_do_not_fit_the_disk_are_left_out(tmp_path: Path) -> None:
    left_out = write_log_files(tmp_path, 10**12, ["text", "json"])

    assert [path.parent.name for path in left_out] == ["text", "json", "text", "json"]
    assert not list(tmp_path.rglob("*.log*"))
