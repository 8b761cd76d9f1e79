"""Typed access to the fields of an object that anyone may have written.

Kubernetes and istiod refuse an object with a field of the wrong type, so each reader raises
`FieldError`; the object is then left out, with a note. Absent and null are the same, as they are
to Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Final, TypeVar

from recommender.mesh.documents import describe

Fields = Mapping[str, object]
T = TypeVar("T")

MOST_PORT: Final = 65535


class FieldError(Exception):
    """Indicate a field that Kubernetes or istiod would refuse."""


def text(fields: Fields, name: str, default: str = "") -> str:
    """Read a string."""
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise _wrong(name, "text", value)
    return value


def optional_text(fields: Fields, name: str) -> str | None:
    """Read a string, None where there is none."""
    return None if fields.get(name) is None else text(fields, name)


def required_text(fields: Fields, name: str) -> str:
    """Read a string that must be there and not be empty."""
    value = text(fields, name)
    if not value:
        raise FieldError(f"{name} is missing")
    return value


def flag(fields: Fields, name: str) -> bool | None:
    """Read a boolean, None where there is none."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise _wrong(name, "a boolean", value)
    return value


def integer(fields: Fields, name: str) -> int | None:
    """Read a whole number, None where there is none; 80.0 is one in JSON."""
    value = fields.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise _wrong(name, "a whole number", value)
    return value


def port(fields: Fields, name: str) -> int | None:
    """Read a port number, None where there is none."""
    value = integer(fields, name)
    if value is not None and not 0 <= value <= MOST_PORT:
        raise FieldError(f"{name} is not a port: {value}"[:100])
    return value


def required_port(fields: Fields, name: str) -> int:
    """Read a port number that must be there."""
    value = port(fields, name)
    if not value:
        raise FieldError(f"{name} is missing or zero")
    return value


def mapping(fields: Fields, name: str) -> Fields:
    """Read an object, an empty one where there is none."""
    return optional_mapping(fields, name) or {}


def optional_mapping(fields: Fields, name: str) -> Fields | None:
    """Read an object, None where there is none."""
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise _wrong(name, "an object", value)
    return value


def mappings(fields: Fields, name: str) -> list[Fields]:
    """Read a list of objects, an empty one where there is none."""
    return _listed(fields, name, dict, "an object")


def texts(fields: Fields, name: str) -> tuple[str, ...]:
    """Read a list of strings, an empty one where there is none."""
    return tuple(_listed(fields, name, str, "text"))


def subnets(fields: Fields, name: str) -> tuple[str, ...]:
    """Read a list of IP addresses and subnets."""
    found = texts(fields, name)
    for value in found:
        try:
            ip_network(value, strict=False)
        except ValueError as error:
            raise FieldError(f"{name} has {value[:40]!r}, which is no address") from error
    return found


def addresses(fields: Fields, name: str) -> tuple[str, ...]:
    """Read a list of IP addresses."""
    found = texts(fields, name)
    for value in found:
        try:
            ip_address(value)
        except ValueError as error:
            raise FieldError(f"{name} has {value[:40]!r}, which is no address") from error
    return found


def labels(fields: Fields, name: str) -> dict[str, str]:
    """Read an object whose values are strings, sorted by key."""
    found: dict[str, str] = {}
    for key, value in sorted(mapping(fields, name).items()):
        if value is not None and not isinstance(value, str):
            raise _wrong(f"{name}.{key}", "text", value)
        found[key] = value or ""
    return found


def time(fields: Fields, name: str) -> datetime | None:
    """Read an RFC 3339 time as UTC, None where there is none."""
    value = optional_text(fields, name)
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            raise FieldError(f"{name} names no time zone")
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FieldError(f"{name} is not a time: {value[:40]!r}") from error


def each(fields: Fields, name: str, convert: Callable[[Fields], T]) -> tuple[T, ...]:
    """Convert each object of a list; an error says which one it was about."""
    found: list[T] = []
    for position, entry in enumerate(mappings(fields, name)):
        try:
            found.append(convert(entry))
        except FieldError as error:
            raise FieldError(f"{name}[{position}].{error}") from error
    return tuple(found)


def values_within(root: object) -> Iterator[object]:
    """Yield every value inside a value, keys of objects too; what aliases share comes once."""
    waiting, visited = [root], set[int]()
    while waiting:
        value = waiting.pop()
        if not isinstance(value, dict | list):
            yield value
        elif id(value) not in visited:
            visited.add(id(value))
            yield value
            waiting += value.values() if isinstance(value, dict) else value
            yield from value if isinstance(value, dict) else ()


def _listed(fields: Fields, name: str, kind: type[T], expected: str) -> list[T]:
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(name, "a list", value)
    for position, entry in enumerate(value):
        if not isinstance(entry, kind):
            raise _wrong(f"{name}[{position}]", expected, entry)
    return value


def _wrong(name: str, expected: str, value: object) -> FieldError:
    return FieldError(f"{name[:100]} is {describe(value)}, expected {expected}")
