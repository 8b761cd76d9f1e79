"""Files -> sections: lines of a file whose kinds are found, many files and sections side by side.

A large plain file is cut at bytes; any other is read from its begin. What was found comes in the
order of the files and their lines, so that it does not depend on what is ready first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final, cast

from recommender.access_logs.alike import Kinds
from recommender.access_logs.files import (
    PIECE_BYTES,
    LogFile,
    Piece,
    is_large_packed_log,
    is_plain_log,
    read_pieces,
)
from recommender.access_logs.line_counts import SkippedLines
from recommender.access_logs.object_storage import ObjectStorage
from recommender.access_logs.read_ahead import read_ahead

SECTION_BYTES: Final = 8 << 20
_FAR_END: Final = 1 << 62
_WAITING_FOR_EACH: Final = 2


@dataclass(frozen=True, slots=True)
class Section:
    """Hold what was found in some lines of a file.

    Attributes:
        file: The file.
        kinds: The lines, with numbers that begin at 1.
        lines: How many they are.
        is_last: No section of the file follows.
        skipped: What was lost.
    """

    file: LogFile
    kinds: Kinds
    lines: int
    is_last: bool
    skipped: tuple[SkippedLines, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """Say how files are read.

    Attributes:
        new_kinds: Makes what finds the kinds of lines.
        stdin: The standard input.
        storage: What opens objects.
        section_bytes: How long the sections are that large files are cut into.
        batch_bytes: How much text to hold at most that is to be looked at, about.
        readers: How many sections are read at the same time.
    """

    new_kinds: Callable[[], Kinds]
    stdin: BinaryIO | None
    storage: ObjectStorage
    section_bytes: int
    batch_bytes: int
    readers: int


_Bounds = tuple[int, int | None]


def read_sections(files: Sequence[LogFile], how: Reading) -> Iterator[Section]:
    """Read files side by side, but for those that may wait for somebody; yield in their order."""
    begun: deque[Future[tuple[Section, Iterator[Section]]]] = deque()
    with ThreadPoolExecutor(how.readers) as readers:
        for file, bounds in _bounds_of(files, how.section_bytes):
            sections = _sections(file, bounds, how)
            if _may_wait(file):
                yield from _of_all(begun, 0)
                yield from sections
            else:
                begun.append(readers.submit(_begin, sections))
                yield from _of_all(begun, how.readers * _WAITING_FOR_EACH)
        yield from _of_all(begun, 0)


def _begin(sections: Iterator[Section]) -> tuple[Section, Iterator[Section]]:
    return next(sections), sections


def _of_all(begun: deque[Future[tuple[Section, Iterator[Section]]]], but: int) -> Iterator[Section]:
    """Yield the sections of all that was begun, but for the last ones."""
    while len(begun) > but:
        first, others = begun.popleft().result()
        yield first
        yield from others


def _bounds_of(
    files: Sequence[LogFile], section_bytes: int
) -> Iterator[tuple[LogFile, _Bounds | None]]:
    """Say between which bytes each file is read; None is all of one that cannot be cut."""
    for file in files:
        size = plain_size(file)
        if size is None:
            yield file, None
            continue
        bounds = [*range(0, max(1, size), section_bytes), None]
        for begin, end in pairwise(bounds):
            yield file, (begin or 0, end)


def plain_size(file: LogFile) -> int | None:
    """Return the size of a file whose sections can be read by themselves, else None."""
    if file.path is None or not file.path.is_file():
        return None
    try:
        return file.path.stat().st_size if is_plain_log(file.path) else None
    except OSError:
        return None


def _may_wait(file: LogFile) -> bool:
    return file.stored is None and (file.path is None or not file.path.is_file())


def _sections(file: LogFile, bounds: _Bounds | None, how: Reading) -> Iterator[Section]:
    """Read what is between two bytes of a file, or all of it."""
    begin, end = bounds or (0, None)
    kinds = _new_kinds(how, begin)
    if bounds:
        lines, at = _simple_lines(file, (begin, end), kinds, how.batch_bytes)
        while kinds.line_bytes >= how.batch_bytes:
            yield Section(file, kinds, lines, is_last=False, skipped=())
            kinds = _new_kinds(how, at)
            lines, at = _simple_lines(file, (at, end), kinds, how.batch_bytes)
        if end is not None and at >= end:
            yield Section(file, kinds, lines, is_last=False, skipped=())
            return
        bounds = at, end
    else:
        lines = 0
    yield from _of_pieces(file, bounds, how, kinds, lines)


def _of_pieces(
    file: LogFile, bounds: _Bounds | None, how: Reading, kinds: Kinds, lines: int
) -> Iterator[Section]:
    """Read on behind so many lines of a section."""
    skipped: list[SkippedLines] = []
    is_end = bounds is None or bounds[1] is None
    for piece in _pieces(file, bounds, how):
        lines = _add_piece(kinds, piece, lines, skipped)
        if piece.is_last or kinds.line_bytes >= how.batch_bytes:
            is_last = piece.is_last and is_end
            yield Section(file, kinds, lines, is_last, tuple(skipped))
            kinds, lines, skipped = _new_kinds(how, 1), 0, []


def _new_kinds(how: Reading, begin: int) -> Kinds:
    kinds = how.new_kinds()
    if begin:
        kinds.begin_inside()
    return kinds


def _pieces(file: LogFile, bounds: _Bounds | None, how: Reading) -> Iterator[Piece]:
    size = min(how.batch_bytes, PIECE_BYTES)
    pieces = read_pieces(file, how.stdin, how.storage, size=size, section=bounds)
    return read_ahead(pieces) if bounds is None and is_large_packed_log(file) else pieces


def _simple_lines(file: LogFile, bounds: _Bounds, kinds: Kinds, most: int) -> tuple[int, int]:
    """Add the lines up to one that is too long or cannot be read, and say where that begins."""
    begin, end = bounds
    try:
        with cast("Path", file.path).open("rb", buffering=0) as stream:
            far_end = _FAR_END if end is None else end
            return kinds.add_section(stream.fileno(), begin, far_end, most)
    except OSError:
        return 0, begin


def _add_piece(kinds: Kinds, piece: Piece, before: int, skipped: list[SkippedLines]) -> int:
    """Add a piece that follows so many lines; returns how many lines there are behind it.

    `skipped` gets what was lost.
    """
    for reason in piece.dropped:
        before += 1
        skipped.append(SkippedLines(reason, 1, f"{piece.file.name}:{before}"))
    skipped += piece.skipped
    return before + kinds.add(piece.data, before + 1)
