"""Find log files: files, folders, globs, URLs of object storage and `-`, the standard input."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Final, cast

from recommender.access_logs.container_paths import PROXY_CONTAINER, container_log
from recommender.access_logs.line_counts import SkippedLines
from recommender.access_logs.log_file import STANDARD_INPUT, LogFile, identity_of
from recommender.access_logs.object_storage import ObjectStorage, StoredObject, is_object_url
from recommender.errors import InputError
from recommender.files import FileKind, find_files, shown, unreadable

OTHER_CONTAINER: Final = f"the file of another container than {PROXY_CONTAINER}"

_NAMES: Final = re.compile(r"\.(?:log|json|jsonl|ndjson|txt)(?:$|[.-])|\.(?:gz|zst)$", re.I)
# The kubelet writes such a file, makes the packed log of it and then removes the plain one.
_ROTATED: Final = re.compile(r"\.log\.[0-9]{8}-[0-9]{6}$")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.I)
_UNFINISHED: Final = re.compile(r"\.(?:tmp|part|swp)$", re.I)


def find_log_files(
    sources: Sequence[str | Path], storage: ObjectStorage | None = None
) -> tuple[list[LogFile], list[SkippedLines]]:
    """List the log files of some sources, each once, in the order of their names.

    A folder is read with its subfolders, but nothing hidden. Files whose path names a container
    other than the proxy are left out and counted, and so is what is missing or unreadable.

    Raises:
        InputError: Nothing at all can be read.
    """
    if not sources:
        raise InputError("no log source is named", hint="name a log file, a folder or -")
    lost: list[InputError] = []
    files = [
        file
        for file in _found_on_disks(sources, lost)
        if _is_readable(cast("Path", file.path), lost)
    ]
    objects = _found_in_storage(sources, storage or ObjectStorage(), lost)
    files += [LogFile(None, shown(o.url), container_log(PurePath(o.key)), o) for o in objects]
    others = [file for file in files if _is_of_other_container(file)]
    files = [file for file in files if not _is_of_other_container(file)]
    if STANDARD_INPUT in map(str, sources):
        files.append(LogFile(None, "stdin"))
    if not files and others:
        hint = f"only logs of the container {PROXY_CONTAINER} have access logs"
        raise InputError("no log is that of a proxy", where=others[0].name, hint=hint)
    if not files:
        raise lost[0]
    skipped = [SkippedLines(OTHER_CONTAINER, 1, file.name) for file in others]
    skipped += [SkippedLines(error.what, 1, error.where or "") for error in lost]
    return files, skipped


def _is_of_other_container(file: LogFile) -> bool:
    return file.writer is not None and file.writer.container != PROXY_CONTAINER


def _found_in_storage(
    sources: Sequence[str | Path], storage: ObjectStorage, lost: list[InputError]
) -> list[StoredObject]:
    """Find what sources name in object storage; `lost` gets what cannot be found."""
    objects: set[StoredObject] = set()
    for source in filter(is_object_url, sources):
        try:
            objects.update(storage.find(str(source), _is_log))
        except InputError as error:
            lost.append(error)
    return sorted(objects, key=lambda stored: (stored.url, stored.etag))


def _found_on_disks(sources: Sequence[str | Path], lost: list[InputError]) -> list[LogFile]:
    """Find what sources name on disks; `lost` gets what cannot be found.

    A log that is renamed after its name was found and before its identity is known has another
    name from then on, so that names are looked for once more.
    """
    names = _names(sources, lost)
    found = _by_identity(names, lost)
    later = _names(sources, []) - names
    found = _by_identity(later, [], found)
    packed = _packed(names | later)
    files = [file for file in found.values() if file.path not in packed]
    return sorted(files, key=lambda file: file.name)


def _names(sources: Sequence[str | Path], lost: list[InputError]) -> set[Path]:
    names: set[Path] = set()
    for source in sources:
        if is_object_url(source) or str(source) == STANDARD_INPUT:
            continue
        try:
            names.update(find_files(source, _LOGS, lost))
        except InputError as error:
            lost.append(_not_read(str(source)) if _URL.match(str(source)) else error)
    return names


def _not_read(url: str) -> InputError:
    hint = "object storage is s3://BUCKET/KEY or oss://BUCKET/KEY, and anything else is a path"
    return InputError("this is no URL that can be read", where=shown(url), hint=hint)


def _packed(names: set[Path]) -> set[Path]:
    """List the logs that the kubelet has packed and not yet removed."""
    return {name for name in names if Path(f"{name}.gz") in names and _ROTATED.search(name.name)}


_Identity = tuple[int, int]


def _by_identity(
    names: set[Path], lost: list[InputError], known: Mapping[_Identity, LogFile] | None = None
) -> dict[_Identity, LogFile]:
    """Tell files apart, however many names each has; a name that tells its writer wins.

    On a node, /var/log/containers holds links to the files of /var/log/pods.
    """
    found = dict(known or {})
    for path in names:
        try:
            identity = identity_of(path.stat())
        except OSError as error:
            lost.append(unreadable(path, error))
            continue
        writer = container_log(path) or container_log(Path(os.path.realpath(path)))
        file = LogFile(path, shown(path), writer, identity=identity)
        found[identity] = min(found.get(identity, file), file, key=_rank)
    return found


def _rank(file: LogFile) -> tuple[bool, str]:
    return file.writer is None, file.name


def _is_log(name: str) -> bool:
    return _NAMES.search(name) is not None and _UNFINISHED.search(name) is None


_LOGS: Final = FileKind(
    "log", "*.log, *.log.*, *.json, *.jsonl, *.ndjson, *.txt, *.gz and *.zst", _is_log
)


def _is_readable(path: Path, lost: list[InputError]) -> bool:
    if not path.is_file():
        return True  # opening a pipe twice would lose what it holds
    try:
        path.open("rb").close()
    except OSError as error:
        lost.append(unreadable(path, error))
        return False
    return True
