"""Find log files and read them as pieces of whole lines.

Sources are files, folders, globs and `-`, the standard input; files may be gzip or zstd.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from recommender.access_logs.container_paths import PROXY_CONTAINER, ContainerLog, container_log
from recommender.access_logs.line_counts import SkippedLines
from recommender.errors import InputError
from recommender.files import DamagedStreamError, FileKind, find_files, shown, unpacked, unreadable

STANDARD_INPUT: Final = "-"

PIECE_BYTES: Final = 8 << 20
MOST_LINE_BYTES: Final = 4 << 20

OTHER_CONTAINER: Final = f"the file of another container than {PROXY_CONTAINER}"
LINE_TOO_LONG: Final = f"longer than {MOST_LINE_BYTES >> 20} MiB"

_NAMES: Final = re.compile(r"\.(?:log|json|jsonl|ndjson|txt)(?:$|[.-])|\.(?:gz|zst)$", re.I)
# The kubelet writes such a file, makes the packed log of it and then removes the plain one.
_ROTATED: Final = re.compile(r"\.log\.[0-9]{8}-[0-9]{6}$")
_UNFINISHED: Final = re.compile(r"\.(?:tmp|part|swp)$", re.I)


@dataclass(frozen=True, slots=True)
class LogFile:
    """Hold a file to read; `path` is None for the standard input, `writer` where it is known."""

    path: Path | None
    name: str
    writer: ContainerLog | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Hold some whole lines of a file.

    Attributes:
        file: The file that they come from.
        data: The lines; only the last of a file may lack its newline.
        first_line: The number of the first line, from 1.
        lines: How many they are.
        is_last: No piece of the file follows.
        skipped: What was lost in front of this piece or, in the last one, behind it.
    """

    file: LogFile
    data: bytes
    first_line: int
    lines: int
    is_last: bool = False
    skipped: tuple[SkippedLines, ...] = ()


def find_log_files(sources: Sequence[str | Path]) -> tuple[list[LogFile], list[SkippedLines]]:
    """List the log files of some sources, each once, in the order of their names.

    A folder is read with its subfolders, but nothing hidden. Files whose path names a container
    other than the proxy are left out and counted.

    Raises:
        InputError: A source is missing, unreadable or holds nothing.
    """
    if not sources:
        raise InputError("no log source is named", hint="name a log file, a folder or -")
    named = [source for source in sources if str(source) != STANDARD_INPUT]
    paths = _without_packed({path for source in named for path in find_files(source, _LOGS)})
    files, others = [], []
    for path, writer in _each_once(paths):
        if writer and writer.container != PROXY_CONTAINER:
            others.append(SkippedLines(OTHER_CONTAINER, 1, shown(path)))
        else:
            _check_readable(path)
            files.append(LogFile(path, shown(path), writer))
    if len(named) < len(sources):
        files.append(LogFile(None, "stdin"))
    if not files:
        hint = f"only logs of the container {PROXY_CONTAINER} have access logs"
        raise InputError("no log is that of a proxy", where=others[0].example, hint=hint)
    return files, others


def _without_packed(paths: set[Path]) -> set[Path]:
    """Leave out logs that the kubelet has packed and not yet removed."""
    packed = {path for path in paths if Path(f"{path}.gz") in paths and _ROTATED.search(path.name)}
    return paths - packed


def _each_once(paths: set[Path]) -> Iterator[tuple[Path, ContainerLog | None]]:
    """Yield each file once, however many names it has; a name that tells its writer wins.

    On a node, /var/log/containers holds links to the files of /var/log/pods.
    """
    by_file: dict[tuple[int, int], tuple[bool, str, Path, ContainerLog | None]] = {}
    for path in paths:
        status = _status(path)
        writer = container_log(path) or container_log(Path(os.path.realpath(path)))
        found = (writer is None, shown(path), path, writer)
        key = (status.st_dev, status.st_ino)
        if key not in by_file or found[:2] < by_file[key][:2]:
            by_file[key] = found
    for _, _, path, writer in sorted(by_file.values(), key=lambda found: found[1]):
        yield path, writer


def _is_log(name: str) -> bool:
    return _NAMES.search(name) is not None and _UNFINISHED.search(name) is None


_LOGS: Final = FileKind("log", "*.log, *.log.*, *.json, *.jsonl, *.txt, *.gz and *.zst", _is_log)


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise unreadable(path, error) from error


def _check_readable(path: Path) -> None:
    if not path.is_file():
        return  # opening a pipe twice would lose what it holds
    try:
        path.open("rb").close()
    except OSError as error:
        raise unreadable(path, error) from error


def read_pieces(
    file: LogFile, stdin: BinaryIO | None = None, *, size: int = PIECE_BYTES
) -> Iterator[Piece]:
    """Yield a file in pieces of about `size` bytes; the last one says so, even if it is empty.

    A file that cannot be read or unpacked to its end is read as far as possible. The rest of it
    counts as one skipped line.
    """
    cutter = _Cutter(file, size)
    lost: SkippedLines | None = None
    try:
        with _opened(file, stdin) as stream:
            for block in unpacked(stream):
                if piece := cutter.add(block):
                    yield piece
    except DamagedStreamError as error:
        lost = SkippedLines(f"{error}, the rest is lost", 1, file.name)
    except OSError as error:
        lost = SkippedLines(f"the file cannot be read on: {error.strerror}", 1, file.name)
    yield cutter.end(lost)


def _opened(file: LogFile, stdin: BinaryIO | None) -> nullcontext[BinaryIO] | BinaryIO:
    if file.path:
        return file.path.open("rb")
    if stdin is None:
        raise InputError("there is no standard input to read", where=STANDARD_INPUT)
    return nullcontext(stdin)


class _Cutter:
    """Cut the content of a file into pieces after a newline."""

    def __init__(self, file: LogFile, size: int) -> None:
        self._file = file
        self._size = size
        self._held = bytearray()
        self._line = 1
        self._in_long_line = False
        self._skipped: list[SkippedLines] = []

    def add(self, block: bytes) -> Piece | None:
        """Take a block; give a piece once there is enough for one."""
        if self._in_long_line:
            _, newline, block = block.partition(b"\n")
            self._in_long_line = not newline
        self._held += block
        if len(self._held) < self._size:
            return None
        end = self._held.rfind(b"\n") + 1
        if end:
            return self._cut(end)
        if len(self._held) > MOST_LINE_BYTES:
            self._drop_long_line()
        return None

    def end(self, lost: SkippedLines | None) -> Piece:
        """Give what is left. A line that the damage of a file cuts off belongs to what is lost."""
        end = self._held.rfind(b"\n") + 1 if lost else len(self._held)
        if lost:
            self._skipped.append(lost)
        return self._cut(end, is_last=True)

    def _cut(self, end: int, *, is_last: bool = False) -> Piece:
        data = bytes(self._held[:end])
        del self._held[:end]
        lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
        piece = Piece(self._file, data, self._line, lines, is_last, tuple(self._skipped))
        self._line += lines
        self._skipped.clear()
        return piece

    def _drop_long_line(self) -> None:
        """Drop the start of a line that no log has, and count it, so that memory stays bounded."""
        where = f"{self._file.name}:{self._line}"
        self._skipped.append(SkippedLines(LINE_TOO_LONG, 1, where))
        self._held.clear()
        self._line += 1
        self._in_long_line = True
