"""Pieces of a file -> rows: lines that agree in all that is needed are read once.

A proxy writes the same again and again, but for times, paths and numbers of bytes. `_alike.c` finds
the lines of known formats that differ in nothing else, and counts them; the first of them stands
for all. It only tells which lines are alike, never what they mean. A line that fits nothing known
is a row of its own, and so is every line where `_alike.c` could not be built: what is read is the
same then, only slower.

actions     what becomes of a value
text_cuts   how lines of text are cut into values
json_keys   which keys of JSON are needed
rivals      which lines only one of several formats can read
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Protocol, Self

from recommender.access_logs.alike.json_keys import keys_of
from recommender.access_logs.alike.rivals import is_unrivalled
from recommender.access_logs.alike.text_cuts import Piece, TextCut, cut_of
from recommender.access_logs.formats import LogFormat, TextFormat

try:
    from recommender.access_logs.alike import _alike
except ImportError:
    IS_BUILT = False
else:
    IS_BUILT = True

Columns = tuple[list[int], list[bytes], list[int], list[str | None], list[str | None]]
"""The number of each line, the line, how many are like it, and when the first and the last of
them started; both are None where the line is alone."""


class Rows(Protocol):
    """Make rows of the lines of files, in the order of their first lines."""

    @property
    def size(self) -> int:
        """Say how many bytes the rows take."""

    def add(self, lines: bytes | memoryview, number: int, /) -> int:
        """Add lines of a file, the first of which has a number; returns how many they are."""

    def add_section(self, file: int, begin: int, end: int, /) -> tuple[int, int]:
        """Add lines that begin between two bytes of an open file, as far as that is simple.

        Returns how many they are, and where to go on: behind the last of them.
        """

    def begin_inside(self) -> None:
        """Say that the lines to come are not the first of their file."""

    def merge(self, other: Self, before: int, /) -> None:
        """Add the rows of lines of the same file that follow so many others."""

    def end_file(self) -> None:
        """Say that what comes is of another file."""

    def take(self) -> Columns:
        """Give the rows and forget them."""


class LinesAlone:
    """Make each line a row of its own."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._numbers: list[int] = []
        self._size = 0

    @property
    def size(self) -> int:
        """Say how many bytes the rows take."""
        return self._size

    def add(self, lines: bytes | memoryview, number: int, /) -> int:
        """Add lines of a file, the first of which has a number; returns how many they are."""
        found = bytes(lines).removesuffix(b"\n").split(b"\n") if lines else []
        self._numbers += range(number, number + len(found))
        self._lines += found
        self._size += len(lines)
        return len(found)

    def add_section(self, _file: int, begin: int, _end: int, /) -> tuple[int, int]:
        """Leave the lines of a section to `add`."""
        return 0, begin

    def begin_inside(self) -> None:
        """Say that the lines to come are not the first of their file."""

    def merge(self, other: LinesAlone, before: int, /) -> None:
        """Add the rows of lines of the same file that follow so many others."""
        size = other.size
        numbers, lines, *_ = other.take()
        self._numbers += (before + number for number in numbers)
        self._lines += lines
        self._size += size

    def end_file(self) -> None:
        """Say that what comes is of another file."""

    def take(self) -> Columns:
        """Give the rows and forget them."""
        lines, numbers = self._lines, self._numbers
        self._lines, self._numbers, self._size = [], [], 0
        none: list[str | None] = list(repeat(None, len(lines)))
        return numbers, lines, [1] * len(lines), none, none


def rows_of(formats: Sequence[LogFormat]) -> Callable[[], Rows]:
    """Prepare to find lines that are alike to all of some formats; what comes back makes rows."""
    if not IS_BUILT:
        return LinesAlone
    cuts = tuple(_plain(cut) for cut in text_cuts_of(formats))
    keys = [(f'"{key}":'.encode(), int(action)) for key, action in keys_of(formats).items()]
    return partial(_alike.Alike, cuts=cuts, keys=tuple(keys))


def text_cuts_of(formats: Sequence[LogFormat]) -> list[TextCut]:
    """List the cuts of lines that only one of the formats can read."""
    return [
        cut
        for text_format in formats
        if isinstance(text_format, TextFormat)
        for shape in text_format.shapes
        if (cut := cut_of(text_format, shape)) is not None
        and is_unrivalled(text_format, shape, cut.sign, formats)
    ]


_Value = tuple[int, bytes | None, int, int, bool, int, bytes]
"""See `Alike` in `_alike.pyi`."""


def _plain(cut: TextCut) -> tuple[bytes, bytes, tuple[_Value, ...]]:
    """Write a cut as a text, and values with the text behind each of them."""
    texts = [""]
    values = []
    for place, piece in enumerate(cut.pieces):
        texts[-1] += (cut.sign if place else "") + piece.begin
        for ending, value in zip(_endings(piece, cut.sign), piece.values, strict=True):
            values.append((value, ending))
            texts.append(piece.separator)
        texts[-1] = texts[-1][: -1 if piece.values else None] + piece.end
    behind = (text.encode() for text in texts)
    return (
        "".join([cut.sign, *cut.separators]).encode(),
        next(behind),
        tuple(
            (int(action), may, ord(e.sign), ord(e.other_sign), e.is_path, e.first, text)
            for ((action, may), e), text in zip(values, behind, strict=True)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Ending:
    """Say where a value ends: at the first of two signs, which is in the text behind it.

    A path ends at the last `sign` so far before an `other_sign`.
    """

    sign: str
    other_sign: str
    first: int = 0
    is_path: bool = False


def _endings(piece: Piece, sign: str) -> list[_Ending]:
    behind = len(piece.end.encode())
    if not piece.values:
        return []
    if len(piece.values) == 1:
        return [_Ending(sign, sign, behind)]
    inner = _Ending(piece.separator, sign)
    if piece.is_request:
        path = _Ending(piece.separator, sign, behind, is_path=True)
        return [inner, path, _Ending(sign, sign, behind)]
    at_separator = piece.end.startswith(piece.separator)
    last = inner if at_separator else _Ending(piece.separator, sign, behind)
    return [*[inner] * (len(piece.values) - 1), last]
