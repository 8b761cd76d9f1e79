"""Requests -> flows: requests summed per day, source and destination.

A flow keeps what identifies a destination and nothing about a caller's content: no path, no
user agent, no client address. Flows of two parts of a log merge into the flows of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from recommender.access_logs import REQUEST_SCHEMA, LineCounts, LogBatch, merge_line_counts

# summed up in a flow
_SUMMED: Final = ("failed", "requests", "first_seen", "last_seen")

FLOW_SCHEMA = pl.Schema(
    {
        # the UTC day the requests started
        "day": pl.Date(),
        # the pod whose proxy wrote the lines, and what REQUEST_SCHEMA says of a destination
        **{name: kind for name, kind in REQUEST_SCHEMA.items() if name not in _SUMMED},
        "requests": pl.Int64(),
        # requests answered with 5xx or with a response flag of a failed upstream or route
        "errors": pl.Int64(),
        "first_seen": pl.Datetime("ms", "UTC"),
        "last_seen": pl.Datetime("ms", "UTC"),
    }
)

_SUMS: Final = ("requests", "errors", "first_seen", "last_seen")
_KEYS: Final = tuple(name for name in FLOW_SCHEMA if name not in _SUMS)
_WRITER: Final = ("day", "source_namespace", "source_pod")
_DESTINATION: Final = tuple(name for name in _KEYS if name not in _WRITER)
_PLACE: Final = "place"
_FEW_ROWS: Final = 100_000
_MANY_PARTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Flows:
    """Hold the flows of some lines, with FLOW_SCHEMA, sorted by what tells them apart."""

    frame: pl.DataFrame
    lines: LineCounts

    @property
    def writers(self) -> pl.DataFrame:
        """List the pods that logged, over all their lines, received requests too.

        Columns: source_namespace, source_pod, requests, first_seen, last_seen; sorted.
        """
        keys = ["source_namespace", "source_pod"]
        return (
            self.frame.group_by(keys)
            .agg(
                pl.col("requests").sum(),
                pl.col("first_seen").min(),
                pl.col("last_seen").max(),
            )
            .sort(keys)
        )


def summarise_flows(batches: Iterable[LogBatch]) -> Flows:
    """Sum requests up to flows; memory grows with the flows, not with the requests."""
    return merge_flows(_flows_of(batch) for batch in batches)


def merge_flows(parts: Iterable[Flows]) -> Flows:
    """Merge the flows of different lines; in whatever order and groups, the result is the same."""
    frames = [FLOW_SCHEMA.to_frame()]
    counts = [LineCounts()]
    waiting = 0
    for part in parts:
        frames.append(part.frame)
        counts.append(part.lines)
        waiting += part.frame.height
        # Merging what is there each time it has doubled costs little and holds little.
        if waiting > max(frames[0].height, _FEW_ROWS) or len(counts) > _MANY_PARTS:
            frames, counts = [_merged(frames)], [merge_line_counts(counts)]
            waiting = 0
    return Flows(_merged(frames), merge_line_counts(counts))


def _flows_of(batch: LogBatch) -> Flows:
    """Write requests as flows, of which several may be the same one."""
    failed = pl.when("failed").then("requests").otherwise(0)
    frame = batch.requests.select(
        pl.col("first_seen").dt.date().alias("day"),
        *(name for name in _KEYS if name != "day"),
        "requests",
        failed.cast(pl.Int64).alias("errors"),
        "first_seen",
        "last_seen",
    )
    return Flows(frame, batch.lines)


def _merged(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Merge flows, sorted by _KEYS.

    Many pods call the same few destinations, so that both are told apart and sorted by themselves.
    """
    flows = pl.concat(frames)
    writers, writer = _in_order(flows, _WRITER)
    destinations, destination = _in_order(flows, _DESTINATION)
    merged = (
        flows.select(*_SUMS, writer.alias("writer"), destination.alias("destination"))
        .group_by("writer", "destination")
        .agg(
            pl.col("requests").sum(),
            pl.col("errors").sum(),
            pl.col("first_seen").min(),
            pl.col("last_seen").max(),
        )
        .sort("writer", "destination")
    )
    keys = (writers[merged["writer"]], destinations[merged["destination"]])
    return pl.concat([*keys, merged], how="horizontal").select(*FLOW_SCHEMA)


def _in_order(flows: pl.DataFrame, columns: Sequence[str]) -> tuple[pl.DataFrame, pl.Series]:
    """Sort what stands in some columns; also say where in that what each row has comes."""
    every = flows.select(columns)
    found = every.unique().sort(columns)
    places = every.join(
        found.with_row_index(_PLACE),
        on=columns,
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return found, places[_PLACE]
