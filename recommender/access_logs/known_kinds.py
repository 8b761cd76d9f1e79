"""What the lines of each kind say, which is worked out once."""

from __future__ import annotations

from typing import Final

import polars as pl

from recommender.access_logs.alike import NO_KIND
from recommender.access_logs.requests import FACTS

_SAID: Final = {
    # who wrote the line, as far as its wrapper tells, and why that is of no use, or null
    "source_namespace": pl.String(),
    "source_pod": pl.String(),
    "wrapper_reason": pl.String(),
    # what else makes the line useless, or null
    "reason": pl.String(),
    **FACTS,
}
_PLACE: Final = {
    # the place of the line's file, and its number there; of several lines, of the first
    "file": pl.Int64(),
    "number": pl.Int64(),
}
LOOKED_AT: Final = pl.Schema({**_PLACE, "kind": pl.Int64(), **_SAID})
"""What a line says by itself, and where it is."""
SAID_BY_LINES: Final = pl.Schema(
    {
        **_PLACE,
        **_SAID,
        # how many lines they are, and when the last request started; the first at `first_seen`
        "requests": pl.Int64(),
        "last_seen": pl.Datetime("ms", "UTC"),
    }
)
"""What lines say that are alike, and where they are."""


class KnownKinds:
    """Hold what the lines of each kind say."""

    def __init__(self) -> None:
        self._said = pl.Schema({"kind": pl.Int64(), **_SAID}).to_frame()

    def read(self, looked_at: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
        """Say what lines say that were looked at, or that are of a kind that ever was.

        Args:
            looked_at: Lines, with LOOKED_AT.
            rows: The rows of kinds, with ROWS.

        Returns:
            A frame with SAID_BY_LINES.
        """
        is_alone = pl.col("kind") == NO_KIND
        self._said = self._said.extend(looked_at.filter(~is_alone).select(self._said.columns))
        alone = looked_at.filter(is_alone).with_columns(
            pl.lit(1, pl.Int64).alias("requests"), pl.col("first_seen").alias("last_seen")
        )
        return pl.concat([alone.select(*SAID_BY_LINES), self._of_kinds(rows)])

    def _of_kinds(self, rows: pl.DataFrame) -> pl.DataFrame:
        said = rows.join(self._said, on="kind", how="left", maintain_order="left")
        first, last = (pl.col(name).cast(pl.Datetime("ms", "UTC")) for name in ("first", "last"))
        has_time = pl.col("first_seen").is_not_null()
        return said.with_columns(
            pl.when(has_time).then(first).alias("first_seen"), last.alias("last_seen")
        ).select(*SAID_BY_LINES)

    def forget(self) -> None:
        """Forget all kinds."""
        self._said = self._said.clear()
