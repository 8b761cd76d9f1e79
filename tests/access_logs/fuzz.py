"""Read logs whose bytes are spoiled: `python -m tests.access_logs.fuzz --seconds 180 --seed 1`.

Recorded logs, bare and in all wrappers, plain and packed, are cut, joined and changed at random.
Whatever comes of them is read in several ways: lines that are alike together and each by itself, in
batches of different sizes, as a whole and in sections. Nothing may be raised but an error that says
what is wrong, all must find the same, and a case that takes longer than a minute ends the run with
what it does. The same seed gives the same cases.
"""

from __future__ import annotations

import argparse
import faulthandler
import gzip
import io
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import zstandard

from fixtures.access_logs.events import LOGS
from recommender.access_logs import LogBatch, read_access_logs
from recommender.access_logs.alike import LinesAlone, kinds_of
from recommender.access_logs.formats import assumed_formats
from recommender.errors import InputError
from tests.access_logs.helpers import DATA, POD, cri, merged, summed
from tests.access_logs.wrappings import WRAPPED

_HANGS = 60
_MOST_LINES = 60
_PIECES = (
    b'"', b"\\", b"\n", b"\r\n", b"\r", b"\0", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\t",
    b"|", b"\xff", b"\xe4\xbd", b"\xef\xbb\xbf", b"\x1b[31m", b'","', b'":"', b'" "', b"null", b"-",
    b"%", b" stdout F ", b" stdout P ", b" stderr F ", b"2026-11-23T12:16:11.401Z", b"1e999",
    b"inbound|80||", b"outbound|80||evil", b'{"log":"', b'"kubernetes":{', b'{"resourceLogs":[',
    b"\\ud800", b"9" * 40, b"x" * 5000,
)  # fmt: skip

Change = Callable[[random.Random, bytes], bytes]


def _insert(draw: random.Random, data: bytes) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(_PIECES) + data[at:]


def _replace(draw: random.Random, data: bytes) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.randbytes(draw.randrange(1, 4)) + data[at + draw.randrange(4) :]


def _cut(draw: random.Random, data: bytes) -> bytes:
    one, other = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    return data[:one] + data[other:]


def _repeat(draw: random.Random, data: bytes) -> bytes:
    one, other = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    return data[:other] + data[one:other][: 1 << 14] + data[other:]


def _truncate(draw: random.Random, data: bytes) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


_CHANGES: tuple[Change, ...] = (_insert, _insert, _replace, _replace, _cut, _repeat, _truncate)


def _packed(draw: random.Random, data: bytes) -> bytes:
    """Pack some, and damage some of these."""
    kind = draw.randrange(8)
    if kind > 1:
        return data
    pack = zstandard.ZstdCompressor().compress if kind else lambda d: gzip.compress(d, mtime=0)
    packed = pack(data)
    return draw.choice(_CHANGES)(draw, packed) if draw.randrange(2) else packed


def _logs() -> list[list[bytes]]:
    """List the lines of all recorded logs, in a prefix of a container runtime too."""
    bare = [gzip.decompress(file.read_bytes()) for file in sorted(LOGS.glob("*.log.gz"))]
    files = [
        file.read_bytes() for file in (*sorted(WRAPPED.iterdir()), *sorted(DATA.glob("*.log")))
    ]
    lines = [data.split(b"\n") for data in (*bare, *files)]
    prefix, part = cri("").encode(), cri("", "P").encode()
    return [*lines, *([(prefix, part)[n % 9 == 8] + x for n, x in enumerate(log)] for log in lines)]


def _case(draw: random.Random, logs: Sequence[list[bytes]]) -> bytes:
    lines: list[bytes] = []
    for log in draw.sample(logs, draw.randrange(1, 4)):
        begin = draw.randrange(len(log))
        lines += log[begin : begin + draw.randrange(1, _MOST_LINES)]
    if draw.randrange(3) == 0:
        draw.shuffle(lines)
    data = b"\n".join(lines)
    for _ in range(draw.randrange(8)):
        data = draw.choice(_CHANGES)(draw, data)
    return _packed(draw, data)


def _read(source: bytes | Path, *, alone: bool, size: int) -> LogBatch | str:
    """Read a file, or data from the standard input; sections of a file are small."""
    new_kinds = LinesAlone if alone else kinds_of(assumed_formats())
    stdin = None if isinstance(source, Path) else io.BytesIO(source)
    try:
        return merged(
            read_access_logs(
                ["-" if isinstance(source, bytes) else source],
                stdin=stdin,
                source_pod=POD,
                batch_bytes=size,
                section_bytes=1 << 11,
                new_kinds=new_kinds,
            )
        )
    except InputError as error:
        return str(error)


def _problem(data: bytes, size: int, folder: Path) -> str | None:
    """Read data in three ways; return how these differ."""
    file = folder / "stdin.log"
    file.write_bytes(data)
    alone = _read(data, alone=True, size=1 << 23)
    for found in (_read(data, alone=False, size=size), _read(file, alone=False, size=size)):
        if isinstance(found, str) or isinstance(alone, str):
            return None if found == alone else f"errors differ: {found} / {alone}"
        lines = str(found.lines).replace(str(file), "stdin")
        if lines != str(alone.lines):
            return f"counts differ: {lines} / {alone.lines}"
        if not summed(found.requests).equals(summed(alone.requests)):
            return "requests differ"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Read spoiled logs for some time; the status is 1 if two ways of reading differ."""
    parser = argparse.ArgumentParser(prog="tests.access_logs.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180, help="how long")
    parser.add_argument("--seed", type=int, default=1, help="where to begin")
    parser.add_argument("--keep", type=Path, default=Path("out"), help="where a bad case goes")
    options = parser.parse_args(arguments)
    logs = _logs()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        return _run(options, logs, Path(name))


def _run(options: argparse.Namespace, logs: Sequence[list[bytes]], folder: Path) -> int:
    ends = time.monotonic() + options.seconds
    seen: Counter[str] = Counter()
    seed = options.seed
    while time.monotonic() < ends:
        draw = random.Random(seed)  # noqa: S311 - nothing is secret
        data, size = _case(draw, logs), draw.choice((1, 1000, 1 << 23))
        faulthandler.dump_traceback_later(_HANGS, exit=True)
        problem = _problem(data, size, folder)
        faulthandler.cancel_dump_traceback_later()
        seen["cases"] += 1
        seen["bytes"] += len(data)
        if problem:
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"fuzz-{seed}.log").write_bytes(data)
            print(f"seed {seed}: {problem[:2000]}", file=sys.stderr)
            seen["problems"] += 1
        seed += 1
    cases = f"{seen['cases']} cases from seed {options.seed}, {seen['bytes']:,} bytes"
    print(f"{cases}, {seen['problems']} problems")
    return 1 if seen["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
