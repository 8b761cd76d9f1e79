"""Write access logs of the same requests in several formats: `python -m benchmarks.log_files DIR`.

Every file is the log of one pod, under the path that a node gives it. Beside them is what must be
found in them, summed up before the lines were written.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.log_paths import KINDS, SHAPES, SIZES, PodLogs, pods_of
from benchmarks.log_queries import FLOW_FIELDS
from benchmarks.log_requests import pod_names, requests

_BLOCK: Final = 1 << 24
_TEXT: Final = (
    '[{start_time}] "{method} {path} {protocol}" {response_code} {response_flags} '
    "{response_code_details} {connection_termination_details} "
    '"{upstream_transport_failure_reason}" {bytes_received} {bytes_sent} {duration} '
    '{upstream_service_time} "{x_forwarded_for}" "{user_agent}" "{request_id}" "{authority}" '
    '"{upstream_host}" {upstream_cluster} {upstream_local_address} {downstream_local_address} '
    "{downstream_remote_address} {requested_server_name} {route_name}"
)
_FIELDS: Final = tuple(part.partition("}")[0] for part in _TEXT.split("{")[1:])
_NUMBERS: Final = ("response_code", "bytes_received", "bytes_sent", "duration")
_OWN_LINE: Final = "2026-11-23T09:00:00.123456Z\tinfo\txdsproxy\tconnected to istiod:15012"


def write_log_files(
    folder: Path, lines: int, kinds: Sequence[str] = KINDS, *, pods: int = 1, packed: bool = True
) -> list[PodLogs]:
    """Write the logs that are not there yet, those that fit the disk, and what is in them.

    Returns those that do not fit.
    """
    packings = (False, True) if packed else (False,)
    wanted = [PodLogs(folder, kind, lines, pods, gz) for gz in packings for kind in kinds]
    missing, left_out = _fitting([logs for logs in wanted if not logs.path.exists()])
    if missing or (len(left_out) < len(wanted) and not wanted[0].expected.exists()):
        _write(missing, wanted[0])
    return left_out


def _fitting(wanted: Sequence[PodLogs]) -> tuple[list[PodLogs], list[PodLogs]]:
    """Part the logs into those that fit the disk, with a tenth of it to spare, and others.

    What is packed is made of what is not.
    """
    fits: list[PodLogs] = []
    left_out: list[PodLogs] = []
    for logs in wanted:
        at = next(parent for parent in logs.path.parents if parent.exists())
        usage = shutil.disk_usage(at)
        need = sum(other.about_bytes for other in (*fits, logs))
        is_held = need < usage.free - usage.total // 10
        (fits if is_held and logs.unpacked not in left_out else left_out).append(logs)
    return fits, left_out


def _write(missing: Sequence[PodLogs], one: PodLogs) -> None:
    """Write logs, and what is in all those that are like one of them but for their format."""
    for logs in missing:
        _begin(logs)
    found = pl.DataFrame()
    for frame in requests(one.lines, pod_names(one.pods)):
        found = _summed(pl.concat([found, _counted(frame)], how="diagonal"))
        for logs in missing:
            if not logs.packed:
                _append(frame, logs)
    for logs in missing:
        if logs.packed:
            _pack(logs)
        logs.unfinished.rename(logs.path)
    one.expected.parent.mkdir(parents=True, exist_ok=True)
    found.sort(pl.all()).write_parquet(one.expected)


def _begin(logs: PodLogs) -> None:
    """Make the folder, and remove what an earlier run did not finish."""
    if logs.unfinished.is_dir():
        shutil.rmtree(logs.unfinished)
    for file in logs.unfinished_files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")


def _append(frame: pl.DataFrame, logs: PodLogs) -> None:
    files = logs.unfinished_files
    for pod, text in _rendered(frame, logs.kind):
        with files[pod].open("ab") as file:
            file.write(text)


def _pack(logs: PodLogs) -> None:
    """Pack each file as the kubelet packs what it has rotated."""
    for pod, plain in logs.unpacked.files.items():
        packer = zlib.compressobj(wbits=31)
        with plain.open("rb") as source, logs.unfinished_files[pod].open("wb") as packed:
            while block := source.read(_BLOCK):
                packed.write(packer.compress(block))
            packed.write(packer.flush())


def _counted(frame: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("start_time").str.head(10).alias("day")
    one = pl.lit(1, pl.Int64).alias("requests")
    return _summed(frame.filter(~_is_own()).select("pod", day, *FLOW_FIELDS, one))


def _summed(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by(pl.all().exclude("requests")).sum()


def _rendered(frame: pl.DataFrame, kind: str) -> Iterator[tuple[str, bytes]]:
    """Yield each pod with the lines that it wrote."""
    line = _as_json() if kind.startswith("json") else pl.format(_pattern(), *_FIELDS)
    own = pl.when(_is_own()).then(pl.lit(_OWN_LINE)).otherwise(line)
    if kind.endswith("-cri"):
        own = pl.concat_str("ended", pl.lit(" stdout F "), own)
    lines = frame.select("pod", (own + "\n").alias("line"))
    for pod, text in lines.group_by("pod").agg(pl.col("line").str.join("")).iter_rows():
        yield pod, text.encode()


def _is_own() -> pl.Expr:
    """In the place of every thousandth request the proxy writes something else."""
    return pl.int_range(pl.len()) % 1000 == 999


def _pattern() -> str:
    pattern = _TEXT
    for name in _FIELDS:
        pattern = pattern.replace(f"{{{name}}}", "{}")
    return pattern


def _as_json() -> pl.Expr:
    parts: list[pl.Expr] = []
    for name in sorted(_FIELDS):
        parts += [pl.lit(f'{"," if parts else "{"}"{name}":'), _json_value(name)]
    return pl.concat_str(*parts, pl.lit("}"))


def _json_value(name: str) -> pl.Expr:
    """Render a value as Envoy types it: flags are text even where there are none."""
    if name in _NUMBERS:
        return pl.col(name)
    text = pl.col(name)
    if name in ("user_agent", "path"):
        text = text.str.replace_all("\\", r"\\", literal=True).str.replace_all(
            '"', r"\"", literal=True
        )
    quoted = pl.concat_str(pl.lit('"'), text, pl.lit('"'))
    if name == "response_flags":
        return quoted
    return pl.when(pl.col(name) == "-").then(pl.lit("null")).otherwise(quoted)


def main() -> None:
    """Write the files into the folder that is named."""
    parser = argparse.ArgumentParser(prog="benchmarks.log_files", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lines", type=int, nargs="+", default=SIZES)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--pods", nargs="+", choices=SHAPES, default=SHAPES)
    parser.add_argument("--plain", action="store_true", help="write no gz")
    options = parser.parse_args()
    for lines, shape in itertools.product(options.lines, options.pods):
        for logs in write_log_files(
            options.folder,
            lines,
            options.kinds,
            pods=pods_of(shape, lines),
            packed=not options.plain,
        ):
            print(f"{logs.path} does not fit the disk")


if __name__ == "__main__":
    main()
