"""Lines that look wrapped and are not, or of which that cannot be told.

A format that users chose may begin as wrappers do, or with what a caller writes. So what it reads
as it stands is looked at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from recommender.access_logs.formats import (
    AMBIGUOUS_JSON,
    AMBIGUOUS_TEXT,
    JsonFormat,
    LogFormat,
    TextFormat,
    parse_lines,
    text_starts,
)
from recommender.access_logs.wrappers import (
    DEFAULT_SHAPES,
    DOCUMENT_MEMBERS,
    LIKE_PREFIX,
    LIKE_RECORD,
    LINE_SCHEMA,
    MEMBERS,
    STORED_SCHEMA,
    TEXT_MEMBERS,
    LineShapes,
    OwnMembers,
    no_parts,
    unwrap,
)

FORGEABLE_WRAPPER: Final = "in what looks like a wrapper, which callers can write in this format"

# Runtimes write times with nine digits, or fewer where the last are zeros; proxies with three.
_SHORT_TIME_OF_RUNTIME: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z (?:stdout|stderr) [FP]"
)
# Defaults begin so.
_OF_NO_PREFIX: Final = ("[", "{", '"')
_LINE: Final = pl.col("line")
_PLACE: Final = ("file", "number")


def line_shapes(formats: Sequence[LogFormat]) -> LineShapes:
    """Say what lines of some formats look like."""
    of_json = [f for f in formats if isinstance(f, JsonFormat)]
    return LineShapes(
        (*DEFAULT_SHAPES.unescaped_starts, *text_starts(formats)),
        frozenset().union(*(f.members for f in of_json)),
        frozenset().union(*(f.objects for f in of_json)),
        tuple(own for own in map(_own_members, of_json) if own.names and own.some),
        tuple(filter(None, map(_beside_document_members, of_json))),
    )


def _own_members(log_format: JsonFormat) -> OwnMembers:
    return OwnMembers(
        tuple(sorted(log_format.members.intersection(MEMBERS))),
        tuple(sorted(set(log_format.always_there))),
        tuple(key for key in log_format.telling if key not in MEMBERS),
    )


def _beside_document_members(log_format: JsonFormat) -> tuple[str, ...]:
    if log_format.members.isdisjoint(DOCUMENT_MEMBERS):
        return ()
    return tuple(sorted(set(log_format.always_there) - DOCUMENT_MEMBERS))


def without_bare_lines(
    stored: pl.DataFrame, formats: Sequence[LogFormat], shapes: LineShapes
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Take out the lines that are not wrapped though they look so.

    Args:
        stored: The lines, with STORED_SCHEMA.
        formats: The formats that they may have.
        shapes: What is known of their lines.

    Returns:
        The other lines, with STORED_SCHEMA, and those that were taken out, with LINE_SCHEMA and a
        reason where it cannot be told.
    """
    taken = [LINE_SCHEMA.to_frame()]
    for log_format in formats:
        found = _bare(stored, log_format, formats, shapes)
        if found.height:
            stored = stored.join(found, on=_PLACE, how="anti", maintain_order="left")
            taken.append(found)
    return stored, pl.concat(taken)


def _bare(
    stored: pl.DataFrame, log_format: LogFormat, formats: Sequence[LogFormat], shapes: LineShapes
) -> pl.DataFrame:
    """Find the lines that a format reads as they stand, with LINE_SCHEMA."""
    if isinstance(log_format, JsonFormat):
        if log_format.members.isdisjoint(TEXT_MEMBERS) or _own_members(log_format).some:
            return LINE_SCHEMA.to_frame()
        return _lines(_read_by([log_format], stored.filter(_LINE.str.starts_with("{"))))
    if log_format.start.startswith(_OF_NO_PREFIX) and not log_format.begins_with_anything:
        return LINE_SCHEMA.to_frame()
    read = _read_by([log_format], stored.filter(LIKE_PREFIX))
    bare = _lines(_not_wrapped(read, formats, shapes))
    others = stored.join(bare, on=_PLACE, how="anti", maintain_order="left")
    unsure = _read_by([log_format], others.filter(_may_be_forged(log_format)))
    return pl.concat([bare, _lines(unsure, FORGEABLE_WRAPPER)])


def _may_be_forged(log_format: TextFormat) -> pl.Expr:
    """Tell lines that a caller may have made look wrapped; prefixes of words are told later."""
    if not log_format.begins_with_anything:
        return pl.lit(value=False)
    if not log_format.begins_with_time:
        return LIKE_RECORD
    return LIKE_RECORD | _LINE.str.contains(_SHORT_TIME_OF_RUNTIME)


def _read_by(formats: Sequence[LogFormat], lines: pl.DataFrame) -> pl.DataFrame:
    """Keep the lines that formats read, surely or not, without a carriage return at the end."""
    if lines.is_empty():
        return lines
    lines = lines.with_columns(_LINE.str.strip_suffix("\r"))
    read = parse_lines(lines.select("line"), formats)["reason"]
    return lines.filter(read.is_null() | read.is_in([AMBIGUOUS_TEXT, AMBIGUOUS_JSON]))


def _not_wrapped(
    read: pl.DataFrame, formats: Sequence[LogFormat], shapes: LineShapes
) -> pl.DataFrame:
    """Keep of lines that are read as they stand those that are not read without a wrapper."""
    if read.is_empty():
        return read
    inner, _ = unwrap(read, no_parts(), None, shapes)
    inner = inner.join(read, on=(*_PLACE, "line"), how="anti").filter(pl.col("reason").is_null())
    return read.join(_read_by(formats, inner), on=_PLACE, how="anti", maintain_order="left")


def _lines(found: pl.DataFrame, reason: str | None = None) -> pl.DataFrame:
    told = {"source_namespace": None, "source_pod": None, "reason": reason}
    return found.select(
        *STORED_SCHEMA, *(pl.lit(value, pl.String).alias(name) for name, value in told.items())
    )
