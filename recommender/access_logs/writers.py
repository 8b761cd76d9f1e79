"""Who wrote a line: its wrapper says it, else the path of its file, else the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from recommender.access_logs.log_file import LogFile

SourcePod = tuple[str, str | None]
"""A namespace, and the pod in it or None where wrappers name pods without their namespace."""

UNKNOWN_POD: Final = "from a pod that is not known"
OTHER_WRITER: Final = "in a wrapper that names another pod than the path of its file"

_NAMES: Final = ("source_namespace", "source_pod")


def with_writers(
    lines: pl.DataFrame, files: Sequence[LogFile], source_pod: SourcePod | None
) -> pl.DataFrame:
    """Complete `source_namespace` and `source_pod`, by the place of a line's file in `files`.

    Both are null where either is unknown: a namespace is not guessed. That makes a line useless,
    and so does a wrapper that contradicts the path. `reason` says so, but for what was wrong
    before: first what `wrapper_reason` says, and what `reason` said before an unknown pod.
    """
    # Most wrappers name nobody.
    named = [name for name in _NAMES if lines[name].null_count() < lines.height]
    place = ["file", *named]
    said = lines.select("file", *_NAMES).unique(place)
    writers = _writers(said, files, source_pod).select(*place, "namespace", "pod", "is_other")
    found = lines.join(writers, on=place, how="left", nulls_equal=True, maintain_order="left")
    known = pl.col("namespace").is_not_null() & pl.col("pod").is_not_null()
    reason = pl.coalesce(
        "wrapper_reason",
        pl.when("is_other").then(pl.lit(OTHER_WRITER)),
        "reason",
        pl.when(~known).then(pl.lit(UNKNOWN_POD)),
    )
    return found.with_columns(
        pl.when(known).then("namespace").alias("source_namespace"),
        pl.when(known).then("pod").alias("source_pod"),
        reason.alias("reason"),
    ).drop("namespace", "pod", "is_other")


def _writers(
    said: pl.DataFrame, files: Sequence[LogFile], source_pod: SourcePod | None
) -> pl.DataFrame:
    """Tell who wrote lines that say the same of that: `namespace`, `pod`, and `is_other`."""
    writers = [file.writer for file in files]
    paths = pl.DataFrame(
        {
            "file": range(len(files)),
            "path_namespace": [w.namespace if w else None for w in writers],
            "path_pod": [w.pod if w else None for w in writers],
        },
        schema={"file": pl.Int64, "path_namespace": pl.String, "path_pod": pl.String},
    )
    namespace, pod = pl.col("source_namespace"), pl.col("source_pod")
    path = pl.col("path_namespace"), pl.col("path_pod")
    is_other = ~(_agree(namespace, path[0]) & _agree(pod, path[1]))
    given = source_pod or (None, None)
    for more in (path, (pl.lit(given[0]), pl.lit(given[1]))):
        # What is said of one pod or namespace says nothing about another one.
        agrees = _agree(namespace, more[0]) & _agree(pod, more[1])
        namespace = pl.coalesce(namespace, pl.when(agrees).then(more[0]))
        pod = pl.coalesce(pod, pl.when(agrees).then(more[1]))
    return said.join(paths, on="file", how="left").select(
        "file", *_NAMES, namespace.alias("namespace"), pod.alias("pod"), is_other.alias("is_other")
    )


def _agree(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    return (one == other).fill_null(value=True)
