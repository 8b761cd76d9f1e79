"""Files -> pieces of whole lines, which are unpacked where a file is gzip or zstd.

A line that is too long is dropped, and a file that ends early is read as far as possible: both are
counted.
"""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from typing import BinaryIO, Final

from recommender.access_logs.line_counts import SkippedLines
from recommender.access_logs.log_file import STANDARD_INPUT, LogFile, open_found
from recommender.access_logs.object_storage import ObjectStorage
from recommender.errors import InputError
from recommender.files import DamagedStreamError, is_packed_start, unpacked

# What fits the cache of a processor is looked at faster.
PIECE_BYTES: Final = 1 << 18
MOST_LINE_BYTES: Final = 4 << 20
# An answer of Loki or Elasticsearch, or a batch of OpenTelemetry, is one line.
MOST_DOCUMENT_BYTES: Final = 64 << 20

SHORTER: Final = "the file has become shorter while it was read"
LINE_TOO_LONG: Final = f"longer than {MOST_LINE_BYTES >> 20} MiB"
DOCUMENT_TOO_LONG: Final = f"a JSON document longer than {MOST_DOCUMENT_BYTES >> 20} MiB"

DOCUMENT_START: Final = (
    r'^(?:\[\s*\{|\{\s*"(?:resourceLogs|took|timed_out|_scroll_id|pit_id|_shards|hits|status|data'
    r'|streams|dropped_entries|meta|count|logs|next_cursor|responses|is_partial|id)"\s*:'
    r'|\{"date":)'
)
"""How JSON documents begin that hold many lines."""

_DOCUMENT: Final = re.compile(DOCUMENT_START.encode())
# What jq and Elasticsearch print for people: only the last bracket stands at the margin again.
_INDENTED: Final = re.compile(rb"(?:\{|\[)\r?\n[ \t]")
_FURTHER_INDENTED: Final = re.compile(rb"\n([{\[])\r?\n[ \t]")
_CLOSING: Final = {b"{": b"}", b"[": b"]"}
_AT_MARGIN: Final = re.compile(rb"\n(?=[^ \t\r\n])")
# A line feed at the end of a block, behind which an indented document may begin.
_UNDECIDED: Final = re.compile(rb"\n(?:[{\[](?:\r?\n?))?\Z")
_UNDECIDED_BYTES: Final = 4
_START_BYTES: Final = 512
_LARGE_PACKED: Final = 1 << 20
_NOT_READ: Final = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ\0": "packed with xz",
    b"\x04\x22\x4d\x18": "packed with lz4",
    b"PAR1": "a Parquet file",
    b"\x7fELF": "a program",
    b"\xff\xfe": "text in UTF-16, save it as UTF-8",
    b"\xfe\xff": "text in UTF-16, save it as UTF-8",
}
_TAR: Final = b"ustar"
_PLACE_OF_TAR: Final = 257  # behind the name of the first file, which zero bytes end
# No header may have such a byte, so no caller can write one.
_CONTROL: Final = re.compile(rb"[\x00-\x08]")


@dataclass(frozen=True, slots=True)
class Piece:
    """Hold some whole lines of a file.

    Attributes:
        file: The file that they come from.
        data: The lines; only the last of a file may lack its newline.
        dropped: Why lines between the piece before and this one were dropped, one after another.
        is_last: No piece of the file follows.
        skipped: What was lost behind the last one.
    """

    file: LogFile
    data: bytes | memoryview
    dropped: tuple[str, ...] = ()
    is_last: bool = False
    skipped: tuple[SkippedLines, ...] = ()


