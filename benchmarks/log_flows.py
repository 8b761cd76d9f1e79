"""Flows as both a query and this tool can tell them, to compare one with the other.

A query gives the fields as they were logged. What this tool makes of them is done to its rows
here, and how long it takes is not measured. A frame of counts has the columns of KEYS, which tell
flows apart, and `requests` and `errors`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from benchmarks.log_queries import FLOW_FIELDS
from recommender.access_logs import FAILURE_FLAGS
from recommender.flows import Flows

KEYS: Final = (
    "pod",
    "day",
    "cluster",
    "authority",
    "server_name",
    "destination_address",
    "route",
)
_NOTHING: Final = ("-", '"-"')


def counts_of_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Sum up rows of a pod, a day, FLOW_FIELDS and a number of requests."""
    logged = rows.select("pod", "day", *map(_logged, FLOW_FIELDS), "requests")
    is_inbound = pl.col("upstream_cluster").str.starts_with("inbound|")
    is_of_mesh = pl.col("requested_server_name").str.starts_with("outbound_.")
    return _summed(
        logged.select(
            "pod",
            "day",
            pl.col("upstream_cluster").alias("cluster"),
            # chosen by who called: it says nothing about whom the pod calls
            _where(~is_inbound, _host()).alias("authority"),
            _where(
                ~is_inbound | is_of_mesh, pl.col("requested_server_name").str.to_lowercase()
            ).alias("server_name"),
            pl.col("downstream_local_address").alias("destination_address"),
            _where(~is_inbound, pl.col("route_name")).alias("route"),
            pl.col("requests").cast(pl.Int64),
            (pl.col("requests").cast(pl.Int64) * _is_failed()).alias("errors"),
        )
    )


def counts_of_flows(flows: Flows) -> pl.DataFrame:
    """Sum up the flows of this tool."""
    return _summed(flows.frame.rename({"source_pod": "pod"}))


def difference(found: pl.DataFrame, expected: pl.DataFrame) -> str | None:
    """Say how counts differ from what is expected, if they do."""
    both = found.join(expected, on=KEYS, how="full", coalesce=True, suffix="_expected")
    is_wrong = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_expected")) for name in ("requests", "errors")
    )
    wrong = both.filter(is_wrong).sort(KEYS)
    if wrong.is_empty():
        return None
    first = wrong.row(0)
    key, counts, others = first[: len(KEYS)], first[len(KEYS) : -2], first[-2:]
    return (
        f"{wrong.height:,} of {expected.height:,} flows differ, such as {key}: "
        f"{counts} and not {others} requests and errors"
    )


def _summed(frame: pl.DataFrame) -> pl.DataFrame:
    keys = (pl.col(name).cast(pl.String).fill_null("") for name in KEYS)
    return frame.group_by(*keys).agg(pl.col("requests").sum(), pl.col("errors").sum())


def _logged(name: str) -> pl.Expr:
    text = pl.col(name).cast(pl.String)
    return _where(text.is_not_null() & ~text.is_in(_NOTHING), text).alias(name)


def _host() -> pl.Expr:
    host = pl.col("authority").str.strip_chars('"').str.to_lowercase()
    return host.str.split(":").list.first()


def _is_failed() -> pl.Expr:
    flags = pl.col("response_flags").str.split(",")
    is_flagged = flags.list.eval(pl.element().is_in(sorted(FAILURE_FLAGS))).list.any()
    return pl.col("response_code").str.starts_with("5") | is_flagged


def _where(condition: pl.Expr, text: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(text).otherwise(pl.lit(""))
