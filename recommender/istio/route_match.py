"""Whether a request matches a route: yes, no, or not to be told from what is known of it.

Unknown is what no access log has (headers, the scheme that the proxy makes up), what is not given,
and most regexes: RE2 takes linear time for any, Python's `re` does not, so a regex is looked at
only as far as it is literal. Source: istio networking/core/route/route.go `TranslateRouteMatch`,
`IsCatchAllRoute`; Envoy source/common/router/config_impl.cc.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase, punctuation
from typing import Final

from recommender.mesh.request_match import RequestMatch, StringMatch

Answer = bool | None
"""None where it cannot be told."""

ANY_PATH: Final = StringMatch("prefix", "/")
_ANY_TEXT: Final = ".*"
_ANY_PATH_REGEX: Final = StringMatch("regex", _ANY_TEXT)
_PRESENT_REGEX: Final = "*"
_METACHARACTERS: Final = frozenset(r"\.+*?()|[]{}^$")
_ESCAPABLE: Final = frozenset(punctuation)
_TO_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)


@dataclass(frozen=True, slots=True)
class Request:
    """Hold what a call tells of its request, None for what is not known.

    `authority` is in lower case and without its port, `path` as Envoy logs it, query included.
    """

    authority: str | None = None
    method: str | None = None
    path: str | None = None


def is_catch_all(match: RequestMatch) -> bool:
    """Tell whether istiod takes a match for one that every request has, and stops there."""
    uri = _uri(match)
    any_path = uri in (ANY_PATH, _ANY_PATH_REGEX)
    asked = (match.method, match.authority, match.scheme)
    named = (match.headers, match.without_headers, match.query_params)
    return any_path and asked == (None, None, None) and not any(named)


def matches_request(match: RequestMatch, request: Request) -> Answer:
    """Tell whether a request has what a match asks for."""
    return _all(
        (
            _path_matches(_uri(match), request.path, match.ignore_uri_case),
            match.method is None or _text_matches(match.method, request.method),
            match.authority is None or _authority_matches(match.authority, request.authority),
            match.scheme is None or _is_present_match(match.scheme) or None,
            not (match.headers or match.without_headers or match.query_params) or None,
        )
    )


def _all(answers: Iterable[Answer]) -> Answer:
    found = set(answers)
    return False if False in found else None if None in found else True


def _uri(match: RequestMatch) -> StringMatch:
    return match.uri if match.uri and match.uri.kind != "present" else ANY_PATH


def _path_matches(match: StringMatch, path: str | None, ignore_case: bool) -> Answer:
    """Compare a path without its query; only a regex heeds the case whatever is asked.

    No route takes a request whose path does not begin with a slash, such as `OPTIONS *`.
    """
    if path is None:
        every = (ANY_PATH, StringMatch("prefix"), _ANY_PATH_REGEX)
        return True if match in every else None
    if not path.startswith("/"):
        return False
    path = path.partition("?")[0].partition("#")[0]
    if match.kind == "regex":
        return _regex_matches(match.value, path)
    wanted = match.value
    if ignore_case:
        wanted, path = wanted.translate(_TO_LOWER), path.translate(_TO_LOWER)
    if match.kind == "path-separated prefix":
        return path == wanted or path.startswith(f"{wanted}/")
    return path == wanted if match.kind == "exact" else path.startswith(wanted)


def _text_matches(match: StringMatch, text: str | None) -> Answer:
    if _is_present_match(match):
        return True
    if text is None:
        return None
    if match.kind == "regex":
        return _regex_matches(match.value, text)
    return text == match.value if match.kind == "exact" else text.startswith(match.value)


def _is_present_match(match: StringMatch) -> bool:
    """Tell whether any value will do (`canBeConvertedToPresentMatch`)."""
    return match.kind == "present" or (match.kind, match.value) == ("regex", _PRESENT_REGEX)


def _authority_matches(match: StringMatch, authority: str | None) -> Answer:
    """Compare an authority, of which neither the case nor the port is known: it may match at most.

    Envoy compares all of it as the caller wrote it.
    """
    if _is_present_match(match):
        return True
    if authority is None or match.kind == "regex":
        return None
    wanted = match.value.lower().removeprefix("[")
    if match.kind == "prefix" and authority.startswith(wanted):
        return None
    rest = wanted.removeprefix(authority).removeprefix("]").removeprefix(".")
    return None if wanted.startswith(authority) and rest[:1] in ("", ":") else False


def _regex_matches(pattern: str, text: str) -> Answer:
    """Compare all of a text with a regex, which is judged by the literal text it begins with."""
    start, rest = _literal_start(pattern)
    if not rest:
        return text == start
    if not text.startswith(start):
        return False
    return True if rest == _ANY_TEXT else None


def _literal_start(pattern: str) -> tuple[str, str]:
    """Split a regex into the literal text that all it matches begins with, and the rest of it.

    The anchors are of no account, as all of a text must match. With an alternative anywhere
    nothing is sure.
    """
    if "|" in pattern:
        return "", pattern
    start: list[str] = []
    place = 1 if pattern.startswith("^") else 0
    while place < len(pattern):
        escaped = pattern[place] == "\\" and pattern[place + 1 : place + 2] in _ESCAPABLE
        if pattern[place] in _METACHARACTERS and not escaped:
            break
        place += escaped
        start.append(pattern[place])
        place += 1
    rest = pattern[place:]
    if rest[:1] in ("*", "?", "{") and start:
        # What is repeated may be absent.
        return "".join(start[:-1]), start[-1] + rest
    return "".join(start), rest.removesuffix("$") if rest in ("$", f"{_ANY_TEXT}$") else rest
