"""A log format as a user or a mesh names it: by name, as a format string, in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from recommender.access_logs.formats.format_string import tokens_of
from recommender.access_logs.formats.json_format import json_format
from recommender.access_logs.formats.known import LogFormat, assumed_formats, known_formats
from recommender.access_logs.formats.text_format import text_format
from recommender.errors import UsageError

FORMAT_NAMES_HINT: Final = (
    "a name is istio-text, istio-json, istio-VERSION such as istio-1.9, asm-text, asm-json or "
    "envoy; a format string has operators such as %START_TIME%; @FILE reads one from a file"
)
_VERSION: Final = re.compile(r"istio-([0-9]{1,3})\.([0-9]{1,3})")
_LIKE_JSON: Final = re.compile(r'\{\s*"[^"%]*"\s*:|\{\s*\n')
_MOST_CHARACTERS: Final = 1 << 20
_GIVEN: Final = "--log-format"


def log_format(text: str) -> tuple[LogFormat, ...]:
    """Read a log format: the name of a known one, a format string, or `@` and a file with one.

    The name of any version of Istio since 1.1 is known. A format string that is a JSON object may
    be meant as JSON, where proxies escape, or as text that looks like it, where they do not:
    it gives both formats.

    Raises:
        UsageError: It is none of these, Envoy would refuse it, or it lacks what is needed.
    """
    if text.startswith("@"):
        return formats_of(_content(Path(text[1:])), text)
    if "%" in text:
        return formats_of(text, _GIVEN)
    found = known_formats().get(text) or _of_version(text)
    if found is None:
        raise UsageError(f"no log format is named {text[:40]!r}", hint=FORMAT_NAMES_HINT)
    return (found,)


def formats_of(format_string: str, where: str) -> tuple[LogFormat, ...]:
    """Compile a format string that may be one of JSON; `where` says where it is from.

    Raises:
        UsageError: Envoy would refuse it, or it lacks what is needed.
    """
    template = json_template(format_string)
    try:
        if template is None:
            _check_no_json(format_string)
            return (text_format(format_string, where),)
        as_json = json_format(template, where)
        one_line = "\n" not in format_string.removesuffix("\n")
        return (as_json, text_format(format_string, where)) if one_line else (as_json,)
    except UsageError as error:
        raise UsageError(error.what, where=where, hint=error.hint) from error


def formats_as_configured(
    text: str | None, labels: Mapping[str, object] | None, where: str, *, omits_empty: bool
) -> tuple[LogFormat, ...]:
    """Compile what istiod makes of a format string or the labels of a log in JSON.

    Empty ones stand for Istio's defaults. Source: istio model/telemetry_logging.go
    (`fileAccessLogFromTelemetry`, `fileAccessLogWithDefaults`).

    Raises:
        UsageError: Envoy would refuse it, or it lacks what is needed.
    """
    known = known_formats()
    if labels is not None:
        if not labels:
            return (known["istio-json"],)
        return (json_format(labels, where, keeps_empty=not omits_empty),)
    if not text:
        return (known["istio-text"],)
    compiled = text_format(text, where)
    has_route = compiled.tokens[-1] == tokens_of("%ROUTE_NAME%")[0]
    is_default = has_route and any(
        name.startswith("istio-") and getattr(other, "tokens", None) == compiled.tokens
        for name, other in known.items()
    )
    return (known["istio-text"],) if is_default else (compiled,)


def formats_to_try(configured: Sequence[LogFormat]) -> tuple[LogFormat, ...]:
    """Put the formats that are assumed behind those that are configured."""
    names = {log_format.name for log_format in configured}
    return (*configured, *(other for other in assumed_formats() if other.name not in names))


def json_template(format_string: str) -> dict[str, object] | None:
    """Read the object that a format of JSON is; None if it is none."""
    if not format_string.lstrip().startswith("{"):
        return None
    try:
        template = json.loads(format_string)
    except (ValueError, RecursionError):
        return None
    return template if isinstance(template, dict) else None


def _check_no_json(format_string: str) -> None:
    """Refuse what is meant as JSON and is none; text that looks like it has an end, on one line."""
    text = format_string.strip()
    if not _LIKE_JSON.match(text):
        return
    try:
        json.loads(text)
    except RecursionError:
        return
    except json.JSONDecodeError as error:
        has_end = error.pos < len(text) and not error.msg.startswith("Unterminated string")
        if has_end and "\n" not in text:
            return
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(
            f"the log format begins like JSON and is none: {error.msg} at {place}",
            hint="a format of JSON is one object, from its first bracket to its last",
        ) from error


def _of_version(name: str) -> LogFormat | None:
    """Find the text of a version of Istio: that of the last version that changed it."""
    match = _VERSION.fullmatch(name)
    if match is None:
        return None
    wanted = (int(match[1]), int(match[2]))
    older = [
        (int(m[1]), int(m[2]), known)
        for key, known in known_formats().items()
        if (m := _VERSION.fullmatch(key)) and (int(m[1]), int(m[2])) <= wanted
    ]
    return max(older, key=lambda found: found[:2])[2] if older else None


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:
            content = file.read(_MOST_CHARACTERS + 1)
    except OSError as error:
        what = f"cannot read the log format: {error.strerror}"
        raise UsageError(what, where=str(path), hint=FORMAT_NAMES_HINT) from error
    except UnicodeDecodeError as error:
        what = "the log format is not UTF-8 text"
        raise UsageError(what, where=str(path), hint=FORMAT_NAMES_HINT) from error
    if len(content) > _MOST_CHARACTERS:
        raise UsageError("the file is too large for a log format", where=str(path))
    return content
