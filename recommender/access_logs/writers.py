"""Who wrote a line: its wrapper says it, else the path of its file, else the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from recommender.access_logs.files import LogFile

SourcePod = tuple[str, str | None]
"""A namespace, and the pod in it or None where wrappers name pods without their namespace."""

UNKNOWN_POD: Final = "from a pod that is not known"
OTHER_WRITER: Final = "in a wrapper that names another pod than the path of its file"


def with_writers(
    lines: pl.DataFrame, files: Sequence[LogFile], source_pod: SourcePod | None
) -> pl.DataFrame:
    """Complete `source_namespace` and `source_pod`, by the place of a line's file in `files`.

    Both are null where either is unknown: a namespace is not guessed. That makes a line useless,
    and so does a wrapper that contradicts the path. `reason` says so, but for what was wrong
    before: first what `wrapper_reason` says, and what `reason` said before an unknown pod.
    """
    writers = [file.writer for file in files]
    path_namespace = _by_file([w.namespace if w else None for w in writers])
    path_pod = _by_file([w.pod if w else None for w in writers])
    namespace, pod = pl.col("source_namespace"), pl.col("source_pod")
    given = source_pod or (None, None)
    for more in (
        (path_namespace, path_pod),
        (pl.lit(given[0]), pl.lit(given[1])),
    ):
        # What is said of one pod or namespace says nothing about another one.
        agrees = _agree(namespace, more[0]) & _agree(pod, more[1])
        namespace = pl.coalesce(namespace, pl.when(agrees).then(more[0]))
        pod = pl.coalesce(pod, pl.when(agrees).then(more[1]))
    known = pod.is_not_null() & namespace.is_not_null()
    other = ~(
        _agree(pl.col("source_pod"), path_pod) & _agree(pl.col("source_namespace"), path_namespace)
    )
    reason = pl.coalesce(
        "wrapper_reason",
        pl.when(other).then(pl.lit(OTHER_WRITER)),
        "reason",
        pl.when(~known).then(pl.lit(UNKNOWN_POD)),
    )
    return lines.with_columns(
        pl.when(known).then(namespace).alias("source_namespace"),
        pl.when(known).then(pod).alias("source_pod"),
        reason.alias("reason"),
    )


def _by_file(values: Sequence[str | None]) -> pl.Expr:
    if len(set(values)) == 1:
        return pl.lit(values[0], pl.String)
    return pl.col("file").replace_strict(range(len(values)), values, return_dtype=pl.String)


def _agree(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    return (one == other).fill_null(value=True)
