"""Lines as stored -> lines as the proxy wrote them: the prefix of the container runtime removed.

CRI runtimes (containerd, CRI-O) write `<time> <stream> <F|P> <text>`. They split long lines:
a part `P` goes on in the next part of the same stream, up to the part `F`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from recommender.access_logs.files import LINE_TOO_LONG, MOST_LINE_BYTES

STANDARD_ERROR: Final = "on standard error, where no access log goes"
UNFINISHED: Final = "a part of a line whose end is missing"
EMPTY: Final = "an empty line"

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
        # "stdout" or "stderr"; null for a line without a prefix
        "stream": pl.String(),
        # "P" when the next part of the stream goes on with the line, else "F" or null
        "tag": pl.String(),
    }
)

_CRI_PREFIX: Final = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2}) "
    r"(?:stdout|stderr) [FP](?::[^ ]*)? )"
)


def unwrap(
    stored: pl.DataFrame, begun: pl.DataFrame, unfinished_file: int | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Take the prefix off each line and join the parts of split lines.

    Args:
        stored: The lines, with STORED_SCHEMA.
        begun: Parts of lines that go on in the first file, with PART_SCHEMA.
        unfinished_file: The file of which more is to come, if there is one.

    Returns:
        The lines, with STORED_SCHEMA and `reason`, why a line is of no use or null; and the parts
        of lines that go on in what is to come.
    """
    parts = _parts(stored)
    if begun.height or (parts["tag"] == "P").any():
        parts = _joined(pl.concat([begun, parts]))
    goes_on = (pl.col("tag") == "P").fill_null(value=False)
    to_come = goes_on & (pl.lit(unfinished_file) == pl.col("file")).fill_null(value=False)
    # A line that grows too long is cut when it is certain to be skipped for that.
    begun = parts.filter(to_come).with_columns(pl.col("line").str.head(MOST_LINE_BYTES + 1))
    reason = (
        pl.when(pl.col("line").str.len_bytes() > MOST_LINE_BYTES)
        .then(pl.lit(LINE_TOO_LONG))
        .when(goes_on)
        .then(pl.lit(UNFINISHED))
        .when(pl.col("stream") == "stderr")
        .then(pl.lit(STANDARD_ERROR))
        .when(pl.col("line") == "")
        .then(pl.lit(EMPTY))
    )
    lines = parts.filter(~to_come).select(*STORED_SCHEMA, reason.alias("reason"))
    return lines, begun


def no_parts() -> pl.DataFrame:
    """Make the frame of no parts."""
    return PART_SCHEMA.to_frame()


def _parts(stored: pl.DataFrame) -> pl.DataFrame:
    """Take the prefix and one carriage return off each line."""
    prefix = pl.col("prefix").str
    return (
        stored.lazy()
        .with_columns(pl.col("line").str.extract(_CRI_PREFIX).alias("prefix"))
        .select(
            "file",
            "number",
            # The prefix is ASCII: its characters are its bytes.
            pl.col("line")
            .str.slice(prefix.len_bytes().fill_null(0))
            .str.strip_suffix("\r")
            .alias("line"),
            prefix.extract(r" (stdout|stderr) ").alias("stream"),
            prefix.extract(r" ([FP])(?::[^ ]*)? $").alias("tag"),
        )
        .collect()
    )


def _joined(parts: pl.DataFrame) -> pl.DataFrame:
    """Join the parts of each split line; the line is where its first part is."""
    stream = ["file", "stream"]
    follows = (pl.col("tag").shift(1).over(stream) == "P").fill_null(value=False)
    marked = (
        parts.with_row_index("place")
        .with_columns(pl.when(~follows).then("place").alias("begin"))
        .with_columns(pl.col("begin").forward_fill().over(stream))
    )
    split = (pl.col("begin") != pl.col("place")) | (pl.col("tag") == "P").fill_null(value=False)
    joined = (
        marked.filter(split)
        .group_by("begin", maintain_order=True)
        .agg(
            pl.col("file").first(),
            pl.col("number").first(),
            pl.col("line").str.join(""),
            pl.col("stream").first(),
            pl.col("tag").last(),
        )
    )
    whole = marked.filter(~split)
    return pl.concat([whole.select(*PART_SCHEMA), joined.select(*PART_SCHEMA)])
