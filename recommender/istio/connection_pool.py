"""What istiod accepts as connection pool settings.

Source: istio pkg/config/validation/validation.go (`validateConnectionPool`),
pkg/config/validation/agent/validation.go (`ValidateDuration`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from recommender.istio.api_fields import Message

_MILLISECOND: Final = 1_000_000
_HTTP_COUNTS: Final = (
    "http1MaxPendingRequests",
    "http2MaxRequests",
    "maxRequestsPerConnection",
    "maxRetries",
    "maxConcurrentStreams",
)


def connection_pool_errors(pool: Message | None) -> Iterator[str]:
    """Yield why istiod would refuse connection pool settings."""
    if pool is None:
        return
    if pool["http"] is None and pool["tcp"] is None:
        yield "has neither http nor tcp"
    if pool["http"] is not None:
        yield from _http_errors(pool["http"])
    if pool["tcp"] is not None:
        yield from _tcp_errors(pool["tcp"])


def _http_errors(http: Message) -> Iterator[str]:
    for field in _HTTP_COUNTS:
        if http[field] < 0:
            yield f"{field} is negative"
    yield from _duration_errors(http, "idleTimeout")
    if http["h2UpgradePolicy"] == "UPGRADE" and http["useClientProtocol"]:
        yield "useClientProtocol contradicts h2UpgradePolicy UPGRADE"
    keep_alive = http["http2KeepAlive"]
    if keep_alive is not None:
        for field in ("interval", "timeout"):
            if keep_alive[field] is None:
                yield f"http2KeepAlive has no {field}"
        yield from _duration_errors(keep_alive, "interval", "timeout")


def _tcp_errors(tcp: Message) -> Iterator[str]:
    if tcp["maxConnections"] < 0:
        yield "maxConnections is negative"
    yield from _duration_errors(tcp, "connectTimeout", "maxConnectionDuration")
    if tcp["idleTimeout"] is not None and abs(tcp["idleTimeout"]) >= _MILLISECOND:
        yield from _duration_errors(tcp, "idleTimeout")  # less is none at all
    if tcp["tcpKeepalive"] is not None:
        yield from _duration_errors(tcp["tcpKeepalive"], "time", "interval")


def _duration_errors(holder: Message, *fields: str) -> Iterator[str]:
    for field in fields:
        value = holder[field]
        if value is not None and (value < _MILLISECOND or value % _MILLISECOND):
            yield f"{field} is no whole number of milliseconds"
