"""Packed files are unpacked up to the byte where they are damaged."""

from __future__ import annotations

import gzip
import io
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.files import DamagedStreamError, compression, unpacked


def unpack(packed: bytes) -> tuple[bytes, str]:
    """Unpack as far as possible; returns what was found, and why no more was."""
    found = b""
    try:
        for block in unpacked(io.BytesIO(packed)):
            found += block
    except DamagedStreamError as error:
        return found, str(error)
    return found, ""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_PACKED_BLOCK", 4096)
    monkeypatch.setattr(compression, "_SMALL_BLOCK", 64)
    monkeypatch.setattr(compression, "_MOST_UNPACKED", 500)


class Pipe(io.BytesIO):
    """Be read once, as a pipe is."""

    def seekable(self) -> bool:
        """Tell that it is not."""
        return False


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - nothing here is secret


def members(random: Random, count: int) -> list[bytes]:
    return [random.randbytes(random.choice((0, 10, 3000))) * 3 for _ in range(count)]


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(0, 200))
def test_members_are_unpacked_one_after_another(seed: int, count: int, padding: int) -> None:
    contents = members(seeded(seed), count)
    packed = b"".join(map(gzip.compress, contents)) + bytes(padding)

    assert unpack(packed) == (b"".join(contents), "")
    assert b"".join(unpacked(Pipe(packed))) == b"".join(contents)


def damaged(random: Random, count: int) -> tuple[bytes, bytes]:
    """Pack something, and turn a bit of that; returns it with what was packed."""
    contents = members(random, count)
    packed = bytearray(b"".join(map(gzip.compress, contents)))
    packed[random.randrange(10, len(packed))] ^= 1 << random.randrange(8)
    if random.random() < 0.3:
        del packed[random.randrange(10, len(packed)) :]
    return bytes(packed), b"".join(contents)


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_damage_loses_no_more_than_it_does_in_small_blocks(seed: int, count: int) -> None:
    """A header with flags that mean nothing yet counts as damaged to zlib alone."""
    packed, whole = damaged(seeded(seed), count)
    found, reason = unpack(packed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compression, "IS_ISAL_THERE", False)
        of_pipe, reason_of_pipe = unpack(packed)
        patch.setattr(compression, "_PACKED_BLOCK", 64)
        least, same_reason = unpack(packed)
    assert of_pipe.startswith(least)
    assert found.startswith(of_pipe)
    assert reason_of_pipe == same_reason
    assert reason == same_reason or found == whole


class Breaking(io.BytesIO):
    """Fail as a disk does behind so many bytes."""

    good = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to the bad byte, and fail there."""
        if self.tell() >= self.good:
            raise OSError(5, "Input/output error")
        left = self.good - self.tell()
        return super().read(left if size is None or size < 0 else min(size, left))

    def readinto(self, buffer: Any, /) -> int:
        """Read as `read` does."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def test_what_comes_before_a_byte_that_cannot_be_read_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compression, "_MOST_UNPACKED", 1 << 19)
    content = b"".join(b"%d\n" % n for n in range(20_000))
    stream = Breaking(gzip.compress(content))
    stream.good = len(stream.getvalue()) // 2
    found: list[bytes] = []

    with pytest.raises(OSError, match="Input/output error"):
        found.extend(unpacked(stream))

    assert len(b"".join(found)) > len(content) // 3
    assert content.startswith(b"".join(found))
