"""Lines as stored -> lines as the proxy wrote them, with who wrote them.

Container runtimes put a prefix before each line or wrap it in JSON, and split long ones. What
collects logs (Fluent Bit, Filebeat, Loki, SLS ...) wraps lines in records of its own, which name
the pod. Each line of a file is told apart by itself, so files may be mixed.

A caller chooses much of the text of a line, but nothing outside it. So a wrapper is only what
begins where the stored line begins, a name of a pod is only what stands beside the text, and what
has been unwrapped is not unwrapped again where its wrapper shows that it was the last one.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from recommender.access_logs.container_paths import PROXY_CONTAINER
from recommender.access_logs.pieces import LINE_TOO_LONG, MOST_LINE_BYTES
from recommender.access_logs.wrappers.documents import DOCUMENT_MEMBERS
from recommender.access_logs.wrappers.line_shapes import DEFAULT_SHAPES, LineShapes, OwnMembers
from recommender.access_logs.wrappers.parts import (
    AMBIGUOUS_WRAPPER,
    PART_SCHEMA,
    STORED_SCHEMA,
    goes_on,
    joined,
    no_parts,
)
from recommender.access_logs.wrappers.prefixes import (
    FORGEABLE_PREFIX,
    LIKE_PREFIX,
    without_prefixes,
)
from recommender.access_logs.wrappers.records import (
    LIKE_RECORD,
    MEMBERS,
    TEXT_MEMBERS,
    without_records,
)

STANDARD_ERROR: Final = "on standard error, where no access log goes"
UNFINISHED: Final = "a part of a line whose end is missing"
EMPTY: Final = "an empty line"
OTHER_CONTAINER_RECORD: Final = f"of another container than {PROXY_CONTAINER}"

LINE_SCHEMA: Final = pl.Schema(
    {
        **STORED_SCHEMA,
        # who wrote the line; null where the wrapper does not tell
        "source_namespace": pl.String(),
        "source_pod": pl.String(),
        # why the line is of no use, or null
        "reason": pl.String(),
    }
)

_NAME: Final = r"^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$"


def unwrap(
    stored: pl.DataFrame,
    begun: pl.DataFrame,
    unfinished_file: int | None,
    shapes: LineShapes = DEFAULT_SHAPES,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Take each line out of its wrappers and join the parts of split lines.

    Args:
        stored: The lines, with STORED_SCHEMA.
        begun: Parts of lines that go on in the first file, with PART_SCHEMA.
        unfinished_file: The file of which more is to come, if there is one.
        shapes: What is known of the lines in the wrappers.

    Returns:
        The lines, with LINE_SCHEMA; and the parts of lines that go on in what is to come.
    """
    is_forgeable = "" in shapes.unescaped_starts
    parts = without_records(without_prefixes(stored, is_forgeable=is_forgeable), shapes)
    parts = joined(pl.concat([begun, parts]) if begun.height else parts)
    to_come = goes_on() & (pl.lit(unfinished_file) == pl.col("file")).fill_null(value=False)
    # A line that grows too long is cut when it is certain to be skipped for that.
    begun = parts.filter(to_come).with_columns(pl.col("line").str.head(MOST_LINE_BYTES + 1))
    names = [
        pl.when(pl.col(name).str.contains(_NAME)).then(name).alias(name)
        for name in ("source_namespace", "source_pod")
        if parts[name].null_count() < parts.height
    ]
    lines = parts.lazy().filter(~to_come).with_columns(*names, _reason().alias("reason"))
    return lines.select(*LINE_SCHEMA).collect(engine="in-memory"), begun


def _reason() -> pl.Expr:
    return (
        pl.when(pl.col("container") != PROXY_CONTAINER)
        .then(pl.lit(OTHER_CONTAINER_RECORD))
        .when(pl.col("reason").is_not_null())
        .then("reason")
        .when(pl.col("line").str.len_bytes() > MOST_LINE_BYTES)
        .then(pl.lit(LINE_TOO_LONG))
        .when(goes_on())
        .then(pl.lit(UNFINISHED))
        .when(pl.col("stream") == "stderr")
        .then(pl.lit(STANDARD_ERROR))
        .when(pl.col("line") == "")
        .then(pl.lit(EMPTY))
    )


__all__ = [
    "AMBIGUOUS_WRAPPER",
    "DEFAULT_SHAPES",
    "DOCUMENT_MEMBERS",
    "EMPTY",
    "FORGEABLE_PREFIX",
    "LIKE_PREFIX",
    "LIKE_RECORD",
    "LINE_SCHEMA",
    "MEMBERS",
    "OTHER_CONTAINER_RECORD",
    "PART_SCHEMA",
    "STANDARD_ERROR",
    "STORED_SCHEMA",
    "TEXT_MEMBERS",
    "UNFINISHED",
    "LineShapes",
    "OwnMembers",
    "no_parts",
    "unwrap",
]
