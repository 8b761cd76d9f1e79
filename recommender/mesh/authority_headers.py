"""The authorities that the headers of a route put in place of the caller's.

Envoy sends such a request as one to that authority, and logs it so.
Source: istio networking/core/route/route.go (`TranslateHeadersOperations`, `isAuthorityHeader`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from recommender.mesh import fields
from recommender.mesh.fields import Fields

_NAMES: Final = (":authority", "host")
_CHANGES: Final = ("set", "add")


def header_authorities(headers: Fields) -> tuple[str, ...]:
    """List the authorities that the `headers` of a VirtualService's route set or add."""
    request = fields.mapping(headers, "request")
    changes = (fields.mapping(request, change) for change in _CHANGES)
    return _authorities((str(name), value) for change in changes for name, value in change.items())


def filter_authorities(filters: Iterable[Fields]) -> tuple[str, ...]:
    """List the authorities that filters of a Gateway API route set or add."""
    return _authorities(_modified(filters))


def _modified(filters: Iterable[Fields]) -> Iterator[tuple[str, object]]:
    for filter_ in filters:
        modifier = fields.mapping(filter_, "requestHeaderModifier")
        for change in _CHANGES:
            for header in fields.mappings(modifier, change):
                yield fields.text(header, "name"), header.get("value")


def _authorities(headers: Iterable[tuple[str, object]]) -> tuple[str, ...]:
    found = (value for name, value in headers if name.lower() in _NAMES)
    return tuple(dict.fromkeys(value for value in found if isinstance(value, str) and value))
