"""What an http route of a VirtualService sets beside where requests go, or instead of that.

Names and fields: istio.io/api networking `HTTPRoute`, `Headers`, `CorsPolicy`,
`HTTPFaultInjection`, `HTTPRetry`, `HTTPRedirect`, `HTTPDirectResponse`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from recommender.mesh import fields
from recommender.mesh.fields import Fields


@dataclass(frozen=True, slots=True)
class Setting:
    """Count what a field sets, and the length of all its names, values and paths."""

    number: int = 0
    text: int = 0


@dataclass(frozen=True, slots=True)
class Retries:
    """Describe how often a request is tried again, 0 for never, and after what.

    `on` is empty for what istiod takes by default.
    """

    attempts: int = 0
    on: str = ""


@dataclass(frozen=True, slots=True)
class RouteSettings:
    """Hold the fields of a route as far as its size depends on them, None for one it lacks.

    `destination_headers` are what its destinations set for themselves.
    """

    fault: Setting | None = None
    cors_policy: Setting | None = None
    headers: Setting | None = None
    rewrite: Setting | None = None
    retries: Retries | None = None
    redirect: Setting | None = None
    direct_response: Setting | None = None
    destination_headers: Setting | None = None

    @property
    def answer(self) -> Setting | None:
        """Return what is answered without asking any destination, a redirect before all."""
        return self.redirect or self.direct_response


NO_SETTINGS: Final = RouteSettings()


def route_settings(entry: Fields) -> RouteSettings:
    """Read the settings of an http route.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    found = RouteSettings(
        fault=_fault(entry),
        cors_policy=_texts_of(entry, "corsPolicy"),
        headers=_headers([entry]),
        rewrite=_texts_of(entry, "rewrite"),
        retries=read_retries(entry, "retries"),
        redirect=_texts_of(entry, "redirect"),
        direct_response=_texts_of(entry, "directResponse"),
        destination_headers=_headers(fields.mappings(entry, "route")),
    )
    return NO_SETTINGS if found == NO_SETTINGS else found


def read_retries(holder: Fields, name: str) -> Retries | None:
    """Read a field of the type `HTTPRetry`, None where there is none.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    retries = fields.optional_mapping(holder, name)
    if retries is None:
        return None
    attempts = fields.integer(retries, "attempts") or 0
    return Retries(max(attempts, 0), fields.text(retries, "retryOn"))


def _fault(entry: Fields) -> Setting | None:
    fault = fields.optional_mapping(entry, "fault")
    if fault is None:
        return None
    kinds = (fields.optional_mapping(fault, kind) for kind in ("delay", "abort"))
    return Setting(sum(kind is not None for kind in kinds))


def _headers(holders: Iterable[Fields]) -> Setting | None:
    """Count the operations of all holders together, None where none of them has the field."""
    each = (fields.optional_mapping(holder, "headers") for holder in holders)
    found = [headers for headers in each if headers is not None]
    sides = [fields.mapping(headers, side) for headers in found for side in ("request", "response")]
    operations = [text for side in sides for text in _header_operations(side)]
    return Setting(len(operations), sum(map(len, operations))) if found else None


def _header_operations(side: Fields) -> Iterator[str]:
    for name in ("set", "add"):
        yield from (key + value for key, value in fields.labels(side, name).items())
    yield from fields.texts(side, "remove")


def _texts_of(entry: Fields, name: str) -> Setting | None:
    value = fields.optional_mapping(entry, name)
    return None if value is None else Setting(1, sum(map(len, _texts(value))))


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
