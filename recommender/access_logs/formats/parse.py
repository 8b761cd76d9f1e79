"""Lines -> fields, by whichever of some formats reads them.

Which format a line has is not written on it. A line is read where every format that can read it
reads the same in it, as far as a dependency depends on that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from recommender.access_logs.formats.fields import DECIDING, FIELD_SCHEMA
from recommender.access_logs.formats.json_format import JsonFormat
from recommender.access_logs.formats.json_lines import (
    AMBIGUOUS_JSON,
    BROKEN_JSON,
    PROBLEM,
    Path,
    comes_too_often,
    values_at,
)
from recommender.access_logs.formats.known import LogFormat, assumed_formats
from recommender.access_logs.formats.template import (
    NO_READING,
    READING,
    SEVERAL_READINGS,
)
from recommender.access_logs.formats.text_format import TextFormat

NOT_ACCESS_LOG: Final = "not an access log line"
DIAGNOSTIC: Final = "a diagnostic line of the proxy or its agent"
UNKNOWN_FORMAT: Final = "an access log line of an unknown format"
AMBIGUOUS_TEXT: Final = "an access log line that can be read in more than one way"

# What pilot-agent writes, and Envoy by itself: a time, a thread or tab, and a level.
_LEVEL: Final = "(?:trace|debug|info|warn|warning|error|fatal|critical)"
_DIAGNOSTIC: Final = (
    rf"^(?:\d{{4}}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)\t{_LEVEL}\t"
    rf"|\[\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\]\[\d+\]\[{_LEVEL}\]\[)"
)
# How the lines of all defaults begin, and a key that all of them have in JSON.
_LIKE_ACCESS_LOG: Final = r'^(?:\[[0-9T:.Z-]+\] "|\{.*"start_time"[ \t\r]*:)'
_ROW: Final = "row"
_RANK: Final = "rank"
_REASON: Final = "reason"
_NOTHING: Final = pl.Schema(
    {
        _ROW: pl.UInt32(),
        **FIELD_SCHEMA,
        READING: pl.Int8(),
        _RANK: pl.Int32(),
        _REASON: pl.String(),
    }
).to_frame()
_COMPARED: Final = tuple(name for name in FIELD_SCHEMA if name in DECIDING and name != "method")


def parse_lines(lines: pl.DataFrame, formats: Sequence[LogFormat] | None = None) -> pl.DataFrame:
    """Read the fields of each line of a frame that has the column `line`.

    Args:
        lines: The lines, as their proxies wrote them.
        formats: The formats that they may have; Istio's, ASM's and Envoy's defaults if None.

    Returns:
        The frame without `line`, with FIELD_SCHEMA and `reason`, why the line is of no use or
        null. Where several formats say the same the first says the rest.
    """
    formats = assumed_formats() if formats is None else formats
    frame = lines.with_row_index(_ROW)
    text = frame.select(_ROW, "line")
    is_json = pl.col("line").str.starts_with("{")
    found = [
        *(_read_text(text, rank, f) for rank, f in enumerate(formats) if isinstance(f, TextFormat)),
        _read_json(
            text.filter(is_json),
            [(rank, f) for rank, f in enumerate(formats) if isinstance(f, JsonFormat)],
        ),
    ]
    readings = _agreed(pl.concat(found, how="diagonal_relaxed"))
    joined = frame.join(readings, on=_ROW, how="left", maintain_order="left")
    reason = pl.when(pl.col(READING).is_null()).then(_reason()).otherwise(pl.col(_REASON))
    return joined.with_columns(reason.alias(_REASON)).select(
        *(name for name in lines.columns if name != "line"), *FIELD_SCHEMA, _REASON
    )


def text_starts(formats: Sequence[LogFormat]) -> tuple[str, ...]:
    """List how the lines of text formats begin that may look like a wrapper.

    That is how those begin that look like JSON, and nothing where a caller can write any words.
    """
    texts = [f for f in formats if isinstance(f, TextFormat)]
    starts = {f.start for f in texts if f.start.startswith("{")}
    return tuple(sorted(starts | {"" for f in texts if f.begins_with_anything}))


def _reason() -> pl.Expr:
    """Say what a line is that no format reads."""
    line = pl.col("line")
    return (
        pl.when(line.str.contains(_DIAGNOSTIC))
        .then(pl.lit(DIAGNOSTIC))
        .when(line.str.starts_with("{") & line.str.json_path_match("$").is_null())
        .then(pl.lit(BROKEN_JSON))
        .when(line.str.contains(_LIKE_ACCESS_LOG))
        .then(pl.lit(UNKNOWN_FORMAT))
        .otherwise(pl.lit(NOT_ACCESS_LOG))
    )


def _read_text(text: pl.DataFrame, rank: int, log_format: TextFormat) -> pl.DataFrame:
    lines = text.filter(pl.col("line").str.starts_with(log_format.start))
    if not log_format.start:
        lines = lines.filter(~pl.col("line").str.contains(_DIAGNOSTIC))
    if lines.is_empty():
        return _NOTHING
    values = log_format.template.read(lines["line"])
    values = pl.concat([lines.select(_ROW), values], how="horizontal")
    values = values.filter(pl.col(READING) != NO_READING)
    if values.is_empty():
        return _NOTHING
    several = pl.col(READING) == SEVERAL_READINGS
    return values.select(
        _ROW,
        *log_format.fields.expressions(),
        READING,
        pl.lit(rank, pl.Int32).alias(_RANK),
        pl.when(several).then(pl.lit(AMBIGUOUS_TEXT)).alias(_REASON),
    )


def _read_json(lines: pl.DataFrame, formats: Sequence[tuple[int, JsonFormat]]) -> pl.DataFrame:
    """Read JSON, which is taken apart once for all formats."""
    paths = list(dict.fromkeys(path for _, f in formats for path in f.paths))
    if lines.is_empty() or not paths:
        return _NOTHING
    values = pl.concat([lines, values_at(lines["line"], paths)], how="horizontal")
    found = [_read_values(rank, f, values.filter(_has_keys(f)), paths) for rank, f in formats]
    return pl.concat(found, how="diagonal_relaxed")


def _has_keys(log_format: JsonFormat) -> pl.Expr:
    """Tell lines that may be of a format by keys that they must have, or must not."""
    line = pl.col("line")
    return pl.all_horizontal(
        line.str.contains_any([f'"{key}"' for key in log_format.telling]),
        *(line.str.contains(f'"{key}"', literal=True) for key in log_format.always_logged),
        *(~line.str.contains(rf'"{re.escape(key)}"[ \t\r]*:') for key in log_format.foreign),
    )


def _read_values(
    rank: int, log_format: JsonFormat, values: pl.DataFrame, paths: Sequence[Path]
) -> pl.DataFrame:
    if values.is_empty():
        return _NOTHING
    reason = pl.coalesce(
        PROBLEM,
        pl.when(comes_too_often(log_format.keys)).then(pl.lit(AMBIGUOUS_JSON)),
        pl.when(pl.col(READING) == SEVERAL_READINGS).then(pl.lit(AMBIGUOUS_TEXT)),
    )
    by_path = {path: values[str(place)] for place, path in enumerate(paths)}
    is_json = (pl.col(PROBLEM) != BROKEN_JSON).fill_null(value=True)
    return (
        pl.concat(
            [values.select(_ROW, "line", PROBLEM), log_format.read(by_path)], how="horizontal"
        )
        .with_columns(reason.alias(_REASON), pl.lit(rank, pl.Int32).alias(_RANK))
        .filter((pl.col(READING) != NO_READING) & is_json)
        .drop("line", PROBLEM)
    )


def _agreed(readings: pl.DataFrame) -> pl.DataFrame:
    """Keep the first reading of each line, with a reason where another is unlike it."""
    is_alone = readings[_ROW].is_unique()
    if is_alone.all():
        return readings.drop(_RANK)
    alone, others = readings.filter(is_alone), readings.filter(~is_alone)
    known = [
        pl.when(~pl.col(name).is_in(["", "-"])).then(name).alias(name)
        if FIELD_SCHEMA[name] == pl.String
        else pl.col(name)
        for name in _COMPARED
    ]
    differs = pl.struct(known).n_unique().over(_ROW) > 1
    unsure = pl.col(_REASON).is_not_null().any().over(_ROW)
    reason = pl.when(unsure | differs).then(
        pl.coalesce(pl.col(_REASON).drop_nulls().first().over(_ROW), pl.lit(AMBIGUOUS_TEXT))
    )
    first = others.with_columns(reason.alias(_REASON)).filter(
        pl.col(_RANK) == pl.col(_RANK).min().over(_ROW)
    )
    return pl.concat([alone, first]).drop(_RANK)
