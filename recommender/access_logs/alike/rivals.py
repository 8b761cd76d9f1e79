"""Which lines of one format of text others might read too, and differently.

Where many lines are read like one of them, this stands in for reading each by every format: a
rival must be unable to read such a line, or read the same in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from recommender.access_logs.alike.text_cuts import pieces_at
from recommender.access_logs.formats import DECIDING, WORD, LogFormat, Part, TextFormat, Value

_SPACE: Final = " "
_OF_JSON: Final = "{"


def is_unrivalled(
    chosen: TextFormat, shape: Sequence[Part], sign: str, formats: Sequence[LogFormat]
) -> bool:
    """Tell whether no other format can read a line of a shape differently that is cut at a sign."""
    texts = (f for f in formats if isinstance(f, TextFormat) and f is not chosen)
    return not chosen.start.startswith(_OF_JSON) and all(
        _begin_apart(chosen.start, other.start)
        or _end_apart(shape, other, sign)
        or _ends_alike(shape, other)
        for other in texts
    )


def _begin_apart(one: str, other: str) -> bool:
    return not (one.startswith(other) or other.startswith(one))


def _end_apart(shape: Sequence[Part], other: TextFormat, sign: str) -> bool:
    """Tell by the number of spaces behind the last sign that no line ends both ways."""
    ours, theirs = pieces_at(shape, sign)[-1], _last_piece(other.template.parts, sign)
    if theirs is None or not _are_words(theirs):
        return False
    fewest, wanted = _spaces(ours), _spaces(theirs)
    return fewest > wanted or (_are_words(ours) and fewest != wanted)


def _last_piece(parts: Sequence[Part], sign: str) -> list[Part] | None:
    """Return what stands behind the last sign; None if a value there may hold it."""
    piece = pieces_at(parts, sign)[-1]
    values = (part for part in piece if isinstance(part, Value))
    has_sign = any(isinstance(part, str) and sign in part for part in parts)
    return None if not has_sign or any(value.signs.has(sign) for value in values) else piece


def _are_words(piece: Sequence[Part]) -> bool:
    return not any(isinstance(part, Value) and part.signs.has(_SPACE) for part in piece)


def _spaces(piece: Sequence[Part]) -> int:
    return sum(part.count(_SPACE) for part in piece if isinstance(part, str))


def _ends_alike(shape: Sequence[Part], other: TextFormat) -> bool:
    """Tell whether all that decides stands at the ends of both, in the same places."""
    template = other.template
    head, tail = template.segments[0], template.segments[-1]
    ends = set(_deciding((*head, *tail)))
    if not template.is_sure() or {*_deciding(shape)} != ends:
        return False
    return _begin_alike(shape, head) and _begin_alike(shape[::-1], tail[::-1])


def _begin_alike(parts: Sequence[Part], begin: Sequence[Part]) -> bool:
    """Tell whether parts begin the same up to the last value that decides."""
    for place, (one, other) in enumerate(zip(parts, begin, strict=False)):
        if not _deciding(begin[place:]):
            return True
        if isinstance(one, Value) and isinstance(other, Value):
            if one.column != other.column or other.signs not in (one.signs, WORD):
                return False
        elif one != other:
            return False
    return not _deciding(begin[len(parts) :])


def _deciding(parts: Sequence[Part]) -> list[str]:
    columns = (part.column for part in parts if isinstance(part, Value))
    return [column for column in columns if column in DECIDING]
