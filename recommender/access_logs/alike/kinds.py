"""Lines -> kinds of lines, of which one is looked at, and rows that count the others.

`CompiledKinds` leaves finding them to `_alike.c`; `LinesAlone` finds none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import polars as pl

from recommender.access_logs.alike.utf8 import decoded

try:
    from recommender.access_logs.alike import _alike
except ImportError:
    IS_BUILT = False
else:
    IS_BUILT = True

NO_KIND: Final = -1

LINES: Final = pl.Schema(
    {
        # the place of the file among those since the last time, and of the line in it, from 1
        "file": pl.Int64(),
        "number": pl.Int64(),
        # the number of its kind, of which it is the first line; NO_KIND if it is of none
        "kind": pl.Int64(),
        "line": pl.String(),
    }
)
ROWS: Final = pl.Schema(
    {
        # the file, and the first of its lines that are of the kind
        "file": pl.Int64(),
        "number": pl.Int64(),
        "kind": pl.Int64(),
        # how many they are, all of one UTC day, and when the first and the last of their requests
        # started; there may be several rows of a day
        "requests": pl.Int64(),
        "first": pl.Int64(),
        "last": pl.Int64(),
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """Hold lines to look at, with LINES, and the rows of kinds, with ROWS.

    The lines of a kind are counted in the rows, its first line too; others stand for themselves.
    """

    lines: pl.DataFrame
    rows: pl.DataFrame


class Kinds(Protocol):
    """Find the kinds of the lines of files, one after another."""

    @property
    def line_bytes(self) -> int:
        """Say how many bytes the lines to look at take."""

    @property
    def rows(self) -> int:
        """Say how many rows there are."""

    @property
    def kinds(self) -> int:
        """Say how many kinds are known."""

    @property
    def kind_bytes(self) -> int:
        """Say how many bytes these take."""

    def add(self, lines: bytes | memoryview, number: int, /) -> int:
        """Add lines of a file, the first of which has a number; returns how many they are."""

    def add_section(self, file: int, begin: int, end: int, most: int, /) -> tuple[int, int]:
        """Add lines that begin between two bytes of an open file, as far as that is simple.

        It ends, too, when the lines to look at take `most` bytes. Returns how many were added, and
        where to go on: behind the last of them.
        """

    def begin_inside(self) -> None:
        """Say that the lines to come are not the first of their file."""

    def merge(self, other: Self, before: int, /) -> None:
        """Add lines that follow so many others of their file, of which none was taken."""

    def end_file(self) -> None:
        """Say that what comes is of the next file."""

    def take(self) -> Found:
        """Give what was found since the last time; the file that is not ended becomes the first."""

    def forget(self) -> None:
        """Forget the kinds, whose rows are taken; what comes later has other ones."""

    def clear(self) -> None:
        """Forget everything; what comes next is the begin of a file."""


if IS_BUILT or TYPE_CHECKING:

    class CompiledKinds(_alike.Alike):
        """Find the kinds of lines with `_alike.c`."""

        def take(self) -> Found:
            """Give what was found since the last time."""
            tables = self.take_tables()
            lines, rows = (pl.Series(_Exported(table)).struct.unnest() for table in tables)
            return Found(lines.with_columns(decoded(lines["line"])), rows)


class _Exported:
    """Give a table to who asks for it as the capsules of Arrow."""

    def __init__(self, capsules: tuple[object, object]) -> None:
        self._capsules = capsules

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[Any, Any]:
        return self._capsules


class LinesAlone:
    """Find no kinds: each line is looked at."""

    rows = 0
    kinds = 0
    kind_bytes = 0

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._numbers: list[int] = []
        self._files: list[int] = []
        self._file = 0
        self.line_bytes = 0

    def add(self, lines: bytes | memoryview, number: int, /) -> int:
        """Add lines of a file, the first of which has a number; returns how many they are."""
        found = bytes(lines).removesuffix(b"\n").split(b"\n") if lines else []
        self._add(found, list(range(number, number + len(found))))
        return len(found)

    def _add(self, lines: list[bytes], numbers: list[int]) -> None:
        self._lines += lines
        self._numbers += numbers
        self._files += [self._file] * len(lines)
        self.line_bytes += sum(map(len, lines)) + len(lines)

    def add_section(self, _file: int, begin: int, _end: int, _most: int, /) -> tuple[int, int]:
        """Leave the lines of a section to `add`."""
        return 0, begin

    def begin_inside(self) -> None:
        """Say that the lines to come are not the first of their file."""

    def merge(self, other: LinesAlone, before: int, /) -> None:
        """Add lines that follow so many others of their file, of which none was taken."""
        self._add(other._lines, [before + number for number in other._numbers])

    def end_file(self) -> None:
        """Say that what comes is of the next file."""
        self._file += 1

    def take(self) -> Found:
        """Give what was found since the last time; the file that is not ended becomes the first."""
        lines = pl.DataFrame(
            {
                "file": pl.Series(self._files, dtype=pl.Int64),
                "number": pl.Series(self._numbers, dtype=pl.Int64),
                "kind": pl.repeat(NO_KIND, len(self._lines), dtype=pl.Int64, eager=True),
                "line": decoded(pl.Series(self._lines, dtype=pl.Binary)),
            }
        )
        self.clear()
        return Found(lines, ROWS.to_frame())

    def forget(self) -> None:
        """Forget no kinds."""

    def clear(self) -> None:
        """Forget everything."""
        self._lines, self._numbers, self._files = [], [], []
        self._file = self.line_bytes = 0
