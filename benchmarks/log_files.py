"""Write access logs of the same requests in several formats: `python -m benchmarks.log_files DIR`.

Every file is the log of one pod, under the path that a node gives it. Beside them is what must be
found in them, summed up before the lines were written.
"""

from __future__ import annotations

import argparse
import json
import shutil
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl

from benchmarks.log_readers import FLOW_FIELDS
from benchmarks.log_requests import NAMESPACE, POD, requests

KINDS: Final = ("text", "json", "text-cri", "json-cri")
EXPECTED: Final = "expected.json"
SIZES: Final = (1_000_000, 10_000_000)
_NAME: Final = f"{POD}_{NAMESPACE}_istio-proxy-{0:064}.log"
# About what a line takes, to know before it is too late whether a disk holds the files.
_BYTES: Final = {"text": 420, "json": 780, "text-cri": 460, "json-cri": 820}
_PACKED: Final = 5
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


def log_file(folder: Path, kind: str, lines: int, *, packed: bool = False) -> Path:
    """Name the file of a kind and a number of lines."""
    return folder / str(lines) / kind / f"{_NAME}{'.gz' if packed else ''}"


def write_log_files(
    folder: Path, lines: int, kinds: Sequence[str] = KINDS, *, packed: bool = True
) -> list[Path]:
    """Write the files that are not there yet, those that fit the disk, and what is in them.

    Returns the files that do not fit.
    """
    wanted = [log_file(folder, kind, lines) for kind in kinds]
    if packed:
        wanted += [log_file(folder, kind, lines, packed=True) for kind in kinds]
    missing, left_out = _fitting([path for path in wanted if not path.exists()], lines)
    if missing:
        _write(folder / str(lines), missing, lines)
    return left_out


def _fitting(wanted: Sequence[Path], lines: int) -> tuple[list[Path], list[Path]]:
    """Part the files into those that fit the disk, with a tenth of it to spare, and others.

    What is packed is of use only beside what is not, which tells its size.
    """
    fits: list[Path] = []
    left_out: list[Path] = []
    for path in wanted:
        at = next(parent for parent in path.parents if parent.exists())
        usage = shutil.disk_usage(at)
        need = sum(_size(other, lines) for other in (*fits, path))
        is_held = need < usage.free - usage.total // 10
        (fits if is_held and path.with_suffix("") not in left_out else left_out).append(path)
    return fits, left_out


def _size(path: Path, lines: int) -> int:
    size = _BYTES[path.parent.name] * lines
    return size // _PACKED if path.suffix == ".gz" else size


def _write(folder: Path, paths: Sequence[Path], lines: int) -> None:
    counts: list[pl.DataFrame] = []
    with ExitStack() as stack:
        sinks = {path: _sink(path, stack) for path in paths}
        kinds = {path.parent.name for path in paths}
        for frame in requests(lines):
            counts.append(_counted(frame))
            for kind in sorted(kinds):
                text = _rendered(frame, kind)
                for path, sink in sinks.items():
                    if path.parent.name == kind:
                        sink(text)
    found = pl.concat(counts).group_by(pl.all().exclude("requests")).sum()
    (folder / EXPECTED).write_text(json.dumps(sorted(found.rows())), "utf-8")
    for path in paths:
        _unfinished(path).rename(path)


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _sink(path: Path, stack: ExitStack) -> Callable[[bytes], object]:
    """Open a file to write to; gz as the kubelet packs what it has rotated."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file: BinaryIO = stack.enter_context(_unfinished(path).open("wb"))
    if path.suffix != ".gz":
        return file.write
    packer = zlib.compressobj(wbits=31)
    stack.callback(lambda: file.write(packer.flush()))
    return lambda data: file.write(packer.compress(data))


def _counted(frame: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("start_time").str.head(10).alias("day")
    return (
        frame.filter(~_is_own())
        .group_by(day, *FLOW_FIELDS)
        .agg(pl.len().cast(pl.Int64).alias("requests"))
    )


def _rendered(frame: pl.DataFrame, kind: str) -> bytes:
    line = _as_json() if kind.startswith("json") else pl.format(_pattern(), *_FIELDS)
    own = pl.when(_is_own()).then(pl.lit(_OWN_LINE)).otherwise(line)
    if kind.endswith("-cri"):
        own = pl.concat_str("ended", pl.lit(" stdout F "), own)
    text: str = frame.select((own + "\n").str.join("")).item()
    return text.encode()


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
    parser.add_argument("--plain", action="store_true", help="write no gz")
    options = parser.parse_args()
    for lines in options.lines:
        for path in write_log_files(options.folder, lines, options.kinds, packed=not options.plain):
            print(f"{path} does not fit the disk")


if __name__ == "__main__":
    main()