def read_pieces(
    file: LogFile,
    stdin: BinaryIO | None = None,
    storage: ObjectStorage | None = None,
    *,
    size: int = PIECE_BYTES,
    section: tuple[int, int | None] | None = None,
) -> Iterator[Piece]:
    """Yield a file in pieces of `size` bytes or more; the last one says so, even if it is empty.

    A file that cannot be read or unpacked to its end is read as far as possible. The rest of it
    counts as one skipped line. A section is the lines that begin between two bytes of a file for
    which `plain_size` tells the size.
    """
    cutter = _Cutter(file, size)
    lost: SkippedLines | None = None
    try:
        with _opened(file, stdin, storage) as stream:
            blocks = (
                _section(stream, *section)
                if section
                else _with_documents_on_lines(unpacked(stream))
            )
            for block in blocks:
                yield from cutter.add(block)
    except DamagedStreamError as error:
        lost = SkippedLines(f"{error}, the rest is lost", 1, file.name)
    except _NotReadError as error:
        lost = SkippedLines(str(error), 1, file.name)
    except OSError as error:
        lost = SkippedLines(f"the file cannot be read on: {error.strerror}", 1, file.name)
    yield cutter.end(lost)


def _section(stream: BinaryIO, begin: int, end: int | None) -> Iterator[bytes]:
    """Read the lines that begin between two bytes of a file, or before its end.

    Raises:
        _NotReadError: The file has become shorter.
    """
    at = max(0, begin - 1)
    stream.seek(at)
    is_inside = begin == 0
    while block := stream.read(PIECE_BYTES):
        start, at = at, at + len(block)
        if not is_inside:
            first = block.find(b"\n") + 1
            if not first and end is not None and at >= end:
                return  # no line begins here; where the long one ends is of no use
            if not first:
                continue
            start, block, is_inside = start + first, block[first:], True
            if end is not None and start >= end:
                return
        if end is not None and at >= end:
            last = block.find(b"\n", max(0, end - 1 - start)) + 1
            if last:
                yield block[:last]
                return
        yield block
    if at < (begin if end is None else end):
        raise _NotReadError(SHORTER)


def plain_size(file: LogFile) -> int | None:
    """Return the size of a file each line of which can be read without those before, else None."""
    if not file.is_regular:
        return None
    try:
        with open_found(file) as stream:
            start = stream.read(_START_BYTES)
            size = os.fstat(stream.fileno()).st_size
    except OSError:
        return None
    is_packed = is_packed_start(start) or _no_text(start) is not None
    return None if is_packed or start.startswith(BOM_UTF8) or _INDENTED.match(start) else size


def is_large_packed_log(file: LogFile) -> bool:
    """Tell whether a file takes long to unpack, and is on a disk, where it waits for nobody."""
    if not file.is_regular:
        return False
    try:
        with open_found(file) as stream:
            is_large = os.fstat(stream.fileno()).st_size >= _LARGE_PACKED
            return is_large and is_packed_start(stream.read(_START_BYTES))
    except OSError:
        return False


