"""What an http route of a VirtualService sets beside where requests go.

Names and fields: istio.io/api networking `HTTPRoute`, `Headers`, `CorsPolicy`,
`HTTPFaultInjection`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from recommender.mesh import fields
from recommender.mesh.fields import Fields


@dataclass(frozen=True, slots=True)
class RouteSettings:
    """Count what a route sets, as far as its size depends on it.

    `text` is the length of all names and values of headers, origins and rewritten paths.
    """

    faults: int = 0
    cors_policies: int = 0
    header_operations: int = 0
    rewrites: int = 0
    text: int = 0


NO_SETTINGS: Final = RouteSettings()


def route_settings(entry: Fields) -> RouteSettings:
    """Read the settings of an http route.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    fault, rewrite = fields.mapping(entry, "fault"), fields.mapping(entry, "rewrite")
    cors = fields.optional_mapping(entry, "corsPolicy")
    headers = [text for holder in _holders(entry) for text in _header_operations(holder)]
    texts = [*headers, *_texts(rewrite), *_texts(cors or {})]
    found = RouteSettings(
        faults=sum(fields.optional_mapping(fault, kind) is not None for kind in ("delay", "abort")),
        cors_policies=int(cors is not None),
        header_operations=len(headers),
        rewrites=int(bool(rewrite)),
        text=sum(map(len, texts)),
    )
    return NO_SETTINGS if found == NO_SETTINGS else found


def _holders(entry: Fields) -> Iterator[Fields]:
    for holder in (entry, *fields.mappings(entry, "route")):
        headers = fields.mapping(holder, "headers")
        yield fields.mapping(headers, "request")
        yield fields.mapping(headers, "response")


def _header_operations(holder: Fields) -> Iterator[str]:
    for name in ("set", "add"):
        yield from (key + value for key, value in fields.labels(holder, name).items())
    yield from fields.texts(holder, "remove")


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in an object, at any depth."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            waiting.extend(inner.values())
        elif isinstance(inner, list):
            waiting.extend(inner)
        elif isinstance(inner, str):
            yield inner
