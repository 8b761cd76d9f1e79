"""What the lines of each kind say, which is worked out once."""

from __future__ import annotations

from typing import Final

import polars as pl

from recommender.access_logs.alike import NO_KIND
from recommender.access_logs.requests import FACTS

_LINE: Final = {
    # who wrote the line, as far as its wrapper tells, and why that is of no use, or null
    "source_namespace": pl.String(),
    "source_pod": pl.String(),
    "wrapper_reason": pl.String(),
    # what else makes the line useless, or null
    "reason": pl.String(),
    **FACTS,
}
_SAID: Final = {name: kind for name, kind in _LINE.items() if name != "first_seen"}
_PLACE: Final = {
    # the place of the line's file, and its number there; of several lines, of the first
    "file": pl.Int64(),
    "number": pl.Int64(),
}
LOOKED_AT: Final = pl.Schema({**_PLACE, "kind": pl.Int64(), **_LINE})
"""What a line says by itself, and where it is."""
SAID_BY_LINES: Final = pl.Schema(
    {
        **_PLACE,
        **_LINE,
        # how many lines they are, and when the last request started; the first at `first_seen`
        "requests": pl.Int64(),
        "last_seen": pl.Datetime("ms", "UTC"),
    }
)
"""What lines say that are alike, and where they are."""

_NOTHING_SAID: Final = pl.Schema({"said": pl.UInt32(), **_SAID})
_NO_KINDS: Final = pl.Schema({"kind": pl.Int64(), "said": pl.UInt32()})
_DAY: Final = 24 * 60 * 60 * 1000


class KnownKinds:
    """Hold what the lines of each kind say; different kinds may say the same."""

    def __init__(self) -> None:
        self._said = _NOTHING_SAID.to_frame()
        self._kinds = _NO_KINDS.to_frame()

    def read(self, looked_at: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
        """Say what lines say that were looked at, or that are of a kind that ever was.

        Args:
            looked_at: Lines, with LOOKED_AT.
            rows: The rows of kinds, with ROWS.

        Returns:
            A frame with SAID_BY_LINES.
        """
        is_alone = pl.col("kind") == NO_KIND
        self._learn(looked_at.filter(~is_alone))
        alone = looked_at.filter(is_alone).with_columns(
            pl.lit(1, pl.Int64).alias("requests"), pl.col("first_seen").alias("last_seen")
        )
        return pl.concat([alone.select(*SAID_BY_LINES), self._of_kinds(rows)])

    def _learn(self, lines: pl.DataFrame) -> None:
        """Add kinds by what their first lines say."""
        if lines.is_empty():
            return
        said = pl.concat([self._said.drop("said"), lines.select(*_SAID)])
        self._said = said.unique(maintain_order=True).with_row_index("said")
        kinds = lines.join(self._said, on=list(_SAID), how="left", nulls_equal=True)
        self._kinds = self._kinds.extend(kinds.select(*self._kinds.columns))

    def _of_kinds(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Put the rows together that say the same about a day, and say what that is."""
        day, time = pl.col("first") // _DAY, pl.Datetime("ms", "UTC")
        of_a_day = (
            rows.join(self._kinds, on="kind", how="left", maintain_order="left")
            .group_by("file", "said", day.alias("day"), maintain_order=True)
            .agg(
                pl.col("number").min(),
                pl.col("requests").sum(),
                pl.col("first").min().cast(time).alias("first_seen"),
                pl.col("last").max().cast(time).alias("last_seen"),
            )
        )
        said = of_a_day.join(self._said, on="said", how="left", maintain_order="left")
        return said.select(*SAID_BY_LINES)

    def forget(self) -> None:
        """Forget all kinds."""
        self._said = self._said.clear()
        self._kinds = self._kinds.clear()
