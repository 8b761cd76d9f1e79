"""Lines, lists and columns for a terminal; no text gets past `printable`."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from recommender.sidecars.words import printable

_BOLD: Final = "1"
_WARNING: Final = "1;33"
_GAP: Final = "  "
_LEAST_WIDTH: Final = 40
_MOST_SHOWN: Final = 1500


@dataclass(frozen=True, slots=True)
class Row:
    """Hold a row: its name, its figures, and a remark that may be empty."""

    name: str
    figures: tuple[str, ...]
    remark: str = ""


@dataclass(slots=True)
class Page:
    """Collect lines of at most `width` columns; only words longer than that go beyond."""

    width: int
    colour: bool = False
    lines: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the page, which ends with a line break."""
        return "\n".join(self.lines) + "\n"

    def heading(self, text: str) -> None:
        """Start a section."""
        if self.lines:
            self.lines.append("")
        self.paragraph(text, style=_BOLD)

    def warning(self, text: str) -> None:
        """Add a line that asks for a look."""
        self.paragraph(f"! {text}", style=_WARNING, hang=2)

    def paragraph(self, text: str, indent: int = 0, *, hang: int = 0, style: str = "") -> None:
        """Add a text; its further lines are indented by `hang` more."""
        wrapped = textwrap.wrap(
            printable(text, most=_MOST_SHOWN),
            max(self.width, _LEAST_WIDTH),
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + hang),
            break_long_words=False,
            break_on_hyphens=False,
        )
        self.lines += [self._styled(line, style) for line in wrapped]

    def table(self, head: Row, rows: Sequence[Row]) -> None:
        """Add aligned columns: the name and the remark to the left, the figures to the right.

        Where the remarks do not fit beside the figures, each stands below its row. A name that
        is too long has a line for itself: names are for copying, so none is cut.
        """
        shown = [_printable_row(row) for row in (head, *rows)]
        columns = zip(*(row.figures for row in shown), strict=True)
        figures = [max(map(_columns, column)) for column in columns]
        room = max(self.width, _LEAST_WIDTH) - sum(figures) - len(_GAP) * len(figures)
        remark = max(_columns(row.remark) for row in shown)
        beside = max(_columns(row.name) for row in shown) + len(_GAP) + remark <= room
        name = min(max(_columns(row.name) for row in shown), room)
        for position, row in enumerate(shown):
            cells = [_to_right(f, w) for f, w in zip(row.figures, figures, strict=True)]
            first = _to_left(row.name, name)
            if _columns(row.name) > name:
                self.lines.append(row.name)
                first = " " * name
            cells = [first, *cells, *([row.remark] if beside else [])]
            style = "" if position else _BOLD
            self.lines.append(self._styled(_GAP.join(cells).rstrip(), style))
            if position and row.remark and not beside:
                self.paragraph(row.remark, 4, hang=2)

    def _styled(self, line: str, style: str) -> str:
        return f"\x1b[{style}m{line}\x1b[0m" if self.colour and style else line


def _printable_row(row: Row) -> Row:
    return Row(printable(row.name), tuple(map(printable, row.figures)), printable(row.remark))


def _columns(text: str) -> int:
    """Count the columns a text takes up; East Asian letters take two."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _to_left(text: str, width: int) -> str:
    return text + " " * (width - _columns(text))


def _to_right(text: str, width: int) -> str:
    return " " * (width - _columns(text)) + text
