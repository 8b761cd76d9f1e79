"""How many lines were read, how many were of use, and why the others were not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

_MANY_ENTRIES: Final = 10_000


@dataclass(frozen=True, slots=True, order=True)
class SkippedLines:
    """Count the lines that could not be used for one reason.

    Attributes:
        reason: Why they could not be used.
        lines: How many they are; what was lost with a damaged or unreadable file counts as one.
        example: Where the first of them is, `file:line`, or the file alone.
    """

    reason: str
    lines: int
    example: str

    @property
    def is_of_files(self) -> bool:
        """Tell whether it counts files instead, which no line is an example of."""
        return _place(self.example)[1] == 0


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Count lines; `read` is `used` plus the lines of all `skipped`, which are sorted."""

    read: int = 0
    used: int = 0
    skipped: tuple[SkippedLines, ...] = ()


def merge_line_counts(parts: Iterable[LineCounts]) -> LineCounts:
    """Add up the counts of different lines."""
    used = 0
    skipped: list[SkippedLines] = []
    for part in parts:
        used += part.used
        skipped += part.skipped
        if len(skipped) > _MANY_ENTRIES:
            skipped = list(_merge_skipped(skipped))
    return count_lines(used, skipped)


def count_lines(used: int, skipped: Iterable[SkippedLines]) -> LineCounts:
    """Make the counts of some used and skipped lines; a reason may come more than once."""
    merged = _merge_skipped(skipped)
    return LineCounts(used + sum(entry.lines for entry in merged), used, merged)


def _merge_skipped(skipped: Iterable[SkippedLines]) -> tuple[SkippedLines, ...]:
    by_reason: dict[str, list[SkippedLines]] = defaultdict(list)
    for entry in skipped:
        by_reason[entry.reason].append(entry)
    return tuple(
        SkippedLines(
            reason,
            sum(entry.lines for entry in entries),
            min((entry.example for entry in entries), key=_place),
        )
        for reason, entries in sorted(by_reason.items())
    )


def moved(entry: SkippedLines, before: int) -> SkippedLines:
    """Number the line of an example behind so many others of its file."""
    file, line = _place(entry.example)
    return replace(entry, example=f"{file}:{line + before}") if line else entry


def _place(example: str) -> tuple[str, int]:
    """Order examples by file and then by line, where there is one."""
    file, colon, line = example.rpartition(":")
    return (file, int(line)) if colon and line.isascii() and line.isdigit() else (example, 0)
