"""Print how fast access logs are read, next to other engines: `python -m benchmarks.log_reading`.

Every engine reads the same files to the same flows of each pod, in a process of its own and with
all cores, and what it found is compared with what was written. Of gz files, MB are those unpacked.
Figures are those of this machine at this time, and nothing but the flows is asserted. CPU seconds
are those of all threads; what else the machine does lengthens them less than it lengthens seconds.
Engines are compared round by round, in which they follow one another, and the middle round counts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.log_flows import counts_of_rows, difference
from benchmarks.log_paths import KINDS, MANY, SHAPES, SIZES, PodLogs, pods_of
from benchmarks.log_readers import CHDB, DUCKDB, LINE_SCAN, READERS, THIS_TOOL
from benchmarks.rounds import Reading, best, ratio

_PACKAGES: Final = {THIS_TOOL: "recommend-sidecars", LINE_SCAN: "polars"}
_PACKINGS: Final = ("plain", "gz")
_BLOCK: Final = 1 << 24


Rounds = dict[str, list[Reading]]
"""What each engine took in each round."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate, measure, compare and print; the status is 1 if an engine finds other flows."""
    options = _options().parse_args(arguments)
    missing = [name for name in (DUCKDB, CHDB) if name in options.readers and not find_spec(name)]
    if missing:
        print(f"{' and '.join(missing)} not installed: pip install '.[benchmark]'", file=sys.stderr)
        return 2
    with _folder(options.keep) as folder:
        _print_machine(options.readers)
        readings: dict[tuple[PodLogs, str], Reading] = {}
        for logs in _all_logs(folder, options):
            _warm(logs)
            found = _read_in_turn(options.readers, logs, options.repeat)
            _print_logs(logs, found)
            readings |= {(logs, name): best(took) for name, took in found.items()}
        _print_growth(readings)
    return 1 if any(reading.wrong for reading in readings.values()) else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.log_reading", description=__doc__)
    keep = "where to keep the files; those there already are used"
    parser.add_argument("--keep", type=Path, metavar="DIR", help=keep)
    parser.add_argument("--lines", type=int, nargs="+", default=SIZES, metavar="N", help="how many")
    parser.add_argument(
        "--pods",
        nargs="+",
        choices=SHAPES,
        default=SHAPES,
        help="whether the lines are of one pod or of many, each with a file",
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="which formats")
    parser.add_argument(
        "--readers", nargs="+", choices=READERS, default=list(READERS), help="which engines"
    )
    parser.add_argument(
        "--packing", nargs="+", choices=_PACKINGS, default=_PACKINGS, help="packed or not"
    )
    parser.add_argument(
        "--repeat",
        type=int,
        default=1,
        metavar="N",
        help="let all read N times, in turn; of each the fewest seconds are shown",
    )
    return parser


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        yield Path(name)


def _all_logs(folder: Path, options: argparse.Namespace) -> Iterator[PodLogs]:
    """Generate the logs, in a process of its own, so that its memory does not count."""
    for lines, shape in itertools.product(options.lines, options.pods):
        generator = [sys.executable, "-m", "benchmarks.log_files", str(folder)]
        generator += ["--lines", str(lines), "--pods", shape, "--kinds", *options.kinds]
        plain = [] if "gz" in options.packing else ["--plain"]
        subprocess.run([*generator, *plain], check=True)
        for packing, kind in itertools.product(options.packing, options.kinds):
            logs = PodLogs(folder, kind, lines, pods_of(shape, lines), packing == "gz")
            if logs.path.exists():
                yield logs


def _warm(logs: PodLogs) -> None:
    """Read all once, so that the first engine does not wait for the disk alone."""
    for path in logs.files.values():
        with path.open("rb") as file:
            while file.read(_BLOCK):
                pass


def _read_in_turn(names: Sequence[str], logs: PodLogs, rounds: int) -> Rounds:
    """Read logs with one engine after the other, as a machine is slow for minutes at a time."""
    readings = [{name: _read(name, logs) for name in names} for _ in range(rounds)]
    return {name: [found[name] for found in readings] for name in names}


