"""The requests of a busy workload, as many as are asked for: what a benchmark's log files hold.

A gateway, say: a few hundred destinations, each called in a few ways, and what differs from
request to request: time, request id, path, ports, sizes. Some user agents hold quotes and whole
imitated fields. The same numbers of lines give the same requests, which its pods share.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import polars as pl

from fixtures.shop.shop import generated_name

POD, NAMESPACE = "egress-7d9c6b5f48-x2m4q", "gateways"
DESTINATIONS: Final = 300

_BEGIN: Final = datetime(2026, 11, 23, 8)
_SECONDS: Final = 24 * 3600
_WHEEL: Final = 1 << 16
_OWN = "10.8.0.17"
_FORGED = (
    'x" "8c1f3a" "evil.example:80" "203.0.113.9:80" outbound|80||evil.example '
    "10.8.0.17:40000 203.0.113.9:80 10.8.0.17:40002 - default"
)
_FORGED_JSON = (
    '","authority":"evil.example","upstream_cluster":"outbound|80||evil.example",'
    '"response_code":200,"response_flags":"NR'
)
_USER_AGENTS: Final = (
    *(f"Go-http-client/{major}.{minor}" for major in (1, 2) for minor in range(4)),
    *(f"okhttp/4.{minor}.0" for minor in range(12)),
    *(f"python-requests/2.{minor}.1" for minor in range(20, 32)),
    *(f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{v}" for v in range(100, 120)),
    *(f"grpc-java-netty/1.{minor}.0" for minor in range(40, 52)),
)
# One request in a thousand has one of these.
_HOSTILE: Final = (
    _FORGED,
    _FORGED_JSON,
    'a "quoted" agent',
    'curl/8.1" "-" "-',
    'back\\slash "',
    '" ',
    "Café/1.0",
)
_HTTP: Final = {
    "method": "GET",
    "protocol": "HTTP/1.1",
    "response_code": "200",
    "response_flags": "-",
    "response_code_details": "via_upstream",
    "upstream_transport_failure_reason": "-",
    "requested_server_name": "-",
    "route_name": "default",
    "upstream": "",
    "upstream_port": "",
    "path": "/api/v1/items/",
    "local": _OWN,
    "remote": _OWN,
}
_TCP: Final = {
    "method": "-",
    "protocol": "-",
    "response_code": "0",
    "response_code_details": "-",
    "authority": "-",
    "route_name": "-",
    "path": "-",
}
_FAILED: Final = {
    "response_code": "503",
    "response_flags": "UF,URX",
    "response_code_details": "upstream_reset_before_response_started{connection_failure}",
    "upstream_transport_failure_reason": "delayed_connect_error:_Connection_refused",
}
_Way = Mapping[str, str]


def pod_names(count: int) -> list[str]:
    """Name so many pods of the workload."""
    workload = POD.rpartition("-")[0]
    return [POD, *(f"{workload}-{generated_name(5, POD, str(n))}" for n in range(1, count))]


def requests(
    lines: int, pods: Sequence[str] = (POD,), chunk: int = 250_000
) -> Iterator[pl.DataFrame]:
    """Yield all requests in some frames: a column for each key of Istio's default JSON, as text.

    `-` says that there is no value, as in text. The column `ended` tells when the line was
    written, and `pod` by which of the pods: each has about as many.
    """
    wheel = _wheel()
    for begin in range(0, lines, chunk):
        numbers = pl.int_range(begin, min(begin + chunk, lines), dtype=pl.UInt64, eager=True)
        yield _requests(numbers.alias("number").to_frame(), wheel, lines, pl.Series(pods))


def _wheel() -> pl.DataFrame:
    """The ways of calling, each as often as its weight asks for."""
    ways = list(_ways(random.Random(1)))
    heights = list(itertools.accumulate(weight for weight, _ in ways))
    marks = [heights[-1] * (place + 0.5) / _WHEEL for place in range(_WHEEL)]
    places = pl.Series(heights).search_sorted(pl.Series(marks))
    return pl.DataFrame([way for _, way in ways])[places]


def _ways(rng: random.Random) -> Iterator[tuple[float, _Way]]:
    for number in range(DESTINATIONS):
        weight = 1 / (number + 5)
        destination = _destination(number, rng)
        if destination["method"] == "-":
            yield weight / 4, destination
            continue
        host, _, port = destination["authority"].partition(":")
        for share, authority in ((0.6, host), (0.3, f"{host}:{port}"), (0.1, host.upper())):
            way = {**destination, "authority": authority}
            yield weight * share, way
            yield weight * share / 50, {**way, **_FAILED}
    yield from _received(rng)
    for number in range(20):
        yield 0.002, _unrouted(f"gone-{number}.shop.svc.cluster.local")
    for number in range(40):
        yield 0.002, _unknown(number)


def _destination(number: int, rng: random.Random) -> dict[str, str]:
    """A service of the mesh, or a host outside that a ServiceEntry names."""
    port = rng.choice(("80", "8080", "8443", "9090"))
    name = f"{rng.choice(('orders', 'users', 'stock', 'prices'))}-{number}.team-{number % 37}"
    host = f"{name}.svc.cluster.local"
    subset = rng.choice(("", "", "", "v1", "v2"))
    inside = {
        **_HTTP,
        "authority": f"{host}:{port}" if number % 3 else f"{name}:{port}",
        "upstream_cluster": f"outbound|{port}|{subset}|{host}",
        "downstream_local_address": f"10.96.{number >> 6}.{number & 63}:{port}",
        "upstream": f"10.{8 + number % 4}.{number % 256}.",
        "upstream_port": f":{port}",
    }
    if subset:
        inside["route_name"] = f"canary-{number % 5}"
    if number % 10 == 3:  # gRPC
        return inside | {"method": "POST", "path": "/api.v1.Items/Get", "protocol": "HTTP/2"}
    if number % 10 == 5:  # a database
        return inside | _TCP
    if number % 10 == 7:  # TLS that passes through
        outside = f"api-{number}.example.com"
        return (
            inside
            | _TCP
            | {
                "upstream_cluster": f"outbound|443||{outside}",
                "downstream_local_address": f"240.240.{number >> 6}.{number & 63}:443",
                "requested_server_name": outside,
                "upstream_port": ":443",
            }
        )
    return inside


def _received(rng: random.Random) -> Iterator[tuple[float, _Way]]:
    for number in range(60):
        yield (
            0.02,
            {
                **_HTTP,
                "authority": f"egress.gateways:{rng.choice((8080, 8443))}",
                "upstream_cluster": "inbound|8080||",
                "downstream_local_address": f"{_OWN}:8080",
                "requested_server_name": "outbound_.80_._.egress.gateways.svc.cluster.local",
                "upstream": _OWN,
                "upstream_port": ":8080",
                "local": "127.0.0.6",
                "remote": f"10.9.{number}.21",
            },
        )


def _unrouted(host: str) -> _Way:
    return {
        **_HTTP,
        "authority": host,
        "upstream_cluster": "-",
        "downstream_local_address": "10.96.200.1:80",
        "response_code": "404",
        "response_flags": "NR",
        "response_code_details": "route_not_found",
        "route_name": "-",
        "local": "-",
    }


def _unknown(number: int) -> _Way:
    return {
        **_HTTP,
        "authority": f"www-{number}.example.org",
        "upstream_cluster": "PassthroughCluster",
        "downstream_local_address": f"198.51.100.{number}:80",
        "route_name": "allow_any",
        "upstream": "198.51.100.",
        "upstream_port": ":80",
    }


def _requests(
    numbers: pl.DataFrame, wheel: pl.DataFrame, lines: int, pods: pl.Series
) -> pl.DataFrame:
    noise = numbers.select(
        "number",
        *(_mixed(pl.col("number") * 4 + place).alias(f"r{place}") for place in range(4)),
    )
    ways = wheel[noise["r0"] % _WHEEL].with_columns(noise.get_columns())
    is_http = pl.col("method") != "-"
    agents = pl.Series([*_USER_AGENTS, *_HOSTILE])
    agent = (
        pl.when(_bits("r0", 16, 1024) == 1)
        .then(len(_USER_AGENTS) + _bits("r0", 28, len(_HOSTILE)))
        .otherwise(_bits("r0", 28, len(_USER_AGENTS)))
    )
    hexes = pl.Series([f"{number:04x}" for number in range(1 << 16)])
    span = pl.col("number") * (_SECONDS * 1000) // lines
    started = pl.lit(_BEGIN) + pl.duration(milliseconds=span)
    duration = _bits("r1", 0, 400)
    no_host = pl.col("upstream") == ""
    return ways.select(
        *(name for name in wheel.columns if name not in _PARTS),
        _from(pods, _bits("r3", 48, len(pods))).alias("pod"),
        started.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").alias("start_time"),
        _ended(started + pl.duration(milliseconds=duration), _bits("r1", 40, 1_000_000)),
        _where(is_http, _path()).alias("path"),
        pl.lit("-").alias("connection_termination_details"),
        _bits("r1", 10, 9).mul(31).cast(pl.String).alias("bytes_received"),
        _bits("r1", 14, 40_000).cast(pl.String).alias("bytes_sent"),
        duration.cast(pl.String).alias("duration"),
        _where(is_http & ~no_host, duration.cast(pl.String)).alias("upstream_service_time"),
        _where(pl.col("upstream") == _OWN, _addresses()).alias("x_forwarded_for"),
        _where(is_http, _from(agents, agent)).alias("user_agent"),
        _where(is_http, _request_id(hexes)).alias("request_id"),
        _where(~no_host, _upstream_host()).alias("upstream_host"),
        _where(pl.col("local") != "-", _with_port("local", 16)).alias("upstream_local_address"),
        _with_port("remote", 32).alias("downstream_remote_address"),
    )


_PARTS: Final = ("upstream", "upstream_port", "path", "local", "remote")


def _mixed(number: pl.Expr) -> pl.Expr:
    """Make noise of a number (splitmix64): the same with every version of Polars."""
    mixed = number * pl.lit(0x9E3779B97F4A7C15, pl.UInt64)
    for bits, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed // (1 << bits))) * pl.lit(factor, pl.UInt64)
    return mixed ^ (mixed // (1 << 31))


def _bits(noise: str, shift: int, below: int) -> pl.Expr:
    return pl.col(noise) // (1 << shift) % below


def _from(pool: pl.Series, place: pl.Expr) -> pl.Expr:
    return pl.lit(pool).gather(place)


def _where(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(value).otherwise(pl.lit("-"))


def _path() -> pl.Expr:
    """A path; now and then with a quote in its query, which Envoy leaves as it is."""
    item = pl.col("path") + _bits("r2", 0, 50_000).cast(pl.String)
    odd = _bits("r2", 20, 8192)
    return (
        pl.when(odd == 1)
        .then(item + '?q="x"')
        .when(odd < 4096)
        .then(item + "?page=" + _bits("r2", 36, 9).cast(pl.String))
        .otherwise(item)
    )


def _addresses() -> pl.Expr:
    return pl.format("203.0.{}.{}", _bits("r2", 40, 113), _bits("r2", 48, 250))


def _upstream_host() -> pl.Expr:
    last = (
        pl.when(pl.col("upstream") == _OWN)
        .then(pl.lit(""))
        .otherwise((_bits("r2", 56, 12) + 2).cast(pl.String))
    )
    return pl.concat_str("upstream", last, "upstream_port")


def _with_port(address: str, shift: int) -> pl.Expr:
    return pl.format("{}:{}", address, _bits("r3", shift, 28_000) + 32_768)


def _request_id(hexes: pl.Series) -> pl.Expr:
    parts = [
        _from(hexes, _bits(noise, shift, 1 << 16)) for noise in ("r2", "r3") for shift in _SHIFTS
    ]
    a, b, c, d, e, f, g, h = parts
    return pl.format("{}{}-{}-{}-{}-{}{}{}", a, b, c, d, e, f, g, h)


_SHIFTS: Final = (0, 16, 32, 48)


def _ended(time: pl.Expr, nanoseconds: pl.Expr) -> pl.Expr:
    """The time as containerd writes it: without zeros at its end."""
    stamp = time.dt.strftime("%Y-%m-%dT%H:%M:%S%.3f")
    fraction = nanoseconds.cast(pl.String).str.zfill(6)
    return (stamp + fraction).str.strip_chars_end("0").add("Z").alias("ended")