def _with_documents_on_lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Put each document on a line where a file begins with JSON that is indented for people.

    Raises:
        _NotReadError: The file is no text at all.
    """
    start = b""
    for block in blocks:
        start += block
        if len(start) >= _START_BYTES:
            break
    if other := _no_text(start):
        raise _NotReadError(f"not a log but {other}")
    start = start.removeprefix(BOM_UTF8)
    whole = chain([start], blocks)
    yield from _with_indented_on_lines(whole, start) if _INDENTED.match(start) else whole


def _no_text(start: bytes) -> str | None:
    """Say what a file is that begins so, if it is no text."""
    if not _CONTROL.search(start, 0, _START_BYTES):
        return None
    if start.startswith(_TAR, _PLACE_OF_TAR):
        return "a tar archive, unpack it"
    return next((other for sign, other in _NOT_READ.items() if start.startswith(sign)), None)


def _with_indented_on_lines(blocks: Iterator[bytes], start: bytes) -> Iterator[bytes]:
    """Put each indented document on a line; the first one begins the file.

    A document that is cut off ends before the next line that is not indented.
    """
    closing = _CLOSING.get(start[:1])
    held = b""
    for block in blocks:
        text = held + block
        undecided = _UNDECIDED.search(text, max(0, len(text) - _UNDECIDED_BYTES))
        end = undecided.start() if undecided else len(text)
        text, held = text[:end], text[end:]
        joined, closing = _joined(text, closing)
        if joined:
            yield joined
    if held:
        yield held


def _joined(text: bytes, closing: bytes | None) -> tuple[bytes, bytes | None]:
    """Join the lines of each indented document in a text, which does not end as _UNDECIDED does.

    `closing` is the bracket that closes the document at hand, None outside of one. Also returns the
    one at the end of the text.
    """
    done: list[bytes] = []
    place = 0
    while place < len(text):
        begin = place
        if closing is None:
            opening = _FURTHER_INDENTED.search(text, begin)
            place = opening.start(1) if opening else len(text)
            closing = _CLOSING[opening[1]] if opening else None
            done.append(text[begin:place])
        elif margin := _AT_MARGIN.search(text, begin):
            is_closed = text[margin.end() : margin.end() + 1] == closing
            place = margin.end() if is_closed else margin.start()
            closing = None
            done.append(_on_one_line(text[begin:place]))
        else:
            place = len(text)
            done.append(_on_one_line(text[begin:]))
    return b"".join(done), closing


def _on_one_line(text: bytes) -> bytes:
    return text.replace(b"\n", b" ")


def _opened(
    file: LogFile, stdin: BinaryIO | None, storage: ObjectStorage | None
) -> nullcontext[BinaryIO] | BinaryIO:
    if file.path:
        return open_found(file)
    if file.stored:
        return (storage or ObjectStorage()).open(file.stored)
    if stdin is None:
        raise InputError("there is no standard input to read", where=STANDARD_INPUT)
    return nullcontext(stdin)


class _NotReadError(Exception):
    """Indicate a file that is no text, or of which something is no longer there."""


class _Cutter:
    """Cut the content of a file into pieces after a newline."""

    def __init__(self, file: LogFile, size: int) -> None:
        self._file = file
        self._size = size
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._has_newline = False
        self._in_long_line = False
        self._dropped: list[str] = []

    def add(self, block: bytes) -> Iterator[Piece]:
        """Take a block; give what is held once it is enough for a piece."""
        if self._in_long_line:
            _, newline, block = block.partition(b"\n")
            self._in_long_line = not newline
        self._hold(block)
        if self._held_bytes < self._size:
            return
        if self._has_newline:
            yield from self._cut_held()
        elif self._held_bytes > MOST_LINE_BYTES:
            self._drop_long_line()

    def _cut_held(self) -> Iterator[Piece]:
        """Make pieces of what is held, and hold what is behind the last newline.

        What stands in one block is not copied, as that takes longer than to look at it.
        """
        block = self._held.pop()
        if b"\n" not in block:
            block = b"".join([*self._held, block])
            self._held = []
        end = block.rfind(b"\n") + 1
        first = block.find(b"\n") + 1 if self._held else 0
        if first:
            yield self._piece(b"".join([*self._held, block[:first]]))
        if first < end:
            yield self._piece(memoryview(block)[first:end])
        self._forget()
        self._hold(block[end:])

    def end(self, lost: SkippedLines | None) -> Piece:
        """Give what is left. A line that the damage of a file cuts off belongs to what is lost."""
        if lost:
            held = b"".join(self._held)
            self._held = [held[: held.rfind(b"\n") + 1]]
        return replace(
            self._piece(b"".join(self._held)), is_last=True, skipped=(lost,) if lost else ()
        )

    def _hold(self, block: bytes) -> None:
        self._held.append(block)
        self._held_bytes += len(block)
        self._has_newline = self._has_newline or b"\n" in block

    def _forget(self) -> None:
        self._held, self._held_bytes, self._has_newline = [], 0, False

    def _piece(self, data: bytes | memoryview) -> Piece:
        piece = Piece(self._file, data, tuple(self._dropped))
        self._dropped.clear()
        return piece

    def _drop_long_line(self) -> None:
        """Drop the start of a line that no log has, and count it, so that memory stays bounded."""
        is_document = _DOCUMENT.match(b"".join(self._held[:2])) is not None
        if is_document and self._held_bytes <= MOST_DOCUMENT_BYTES:
            return
        self._dropped.append(DOCUMENT_TOO_LONG if is_document else LINE_TOO_LONG)
        self._forget()
        self._in_long_line = True
