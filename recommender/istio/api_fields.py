"""Fields of an Istio API message, decoded as istiod decodes them from JSON.

istiod takes some that are not of the declared type: numbers and durations as text, enums as
numbers. Fields it does not know it ignores. Absent and null are the same, but within a list, where
null is an empty value. Source: github.com/golang/protobuf jsonpb/decode.go, which istiod's
`crd.ConvertObject` uses, and Go's `time.ParseDuration`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from recommender.mesh.documents import describe

Message = Mapping[str, Any]
"""A decoded message: every field by name; None where a message or duration is absent."""

Decode = Callable[[object, str], Any]

_NUMBER: Final = re.compile(r"[ \t\r\n]*(-?(?:0|[1-9][0-9]*)|null)[ \t\r\n]*", re.ASCII)
_DURATION: Final = re.compile(
    r"(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+", re.ASCII
)
_DURATION_PART: Final = re.compile(r"([0-9]*)\.?([0-9]*)([a-zµμ]+)", re.ASCII)
_NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_MOST_NANOSECONDS: Final = 2**63 - 1
_INT32_LEAST: Final = -(2**31)
_INT32_MOST: Final = 2**31 - 1
_MOST_SHOWN: Final = 100


class DecodeError(Exception):
    """Indicate a value that istiod cannot decode."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Describe a kind of field: how a value is decoded, and what an absent one is."""

    decode: Decode
    absent: Callable[[], Any]


def text(value: object, where: str) -> str:
    """Decode a string."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(where, value, "text")
    return value


def flag(value: object, where: str) -> bool:
    """Decode a boolean."""
    if not isinstance(value, bool):
        raise _wrong(where, value, "a boolean")
    return value


def duration(value: object, where: str) -> int:
    """Decode a duration such as `1h30m` to nanoseconds."""
    if not isinstance(value, str):
        raise _wrong(where, value, "a duration")
    unsigned = value[1:] if value[:1] in ("+", "-") else value
    if unsigned == "0":
        return 0
    if not _DURATION.fullmatch(unsigned):
        raise _wrong(where, value, "a duration")
    total = sum(_nanoseconds(*part) for part in _DURATION_PART.findall(unsigned))
    if total > _MOST_NANOSECONDS:
        raise _wrong(where, value, "a duration")
    return -total if value[0] == "-" else total


TEXT: Final = Kind(text, str)
FLAG: Final = Kind(flag, bool)
DURATION: Final = Kind(duration, lambda: None)


def number(least: int, most: int) -> Kind:
    """Make the kind of a whole number between bounds; absent is 0."""

    def decode(value: object, where: str) -> int:
        found = _whole(value)
        signed = isinstance(value, str) and "-" in value  # no unsigned number, not even "-0"
        if found is None or not least <= found <= most or (signed and least == 0):
            raise _wrong(where, value, f"a whole number from {least} to {most}")
        return found

    return Kind(decode, int)


UINT32: Final = number(0, 2**32 - 1)
INT32: Final = number(_INT32_LEAST, _INT32_MOST)


def enum(*names: str) -> Kind:
    """Make the kind of an enum, decoded to a name; an unknown number is its digits."""

    def decode(value: object, where: str) -> str:
        if value in names and isinstance(value, str):
            return value
        found = None if isinstance(value, str) else _whole(value)
        if found is None or not _INT32_LEAST <= found <= _INT32_MOST:
            raise _wrong(where, value, f"one of {', '.join(names)}")
        return names[found] if 0 <= found < len(names) else str(found)

    return Kind(decode, lambda: names[0])


def listed(kind: Kind) -> Kind:
    """Make the kind of a list."""

    def decode(value: object, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(where, value, "a list")
        return [kind.decode(entry, f"{where}[{place}]") for place, entry in enumerate(value)]

    return Kind(decode, list)


def texts_by_name(value: object, where: str) -> dict[str, str]:
    """Decode a map of strings."""
    if not isinstance(value, dict):
        raise _wrong(where, value, "an object")
    return {text(key, where): text(entry, f"{where}.{key}") for key, entry in value.items()}


TEXTS_BY_NAME: Final = Kind(texts_by_name, dict)


def message(**fields: Kind) -> Kind:
    """Make the kind of a message."""

    def decode(value: object, where: str) -> Message:
        value = {} if value is None else value
        if not isinstance(value, dict):
            raise _wrong(where, value, "an object")
        return {
            name: kind.absent()
            if value.get(name) is None
            else kind.decode(value[name], f"{where}.{name}" if where else name)
            for name, kind in fields.items()
        }

    return Kind(decode, lambda: None)


def _whole(value: object) -> int | None:
    """Return a whole number, also one in text; 80.0 is one in JSON."""
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value)
        return None if found is None else int(found[1].replace("null", "0")[:20])
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _nanoseconds(whole: str, fraction: str, unit: str) -> int:
    """Count as Go does, whose floating point decides the last digits of a fraction."""
    digits = fraction[:18]
    part = float(digits or "0") * (float(_NANOSECONDS[unit]) / float(10 ** len(digits)))
    return int(whole[:40] or "0") * _NANOSECONDS[unit] + int(part)


def _wrong(where: str, value: object, expected: str) -> DecodeError:
    return DecodeError(f"{where[:_MOST_SHOWN] or 'spec'} is {shown(value)}, expected {expected}")


def shown(value: object) -> str:
    """Quote a value for a message, cut where it is long."""
    if isinstance(value, str):
        return repr(value[:_MOST_SHOWN])
    return describe(value)
