"""Cuts of lines of text -> the values of each one after another, as `_alike.c` takes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from recommender.access_logs.alike.actions import Action
from recommender.access_logs.alike.text_cuts import Piece, TextCut


class CutValue(NamedTuple):
    """Say how `_alike.c` finds a value, and what becomes of it.

    Attributes:
        action: An `Action`.
        may: Which bytes it may hold (1), may not (0) or cannot (2); None for all.
        sign: The first of this and the other sign ends it.
        other_sign: The other one.
        is_path: It ends at the last `sign` so far before an `other_sign`.
        first: Where in what is behind it that sign stands; of a path, how many bytes of what ends
            its piece stand before `other_sign`.
        behind: The text behind it.
        more: How many values follow that are as it is, each behind its sign.
    """

    action: int
    may: bytes | None
    sign: int
    other_sign: int
    is_path: bool
    first: int
    behind: bytes
    more: int = 0

    def is_same(self, other: CutValue) -> bool:
        """Tell whether nothing differs but what is behind them."""
        return self._replace(behind=b"", more=0) == other._replace(behind=b"", more=0)


def compiled_cut(cut: TextCut) -> tuple[bytes, bytes, tuple[CutValue, ...]]:
    """Write a cut as its signs, the text before the first value, and the values."""
    texts = [""]
    found: list[tuple[Action, bytes | None, _Ending]] = []
    for place, piece in enumerate(cut.pieces):
        texts[-1] += (cut.sign if place else "") + piece.begin
        for ending, (action, may) in zip(_endings(piece, cut.sign), piece.values, strict=True):
            found.append((action, may, ending))
            texts.append(piece.separator)
        texts[-1] = texts[-1][: -1 if piece.values else None] + piece.end
    values = (
        CutValue(
            int(action), may, ord(e.sign), ord(e.other_sign), e.is_path, e.first, text.encode()
        )
        for (action, may, e), text in zip(found, texts[1:], strict=True)
    )
    return "".join([cut.sign, *cut.separators]).encode(), texts[0].encode(), _joined(values)


@dataclass(frozen=True, slots=True)
class _Ending:
    """Say where a value ends; see CutValue."""

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


def _joined(values: Iterable[CutValue]) -> tuple[CutValue, ...]:
    """Join values of which the same is needed and that may hold the same, with the sign between."""
    joined: list[CutValue] = []
    for value in values:
        if joined and _is_joined(joined[-1], value):
            joined[-1] = value._replace(more=joined[-1].more + 1)
        else:
            joined.append(value)
    return tuple(map(_with_sign, joined))


def _is_joined(before: CutValue, value: CutValue) -> bool:
    is_plain = value.action in (Action.SKIPPED, Action.NEEDED) and not value.is_path
    at_sign = not value.first and before.behind == bytes([value.sign])
    return is_plain and at_sign and before.is_same(value)


def _with_sign(value: CutValue) -> CutValue:
    """Let joined values hold what stands between them."""
    if value.may is None or not value.more:
        return value
    return value._replace(may=value.may[: value.sign] + b"\1" + value.may[value.sign + 1 :])
