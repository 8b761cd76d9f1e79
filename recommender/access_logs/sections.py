"""A large file -> its sections, of which some are summed up at the same time.

A section is the lines that begin between two bytes of a file. Its rows are merged in the order of
the file, so that what comes out does not depend on which of them is ready first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, cast

from recommender.access_logs.alike import Rows
from recommender.access_logs.files import LogFile, Piece, is_plain_log, read_pieces
from recommender.access_logs.line_counts import SkippedLines

SECTION_BYTES: Final = 8 << 20
_FEWEST_SECTIONS: Final = 4
_AT_THE_SAME_TIME: Final = 2
_FAR_END: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Section:
    """Hold the rows of some lines of a file.

    Attributes:
        rows: The rows, with numbers that begin at 1.
        lines: How many lines they are.
        is_last: No section of the file follows.
        skipped: What was lost.
    """

    rows: Rows
    lines: int
    is_last: bool
    skipped: tuple[SkippedLines, ...]


def can_be_cut(file: LogFile, section_bytes: int) -> bool:
    """Tell whether a file is large and plain, so that its sections can be read by themselves."""
    if file.path is None or not file.path.is_file():
        return False
    try:
        is_large = file.path.stat().st_size >= _FEWEST_SECTIONS * section_bytes
    except OSError:
        return False
    return is_large and is_plain_log(file.path)


def read_sections(
    file: LogFile, new_rows: Callable[[], Rows], section_bytes: int
) -> Iterator[Section]:
    """Sum up the sections of a file that can be cut, in their order."""
    size = file.path.stat().st_size if file.path else 0
    bounds = [*range(0, max(1, size), section_bytes), None]
    waiting: deque[Future[Section]] = deque()
    with ThreadPoolExecutor(max_workers=_AT_THE_SAME_TIME) as readers:
        for begin, end in pairwise(bounds):
            waiting.append(readers.submit(_section, file, (begin or 0, end), new_rows()))
            if len(waiting) > _AT_THE_SAME_TIME:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _section(file: LogFile, section: tuple[int, int | None], rows: Rows) -> Section:
    begin, end = section
    if begin:
        rows.begin_inside()
    skipped: list[SkippedLines] = []
    lines, at = _simple_lines(file, section, rows)
    if end is None or at < end:
        for piece in read_pieces(file, section=(at, end)):
            lines = add_piece(rows, piece, lines, skipped)
    return Section(rows, lines, end is None, tuple(skipped))


def _simple_lines(file: LogFile, section: tuple[int, int | None], rows: Rows) -> tuple[int, int]:
    """Add the lines up to one that is too long or cannot be read, and say where that begins."""
    begin, end = section
    try:
        with cast("Path", file.path).open("rb", buffering=0) as stream:
            return rows.add_section(stream.fileno(), begin, _FAR_END if end is None else end)
    except OSError:
        return 0, begin


def add_piece(rows: Rows, piece: Piece, before: int, skipped: list[SkippedLines]) -> int:
    """Add a piece that follows so many lines; returns how many lines there are behind it.

    `skipped` gets what was lost.
    """
    for reason in piece.dropped:
        before += 1
        skipped.append(SkippedLines(reason, 1, f"{piece.file.name}:{before}"))
    skipped += piece.skipped
    return before + rows.add(piece.data, before + 1)
