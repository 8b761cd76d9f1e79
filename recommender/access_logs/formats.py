r"""Access log lines -> columns, for the formats of Istio, told apart line by line.

Both the default text and the default JSON are known, of every version of Istio, with and without
omitEmptyValues.

Envoy escapes nothing in text. A caller can therefore write quotes and whole imitated fields into
the path, the user agent, x-forwarded-for and x-request-id. What decides a dependency is read from
the tail of a line, which begins after the last of these and is matched from the right end. In
JSON everything is escaped, and a key that comes twice was not written by Envoy.
"""

from __future__ import annotations

from typing import Final

import polars as pl

NOT_ACCESS_LOG: Final = "not an access log line"
DIAGNOSTIC: Final = "a diagnostic line of the proxy or its agent"
UNKNOWN_FORMAT: Final = "an access log line of an unknown format"
BROKEN_JSON: Final = "not valid JSON"
AMBIGUOUS_JSON: Final = "ambiguous JSON: a key comes twice or is spelled with escapes"

# Envoy's operators, named by the keys of Istio's default JSON.
_FIELDS: Final = (
    "start_time",
    "method",
    "protocol",
    "response_code",
    "response_flags",
    "authority",
    "upstream_cluster",
    "downstream_local_address",
    "requested_server_name",
    "route_name",
)
FIELD_SCHEMA: Final = pl.Schema(dict.fromkeys(_FIELDS, pl.String))

_TEXT_START: Final = r'^\[(?P<start_time>[0-9T:.Z-]+)\] "'
# Serves for what decides no dependency only: a forged path can make it wrong.
_TEXT_HEAD: Final = (
    r'^\[[^\]]*\] "(?P<method>\S*) \S* ?(?P<protocol>\S*)" '
    r"(?P<response_code>[0-9]+|-) (?P<response_flags>\S+) "
)
# A word is empty under omitEmptyValues. Istio 1.1 and 1.2 log no route.
_WORD: Final = r'[^ "]*'
_TEXT_TAIL: Final = (
    rf'"(?P<authority>[^"]*)" "[^"]*" (?P<upstream_cluster>{_WORD}) {_WORD} '
    rf"(?P<downstream_local_address>{_WORD}) {_WORD} "
    rf'(?P<requested_server_name>{_WORD})(?: (?P<route_name>[^"]*))?$'
)
# An address has a port or is a path; other formats have something else in its place.
_ADDRESS: Final = r"^(?:-|.*[:/].*)?$"