def _read(name: str, logs: PodLogs) -> Reading:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        found = Path(folder) / "found.parquet"
        command = [sys.executable, "-m", "benchmarks.log_readers", name, str(logs.path), str(found)]
        took = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        wrong = None if name == LINE_SCAN else _wrong(pl.read_parquet(found), logs)
    return Reading(took["seconds"], took["processor_seconds"], took["memory_peak"], wrong)


def _wrong(found: pl.DataFrame, logs: PodLogs) -> str | None:
    return difference(found, counts_of_rows(pl.read_parquet(logs.expected)))


def _print_machine(readers: Sequence[str]) -> None:
    cores = len(os.sched_getaffinity(0))
    versions = (f"{name} {metadata.version(_PACKAGES.get(name, name))}" for name in readers)
    print(f"Python {platform.python_version()}, {cores} processor cores, {platform.machine()}")
    print(", ".join(versions), flush=True)


def _print_logs(logs: PodLogs, found: Rounds) -> None:
    megabytes = sum(path.stat().st_size for path in logs.unpacked.files.values()) / 1e6
    title = f"{_name(logs)}: {_count(logs.lines, 'line')} of {_count(logs.pods, 'pod')}"
    title += f", {megabytes:,.0f} MB"
    print(f"\n{title:<54}{'seconds':>9}{'CPU s':>9}{'MB/s':>9}{'peak MB':>9}  flows")
    for name, readings in found.items():
        took = best(readings)
        flows = "-" if name == LINE_SCAN else took.wrong or "as written"
        print(
            f"{name:<54}{took.seconds:>9.2f}{took.processor_seconds:>9.2f}"
            f"{megabytes / took.seconds:>9,.0f}{took.memory_peak / 1e6:>9,.0f}  {flows}"
        )
    _print_ratios(found)


def _print_ratios(found: Rounds) -> None:
    ours, scan = found.get(THIS_TOOL), found.get(LINE_SCAN)
    others = [found[name] for name in (DUCKDB, CHDB) if name in found]
    if ours and others:
        print(f"times as fast as the faster of the others: {_ratios(others, ours)}")
    if ours and scan:
        print(f"times as long as the line scan: {_ratios([ours], scan)}", flush=True)


def _ratios(above: Sequence[Sequence[Reading]], below: Sequence[Reading]) -> str:
    """Write how some compare with one: the middle round, then what else can be said of it."""
    seconds = ratio(above, below, lambda took: took.seconds)
    processor = ratio(above, below, lambda took: took.processor_seconds)
    if len(below) == 1:
        return f"{seconds.middle:.2f}, by CPU {processor.middle:.2f}"
    fewest = min(best(readings).seconds for readings in above) / best(below).seconds
    return (
        f"{seconds.middle:.2f} in the middle round, by CPU {processor.middle:.2f}"
        f" (rounds {seconds.lowest:.2f} to {seconds.highest:.2f}, of the fewest {fewest:.2f})"
    )


def _name(logs: PodLogs) -> str:
    return f"{logs.kind}{', gz' if logs.packed else ''}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _print_growth(readings: dict[tuple[PodLogs, str], Reading]) -> None:
    """Say how the peak grows from the fewest to the most lines of a kind of logs."""
    sizes = sorted({logs.lines for logs, _ in readings})
    if len(sizes) < 2:
        return
    few, many = sizes[0], sizes[-1]
    print(f"\npeak memory, {many:,} lines to {few:,} lines")
    for logs, name in readings:
        others = replace(logs, lines=many, pods=pods_of(logs.shape, many))
        if logs.lines == few and (others, name) in readings:
            ratio = readings[others, name].memory_peak / readings[logs, name].memory_peak
            title = f"{_name(logs)}, {logs.shape} pod{'s' if logs.shape == MANY else ''}"
            print(f"{title:<32}{name:<22}{ratio:>9.2f}")


if __name__ == "__main__":
    sys.exit(main())
