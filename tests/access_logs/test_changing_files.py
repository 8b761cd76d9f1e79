"""A file that changes while it is read is read as it was found, or what is lost is counted."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from recommender.access_logs import LogBatch, find_logs, read_access_logs
from recommender.access_logs.alike import Kinds, LinesAlone, kinds_of
from recommender.access_logs.formats import assumed_formats
from recommender.access_logs.log_file import GONE, LogFile
from recommender.access_logs.pieces import SHORTER, read_pieces
from recommender.files import find_files
from tests.access_logs.helpers import POD, merged, text, write

LINES = [text(authority=f"reviews-{number}:9080") for number in range(2000)]
OTHER = [text(authority="evil.default:80")]
SECTION_BYTES, BATCH_BYTES = 300, 20_000
KINDS = [pytest.param(LinesAlone, id="alone"), pytest.param(kinds_of(assumed_formats()), id="best")]
NewKinds = Callable[[], Kinds]


def read_slowly(path: Path, new_kinds: NewKinds | None = None) -> Iterator[LogBatch]:
    return read_access_logs(
        [path],
        source_pod=POD,
        section_bytes=SECTION_BYTES,
        batch_bytes=BATCH_BYTES,
        new_kinds=new_kinds,
    )


def rotate(path: Path) -> None:
    """Do what the kubelet does: rename a log, and begin another one under its name."""
    path.rename(f"{path}.20261126-093000")
    write(path, OTHER)


def reasons(batch: LogBatch) -> list[tuple[str, str]]:
    return [(entry.reason, entry.example) for entry in batch.lines.skipped]


@pytest.mark.parametrize("new_kinds", KINDS)
@pytest.mark.parametrize("batches_before", [0, 1])
def test_a_log_that_is_rotated_is_read_as_it_was_found(
    tmp_path: Path, new_kinds: NewKinds, batches_before: int
) -> None:
    path = write(tmp_path / "a.log", LINES)
    whole = merged(read_slowly(path, new_kinds))

    batches = read_slowly(path, new_kinds)
    before = [next(batches) for _ in range(batches_before)]
    rotate(path)
    found = merged(chain(before, batches))

    assert found.lines == whole.lines
    assert found.requests.equals(whole.requests)
    assert found.lines.used == len(LINES)


def test_a_log_that_is_rotated_while_logs_are_looked_for_is_read_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.log", LINES)

    def find_and_rotate(*arguments: Any) -> list[Path]:
        found = find_files(*arguments)
        if found == [path]:
            rotate(path)
        return found

    monkeypatch.setattr(find_logs, "find_files", find_and_rotate)
    found = merged(read_access_logs([tmp_path], source_pod=POD))

    assert found.lines.used == len(LINES) + len(OTHER)
    assert reasons(found) == []


def test_a_packed_log_and_a_link_to_a_log_are_read_as_they_were_found(tmp_path: Path) -> None:
    """On a node, /var/log/containers holds links; rotation does not change them."""
    packed = write(tmp_path / "pods" / "a.log", gzip.compress("\n".join(LINES).encode()))
    link = tmp_path / "containers" / "a.log"
    link.parent.mkdir()
    link.symlink_to(packed)

    batches = read_slowly(link)
    rotate(packed)

    assert merged(batches).lines.used == len(LINES)


@pytest.mark.parametrize("new_kinds", KINDS)
def test_of_a_log_that_another_took_the_place_of_nothing_is_read_and_the_loss_is_counted(
    tmp_path: Path, new_kinds: NewKinds
) -> None:
    path = write(tmp_path / "a.log", LINES)
    other = write(tmp_path / "b.log", OTHER)

    batches = read_access_logs([path], source_pod=POD, new_kinds=new_kinds)
    other.replace(path)
    found = merged(batches)

    assert found.lines.used == 0
    assert reasons(found) == [(f"the file cannot be read on: {GONE}", str(path))]


@pytest.mark.parametrize("new_kinds", KINDS)
def test_what_is_cut_off_a_log_while_it_is_read_is_counted(
    tmp_path: Path, new_kinds: NewKinds
) -> None:
    path = write(tmp_path / "a.log", LINES)
    batches = read_slowly(path, new_kinds)
    first = next(batches)
    os.truncate(path, 0)
    found = merged(chain([first], batches))

    assert 0 < found.lines.used < len(LINES)
    assert reasons(found) == [(SHORTER, str(path))]


@pytest.mark.parametrize(
    ("section", "is_shorter"),
    [
        ((0, None), False),
        ((8, None), False),
        ((9, None), True),
        ((8, 9), True),
        ((4, 8), False),
        ((0, 20), True),
        ((12, 20), True),
        ((20, None), True),
    ],
)
def test_a_section_tells_whether_the_file_has_become_shorter(
    tmp_path: Path, section: tuple[int, int | None], is_shorter: bool
) -> None:
    path = write(tmp_path / "a.log", b"one\ntwo\n")

    *_, last = read_pieces(LogFile(path, "a.log"), section=section)

    assert [entry.reason for entry in last.skipped] == [SHORTER] * is_shorter
