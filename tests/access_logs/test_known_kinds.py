"""Lines of one kind are looked at once, whatever file they are in, and counted where they are."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.access_logs import LogBatch, LogFormat, read, read_access_logs, sections
from recommender.access_logs.alike import Found, LinesAlone, kinds_of
from recommender.access_logs.alike.kinds import CompiledKinds
from recommender.access_logs.formats import assumed_formats, parse_lines
from recommender.access_logs.wrappers import no_parts
from tests.access_logs.helpers import POD, as_json, cri, merged, needs_compiled, summed, text, write

LINES = (
    text(),
    text(authority="a"),
    text(start_time="2026-11-24T00:00:00.000Z"),
    text(start_time="2001-02-03T00:00:00.000Z"),
    *(text(start_time=f"2026-10-{day:02}T12:00:00.000Z") for day in range(1, 20)),
    as_json(),
    as_json(response_code="503"),
    cri(text()),
    cri(text()[:90], "P"),
    cri(text()[90:]),
    "x",
    "",
)
FILES = st.lists(st.lists(st.sampled_from(LINES), max_size=12), min_size=1, max_size=6)


def written(folder: Path, files: list[list[str]]) -> list[Path]:
    """Write the logs of pods, of which the first two are the same pod's."""
    return [
        write(folder / f"web-{max(0, place - 1)}_shop_istio-proxy-{place:064}.log", lines)
        for place, lines in enumerate(files)
    ]


def of_paths(paths: list[Path], *, alone: bool = False) -> LogBatch:
    if alone:
        return merged(read_access_logs(paths, new_kinds=LinesAlone))
    return merged(read_access_logs(paths))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES, st.sampled_from((1, 2, 1 << 16)), st.sampled_from((1, 5, 100_000)))
def test_files_that_share_kinds_give_what_each_of_their_lines_gives(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    files: list[list[str]],
    kinds: int,
    rows: int,
) -> None:
    """It changes nothing when kinds are forgotten, or rows are taken before all are there."""
    monkeypatch.setattr(read, "_MOST_KINDS", kinds)
    monkeypatch.setattr(read, "MOST_ROWS", rows)
    monkeypatch.setattr(sections, "MOST_ROWS", rows)
    paths = written(tmp_path_factory.mktemp("logs"), files)

    together, alone = of_paths(paths), of_paths(paths, alone=True)

    assert together.lines == alone.lines
    assert summed(together.requests).equals(summed(alone.requests))


@needs_compiled
def test_a_line_is_looked_at_once_in_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[int] = []

    def parse(lines: pl.DataFrame, formats: Sequence[LogFormat]) -> pl.DataFrame:
        looked_at.append(lines.height)
        return parse_lines(lines, formats)

    monkeypatch.setattr(read, "parse_lines", parse)
    paths = written(tmp_path, [[text(), text(path="/b")]] * 9)

    found = of_paths(paths)

    assert sum(looked_at) == 1
    assert found.lines.used == 18
    assert found.requests["source_pod"].n_unique() == 8


def test_who_reads_a_long_file_hears_of_it_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "_MOST_LINES", 10)
    path = write(tmp_path / "a.log", [text()] * 60)

    batches = list(read_access_logs([path], source_pod=POD, section_bytes=len(text()) * 7))

    assert len(batches) > 2
    assert merged(batches).lines.used == 60


@needs_compiled
def test_long_names_are_not_all_held_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most, length = 100_000, 5000
    monkeypatch.setattr(read, "_MOST_KIND_BYTES", most)
    held: list[int] = []
    take = CompiledKinds.take

    def taken(kinds: CompiledKinds) -> Found:
        held.append(kinds.kind_bytes)
        return take(kinds)

    monkeypatch.setattr(CompiledKinds, "take", taken)
    lines = [text(authority=f"a{place}" + "x" * length) for place in range(200)]
    paths = written(tmp_path, [lines, lines])

    batches = list(read_access_logs(paths, batch_bytes=most))

    assert sum(batch.lines.used for batch in batches) == 400
    assert max(held) < 3 * most


@needs_compiled
def test_kinds_that_say_the_same_are_one_row_of_a_day(tmp_path: Path) -> None:
    """The port of a peer, say, makes a kind of its own, and tells nothing."""
    days = ("2026-11-23", "2026-11-24")
    lines = [
        text(start_time=f"{day}T12:16:11.401Z", upstream_host=host)
        for day in days
        for host in ("10.0.0.1:80", "a")
    ]

    requests = of_paths(written(tmp_path, [lines])).requests

    assert sorted(requests["first_seen"].dt.strftime("%Y-%m-%d")) == list(days)
    assert requests["requests"].to_list() == [2, 2]


def test_logs_are_read_where_nothing_could_be_compiled(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", [text()] * 3)
    script = (
        "import sys; sys.modules['recommender.access_logs.alike._alike'] = None\n"
        "from recommender.access_logs import read_access_logs\n"
        f"print([b.lines.used for b in read_access_logs([{str(path)!r}], source_pod=('a', 'b'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert done.stdout.split() == [b"[3]"]


def test_what_goes_wrong_behind_the_wrappers_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "unwrap", lambda stored, *_: (stored.drop("number"), no_parts()))
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        of_paths(written(tmp_path, [[text()]]))


@needs_compiled
def test_nothing_is_merged_that_is_not_all_there() -> None:
    kinds, other = (kinds_of(assumed_formats())() for _ in range(2))
    other.add(text().encode(), 1)
    other.take()
    with pytest.raises(ValueError, match="before any is taken"):
        kinds.merge(other, 0)
    with pytest.raises(ValueError, match="before any is taken"):
        kinds.merge(kinds, 0)


@needs_compiled
def test_kinds_are_not_forgotten_before_their_rows_are_taken() -> None:
    kinds = kinds_of(assumed_formats())()
    kinds.add(text().encode(), 1)
    with pytest.raises(ValueError, match="before their kinds are forgotten"):
        kinds.forget()

    first = kinds.take()
    kinds.forget()
    kinds.add(text().encode(), 1)

    assert kinds.take().lines.equals(first.lines)


@needs_compiled
def test_what_was_taken_stays_when_its_finder_is_gone() -> None:
    """The tables are not copied: they own what they show."""
    found = []
    for place in range(50):
        kinds = kinds_of(assumed_formats())()
        kinds.add("\n".join(text(authority=f"a{place}") for _ in range(9)).encode(), 1)
        found.append(kinds.take())
        del kinds

    assert [f.lines["line"].to_list() for f in found] == [
        [text(authority=f"a{place}")] for place in range(50)
    ]
    assert [f.rows["requests"].item() for f in found] == [9] * 50
