"""Log lines as Istio writes them, and logs read from them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl
import pytest

from recommender.access_logs import (
    LogBatch,
    SourcePod,
    formats_to_try,
    log_format,
    merge_line_counts,
    read_access_logs,
)
from recommender.access_logs.alike import IS_BUILT

DATA = Path(__file__).parent / "data"
FORMATS = ("istio_text", "istio_text_omit_empty", "istio_json", "istio_json_omit_empty")
REVIEWS = "outbound|9080|v1|reviews.default.svc.cluster.local"
POD = ("shop", "frontend-1")
HEX = "0123456789abcdef" * 4

# Where it has to be there, as in CI, what needs it fails instead.
needs_compiled = pytest.mark.skipif(
    not IS_BUILT and "REQUIRE_COMPILED" not in os.environ,
    reason="_alike.c could not be built here (REQUIRE_COMPILED=1 makes this a failure)",
)

# Where a request goes.
DESTINATION = [
    "direction",
    "protocol",
    "cluster",
    "destination_host",
    "destination_port",
    "destination_subset",
    "authority",
    "server_name",
    "destination_address",
    "route",
]

_FIELDS = {
    "start_time": "2026-11-23T12:16:11.401Z",
    "method": "GET",
    "path": "/",
    "protocol": "HTTP/1.1",
    "response_code": "200",
    "response_flags": "-",
    "response_code_details": "via_upstream",
    "connection_termination_details": "-",
    "upstream_transport_failure_reason": "-",
    "bytes_received": "0",
    "bytes_sent": "5",
    "duration": "1",
    "upstream_service_time": "0",
    "x_forwarded_for": "-",
    "user_agent": "curl/8.1",
    "request_id": "838e9809-78d7-4b81-ab97-b7d7dabadf13",
    "authority": "reviews:9080",
    "upstream_host": "10.0.0.7:9080",
    "upstream_cluster": REVIEWS,
    "upstream_local_address": "10.0.0.1:39464",
    "downstream_local_address": "10.96.0.7:9080",
    "downstream_remote_address": "10.0.0.1:35662",
    "requested_server_name": "-",
    "route_name": "default",
}
_TEXT = (
    '[{start_time}] "{method} {path} {protocol}" {response_code} {response_flags}'
    " {response_code_details} {connection_termination_details}"
    ' "{upstream_transport_failure_reason}" {bytes_received} {bytes_sent} {duration}'
    ' {upstream_service_time} "{x_forwarded_for}" "{user_agent}" "{request_id}" "{authority}"'
    ' "{upstream_host}" {upstream_cluster} {upstream_local_address} {downstream_local_address}'
    " {downstream_remote_address} {requested_server_name} {route_name}"
)


def text(**fields: str) -> str:
    """Write a line of Istio's default text."""
    return _TEXT.format_map(_FIELDS | fields)


def as_json(**fields: object) -> str:
    """Write a line of Istio's default JSON; nothing is escaped that need not be."""
    values = {k: None if v == "-" else v for k, v in (_FIELDS | fields).items()}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def cri(line: str, tag: str = "F", stream: str = "stdout") -> str:
    """Put the prefix of a container runtime before a line."""
    return f"2026-11-23T12:16:11.402123456Z {stream} {tag} {line}"


def container_path(folder: Path, pod: str = "frontend-1", container: str = "istio-proxy") -> Path:
    """Name the log of a container in the namespace `shop` as a node does."""
    return folder / f"{pod}_shop_{container}-{HEX}.log"


def write(path: Path, content: str | bytes | Iterable[str]) -> Path:
    """Write a file with its folders; lines get line feeds."""
    if not isinstance(content, str | bytes):
        content = "".join(line + "\n" for line in content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(*sources: str | Path, pod: SourcePod | None = POD, batch_bytes: int = 1 << 20) -> LogBatch:
    """Read sources into one batch."""
    return merged(read_access_logs(sources, source_pod=pod, batch_bytes=batch_bytes))


def read_lines(
    *lines: str | bytes, pod: SourcePod | None = POD, batch_bytes: int = 1 << 20
) -> LogBatch:
    """Read lines from the standard input into one batch."""
    content = b"".join((x.encode() if isinstance(x, str) else x) + b"\n" for x in lines)
    stdin = io.BytesIO(content)
    return merged(read_access_logs(["-"], stdin=stdin, source_pod=pod, batch_bytes=batch_bytes))


def read_in_format(format_string: str, *lines: str, pod: SourcePod = POD) -> LogBatch:
    """Read lines that may have a format of one's own."""
    formats = formats_to_try(log_format(format_string))
    stdin = io.BytesIO("".join(f"{line}\n" for line in lines).encode())
    return merged(read_access_logs(["-"], stdin=stdin, source_pod=pod, formats=formats))


def merged(batches: Iterable[LogBatch]) -> LogBatch:
    """Put batches together."""
    found = list(batches)
    return LogBatch(
        pl.concat([batch.requests for batch in found]),
        merge_line_counts(batch.lines for batch in found),
    )


def skipped(batch: LogBatch) -> dict[str, int]:
    """Map the reasons for skipping to how many lines had them."""
    return {entry.reason: entry.lines for entry in batch.lines.skipped}


def summed(requests: pl.DataFrame) -> pl.DataFrame:
    """Sum up requests that are alike: how many rows stand for them is not promised."""
    sums = ("requests", "first_seen", "last_seen")
    keys = [name for name in requests.columns if name not in sums]
    return (
        requests.group_by(keys, pl.col("first_seen").dt.date().alias("day"))
        .agg(pl.col("requests").sum(), pl.col("first_seen").min(), pl.col("last_seen").max())
        .sort(pl.all())
    )


def values(batch: LogBatch, column: str) -> Sequence[object]:
    """List the values of a column."""
    return batch.requests[column].to_list()
