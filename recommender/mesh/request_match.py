"""What an http match asks of a request: its path, its method, its headers.

Names and fields: istio.io/api networking `HTTPMatchRequest`, `StringMatch`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from recommender.mesh import fields
from recommender.mesh.fields import FieldError, Fields

StringMatchKind = Literal["exact", "prefix", "path-separated prefix", "regex", "present"]
_KINDS: Final[tuple[StringMatchKind, ...]] = ("exact", "prefix", "regex")


@dataclass(frozen=True, slots=True)
class StringMatch:
    """Describe what a text must be like; `present` takes any.

    A `path-separated prefix` ends where a segment of a path does; a `regex` is RE2's and is about
    the whole text.
    """

    kind: StringMatchKind = "present"
    value: str = ""


NamedMatches = tuple[tuple[str, StringMatch], ...]
"""Names of headers or query parameters, sorted, with what their values must be like."""


@dataclass(frozen=True, slots=True)
class RequestMatch:
    """Describe what an http match asks of a request; the default asks for nothing."""

    uri: StringMatch | None = None
    ignore_uri_case: bool = False
    method: StringMatch | None = None
    authority: StringMatch | None = None
    scheme: StringMatch | None = None
    headers: NamedMatches = ()
    without_headers: NamedMatches = ()
    query_params: NamedMatches = ()


ANY_REQUEST: Final = RequestMatch()


def request_match(entry: Fields) -> RequestMatch:
    """Convert an `HTTPMatchRequest` of a VirtualService.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    return RequestMatch(
        uri=_string_match(entry, "uri"),
        ignore_uri_case=bool(fields.flag(entry, "ignoreUriCase")),
        method=_string_match(entry, "method"),
        authority=_string_match(entry, "authority"),
        scheme=_string_match(entry, "scheme"),
        headers=_named_matches(entry, "headers"),
        without_headers=_named_matches(entry, "withoutHeaders"),
        query_params=_named_matches(entry, "queryParams"),
    )


def _string_match(entry: Fields, name: str) -> StringMatch | None:
    found = fields.optional_mapping(entry, name)
    if found is None:
        return None
    texts = {kind: fields.optional_text(found, kind) for kind in _KINDS}
    made = [StringMatch(kind, text) for kind, text in texts.items() if text is not None]
    if len(made) > 1:
        raise FieldError(f"{name[:100]} has more than one of {', '.join(_KINDS)}")
    return made[0] if made else StringMatch()


def _named_matches(entry: Fields, name: str) -> NamedMatches:
    found = fields.mapping(entry, name)
    return tuple((key, _string_match(found, key) or StringMatch()) for key in sorted(found))
