"""Bytes of a file -> its content, unpacked when it is gzip or zstd."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import zstandard

try:
    from isal import igzip, isal_zlib
except ImportError:
    IS_ISAL_THERE = False
else:
    IS_ISAL_THERE = True
    # The data is damaged; it is cut short; something else follows, or the file cannot be read on;
    # a header has no end.
    _ISAL_ERRORS: Final = (isal_zlib.IsalError, EOFError, OSError, OverflowError)

_GZIP: Final = b"\x1f\x8b\x08"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"
_PLAIN_BLOCK: Final = 1 << 17
_PACKED_BLOCK: Final = 1 << 17
# What a block holds before a damaged byte is lost, so that it is unpacked again in smaller ones.
_SMALL_BLOCK: Final = 1 << 12
# Tapes and some tools pad the end with zero bytes.
_PADDING: Final = b"\0"
# A few packed bytes may unpack to very many.
_MOST_UNPACKED: Final = 1 << 20


class DamagedStreamError(Exception):
    """Indicate packed data that cannot be unpacked from some byte on.

    Args:
        packing: `gzip` or `zstd`.
        offset: The byte of the packed file up to which all of it could be unpacked.
    """

    def __init__(self, packing: str, offset: int) -> None:
        super().__init__(f"damaged {packing} data after byte {offset}")


def unpacked(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a file in blocks; its first bytes tell how it is packed.

    Raises:
        DamagedStreamError: The packed data is damaged or cut short.
        OSError: The file cannot be read.
    """
    start = _read(stream, len(_ZSTD))
    if start.startswith(_GZIP):
        if IS_ISAL_THERE and stream.seekable():
            return _from_seekable_gzip(stream, start)
        return _from_gzip(_blocks(stream, start, _PACKED_BLOCK))
    if is_packed_start(start):
        return _from_zstd(_blocks(stream, start, _SMALL_BLOCK))
    return _blocks(stream, start, _PLAIN_BLOCK)


def is_packed_start(start: bytes) -> bool:
    """Tell by its first bytes whether a file is packed."""
    return start.startswith((_GZIP, _ZSTD)) or start[1:4] == _ZSTD_SKIPPABLE


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes, fewer only at the end; a pipe may hand them out one by one."""
    found = b""
    while len(found) < size and (more := stream.read(size - len(found))):
        found += more
    return found


def _blocks(stream: BinaryIO, start: bytes, size: int) -> Iterator[bytes]:
    if start:
        yield start
    while block := stream.read(size):
        yield block


class _ZlibMembers:
    """Unpack gzip data with zlib; it may be several members one after another."""

    def __init__(self) -> None:
        self._member = _new_zlib_member()
        self.has_begun = True

    def copy(self) -> _ZlibMembers:
        """Return what unpacks the same from here on."""
        other = _ZlibMembers()
        other._member, other.has_begun = self._member.copy(), self.has_begun
        return other

    def content(self, block: bytes) -> Iterator[bytes]:
        """Yield what a block holds.

        Raises:
            zlib.error: It is damaged.
        """
        rest = block
        while rest:
            if not self.has_begun:
                rest = rest.lstrip(_PADDING)
                self._member, self.has_begun = _new_zlib_member(), bool(rest)
                continue
            if content := self._member.decompress(rest, _MOST_UNPACKED):
                yield content
            is_over = self._member.eof
            rest = self._member.unused_data if is_over else self._member.unconsumed_tail
            self.has_begun = not is_over


def _new_zlib_member() -> Any:
    return zlib.decompressobj(wbits=31)


def _from_seekable_gzip(stream: BinaryIO, start: bytes) -> Iterator[bytes]:
    """Unpack with ISA-L, at three times the speed of zlib; what it fails at, again with zlib.

    ISA-L does not give what comes before the damage, or before what cannot be read.
    """
    begin = stream.tell() - len(start)
    stream.seek(begin)
    given = 0
    try:
        with igzip.IGzipFile(fileobj=stream) as content:  # type: ignore[no-untyped-call]  # no stub
            while block := content.read(_MOST_UNPACKED):
                yield block
                given += len(block)
    except _ISAL_ERRORS:  # type: ignore[misc]  # its stub calls one an instance
        stream.seek(begin)
        blocks = _blocks(stream, _read(stream, len(start)), _PACKED_BLOCK)
        yield from _without_first(_from_gzip(blocks), given)


def _without_first(contents: Iterator[bytes], given: int) -> Iterator[bytes]:
    for content in contents:
        if fresh := content[given:]:
            yield fresh
        given = max(0, given - len(content))


def _from_gzip(blocks: Iterator[bytes]) -> Iterator[bytes]:
    members = _ZlibMembers()
    done = 0
    for block in blocks:
        before, given = members.copy(), 0
        try:
            for content in members.content(block):
                yield content
                given += len(content)
        except zlib.error:
            yield from _up_to_damage(before, block, given, done)
        done += len(block)
    if members.has_begun:
        raise DamagedStreamError("gzip", done)


def _up_to_damage(members: _ZlibMembers, block: bytes, given: int, done: int) -> Iterator[bytes]:
    """Yield what a damaged block holds, but for the first bytes, which were given."""
    start = 0

    def contents() -> Iterator[bytes]:
        nonlocal start
        for start in range(0, len(block), _SMALL_BLOCK):
            yield from members.content(block[start : start + _SMALL_BLOCK])

    try:
        yield from _without_first(contents(), given)
    except zlib.error as error:
        raise DamagedStreamError("gzip", done + start) from error


def _from_zstd(blocks: Iterator[bytes]) -> Iterator[bytes]:
    done = 0
    frame = zstandard.ZstdDecompressor().decompressobj()
    begun = False
    for block in blocks:
        rest = block
        while rest:
            if not begun:
                frame, begun = zstandard.ZstdDecompressor().decompressobj(), True
            try:
                content = frame.decompress(rest)
            except zstandard.ZstdError as error:
                raise DamagedStreamError("zstd", done) from error
            if content:
                yield content
            rest = frame.unused_data if frame.eof else b""
            begun = not frame.eof
        done += len(block)
    if begun:
        raise DamagedStreamError("zstd", done)
