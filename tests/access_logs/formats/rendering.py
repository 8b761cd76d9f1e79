"""Lines as Envoy renders them: a value for each operator, nothing escaped in text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import polars as pl

from recommender.access_logs.formats import FIELD_SCHEMA, LogFormat, parse_lines
from recommender.access_logs.formats.format_string import tokens_of

START = "2026-11-23T12:16:11.401Z"
TRUE_VALUES = {
    "%START_TIME%": START,
    "%REQ(:METHOD)%": "GET",
    "%PROTOCOL%": "HTTP/1.1",
    "%RESPONSE_CODE%": "200",
    "%RESPONSE_FLAGS%": "-",
    "%REQ(:AUTHORITY)%": "reviews:9080",
    "%UPSTREAM_CLUSTER%": "outbound|9080|v1|reviews.default.svc.cluster.local;",
    "%UPSTREAM_CLUSTER_RAW%": "outbound|9080|v1|reviews.default.svc.cluster.local",
    "%UPSTREAM_HOST%": "10.0.0.7:9080",
    "%DOWNSTREAM_LOCAL_ADDRESS%": "10.96.0.7:9080",
    "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%": "10.96.0.7",
    "%DOWNSTREAM_LOCAL_PORT%": "9080",
    "%DOWNSTREAM_REMOTE_ADDRESS%": "10.0.0.1:35662",
    "%REQUESTED_SERVER_NAME%": "outbound_.9080_.v1_.reviews.default.svc.cluster.local",
    "%ROUTE_NAME%": "default",
    "%DURATION%": "3",
}


def render(
    format_string: str, values: Mapping[str, str | None], *, omits_empty: bool = False
) -> str:
    """Write a line of text; an operator without a value prints `-`, or nothing."""
    missing = "" if omits_empty else "-"
    line = ""
    for token in tokens_of(format_string):
        value = token if isinstance(token, str) else values.get(str(token))
        line += missing if value is None else value
    return line


def render_json(template: object, values: Mapping[str, str | None]) -> str:
    """Write a line of JSON with its keys sorted; an operator without a value prints null."""

    def rendered(value: object) -> object:
        if isinstance(value, dict):
            return {key: rendered(inner) for key, inner in sorted(value.items())}
        if isinstance(value, list):
            return [rendered(inner) for inner in value]
        if not isinstance(value, str):
            return value
        tokens = tokens_of(value)
        alone = len(tokens) == 1 and not isinstance(tokens[0], str)
        return values.get(value) if alone else render(value, values)

    return json.dumps(rendered(template), ensure_ascii=False, separators=(",", ":"))


def parse(lines: Sequence[str], formats: Sequence[LogFormat] | None = None) -> pl.DataFrame:
    """Read lines; the fields and `reason`, with null for every way to say that there is none."""
    frame = parse_lines(pl.DataFrame({"line": lines}, schema={"line": pl.String}), formats)
    texts = [name for name, kind in FIELD_SCHEMA.items() if kind == pl.String]
    return frame.with_columns(pl.col(texts).replace(["", "-"], None))


def one(line: str, formats: Sequence[LogFormat] | None = None) -> dict[str, object]:
    """Read one line."""
    (row,) = parse([line], formats).iter_rows(named=True)
    return row
