"""Parts of lines -> lines: what a container runtime split is joined again."""

from __future__ import annotations

from typing import Final

import polars as pl

STORED_SCHEMA: Final = pl.Schema(
    {
        # the place of the file in its batch, and of the line in the file, from 1
        "file": pl.Int64(),
        "number": pl.Int64(),
        "line": pl.String(),
    }
)
PART_SCHEMA: Final = pl.Schema(
    {
        **STORED_SCHEMA,
        # the kind of wrapper that the part was taken out of; null for a bare line
        "wrapper": pl.String(),
        # who wrote the line, as far as the wrapper tells
        "source_namespace": pl.String(),
        "source_pod": pl.String(),
        "container": pl.String(),
        # "stdout" or "stderr", as far as the wrapper tells
        "stream": pl.String(),
        # "P" when the next part of the stream goes on with the line, else "F" or null
        "tag": pl.String(),
        # why the line is of no use, or null
        "reason": pl.String(),
    }
)

RECORD: Final = "record"
"""The wrapper of a line that is a record, or may be one, or have the prefix of a runtime."""
AMBIGUOUS_WRAPPER: Final = "in a wrapper that is ambiguous: a key comes twice or two disagree"

# Parts of one line have all of these in common.
_STREAM: Final = ["file", "wrapper", "source_namespace", "source_pod", "container", "stream"]


def no_parts() -> pl.DataFrame:
    """Make the frame of no parts."""
    return PART_SCHEMA.to_frame()


def parts_of(lines: pl.DataFrame, **columns: pl.Expr | str | None) -> pl.DataFrame:
    """Give a frame PART_SCHEMA; columns that are neither there nor named are null."""
    known = {name: pl.lit(value) if isinstance(value, str | None) else value
             for name, value in columns.items()}  # fmt: skip
    there = set(lines.columns)
    return lines.select(
        known.get(name, pl.col(name) if name in there else pl.lit(None)).cast(kind).alias(name)
        for name, kind in PART_SCHEMA.items()
    )


def goes_on() -> pl.Expr:
    """Tell whether a part is not the last one of its line."""
    return (pl.col("tag") == "P").fill_null(value=False)


def joined(parts: pl.DataFrame) -> pl.DataFrame:
    """Join the parts of each split line; the line is where its first part is."""
    if not (parts["tag"] == "P").any():
        return parts
    follows = (pl.col("tag").shift(1).over(_STREAM) == "P").fill_null(value=False)
    marked = (
        parts.with_row_index("place")
        .with_columns(pl.when(~follows).then("place").alias("begin"))
        .with_columns(pl.col("begin").forward_fill().over(_STREAM))
    )
    split = (pl.col("begin") != pl.col("place")) | goes_on()
    whole_lines = (
        marked.filter(split)
        .group_by("begin", maintain_order=True)
        .agg(
            pl.col("file", "number", *_STREAM[1:]).first(),
            pl.col("line").str.join(""),
            pl.col("tag").last(),
            pl.col("reason").drop_nulls().first(),
        )
    )
    rest = marked.filter(~split)
    return pl.concat([rest.select(*PART_SCHEMA), whole_lines.select(*PART_SCHEMA)])
