"""A file that is read in sections gives what it gives as a whole."""

from __future__ import annotations

import gzip
from collections.abc import Generator, Iterator
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.access_logs import LogBatch, pieces, read_access_logs, sections
from recommender.access_logs.alike import LinesAlone, kinds_of
from recommender.access_logs.formats import assumed_formats
from recommender.access_logs.log_file import LogFile
from recommender.access_logs.object_storage import ObjectStorage
from recommender.access_logs.pieces import Piece, plain_size, read_pieces
from recommender.access_logs.sections import (
    Reading,
    Section,
    SpareKinds,
    read_sections,
    section_begins,
)
from tests.access_logs.helpers import (
    POD,
    as_json,
    cri,
    merged,
    needs_compiled,
    skipped,
    summed,
    text,
    write,
)

SHORT = 300
SMALL_LINES = st.lists(st.sampled_from((b"", b"x", b"\r", b"long" * 9)), max_size=30)


def read_in(path: Path, section_bytes: int, batch_bytes: int = 1 << 20) -> LogBatch:
    return merged(
        read_access_logs(
            [path],
            source_pod=POD,
            section_bytes=section_bytes,
            batch_bytes=batch_bytes,
        )
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SMALL_LINES, st.booleans(), st.integers(1, 40))
def test_sections_are_the_lines_of_a_file_each_once(
    tmp_path: Path, lines: list[bytes], ends: bool, section_bytes: int
) -> None:
    data = b"\n".join(lines) + b"\n" * ends
    path = write(tmp_path / "a.log", data)
    file = LogFile(path, "a.log")
    bounds = [*range(0, max(1, len(data)), section_bytes), None]

    sections = [
        b"".join(piece.data for piece in read_pieces(file, section=(begin or 0, end)))
        for begin, end in pairwise(bounds)
    ]

    assert b"".join(sections) == data
    assert all(section.endswith(b"\n") for section in list(filter(None, sections))[:-1])


@needs_compiled
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SMALL_LINES, st.booleans(), st.integers(1, 40))
def test_what_is_simple_of_a_section_are_its_first_lines(
    tmp_path: Path, lines: list[bytes], ends: bool, section_bytes: int
) -> None:
    """What is left begins where a line does, and is nothing but a line without an end."""
    data = b"\n".join(lines) + b"\n" * ends
    path = write(tmp_path / "a.log", data)
    file = LogFile(path, "a.log")
    new_kinds = kinds_of(assumed_formats())
    for begin in range(0, max(1, len(data)), section_bytes):
        end = begin + section_bytes
        whole = b"".join(piece.data for piece in read_pieces(file, section=(begin, end)))
        kinds = new_kinds()
        with path.open("rb") as stream:
            count, at = kinds.add_section(stream.fileno(), begin, end, 1 << 20)
        taken = "".join(f"{line}\n" for line in kinds.take().lines["line"]).encode()

        assert whole.startswith(taken)
        assert count == taken.count(b"\n")
        assert (at >= end) == (whole == taken) or b"\n" not in whole[len(taken) :]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            (
                text(),
                text(authority="a"),
                as_json(),
                cri(text()),
                cri(text()[:90], "P"),
                cri(text()[90:]),
                cri(text(), stream="stderr"),
                "x",
            )
        ),
        min_size=10,
        max_size=60,
    ),
    st.sampled_from((SHORT, 1000)),
    st.sampled_from((100, 1 << 20)),
)
def test_a_file_in_sections_gives_what_it_gives_as_a_whole(
    tmp_path: Path, lines: list[str], section_bytes: int, batch_bytes: int
) -> None:
    path = write(tmp_path / "a.log", lines)
    found = read_in(path, section_bytes, batch_bytes)
    whole = merged(read_access_logs([path], source_pod=POD, new_kinds=LinesAlone))

    assert found.lines == whole.lines
    assert summed(found.requests).equals(summed(whole.requests))


@pytest.mark.parametrize("section_bytes", [70_000, 262_144, 262_145, 400_000])
@pytest.mark.parametrize("ends", [True, False])
def test_lines_longer_than_what_is_read_at_a_time_are_read_whole(
    tmp_path: Path, section_bytes: int, ends: bool
) -> None:
    """A section is read in blocks of 256 KiB."""
    common = [text(authority=f"a{place % 7}") for place in range(2000)]
    long_lines = ["x" * length for length in (262_143, 262_144, 262_145, 600_000)]
    lines = [*common, long_lines[0], *common[:50], *long_lines[1:3], *common, long_lines[3]]
    path = write(tmp_path / "a.log", "\n".join(lines) + "\n" * ends)
    found = read_in(path, section_bytes)
    whole = merged(read_access_logs([path], source_pod=POD, new_kinds=LinesAlone))

    assert found.lines == whole.lines
    assert found.lines.used == 2 * len(common) + 50
    assert summed(found.requests).equals(summed(whole.requests))


def test_the_hour_in_a_name_is_not_taken_for_a_line(tmp_path: Path) -> None:
    lines = "".join(f"{text(authority=str(place))}\n" for place in range(2000)).encode()
    path = write(tmp_path / "envoy.log-2026-11-24T10:30", gzip.compress(lines)[:-500])

    (entry,) = read_in(path, SHORT, 10_000).lines.skipped

    assert entry.example == str(path)


