"""Fields as logged -> requests: what a line says about where its writer sent a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from recommender.access_logs.formats.fields import FIELD_SCHEMA

NO_START_TIME: Final = "no usable start time"

REQUEST_SCHEMA: Final = pl.Schema(
    {
        # the pod whose proxy wrote the line
        "source_namespace": pl.String(),
        "source_pod": pl.String(),
        # "outbound" or "inbound"; "unrouted" when the line names no Envoy cluster (NR, NC,
        # block_all, redirects ...)
        "direction": pl.String(),
        # "http" or "tcp" (TLS passthrough included)
        "protocol": pl.String(),
        # Envoy cluster as logged, one trailing ";" removed; null when there was none
        "cluster": pl.String(),
        # the parts of `outbound|port|subset|host` and `outbound_.port_.subset_.host`; null for
        # PassthroughCluster, BlackHoleCluster and other names, and when inbound
        "destination_host": pl.String(),
        "destination_port": pl.Int32(),
        "destination_subset": pl.String(),
        # host name or address, lower case, without port and trailing dot; null when inbound
        "authority": pl.String(),
        # the server name of the TLS handshake, lower case; when inbound only one that proxies
        # send, `outbound_.port_.subset_.host`
        "server_name": pl.String(),
        # downstream_local_address, `ip:port`; the port is 0 where it is not logged, and for a
        # received request without a cluster of its own, because strangers choose it
        "destination_address": pl.String(),
        "route": pl.String(),
        # who sent a received request, as far as that may tell a pod: an address that is private or
        # of the pod's own network, and is the peer's own, and the SPIFFE name in its certificate;
        # null when not inbound
        "peer_address": pl.String(),
        "peer_identity": pl.String(),
        # answered with 5xx or with a response flag of FAILURE_FLAGS
        "failed": pl.Boolean(),
        # how many lines the row stands for, all of one UTC day, and when the requests started
        "requests": pl.Int64(),
        "first_seen": pl.Datetime("ms", "UTC"),
        "last_seen": pl.Datetime("ms", "UTC"),
    }
)

# What a line says of a request, whoever wrote it.
_OF_WRITER: Final = ("source_namespace", "source_pod", "requests", "last_seen")
FACTS: Final = pl.Schema({k: v for k, v in REQUEST_SCHEMA.items() if k not in _OF_WRITER})
_NO_FACTS: Final = [name for name in (*FIELD_SCHEMA, "is_asked_by_proxy") if name not in FACTS]

# To look for what is worked out twice takes longer than to work it out.
_OPTIMIZATIONS: Final = pl.QueryOptFlags(comm_subexpr_elim=False, comm_subplan_elim=False)

# The upstream or the route failed. Not what the caller did (DC, DPE, DI), what a policy refused
# (UAEX, RL, FI) nor what merely happened (SI, RFCF).
FAILURE_FLAGS: Final = (
    "DF", "LH", "LR", "NC", "NFCF", "NR", "UC", "UF", "UH", "UMSDR", "UO", "UPE", "UR", "URX", "UT",
)  # fmt: skip

_CLUSTER: Final = r"^[a-z-]+\|(?P<port>[0-9]{1,5})\|(?P<subset>[^|]*)\|(?P<host>[^|]*)$"
_SNI_CLUSTER: Final = r"^[a-z-]+_\.(?P<port>[0-9]{1,5})_\.(?P<subset>.*?)_\.(?P<host>.*)$"
_INBOUND: Final = r"^(?:inbound(?:-vip)?(?:\||_\.)|InboundPassthroughCluster)"
_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IP_AND_PORT: Final = rf"^(?:(?:{_BYTE}\.){{3}}{_BYTE}|\[[0-9a-fA-F:.]{{2,45}}\]):[0-9]{{1,5}}$"
_MOST_PORT: Final = 65535
_OUTBOUND: Final = r"^outbound(?:\||_\.)"
# What a proxy asks another one for; whoever speaks TLS can ask for the same.
_ASKED_BY_PROXY: Final = r"^outbound_\.[0-9]{1,5}_\.[^|]*?_\.[^|]+$"
# Addresses for private use and reserved ones (RFC 1918, 6598, 4193, 1112): pods have them, people
# outside have not.
_PRIVATE: Final = (
    r"^(?:10\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\."
    r"|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|2[45][0-9]\.|\[f[cd])"
)
# Where pods have public addresses, those of others begin as their own do.
_NETWORK: Final = r"^([0-9]+\.|\[(?:[0-9a-f]+:){3})"
_LOOPBACK: Final = r"^(?:127\.|\[::1\])"
# An address that x-forwarded-for names has the port 0.
_NO_PEER: Final = rf"{_LOOPBACK}|:0$"
_SPIFFE: Final = r"^(spiffe://[A-Za-z0-9._-]{1,253}/ns/[a-z0-9-]{1,63}/sa/[a-z0-9.-]{1,253})(?:,|$)"
_HOST_NAME: Final = r"^[a-z0-9_*-][a-z0-9._*-]{0,254}$"
_ADDRESS: Final = r"^[0-9a-f]{0,4}:[0-9a-f:.]{0,45}$"
# Envoy is younger than the first; a clock that stands behind the second is wrong.
_FIRST_YEAR, _LAST_YEAR = 2015, 2099


def requests_of(fields: pl.DataFrame) -> pl.DataFrame:
    """Tell what logged fields say of a request, whoever wrote them.

    `fields` has FIELD_SCHEMA and `reason`. What comes back has FACTS, `reason`, and the columns of
    `fields` that are no field.
    """
    authority = _host_name(_without_port(_value("authority")))
    server_name = _host_name(_value("requested_server_name"))
    return (
        fields.lazy()
        .with_columns(
            _destination_address(),
            pl.col("start_time").alias("first_seen"),
            _value("route_name").alias("route"),
            _failed().alias("failed"),
            _protocol(),
        )
        .pipe(_with_facts, "upstream_cluster", _clusters)
        .pipe(_with_facts, "authority", lambda f: f.with_columns(authority.alias("host")))
        .drop("authority")
        .rename({"host": "authority"})
        .pipe(
            _with_facts,
            "requested_server_name",
            lambda f: f.with_columns(
                server_name.alias("server_name"),
                server_name.str.contains(_ASKED_BY_PROXY).alias("is_asked_by_proxy"),
            ),
        )
        .with_columns(_direction_without_cluster())
        .with_columns(*_nothing_of_inbound(), *_of_inbound())
        .with_columns(pl.coalesce("reason", _reason()).alias("reason"))
        .drop(_NO_FACTS)
        .collect(engine="in-memory", optimizations=_OPTIMIZATIONS)
    )


def _with_facts(
    frame: pl.LazyFrame, column: str, facts: Callable[[pl.LazyFrame], pl.LazyFrame]
) -> pl.LazyFrame:
    """Add what follows from a column, worked out once for each value: logs repeat themselves."""
    known = facts(frame.select(column).unique())
    return frame.join(known, on=column, how="left", nulls_equal=True, maintain_order="left")


def _clusters(names: pl.LazyFrame) -> pl.LazyFrame:
    name = _value("upstream_cluster").str.strip_suffix(";").replace("", None)
    cluster = pl.when(pl.col("cluster").str.contains(_OUTBOUND)).then("cluster")
    plain, sni = pl.col("plain").struct, pl.col("sni").struct
    port = pl.col("destination_port").cast(pl.Int32)
    usable = port.is_between(1, _MOST_PORT) & pl.col("destination_host").is_not_null()
    return (
        names.with_columns(name.alias("cluster"))
        .with_columns(
            _direction(),
            cluster.str.extract_groups(_CLUSTER).alias("plain"),
            cluster.str.extract_groups(_SNI_CLUSTER).alias("sni"),
        )
        .with_columns(
            pl.coalesce(plain.field(part), sni.field(part))
            .replace("", None)
            .alias(f"destination_{part}")
            for part in ("host", "port", "subset")
        )
        .with_columns(
            pl.when(usable).then("destination_host").alias("destination_host"),
            pl.when(usable).then(port).alias("destination_port"),
            pl.when(usable).then("destination_subset").alias("destination_subset"),
        )
        .drop("plain", "sni")
    )


def _value(column: str) -> pl.Expr:
    """Read a field; all three ways to log that there is none give null."""
    return pl.when(~pl.col(column).is_in(["", "-"])).then(column)


def _address(text: pl.Expr) -> pl.Expr:
    """Keep `ip:port` and `[ip]:port`; a path of a Unix socket, say, is no address."""
    port = text.str.extract(r":([0-9]{1,5})$").cast(pl.Int32)
    return pl.when(text.str.contains(_IP_AND_PORT) & (port <= _MOST_PORT)).then(text)


def _without_port(authority: pl.Expr) -> pl.Expr:
    lower = authority.str.to_lowercase()
    host = lower.str.replace(r"^(\[[^\]]*\]|[^:]*):[0-9]*$", "${1}")
    return host.str.replace(r"^\[(.*)\]$", "${1}").str.strip_suffix(".")


def _host_name(text: pl.Expr) -> pl.Expr:
    """Keep host names and addresses.

    A caller can write any text; what is neither matches no host of the mesh.
    """
    lower = text.str.to_lowercase()
    return pl.when(lower.str.contains(_HOST_NAME) | lower.str.contains(_ADDRESS)).then(lower)


def _failed() -> pl.Expr:
    flags = "|".join(FAILURE_FLAGS)
    return (
        pl.col("response_code").str.contains(r"^5[0-9][0-9]$")
        | pl.col("response_flags").str.contains(rf"(?:^|,)(?:{flags})(?:,|$)")
    ).fill_null(value=False)


def _direction() -> pl.Expr:
    return (
        pl.when(pl.col("cluster").is_null())
        .then(pl.lit("unrouted"))
        .when(pl.col("cluster").str.contains(_INBOUND))
        .then(pl.lit("inbound"))
        .otherwise(pl.lit("outbound"))
        .alias("direction")
    )


def _protocol() -> pl.Expr:
    """Tell TCP by the lack of all that HTTP has.

    Method and protocol alone can be forged by a path; authority and route cannot.
    """
    names = ("method", "protocol", "route_name", "authority")
    has_none = pl.all_horizontal(_value(name).is_null() for name in names)
    code = pl.col("response_code").str.contains(r"^[1-9]").fill_null(value=False)
    return pl.when(has_none & ~code).then(pl.lit("tcp")).otherwise(pl.lit("http")).alias("protocol")


def _nothing_of_inbound() -> list[pl.Expr]:
    """Drop what the callers of a pod choose: it says nothing about whom the pod calls.

    The server name that their proxies send stays: it says by which name they called the pod.
    """
    is_sent = pl.col("direction") != "inbound"
    names = [pl.when(is_sent).then(name).alias(name) for name in ("authority", "route")]
    of_proxy = pl.col("is_asked_by_proxy").fill_null(value=False)
    return [*names, pl.when(is_sent | of_proxy).then("server_name").alias("server_name")]


def _destination_address() -> pl.Expr:
    """Take the address that the caller connected to.

    Where a format has no such address and no cluster, the upstream's tells what a pod received.
    """
    local = _address(_value("downstream_local_address"))
    upstream = _address(_value("upstream_host")).str.replace(r":[0-9]+$", ":0")
    nothing_else = (
        _value("upstream_cluster").is_null() & pl.col("downstream_local_address").is_null()
    )
    return pl.coalesce(local, pl.when(nothing_else).then(upstream)).alias("destination_address")


def _direction_without_cluster() -> pl.Expr:
    """Tell received requests in a format without clusters: their upstream is the pod itself."""
    received = pl.col("cluster").is_null() & (
        _value("upstream_host").str.contains(_LOOPBACK).fill_null(value=False)
    )
    return pl.when(received).then(pl.lit("inbound")).otherwise("direction").alias("direction")


def _of_inbound() -> list[pl.Expr]:
    """Keep of a received request the port that is its own, and the peer."""
    inbound = pl.col("direction") == "inbound"
    passed_through = inbound & (
        pl.col("cluster").str.starts_with("InboundPassthroughCluster").fill_null(value=True)
    )
    address = pl.col("destination_address")
    peer = _address(_value("downstream_remote_address"))
    is_near = peer.str.extract(_NETWORK) == address.str.extract(_NETWORK)
    is_pod = (peer.str.contains(_PRIVATE) | is_near) & ~peer.str.contains(_NO_PEER)
    return [
        pl.when(passed_through)
        .then(address.str.replace(r":[0-9]+$", ":0"))
        .otherwise(address)
        .alias("destination_address"),
        pl.when(inbound & is_pod)
        .then(peer.str.extract(r"^\[?(.*?)\]?:[0-9]+$"))
        .alias("peer_address"),
        pl.when(inbound)
        .then(pl.col("downstream_peer").str.extract(_SPIFFE))
        .alias("peer_identity"),
    ]


def _reason() -> pl.Expr:
    year = pl.col("first_seen").dt.year()
    is_usable = year.is_between(_FIRST_YEAR, _LAST_YEAR).fill_null(value=False)
    return pl.when(~is_usable).then(pl.lit(NO_START_TIME))
