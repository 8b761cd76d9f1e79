"""A folder that holds one file per Sidecar: `<namespace>/<name>.yaml`.

The folder is the whole answer: what is no longer recommended goes away, since whoever applies the
folder would apply it too, unless a run merely lacks the evidence for it. Only files are touched
that this tool wrote in their place. Everything is looked at before anything is written; each file
is replaced in one step, so that a crash leaves every file whole, old or new.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recommender.errors import OutputError
from recommender.files import shown
from recommender.mesh.yaml_documents import YamlError, read_yaml
from recommender.settings import OWN_LABEL, OWN_LABEL_VALUE
from recommender.sidecars.manifest import MARKER
from recommender.sidecars.names import SUFFIX, name_problem

_TEMPORARY: Final = ".recommend-sidecars-"
_FILE_HINT: Final = "check the folder's permissions and free space, or name another file"
_HINT: Final = "check the folder's permissions and free space, or name another one"


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """List files, `<namespace>/<name>.yaml`, by what became of them.

    `changed` are those whose object changed, `refreshed` those with the same object under newer
    comments; `kept` are of an earlier run and were left as they are.
    """

    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    refreshed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


Place = tuple[str, str]
"""The namespace and name of a Sidecar."""


@dataclass(frozen=True, slots=True)
class _OwnFile:
    """Hold what a file of this tool says."""

    content: bytes
    object: Mapping[str, object]


def write_sidecars(
    directory: Path,
    rendered: Mapping[Place, str],
    keep: Callable[[Place], bool] = lambda _: False,
) -> WrittenFiles:
    """Make a folder hold these manifests, by namespace and name, beside foreign files.

    Of those that an earlier run wrote and this one does not, `keep` says which stay.

    Raises:
        OutputError: A name is none, a file that this tool did not write or a symbolic link is in
            the way, or the folder cannot be written.
    """
    for namespace, name in sorted(rendered):
        if problem := name_problem(namespace, name):
            raise OutputError(problem, where=f"{namespace[:100]!r}/{name[:100]!r}")
    try:
        return _write(directory, dict(sorted(rendered.items())), keep)
    except OSError as error:
        where = shown(Path(error.filename or directory))
        raise OutputError(
            f"cannot be written: {error.strerror}", where=where, hint=_HINT
        ) from error


def write_own_file(path: Path, text: str) -> None:
    """Write a file that is no Sidecar; its text begins with `MARKER`.

    Raises:
        OutputError: Something that this tool did not write is in its place, or it cannot be
            written.
    """
    try:
        mode = _mode(path)
        if mode is not None and not (stat.S_ISREG(mode) and _has_marker(path)):
            hint = "move it away, or name another file"
            what = "is in the way: not written by this tool"
            raise OutputError(what, where=shown(path), hint=hint)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
    except OSError as error:
        what = f"cannot be written: {error.strerror}"
        raise OutputError(what, where=shown(path), hint=_FILE_HINT) from error


def _has_marker(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MARKER)) == MARKER.encode()


def _write(
    directory: Path, rendered: Mapping[Place, str], keep: Callable[[Place], bool]
) -> WrittenFiles:
    if directory.exists() and not directory.is_dir():
        raise OutputError("is not a folder", where=shown(directory), hint="name another one")
    directory.mkdir(parents=True, exist_ok=True)
    before = {place: _file_to_replace(directory, *place) for place in rendered}
    others = _other_own_files(directory, rendered)
    kept = [place for place in others if keep(place)]
    stale = [place for place in others if place not in kept]
    for leftover in _leftovers(directory):
        leftover.unlink(missing_ok=True)
    outcomes: dict[str, list[str]] = {}
    for place, text in rendered.items():
        outcome = _outcome(before[place], text.encode())
        outcomes.setdefault(outcome, []).append(_relative(*place))
        if outcome != "unchanged":
            _replace(directory / _relative(*place), text)
    for place in stale:
        path = directory / _relative(*place)
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    return WrittenFiles(
        **{outcome: tuple(files) for outcome, files in outcomes.items()},
        kept=tuple(_relative(*place) for place in kept),
        removed=tuple(_relative(*place) for place in stale),
    )


def _relative(namespace: str, name: str) -> str:
    return f"{namespace}/{name}{SUFFIX}"


def _file_to_replace(directory: Path, namespace: str, name: str) -> _OwnFile | None:
    """Read the file that a manifest will replace, None where there is none.

    Raises:
        OutputError: Something else is in its place.
    """
    folder, path = directory / namespace, directory / _relative(namespace, name)
    folder_mode, mode = _mode(folder), _mode(path)
    if folder_mode is not None and not stat.S_ISDIR(folder_mode):
        raise OutputError("is in the way: not a folder", where=shown(folder), hint="move it away")
    if mode is None:
        return None
    found = _own_file(path, namespace, name) if stat.S_ISREG(mode) else None
    if found is None:
        hint = "move it away, or write to another folder"
        raise OutputError("is in the way: not written by this tool", where=shown(path), hint=hint)
    return found


def _mode(path: Path) -> int | None:
    """Look at a path itself, never at what a symbolic link names."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _other_own_files(directory: Path, rendered: Container[Place]) -> list[Place]:
    """List the Sidecars of earlier runs that this tool wrote into their place in a folder."""
    found = []
    for folder in _folders(directory):
        for path in folder.glob(f"*{SUFFIX}"):
            namespace, name = folder.name, path.name.removesuffix(SUFFIX)
            if (namespace, name) in rendered:
                continue
            regular = name_problem(namespace, name) is None and stat.S_ISREG(path.lstat().st_mode)
            if regular and _own_file(path, namespace, name):
                found.append((namespace, name))
    return sorted(found)


def _folders(directory: Path) -> Iterator[Path]:
    """List the folders that may be a namespace's."""
    for folder in sorted(directory.iterdir()):
        if stat.S_ISDIR(folder.lstat().st_mode) and not folder.name.startswith("."):
            yield folder


def _leftovers(directory: Path) -> list[Path]:
    """List the temporary files of runs that did not end."""
    return [path for folder in _folders(directory) for path in folder.glob(f"{_TEMPORARY}*")]


def _own_file(path: Path, namespace: str, name: str) -> _OwnFile | None:
    """Read a file, None if this tool did not write it as this Sidecar or someone took it over."""
    with path.open("rb") as file:
        if file.read(len(MARKER)) != MARKER.encode():
            return None
        content = MARKER.encode() + file.read()
    try:
        documents = [document.value for document in read_yaml(content)]
    except YamlError:
        return None
    if len(documents) != 1 or not isinstance(documents[0], dict):
        return None
    metadata = documents[0].get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("labels"), dict):
        return None
    own = metadata["labels"].get(OWN_LABEL) == OWN_LABEL_VALUE
    in_place = (metadata.get("namespace"), metadata.get("name")) == (namespace, name)
    return _OwnFile(content, documents[0]) if own and in_place else None


def _outcome(before: _OwnFile | None, content: bytes) -> str:
    if before is None:
        return "created"
    if before.content == content:
        return "unchanged"
    (document,) = read_yaml(content)
    return "refreshed" if before.object == document.value else "changed"


def _replace(path: Path, text: str) -> None:
    """Write a file beside its place and move it there."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