def test_a_section_inside_of_a_line_is_not_read_to_the_end_of_the_line(tmp_path: Path) -> None:
    """Else the time to read a file of one line grows with the square of its length."""
    path = write(tmp_path / "a.log", b"x" * (1 << 22))
    with path.open("rb") as stream:
        assert list(pieces._section(stream, 1 << 19, 1 << 20)) == []
        assert stream.tell() < 1 << 21


def test_who_stops_reading_does_not_wait_for_the_ends_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun, is_enough = Event(), Event()

    def slow_pieces(file: LogFile, *_: object, **__: object) -> Iterator[Piece]:
        while file.name == "endless" and not is_enough.wait(0.001):
            yield Piece(file, f"{text()}\n".encode())
            has_begun.set()
        yield Piece(file, b"", is_last=True)

    monkeypatch.setattr(sections, "read_pieces", slow_pieces)
    names = {"short": write(tmp_path / "a.log", [text()]), "endless": tmp_path / "b.log.gz"}
    names["endless"].write_bytes(gzip.compress(text().encode()))
    how = Reading(SpareKinds(LinesAlone), None, ObjectStorage(), 1 << 20, 1 << 40, readers=2)
    found = read_sections([LogFile(path, name) for name, path in names.items()], how)
    next(found)
    assert has_begun.wait(9)
    stopping = Thread(target=cast("Generator[Section]", found).close)
    stopping.start()
    stopping.join(9)
    waits = stopping.is_alive()
    is_enough.set()

    assert not waits


@pytest.mark.parametrize("is_packed", [False, True])
def test_what_finds_kinds_in_a_file_is_used_again_for_later_ones(
    tmp_path: Path, is_packed: bool
) -> None:
    made = []

    def new_kinds() -> LinesAlone:
        made.append(LinesAlone())
        return made[-1]

    data = f"{text()}\n".encode() * 3
    packed = gzip.compress(data) if is_packed else data
    files = [LogFile(write(tmp_path / f"{n}.log", packed), str(n)) for n in range(40)]
    how = Reading(SpareKinds(new_kinds), None, ObjectStorage(), 1 << 20, 1 << 20, readers=1)

    assert sum(section.lines for section in read_sections(files, how)) == 120

    assert len(made) < 10


def test_an_example_in_a_later_section_has_its_number_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", [*[text()] * 20, "x", *[text()] * 20])

    (entry,) = read_in(path, SHORT).lines.skipped

    assert entry.example == f"{path}:21"


def test_a_line_that_is_too_long_is_counted_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "MOST_LINE_BYTES", 5000)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1000)
    lines = [*[text()] * 30, "x" * 20_000, "y" * 20_000, *[text()] * 30]
    path = write(tmp_path / "a.log", lines)

    found = read_in(path, SHORT)

    assert found.lines.used == 60
    (entry,) = found.lines.skipped
    assert (entry.lines, entry.example) == (2, f"{path}:31")


@pytest.mark.parametrize(
    ("content", "is_cut"),
    [
        (text().encode() * 9, True),
        (as_json().encode() * 9, True),
        (gzip.compress(bytes(range(256)) * 90), False),
        (b'[\n {"a": 1}\n]\n' * 90, False),
        (b"PK\x03\x04" + b"\0" * 2000, False),
        (b"\xef\xbb\xbf" + (text() + "\n").encode() * 9, False),
    ],
)
def test_only_what_is_plain_is_cut(tmp_path: Path, content: bytes, is_cut: bool) -> None:
    path = write(tmp_path / "a.log", content)

    assert plain_size(LogFile(path, "a.log")) == (len(content) if is_cut else None)
    assert skipped(read_in(path, SHORT)) == skipped(read_in(path, 1 << 20))


def test_what_is_no_file_on_a_disk_is_not_cut(tmp_path: Path) -> None:
    assert plain_size(LogFile(None, "stdin")) is None
    assert plain_size(LogFile(tmp_path / "gone", "gone")) is None


@pytest.mark.parametrize("size", [0, 1, 2, 31, 32, 33, 1000, 100_003])
def test_the_last_sections_of_a_file_are_the_shortest(size: int) -> None:
    begins = [*section_begins(size, 8)]
    lengths = [end - begin for begin, end in pairwise([*begins, max(1, size)])]

    assert begins[0] == 0
    assert all(8 <= length <= 32 for length in lengths[:-1])
    assert 1 <= lengths[-1] <= 32
    assert lengths[:-1] == sorted(lengths[:-1], reverse=True)
    assert size < 1000 or (lengths[0], lengths[-2]) == (32, 8)


@needs_compiled
def test_kinds_that_are_known_fill_no_batch(tmp_path: Path) -> None:
    """A batch takes long to look at, and each section finds all of its kinds anew."""
    kinds = [text(authority=f"reviews-{number}:9080") for number in range(50)]
    lines = [line for round_ in range(100) for line in (*kinds, f"something else {round_}")]
    path = write(tmp_path / "a.log", lines)
    size = sum(map(len, kinds))

    batches = list(
        read_access_logs([path], source_pod=POD, section_bytes=2 * size, batch_bytes=size * 3 // 4)
    )

    assert sum(batch.lines.used for batch in batches) == 5000
    assert len(batches) <= 3
