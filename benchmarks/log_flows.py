"""Flows as both a query and this tool can tell them, to compare one with the other.

A query gives the fields as they were logged. What this tool makes of them is done to its rows
here: they are few by then, and how long it takes is not measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import polars as pl

from recommender.access_logs import FAILURE_FLAGS
from recommender.flows import Flows

Key: TypeAlias = tuple[str, str, str, str, str, str]
Counts: TypeAlias = Mapping[Key, tuple[int, int]]
"""Day, Envoy cluster, authority, server name, address and route -> requests and errors."""

_KEYS: Final = (
    "cluster",
    "authority",
    "server_name",
    "destination_address",
    "route",
)


def counts_of_rows(rows: Sequence[Sequence[Any]]) -> Counts:
    """Sum up rows of a day, log_readers.FLOW_FIELDS and a number of requests."""
    counts: dict[Key, tuple[int, int]] = {}
    for day, *logged, requests in rows:
        fields = ["" if value in (None, "-", '"-"') else str(value) for value in logged]
        cluster, authority, server_name, address, route, code, flags = fields
        if cluster.startswith("inbound|"):
            # chosen by who called: it says nothing about whom the pod calls
            authority = route = ""
            server_name = server_name if server_name.startswith("outbound_.") else ""
        key = (str(day), cluster, _host(authority), server_name.lower(), address, route)
        failed = code.startswith("5") or not set(flags.split(",")).isdisjoint(FAILURE_FLAGS)
        before, errors = counts.get(key, (0, 0))
        counts[key] = (before + requests, errors + requests * failed)
    return counts


def _host(authority: str) -> str:
    return authority.strip('"').lower().partition(":")[0]


def counts_of_flows(flows: Flows) -> Counts:
    """Sum up the flows of this tool."""
    summed = (
        flows.frame.with_columns(pl.col("day").cast(pl.String))
        .group_by("day", *(pl.col(name).fill_null("") for name in _KEYS))
        .agg(pl.col("requests").sum(), pl.col("errors").sum())
    )
    return {(*row[:6],): (row[6], row[7]) for row in summed.iter_rows()}


def difference(found: Counts, expected: Counts) -> str | None:
    """Say how counts differ from what is expected, if they do."""
    wrong = [key for key in sorted({*found, *expected}) if found.get(key) != expected.get(key)]
    if not wrong:
        return None
    first = wrong[0]
    return (
        f"{len(wrong):,} of {len(expected):,} flows differ, such as {first}: "
        f"{found.get(first)} and not {expected.get(first)} requests and errors"
    )
