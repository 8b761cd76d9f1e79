"""What is read ahead is what was asked for."""

from __future__ import annotations

import gzip
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from recommender.access_logs import pieces
from recommender.access_logs.log_file import LogFile
from recommender.access_logs.pieces import is_large_packed_log
from recommender.access_logs.read_ahead import read_ahead
from tests.access_logs.helpers import read, text, write


def test_items_come_in_their_order() -> None:
    assert list(read_ahead(iter(range(50)))) == list(range(50))


def test_an_error_comes_where_it_happened() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("two")

    items = read_ahead(failing())

    assert next(items) == 1
    with pytest.raises(ValueError, match="two"):
        next(items)


def test_whoever_wants_no_more_ends_what_would_go_on_for_ever() -> None:
    made = count()
    items = cast("Generator[int]", read_ahead(made))

    assert next(items) == 0
    items.close()

    assert next(made) < 100


def test_large_packed_files_are_read_ahead_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [text(authority=f"a{place}") for place in range(300)]
    packed = write(tmp_path / "a.log.gz", gzip.compress("\n".join(lines).encode()))
    file = LogFile(packed, "a.log.gz")
    before = read(packed).requests
    assert not is_large_packed_log(file)

    monkeypatch.setattr(pieces, "_LARGE_PACKED", 10)

    assert is_large_packed_log(file)
    assert read(packed).requests.equals(before)


def test_nothing_that_may_wait_is_read_ahead(tmp_path: Path) -> None:
    assert not is_large_packed_log(LogFile(None, "stdin"))
    assert not is_large_packed_log(LogFile(tmp_path / "gone", "gone"))
