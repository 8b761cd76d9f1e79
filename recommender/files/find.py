"""A source, that is a file, a folder or a glob -> the files it names."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recommender.errors import InputError

_MOST_SHOWN: Final = 1000


@dataclass(frozen=True, slots=True)
class FileKind:
    """Say which files of a folder are wanted: by their names, and how to tell a user."""

    name: str
    patterns: str
    wants: Callable[[str], bool]


def find_files(
    source: str | Path, kind: FileKind, unread: list[InputError] | None = None
) -> list[Path]:
    """List the files of a source; a folder is read with its subfolders, but nothing hidden.

    A file that is named, or that a glob matches, is taken whatever its kind. What cannot be read
    below a folder is added to `unread`, if there is such a list.

    Raises:
        InputError: The source is missing, unreadable or holds nothing.
    """
    try:
        return _files(source, kind, unread)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        raise unreadable(Path(source), error) from error


def names_something(source: str) -> bool:
    """Tell whether a source is a file, a folder or a glob that matches anything."""
    try:
        return Path(source).exists() or (glob.has_magic(source) and bool(glob.glob(source)))  # noqa: PTH207 - any glob
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return False


def _files(source: str | Path, kind: FileKind, unread: list[InputError] | None) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        return _files_in_folder(path, kind, unread)
    if path.exists():
        return [path]
    if isinstance(source, Path) or not glob.has_magic(source):
        raise InputError(
            "there is no such file or folder", where=shown(path), hint="check the name"
        )
    found = sorted(map(Path, glob.glob(source, recursive=True)))  # noqa: PTH207 - any glob
    if not found:
        raise InputError("the pattern matches no file", where=shown(path), hint="check it with ls")
    names = [p for p in found if p.is_file()]
    folders = [p for p in found if p.is_dir()]
    return names + [
        f for p in folders for f in _files_in_folder(p, kind, unread, required=not names)
    ]


def _files_in_folder(
    folder: Path, kind: FileKind, unread: list[InputError] | None, *, required: bool = True
) -> list[Path]:
    """List a folder's files; each real folder is entered once, so that links cannot loop."""
    found: list[Path] = []
    entered: set[tuple[int, int]] = set()
    waiting = [folder]
    known = len(unread or ())
    while waiting:
        current = waiting.pop()
        try:
            status = current.stat()
            entries = sorted(current.iterdir(), reverse=True)
            visible = [entry for entry in entries if not entry.name.startswith(".")]
            folders = [entry for entry in visible if entry.is_dir()]
            files = [entry for entry in visible if kind.wants(entry.name) and entry.is_file()]
        except OSError as error:
            if unread is None:
                raise unreadable(current, error) from error
            unread.append(unreadable(current, error))
            continue
        if (status.st_dev, status.st_ino) not in entered:
            entered.add((status.st_dev, status.st_ino))
            waiting += folders
            found += files
    if required and not found and len(unread or ()) == known:
        hint = f"looked for {kind.patterns}"
        raise InputError(f"the folder holds no {kind.name}", where=shown(folder), hint=hint)
    return found


def unreadable(path: Path, error: Exception) -> InputError:
    """Make the error of a file that cannot be read."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(f"cannot be read: {reason}", where=shown(path), hint="check who may read")


def shown(path: Path | str) -> str:
    """Write a path or URL as text that can be printed, whatever bytes it has."""
    text = os.fsencode(path).decode("utf-8", "replace")
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
