r"""How lines of text are cut into values, so that there is no other way to read them.

A format is cut at a sign that stands between its operators, and each piece at a separator:

    [<time>] "GET / HTTP/1.1" 200 - ... "reviews:9080" ...     cut at quotes, then at spaces

If a line has the sign as often as the format has it between its operators, then no value holds
it: each piece of the line is one piece of the format. The same is true of the separators of a
piece. Such a line can be read in one way only, and lines that have the same values where they are
needed are read to the same. Any other line is left to those who can look at it closely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from recommender.access_logs.alike.actions import Action, action_of
from recommender.access_logs.formats import Alphabet, Part, TextFormat, Value

_SIGNS: Final = ('"', "\t", ",", ";", " ")
_FEWEST_PIECES: Final = 3
# `_alike.c` looks for no more: signs of a cut, and bytes of a literal before one.
_MOST_SIGNS: Final = 8
_MOST_END_BYTES: Final = 255
_REQUEST: Final = ("method", None, "protocol")
_ASCII: Final = "".join(map(chr, range(128)))
_NOT_ASCII: Final = "\u00e9"
# What wrappers begin with: such a line might be taken for one.
_LIKE_WRAPPER: Final = "0123456789abcdefghijklmnopqrstuvwxyz\x1b{"
# With the address in parts, the port alone does not tell that it is from a header.
_PEER_IN_PARTS: Final = ("downstream_remote_address_ip", "downstream_remote_address_port")


@dataclass(frozen=True, slots=True)
class Piece:
    """Hold what stands between two signs: literals at both ends, and values.

    Attributes:
        begin: The literal before the first value.
        end: The literal behind the last.
        separator: What stands between its values, if there are several.
        is_request: It is method, path and protocol, of which the path may hold the separator.
        values: What becomes of each value, and which bytes it may hold (1), may not (0), or cannot
            as it would end there (2); None where it may hold all.
    """

    begin: str
    end: str
    separator: str
    is_request: bool
    values: tuple[tuple[Action, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class TextCut:
    """Hold how the lines of a shape are cut: at a sign, into pieces."""

    sign: str
    pieces: tuple[Piece, ...]

    @property
    def separators(self) -> list[str]:
        """List the signs that stand between values of a piece."""
        return sorted({piece.separator for piece in self.pieces if len(piece.values) > 1})


def cut_of(text_format: TextFormat, shape: Sequence[Part]) -> TextCut | None:
    """Find how to cut the lines of a shape; None if no way is known."""
    columns = set(text_format.fields.columns.values())
    if "upstream_cluster" not in columns or text_format.fields.time.groups is not None:
        return None
    if columns.intersection(_PEER_IN_PARTS) or _is_like_wrapper(shape):
        return None
    for sign in _SIGNS:
        pieces = [_piece(parts, sign) for parts in pieces_at(shape, sign)]
        if len(pieces) >= _FEWEST_PIECES and None not in pieces:
            cut = TextCut(sign, tuple(piece for piece in pieces if piece))
            if len(cut.separators) < _MOST_SIGNS:
                return cut
    return None


def pieces_at(shape: Sequence[Part], sign: str) -> list[list[Part]]:
    """Split the literals of a shape at a sign; no piece has an empty literal."""
    pieces: list[list[Part]] = [[]]
    for part in shape:
        first, *others = part.split(sign) if isinstance(part, str) else (part,)
        pieces[-1] += [first] if first else []
        pieces += [[other] if other else [] for other in others]
    return pieces


def _is_like_wrapper(shape: Sequence[Part]) -> bool:
    """Tell whether a line may begin as what wrappers put before lines."""
    start = shape[0]
    if not isinstance(start, str) or start[0] in _LIKE_WRAPPER:
        return True
    # kubectl begins its lines with a bracket and a name.
    is_time = isinstance(shape[1], Value) and shape[1].column == "start_time"
    return start == "[" and not is_time


def _piece(parts: Sequence[Part], sign: str) -> Piece | None:
    begin = parts[0] if parts and isinstance(parts[0], str) else ""
    end = parts[-1] if len(parts) > 1 and isinstance(parts[-1], str) else ""
    inner = parts[bool(begin) : len(parts) - bool(end)]
    values = [part for part in inner if isinstance(part, Value)]
    literals = {part for part in inner if isinstance(part, str)}
    if len(literals) > 1 or any(len(literal.encode()) != 1 for literal in literals):
        return None
    if len(end.encode()) > _MOST_END_BYTES:
        return None
    if len(inner) != max(0, 2 * len(values) - 1):
        return None
    separator = min(literals, default=" ")
    is_request = _is_request(values, separator)
    if not is_request and len(values) > 1:
        has_time = "start_time" in (value.column for value in values)
        if has_time or (separator in end and not end.startswith(separator)):
            return None
    absent = f"{sign}{separator}\n" if len(values) > 1 else f"{sign}\n"
    actions = tuple((action_of(value.column), _signs_of(value, absent)) for value in values)
    return Piece(begin, end, separator, is_request, actions)


def _is_request(values: Sequence[Value], separator: str) -> bool:
    if tuple(value.column for value in values) != _REQUEST:
        return False
    return not (values[0].signs.has(separator) or values[2].signs.has(separator))


def _signs_of(value: Value, absent: str) -> bytes | None:
    """Tell which bytes a value may hold that is not looked at closely later.

    Nothing is said of signs that are absent anyway.
    """
    if action_of(value.column) in (Action.NEEDED, Action.CLUSTER, Action.TIME):
        return None
    return _held_bytes(value.signs, absent)


@cache
def _held_bytes(signs: Alphabet, absent: str) -> bytes | None:
    held = signs.among(_ASCII + _NOT_ASCII)
    may = [2 if sign in absent else int(sign in held) for sign in _ASCII]
    others = int(_NOT_ASCII in held)
    return None if others and 0 not in may else bytes([*may, *[others] * len(_ASCII)])
