"""A log file as it was found, and how to open that one and no other."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from recommender.access_logs.container_paths import ContainerLog
from recommender.access_logs.object_storage import StoredObject

STANDARD_INPUT: Final = "-"
"""The source that is the standard input."""

GONE: Final = "it was removed or replaced after it was found"


@dataclass(frozen=True, slots=True)
class LogFile:
    """Hold a file to read, which is on a disk, in object storage, or the standard input.

    Attributes:
        path: Where it is on a disk; None for anything else.
        name: Its path or URL, as text that can be printed.
        writer: The container whose log it is, where its path tells.
        stored: The object that it is; None for anything else.
        identity: What tells it from a file that gets its name later; None if that does not matter.
    """

    path: Path | None
    name: str
    writer: ContainerLog | None = None
    stored: StoredObject | None = None
    identity: tuple[int, int] | None = None

    @property
    def is_regular(self) -> bool:
        """Tell whether it is on a disk, where it waits for nobody."""
        return self.path is not None and self.path.is_file()


def identity_of(status: os.stat_result) -> tuple[int, int]:
    """Tell a file from all others, whatever its names are."""
    return status.st_dev, status.st_ino


def open_found(file: LogFile, *, buffering: int = -1) -> BinaryIO:
    """Open a file on a disk that was found, also if it has got another name in its folder since.

    Rotation renames a log and begins another one under its name.

    Raises:
        OSError: It cannot be opened, or is no longer there.
    """
    path = cast("Path", file.path)
    for name in _names(path, file.identity):
        with suppress(FileNotFoundError):
            stream = name.open("rb", buffering=buffering)
            if file.identity in (None, identity_of(os.fstat(stream.fileno()))):
                return stream
            stream.close()
    raise FileNotFoundError(errno.ENOENT, GONE)


def _names(path: Path, identity: tuple[int, int] | None) -> Iterator[Path]:
    """Yield the name of a file, and then those in its folder that it may have now."""
    yield path
    if identity is None:
        return
    folder = Path(os.path.realpath(path)).parent
    with suppress(OSError), os.scandir(folder) as entries:
        yield from (folder / entry.name for entry in entries if entry.inode() == identity[1])
