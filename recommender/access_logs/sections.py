"""Files -> sections: lines of a file whose kinds are found, many files and sections side by side.

A large plain file is cut at bytes; any other is read from its begin. What was found comes in the
order of the files and their lines, so that it does not depend on what is ready first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from threading import Event
from typing import BinaryIO, Final

from recommender.access_logs.alike import Kinds
from recommender.access_logs.line_counts import SkippedLines
from recommender.access_logs.log_file import LogFile, open_found
from recommender.access_logs.object_storage import ObjectStorage
from recommender.access_logs.pieces import (
    PIECE_BYTES,
    Piece,
    is_large_packed_log,
    plain_size,
    read_pieces,
)
from recommender.access_logs.read_ahead import read_ahead

SECTION_BYTES: Final = 8 << 20
_MOST_TIMES: Final = 4
_PARTS_OF_REST: Final = 8
MOST_ROWS: Final = 100_000
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


class SpareKinds:
    """Hold what finds the kinds of lines, to be used again, as its memory takes long to get."""

    def __init__(self, new_kinds: Callable[[], Kinds]) -> None:
        self._new_kinds = new_kinds
        self._spare: deque[Kinds] = deque()

    def take(self) -> Kinds:
        """Take one that knows nothing."""
        try:
            return self._spare.pop()
        except IndexError:
            return self._new_kinds()

    def give(self, kinds: Kinds) -> None:
        """Give one back that is of no use any more."""
        kinds.clear()
        self._spare.append(kinds)


@dataclass(frozen=True, slots=True)
class Reading:
    """Say how files are read.

    Attributes:
        kinds: What finds the kinds of lines.
        stdin: The standard input.
        storage: What opens objects.
        section_bytes: How long the last sections are that large files are cut into.
        batch_bytes: How much text to hold at most that is to be looked at, about.
        readers: How many sections are read at the same time.
    """

    kinds: SpareKinds
    stdin: BinaryIO | None
    storage: ObjectStorage
    section_bytes: int
    batch_bytes: int
    readers: int


_Bounds = tuple[int, int | None]


def read_sections(files: Sequence[LogFile], how: Reading) -> Iterator[Section]:
    """Read files side by side, but for those that may wait for somebody; yield in their order.

    What was found in a section is to be used before the next one is asked for.
    """
    with closing(_sections(files, how)) as found:
        for section in found:
            yield section
            how.kinds.give(section.kinds)


def _sections(files: Sequence[LogFile], how: Reading) -> Generator[Section]:
    begun: deque[Future[tuple[Section, Iterator[Section]]]] = deque()
    stopped = Event()
    with ThreadPoolExecutor(how.readers) as readers:
        try:
            for file, bounds in _bounds_of(files, how.section_bytes):
                sections = _Part(file, bounds, how, stopped).sections()
                if _may_wait(file):
                    yield from _of_all(begun, 0)
                    yield from sections
                else:
                    begun.append(readers.submit(_begin, sections))
                    yield from _of_all(begun, how.readers * _WAITING_FOR_EACH)
            yield from _of_all(begun, 0)
        finally:
            # Whoever wants no more waits for no more than the blocks that are being read.
            stopped.set()
            readers.shutdown(cancel_futures=True)


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
        for begin, end in pairwise([*section_begins(size, section_bytes), None]):
            yield file, (begin or 0, end)


def section_begins(size: int, least: int) -> Iterator[int]:
    """Say where sections begin: the first are longer, as what is in all of them is merged.

    The last are short, so that nobody has long to read when all others are done.
    """
    at = 0
    while True:
        yield at
        at += max(least, min((size - at) // _PARTS_OF_REST, least * _MOST_TIMES))
        if at >= size:
            return


def _may_wait(file: LogFile) -> bool:
    return file.stored is None and not file.is_regular


@dataclass(frozen=True, slots=True)
class _Part:
    """Read what is between two bytes of a file, or all of it."""

    file: LogFile
    bounds: _Bounds | None
    how: Reading
    stopped: Event

    def sections(self) -> Iterator[Section]:
        """Read the part in sections of not too many lines that are to be looked at."""
        if self.bounds is None:
            yield from self._read_on(self._new_kinds(0), 0, None)
            return
        at, end = self.bounds
        while True:
            kinds = self._new_kinds(at)
            lines, at = self._add_simple_lines(kinds, at)
            if kinds.line_bytes < self.how.batch_bytes:
                break
            yield Section(self.file, kinds, lines, is_last=False, skipped=())
        if end is not None and at >= end:
            yield Section(self.file, kinds, lines, is_last=False, skipped=())
        else:
            yield from self._read_on(kinds, lines, (at, end))

    def _new_kinds(self, begin: int) -> Kinds:
        kinds = self.how.kinds.take()
        if begin:
            kinds.begin_inside()
        return kinds

    def _add_simple_lines(self, kinds: Kinds, begin: int) -> tuple[int, int]:
        """Add lines up to one that is too long or cannot be read; also say where that begins."""
        end = self.bounds[1] if self.bounds else None
        try:
            with open_found(self.file, buffering=0) as stream:
                most = self.how.batch_bytes
                return kinds.add_section(
                    stream.fileno(), begin, _FAR_END if end is None else end, most
                )
        except OSError:
            return 0, begin

    def _read_on(self, kinds: Kinds, lines: int, bounds: _Bounds | None) -> Iterator[Section]:
        """Read on behind so many lines of a section."""
        skipped: list[SkippedLines] = []
        is_end = bounds is None or bounds[1] is None
        for piece in self._pieces(bounds):
            if self.stopped.is_set():
                return
            lines = _add_piece(kinds, piece, lines, skipped)
            is_enough = kinds.line_bytes >= self.how.batch_bytes or kinds.rows >= MOST_ROWS
            if piece.is_last or is_enough:
                is_last = piece.is_last and is_end
                yield Section(self.file, kinds, lines, is_last, tuple(skipped))
                if not piece.is_last:
                    kinds, lines, skipped = self._new_kinds(1), 0, []

    def _pieces(self, bounds: _Bounds | None) -> Iterator[Piece]:
        how = self.how
        size = min(how.batch_bytes, PIECE_BYTES)
        pieces = read_pieces(self.file, how.stdin, how.storage, size=size, section=bounds)
        return read_ahead(pieces) if bounds is None and is_large_packed_log(self.file) else pieces


def _add_piece(kinds: Kinds, piece: Piece, before: int, skipped: list[SkippedLines]) -> int:
    """Add a piece that follows so many lines; returns how many lines there are behind it.

    `skipped` gets what was lost.
    """
    for reason in piece.dropped:
        before += 1
        skipped.append(SkippedLines(reason, 1, f"{piece.file.name}:{before}"))
    skipped += piece.skipped
    return before + kinds.add(piece.data, before + 1)
