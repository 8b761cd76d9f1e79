"""Which operators of a log format give the fields that this tool reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from recommender.access_logs.formats.format_string import Operator
from recommender.access_logs.formats.operators import (
    falls_back_from_authority,
    is_authority,
    is_method,
    is_server_name,
)
from recommender.access_logs.formats.start_time import TIME_OPERATORS, TimeFormat, time_format
from recommender.errors import UsageError

# As logged, but for the time; null, the empty text and `-` all say that there was no value.
FIELD_SCHEMA: Final = pl.Schema(
    {
        "start_time": pl.Datetime("ms", "UTC"),
        # `*` for any that there is
        "method": pl.String(),
        "protocol": pl.String(),
        "response_code": pl.String(),
        "response_flags": pl.String(),
        "authority": pl.String(),
        "upstream_cluster": pl.String(),
        "upstream_host": pl.String(),
        "downstream_local_address": pl.String(),
        # the peer; with port 0 x-forwarded-for names it
        "downstream_remote_address": pl.String(),
        # the URI names of the peer's certificate
        "downstream_peer": pl.String(),
        "requested_server_name": pl.String(),
        "route_name": pl.String(),
    }
)

SOME: Final = "*"
_IP: Final = "_ip"
_PORT: Final = "_port"
# The authority, or a header that the caller writes where there is none.
_AUTHORITY_OR_HEADER: Final = "authority_or_header"
# A reading that leaves one of these open is none.
DECIDING: Final = frozenset(
    (
        "start_time",
        "method",
        "authority",
        _AUTHORITY_OR_HEADER,
        "upstream_cluster",
        "downstream_local_address",
        "downstream_local_address_ip",
        "downstream_local_address_port",
        "requested_server_name",
        # where there is no cluster, it tells calls from received requests
        "upstream_host",
        "upstream_host_ip",
        "upstream_host_port",
    )
)
# For each field the operators that give it, best first.
_BY_NAME: Final = {
    "protocol": ("PROTOCOL",),
    "response_code": ("RESPONSE_CODE",),
    "response_flags": ("RESPONSE_FLAGS", "RESPONSE_FLAGS_LONG"),
    "upstream_cluster": ("UPSTREAM_CLUSTER_RAW", "UPSTREAM_CLUSTER"),
    "upstream_host": ("UPSTREAM_HOST", "UPSTREAM_REMOTE_ADDRESS"),
    "downstream_local_address": ("DOWNSTREAM_LOCAL_ADDRESS",),
    "downstream_remote_address": (
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
        "DOWNSTREAM_REMOTE_ADDRESS",
    ),
    "downstream_peer": ("DOWNSTREAM_PEER_URI_SAN",),
    "route_name": ("ROUTE_NAME",),
}
# Addresses may be logged in two parts.
_IN_PARTS: Final = {
    "upstream_host": ("UPSTREAM_REMOTE",),
    "downstream_local_address": ("DOWNSTREAM_LOCAL",),
    "downstream_remote_address": ("DOWNSTREAM_DIRECT_REMOTE", "DOWNSTREAM_REMOTE"),
}
_BY_ARGUMENT: Final[Mapping[str, Callable[[Operator], bool]]] = {
    "authority": is_authority,
    "method": is_method,
    "requested_server_name": is_server_name,
}
# Answers of Envoy itself to requests without an authority: `missing_host_header`, `low_version`.
_WITHOUT_AUTHORITY: Final = ("400", "426")
# Where there is a cluster it tells more than an address of it.
_UPSTREAM: Final = frozenset(("upstream_host", "upstream_host_ip", "upstream_host_port"))
_LONG_FLAGS: Final = {
    "DelayInjected": "DI",
    "DnsResolutionFailed": "DF",
    "DownstreamConnectionTermination": "DC",
    "DownstreamProtocolError": "DPE",
    "DownstreamRemoteReset": "DR",
    "DropOverload": "DO",
    "DurationTimeout": "DT",
    "FailedLocalHealthCheck": "LH",
    "FaultInjected": "FI",
    "InvalidEnvoyRequestHeaders": "IH",
    "LocalReset": "LR",
    "NoClusterFound": "NC",
    "NoFilterConfigFound": "NFCF",
    "NoHealthyUpstream": "UH",
    "NoRouteFound": "NR",
    "OverloadManagerTerminated": "OM",
    "RateLimitServiceError": "RLSE",
    "RateLimited": "RL",
    "ResponseFromCacheFilter": "RFCF",
    "StreamIdleTimeout": "SI",
    "UnauthorizedExternalService": "UAEX",
    "UnconditionalDropOverload": "UDO",
    "UpstreamConnectionFailure": "UF",
    "UpstreamConnectionTermination": "UC",
    "UpstreamMaxStreamDurationReached": "UMSDR",
    "UpstreamOverflow": "UO",
    "UpstreamProtocolError": "UPE",
    "UpstreamRemoteReset": "UR",
    "UpstreamRequestTimeout": "UT",
    "UpstreamRetryLimitExceeded": "URX",
}
_NONE: Final = Operator("")
_NEEDED_HINT: Final = (
    "needed are %START_TIME% and %UPSTREAM_CLUSTER_RAW%; without a cluster %REQ(:AUTHORITY)% with "
    "%DOWNSTREAM_LOCAL_ADDRESS% or %UPSTREAM_HOST%, which tell calls from received requests"
)


@dataclass(frozen=True, slots=True)
class Fields:
    """Hold which operators of a format give which columns, and how these become fields.

    Attributes:
        columns: The place of an operator among all -> the column that it gives: a field of
            FIELD_SCHEMA, or a part of an address.
        time: How the time is printed.
        lengths: The column -> the length that its operator cuts values to.
        has_long_flags: Response flags are spelled out.
    """

    columns: Mapping[int, str]
    time: TimeFormat
    lengths: Mapping[str, int] = field(default_factory=dict)
    has_long_flags: bool = False

    def expressions(self) -> list[pl.Expr]:
        """Make the fields of FIELD_SCHEMA of the columns as logged."""
        given = set(self.columns.values())
        exprs = [self._expression(name, given).alias(name) for name in FIELD_SCHEMA]
        return [expr.cast(kind) for expr, kind in zip(exprs, FIELD_SCHEMA.values(), strict=True)]

    def _expression(self, name: str, given: set[str]) -> pl.Expr:
        if name + _IP in given:
            return _whole_address(name, has_port=name + _PORT in given)
        if name == "authority" and _AUTHORITY_OR_HEADER in given:
            return _routed_authority(self._uncut(_AUTHORITY_OR_HEADER), given)
        if name not in given:
            return pl.lit(None)
        column = pl.col(name)
        if name == "start_time":
            return self.time.read(column)
        if name in ("method", "protocol"):
            # The method of Istio 1.1 in JSON is a time, by mistake.
            return pl.when(column.str.contains("^[^0-9-]")).then(pl.lit(SOME))
        if name == "response_flags" and self.has_long_flags:
            return _short_flags(column)
        return self._uncut(name)

    def _uncut(self, name: str) -> pl.Expr:
        """Leave out what is as long as it may be: the end of a host name tells hosts apart."""
        column = pl.col(name)
        if name not in self.lengths:
            return column
        return pl.when(column.str.len_bytes() < self.lengths[name]).then(column)


def fields_of(operators: Sequence[Operator], unsure: Collection[int] = ()) -> Fields:
    """Choose the operators that give the fields.

    Args:
        operators: All of a format.
        unsure: The places of those that are chosen only for what no other one gives.

    Raises:
        UsageError: The format lacks what is needed; the hint names it.
    """
    columns = _columns([_NONE if i in unsure else o for i, o in enumerate(operators)])
    if unsure:
        known = {field_of(name) for name in columns.values()}
        more = _columns(operators)
        columns |= {place: name for place, name in more.items() if field_of(name) not in known}
    given = set(columns.values())
    time_place, time = _start_time(operators, unsure)
    if "upstream_cluster" not in given and "authority" not in given:
        what = "the log format has neither %UPSTREAM_CLUSTER% nor %REQ(:AUTHORITY)%"
        raise UsageError(what, hint=_NEEDED_HINT)
    sides = {"upstream_cluster", "downstream_local_address", "downstream_local_address_ip"}
    if not given & (sides | {"upstream_host", "upstream_host_ip"}):
        raise UsageError(
            "the log format has none of %UPSTREAM_CLUSTER%, %DOWNSTREAM_LOCAL_ADDRESS% and "
            "%UPSTREAM_HOST%",
            hint=_NEEDED_HINT,
        )
    lengths = {
        column: length
        for place, column in columns.items()
        if (length := operators[place].length) is not None
    }
    long_flags = any(
        operators[place].name == "RESPONSE_FLAGS_LONG" and column == "response_flags"
        for place, column in columns.items()
    )
    return Fields({**columns, time_place: "start_time"}, time, lengths, long_flags)


def _start_time(operators: Sequence[Operator], unsure: Collection[int]) -> tuple[int, TimeFormat]:
    """Choose the time that tells the most, and how it is printed.

    Raises:
        UsageError: There is none, or none that tells a day.
    """
    times = [i for name in TIME_OPERATORS for i, o in enumerate(operators) if o.name == name]
    usable: list[tuple[int, TimeFormat]] = []
    errors: list[UsageError] = []
    for place in times:
        try:
            usable.append((place, time_format(operators[place])))
        except UsageError as error:
            errors.append(error)
    if usable:
        return min(usable, key=lambda one: (one[0] in unsure, not one[1].tells_time))
    if errors:
        raise errors[0]
    raise UsageError("the log format lacks %START_TIME%", hint=_NEEDED_HINT)


def _columns(operators: Sequence[Operator]) -> dict[int, str]:
    columns: dict[int, str] = {}
    for field_name, names in _BY_NAME.items():
        if (place := _first(operators, names)) is not None:
            columns[place] = field_name
    for field_name, prefixes in _IN_PARTS.items():
        if field_name not in columns.values():
            columns |= _parts(operators, field_name, prefixes)
    if "upstream_cluster" in columns.values():
        columns = {place: name for place, name in columns.items() if name not in _UPSTREAM}
    for field_name, is_one in _BY_ARGUMENT.items():
        found = [place for place, operator in enumerate(operators) if is_one(operator)]
        if found:
            columns[min(found, key=lambda place: operators[place].length is not None)] = field_name
    has_cluster_alone = (
        "upstream_cluster" in columns.values() and "authority" not in columns.values()
    )
    for place, operator in enumerate(operators) if has_cluster_alone else ():
        if falls_back_from_authority(operator):
            return {**columns, place: _AUTHORITY_OR_HEADER}
    return columns


def field_of(column: str) -> str:
    """Return the field that a column is all or a part of."""
    return (
        "authority"
        if column == _AUTHORITY_OR_HEADER
        else column.removesuffix(_IP).removesuffix(_PORT)
    )


def _first(operators: Sequence[Operator], names: Sequence[str]) -> int | None:
    """Find the best of some operators; an argument asks for something else."""
    for name in names:
        for place, operator in enumerate(operators):
            if operator.name == name and not operator.argument:
                return place
    return None


def _parts(
    operators: Sequence[Operator], field_name: str, prefixes: Sequence[str]
) -> dict[int, str]:
    for prefix in prefixes:
        address = _first(operators, (f"{prefix}_ADDRESS_WITHOUT_PORT",))
        port = _first(operators, (f"{prefix}_PORT",))
        if address is not None:
            found = {address: field_name + _IP}
            return found if port is None else found | {port: field_name + _PORT}
    return {}


def _routed_authority(column: pl.Expr, given: set[str]) -> pl.Expr:
    """Believe in an authority with an alternative where the line names an Envoy cluster.

    Envoy looks for a cluster only once it has an authority (`missing_host_header` in its
    ConnectionManagerImpl::ActiveStream::decodeHeaders), so the other header is not logged then.
    """
    routed = ~pl.col("upstream_cluster").is_in(["", "-"])
    if "response_code" in given:
        routed &= ~pl.col("response_code").is_in(_WITHOUT_AUTHORITY).fill_null(value=False)
    return pl.when(routed).then(column)


def _whole_address(name: str, *, has_port: bool) -> pl.Expr:
    """Write `ip:port`; a port that is not logged is 0."""
    address = pl.col(name + _IP)
    bracketed = (
        pl.when(address.str.contains(":", literal=True))
        .then(pl.concat_str(pl.lit("["), address, pl.lit("]")))
        .otherwise(address)
    )
    port = pl.col(name + _PORT) if has_port else pl.lit("0")
    return (
        pl.when(address.is_in(["", "-"]))
        .then(address)
        .otherwise(pl.concat_str(bracketed, pl.lit(":"), port))
    )


def _short_flags(column: pl.Expr) -> pl.Expr:
    flags = column.str.split(",")
    return flags.list.eval(pl.element().replace(_LONG_FLAGS)).list.join(",")