# Half a surrogate pair is refused by some readers; lines with one go the slower way.
_CODE: Final = (
    r"\\u(?:[0-9a-cefA-CEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}"
    r"|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_STRING: Final = rf'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|{_CODE})*"'
# A key that is spelled with escapes takes the slower way too: its twin would be missed.
_KEY: Final = r'"[^"\\\x00-\x1f]*"'
_VALUE: Final = rf"(?:{_STRING}|-?(?:0|[1-9][0-9]{{0,17}})(?:\.[0-9]{{1,18}})?|null|true|false)"
_MEMBER: Final = rf"[ \t]*{_KEY}[ \t]*:[ \t]*{_VALUE}[ \t]*"
_FLAT_OBJECT: Final = rf"^\{{{_MEMBER}(?:,{_MEMBER})*\}}[ \t]*$"
_ESCAPED_KEY: Final = r'[{,][ \t\r]*"[^"\\]*(?:\\.[^"\\]*)+"[ \t\r]*:'
# What pilot-agent writes, and Envoy by itself: a time, a thread or tab, and a level.
_DIAGNOSTIC: Final = (
    r"^(?:\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)\t(?:[a-z]+)\t"
    r"|\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\]\[\d+\]\[[a-z]+\]\[)"
)
_ALWAYS_LOGGED: Final = ("start_time", "response_code", "downstream_local_address")
# The default fields of ASM are a text that looks like JSON but is not escaped.
_UNESCAPED_KEY: Final = "authority_for"


def parse_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """Read the fields of each line of a frame that has the column `line`.

    Returns the frame without `line`, with FIELD_SCHEMA and `reason`, why the line is of no use or
    null. Fields are as logged: `-`, the empty text and null all say that there was no value.
    """
    is_json = pl.col("line").str.starts_with("{")
    return pl.concat([_parse_text(lines.filter(~is_json)), _parse_json(lines.filter(is_json))])


def _parse_text(lines: pl.DataFrame) -> pl.DataFrame:
    line = pl.col("line")
    head, tail = pl.col("head").struct, pl.col("tail").struct
    reason = (
        pl.when(line.str.contains(_DIAGNOSTIC))
        .then(pl.lit(DIAGNOSTIC))
        .when(pl.col("start_time").is_null())
        .then(pl.lit(NOT_ACCESS_LOG))
        .when(~tail.field("downstream_local_address").str.contains(_ADDRESS).fill_null(value=False))
        .then(pl.lit(UNKNOWN_FORMAT))
    )
    return (
        lines.lazy()
        .with_columns(
            line.str.extract(_TEXT_START).alias("start_time"),
            line.str.extract_groups(_TEXT_HEAD).alias("head"),
            line.str.extract_groups(_TEXT_TAIL).alias("tail"),
        )
        .with_columns(
            head.field("method"),
            head.field("protocol"),
            head.field("response_code"),
            head.field("response_flags"),
            tail.field("authority"),
            tail.field("upstream_cluster"),
            tail.field("downstream_local_address"),
            tail.field("requested_server_name"),
            tail.field("route_name"),
            reason.alias("reason"),
        )
        .select(pl.exclude("line", "head", "tail", "reason", *_FIELDS), *_FIELDS, "reason")
        .collect()
    )


def _parse_json(lines: pl.DataFrame) -> pl.DataFrame:
    """Read JSON lines; those with nested values take a slower way.

    `str.json_decode` joins a whole column to one JSON text: it must see nothing but lines that
    are one object each, or a line such as `{},{}` would shift the values of all that follow.
    """
    is_flat = pl.col("line").str.contains(_FLAT_OBJECT)
    flat, other = lines.filter(is_flat), lines.filter(~is_flat)
    fields = pl.col("line").str.json_decode(pl.Struct(FIELD_SCHEMA)).alias("fields")
    decoded = flat.with_columns(fields).unnest("fields").with_columns(_reason_of_json())
    is_json = pl.col("line").str.json_path_match("$").is_not_null()
    reason = (
        pl.when(~is_json)
        .then(pl.lit(BROKEN_JSON))
        .when(pl.col("line").str.contains(_ESCAPED_KEY))
        .then(pl.lit(AMBIGUOUS_JSON))
        .otherwise(_reason_of_json())
    )
    searched = other.with_columns(
        *(pl.col("line").str.json_path_match(f"$.{name}").alias(name) for name in _FIELDS),
        reason.alias("reason"),
    )
    return pl.concat([decoded, searched]).drop("line")


def _reason_of_json() -> pl.Expr:
    """Say why valid JSON is of no use; inside a value a quote is escaped, so only keys match."""

    def times(key: str) -> pl.Expr:
        return pl.col("line").str.count_matches(rf'"{key}"[ \t\r]*:')

    twice = pl.any_horizontal(times(name) > 1 for name in _FIELDS)
    missing = pl.any_horizontal(times(name) == 0 for name in _ALWAYS_LOGGED)
    return (
        pl.when(twice)
        .then(pl.lit(AMBIGUOUS_JSON))
        .when(times("start_time") == 0)
        .then(pl.lit(NOT_ACCESS_LOG))
        .when(missing | (times(_UNESCAPED_KEY) > 0))
        .then(pl.lit(UNKNOWN_FORMAT))
        .alias("reason")
    )
