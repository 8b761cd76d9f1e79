"""How many bytes a message takes in protobuf's encoding, told from its JSON, piece by piece.

JSON has no field numbers and does not tell an enum from a text, so this is an estimate: within a
few percent of what istiod encodes, which `tests/istio/test_config_dump_against_istiod.py` measures
for every type of resource. Nothing is kept of a message but the sizes of what encloses the place
that is being read.

Source: protobuf's encoding (https://protobuf.dev/programming-guides/encoding) and ProtoJSON.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

_TAG: Final = 1
_WRAPPED: Final = 2  # what a number adds in a message of its own (UInt32Value)
_DOUBLE: Final = 9
_ENUM: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|[A-Z]{2,}")
_DURATION: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?s")
_DURATION_BYTES: Final = 4
_NANOS_BYTES: Final = 6
_MAPS: Final = frozenset(
    (
        "filter_metadata",
        "typed_filter_metadata",
        "typed_per_filter_config",
        "typed_extension_protocol_options",
    )
)
_STRUCT_KEY: Final = "json_format"
_STRUCT: Final = "type.googleapis.com/google.protobuf.Struct"
_TYPED_STRUCTS: Final = (".TypedStruct", _STRUCT)
TYPE_KEY: Final = "@type"


class _Kind(Enum):
    MESSAGE = "message"
    MAP = "map of messages"
    STRUCT = "google.protobuf.Struct"
    LIST = "repeated field"
    STRUCT_LIST = "google.protobuf.ListValue"


@dataclass(slots=True)
class _Open:
    """Hold an object or array that is not closed yet: what it is, and its bytes so far."""

    kind: _Kind
    size: int = 0
    key: str = ""
    type_url: str = ""


@dataclass(slots=True)
class EncodedSize:
    """Sum up the encoded bytes of one message from the events of a JSON parser.

    Fields of the names in `skipped` do not count, wherever they are.
    """

    skipped: frozenset[str] = frozenset()
    _open: list[_Open] = field(default_factory=lambda: [_Open(_Kind.MESSAGE)])
    done: bool = False

    @property
    def depth(self) -> int:
        """Return how many objects and arrays are open."""
        return len(self._open)

    @property
    def bytes(self) -> int:
        """Return the bytes so far."""
        return _with_type(self._open[0])

    def key(self, name: str) -> None:
        """Take the name of the next member of the innermost object."""
        self._open[-1].key = name

    def start(self, *, is_map: bool) -> None:
        """Open an object or array."""
        outer = self._open[-1]
        if outer.kind in (_Kind.STRUCT, _Kind.STRUCT_LIST):
            kind = _Kind.STRUCT if is_map else _Kind.STRUCT_LIST
        elif not is_map:
            kind = _Kind.LIST
        elif outer.kind is _Kind.MAP and outer.key and self._is_filter_metadata():
            kind = _Kind.STRUCT
        elif outer.key in _MAPS and outer.kind is _Kind.MESSAGE:
            kind = _Kind.MAP
        elif outer.key == _STRUCT_KEY or (outer.key == "value" and _holds_struct(outer)):
            kind = _Kind.STRUCT
        else:
            kind = _Kind.MESSAGE
        self._open.append(_Open(kind, key=outer.key if kind is _Kind.LIST else ""))

    def end(self) -> None:
        """Close the innermost object or array; the message itself is the last one."""
        if len(self._open) == 1:
            self.done = True
            return
        closed = self._open.pop()
        outer = self._open[-1]
        inner = _with_type(closed)
        if outer.key in self.skipped:
            return
        if outer.kind in (_Kind.STRUCT, _Kind.STRUCT_LIST):
            self._add_value(_framed(inner))
        elif closed.kind in (_Kind.LIST, _Kind.MAP):
            outer.size += inner  # each of its parts has a tag of its own
        elif outer.type_url == _STRUCT and closed.kind is _Kind.STRUCT:
            outer.size += inner
        else:
            self._add(_framed(inner))

    def scalar(self, value: object) -> None:
        """Take a text, number, truth value or null."""
        innermost = self._open[-1]
        if innermost.kind in (_Kind.STRUCT, _Kind.STRUCT_LIST):
            self._add_value(_value_bytes(value))
        elif innermost.key == TYPE_KEY and isinstance(value, str):
            innermost.type_url = value
        elif innermost.key not in self.skipped:
            self._add(_field_bytes(value))

    def _is_filter_metadata(self) -> bool:
        return len(self._open) > 1 and self._open[-2].key == "filter_metadata"

    def _add(self, size: int) -> None:
        """Add a field, which in a map is an entry with a key."""
        innermost = self._open[-1]
        if innermost.kind is _Kind.MAP:
            size = _framed(_framed(len(innermost.key.encode())) + size)
        innermost.size += size

    def _add_value(self, size: int) -> None:
        """Add a google.protobuf.Value to a Struct or to a list in one."""
        innermost = self._open[-1]
        value = _framed(size)
        if innermost.kind is _Kind.STRUCT:
            value = _framed(_framed(len(innermost.key.encode())) + value)
        innermost.size += value


def _holds_struct(found: _Open) -> bool:
    """Tell whether the `value` of an Any is a Struct: it is one, or a message that has one."""
    return found.type_url.endswith(_TYPED_STRUCTS)


def _with_type(found: _Open) -> int:
    """Return the bytes of an object; an Any holds the name of its type and the message."""
    if not found.type_url:
        return found.size
    named = _framed(len(found.type_url))
    return named + (_framed(found.size) if found.size else 0)


def _framed(size: int) -> int:
    """Return the bytes of a field that holds so many: its tag, its length and them."""
    return _TAG + _varint_bytes(size) + size


def _varint_bytes(number: int) -> int:
    """Return the bytes of a whole number; what is negative or too large has all of them."""
    return min(10, max(1, (number.bit_length() + 6) // 7)) if number >= 0 else 10


def _field_bytes(value: object) -> int:
    if isinstance(value, bool):
        return _TAG + 1
    if value is None:
        return 0
    if isinstance(value, int):
        return _TAG + _varint_bytes(value) + _WRAPPED
    if not isinstance(value, str):
        return _DOUBLE + _WRAPPED
    if _ENUM.fullmatch(value):
        return _TAG + 1
    if _DURATION.fullmatch(value):
        return _DURATION_BYTES + (_NANOS_BYTES if "." in value else 0)
    return _framed(len(value.encode()))


def _value_bytes(value: object) -> int:
    if isinstance(value, str):
        return _framed(len(value.encode()))
    return _TAG + 1 if value is None or isinstance(value, bool) else _DOUBLE
