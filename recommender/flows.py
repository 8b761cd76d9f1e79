"""Requests -> flows: requests summed per day, source and destination.

A flow keeps what identifies a destination and nothing about a caller's content: no path, no
user agent, no client address. Flows of two parts of a log merge into the flows of the whole.
"""

from __future__ import annotations

import polars as pl

FLOW_SCHEMA = pl.Schema(
    {
        # the UTC day the requests started
        "day": pl.Date,
        # the pod whose proxy wrote the lines
        "source_namespace": pl.String,
        "source_pod": pl.String,
        # "outbound" or "inbound"; "unrouted" when the line names no Envoy cluster (NR, NC,
        # block_all, redirects ...)
        "direction": pl.String,
        # "http" or "tcp" (TLS passthrough included)
        "protocol": pl.String,
        # Envoy cluster as logged, one trailing ";" removed; null when there was none
        "cluster": pl.String,
        # the parts of `outbound|port|subset|host` and `outbound_.port_.subset_.host`; null for
        # PassthroughCluster, BlackHoleCluster and other names
        "destination_host": pl.String,
        "destination_port": pl.Int32,
        "destination_subset": pl.String,
        # :authority without its port and trailing dot, lower case; null when absent or inbound
        "authority": pl.String,
        # the server name of the TLS handshake, null when absent or inbound
        "server_name": pl.String,
        # downstream_local_address, `ip:port`: where the caller connected to
        "destination_address": pl.String,
        # Envoy's route name; null when absent
        "route": pl.String,
        "requests": pl.Int64,
        # requests answered with 5xx or with a response flag of a failed upstream or route
        "errors": pl.Int64,
        "first_seen": pl.Datetime("ms", "UTC"),
        "last_seen": pl.Datetime("ms", "UTC"),
    }
)
