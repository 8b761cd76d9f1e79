"""Find and read Kubernetes objects in YAML and JSON files.

Sources are files, folders and globs; files may be gzip or zstd. What comes out is plain data,
one `Document` per object, with `kind: List` opened up.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recommender.errors import InputError
from recommender.files import DamagedStreamError, FileKind, find_files, shown, unpacked, unreadable
from recommender.mesh.yaml_documents import MOST_DEPTH, YamlDocument, YamlError, read_yaml

_NAMES: Final = re.compile(r"\.(?:yaml|yml|json)(?:\.(?:gz|zst))?$", re.IGNORECASE)
_MANIFESTS: Final = FileKind(
    "YAML or JSON",
    "*.yaml, *.yml and *.json, also with .gz or .zst",
    lambda name: _NAMES.search(name) is not None,
)
_SPACE: Final = re.compile(r"[ \t\r\n\ufeff]*")
MOST_BYTES: Final = 2 << 30
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_OBJECTS_HINT: Final = "name files that kubectl wrote, or manifests"
_LONE_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Document:
    """Hold one object as read; `line` counts from 1, 0 where it is not known."""

    object: Mapping[str, object]
    file: str
    line: int = 0

    @property
    def origin(self) -> str:
        """Say where the object was read: the file, with the line where it is known."""
        return f"{self.file}:{self.line}" if self.line else self.file


def read_documents(sources: Sequence[str | Path]) -> Iterator[Document]:
    """Yield every object of some files, folders and globs, in sorted order of the files.

    A folder is read with its subfolders: `*.yaml`, `*.yml`, `*.json` and these with `.gz` or
    `.zst`, but nothing hidden. Empty documents are passed over; a list's items come one by one.
    A file without any text is an empty object: what should have written it may have failed.

    Raises:
        InputError: A source is missing, unreadable or holds nothing, or a document does not
            parse or is not an object.
    """
    if not sources:
        raise InputError(
            "no mesh source is named", hint="name a YAML file, a JSON file or a folder"
        )
    for path in sorted({path for source in sources for path in find_files(source, _MANIFESTS)}):
        yield from _documents(path)


def _documents(path: Path) -> Iterator[Document]:
    name = shown(path)
    text = _content(path)
    if not text.strip():
        yield Document({}, name)
        return
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in (".gz", ".zst")]
    if suffixes[-1:] == [".json"]:
        found = _read_json(text, name)
    elif text.lstrip()[:1] == b"{":
        found = _read_json_or_yaml(text, name)
    else:
        found = _read_yaml(text, name)
    for document in found:
        yield from _objects(document, name)


def _content(path: Path) -> bytes:
    """Read a file, unpacked; one that holds more than a mesh can is refused as it is read."""
    content = bytearray()
    try:
        with path.open("rb") as stream:
            for block in unpacked(stream):
                content += block
                if len(content) > MOST_BYTES:
                    what = f"the file holds more than {MOST_BYTES >> 20} MiB"
                    raise InputError(what, where=shown(path), hint="dump one namespace per file")
    except OSError as error:
        raise unreadable(path, error) from error
    except DamagedStreamError as error:
        what, hint = f"cannot be unpacked: {error}", "copy it again, or dump it again"
        raise InputError(what, where=shown(path), hint=hint) from error
    return bytes(content)


def _read_yaml(text: bytes, name: str) -> Iterator[YamlDocument]:
    try:
        yield from read_yaml(text)
    except YamlError as error:
        where = f"{name}:{error.line}" if error.line else name
        what = f"the YAML does not parse: {error.what}"
        raise InputError(what, where=where, hint=_hint(text)) from error


def _hint(text: bytes) -> str:
    if text[257:262] == b"ustar":  # the magic of tar
        return "unpack the archive first"
    return "render the template first" if b"{{" in text else "correct it there, or dump it again"


def _json_hint(text: bytes) -> str:
    if text.startswith(_UTF_16):
        return "save it as UTF-8; older PowerShells write UTF-16"
    return "dump it again, as it may be cut short; YAML needs a name that ends in .yaml"


def _read_json_or_yaml(text: bytes, name: str) -> Iterator[YamlDocument]:
    """Read what begins like JSON: as JSON if it is, else as YAML, whose mappings may so begin."""
    try:
        return iter(list(_read_json(text, name)))
    except InputError:
        return _read_yaml(text, name)


def _read_json(text: bytes, name: str) -> Iterator[YamlDocument]:
    """Read one or more JSON values that follow each other."""
    try:
        content = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        where = f"{name}:{line}"
        raise InputError("the file is not UTF-8", where=where, hint=_json_hint(text)) from error
    broken_text = _LONE_SURROGATE.search(text) is not None
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    position = _after_space(content, 0)
    line = 1 + content.count("\n", 0, position)
    while position < len(content):
        try:
            value, end = decoder.raw_decode(content, position)
            value = _repaired(value) if broken_text else value
        except json.JSONDecodeError as error:
            # The line is where what does not end starts.
            what = f"the JSON does not parse: {error.msg.removesuffix(' starting at')}"
            where = f"{name}:{error.lineno}"
            raise InputError(what, where=where, hint=_json_hint(text)) from error
        except (ValueError, RecursionError) as error:
            what = f"the JSON cannot be read: {_reason(error)}"
            raise InputError(what, where=f"{name}:{line}") from error
        yield YamlDocument(value, line)
        end = _after_space(content, end)
        line += content.count("\n", position, end)
        position = end


def _after_space(content: str, position: int) -> int:
    match = _SPACE.match(content, position)
    return match.end() if match else position


def _objects(document: YamlDocument, name: str) -> Iterator[Document]:
    """Open up lists, also lists in lists, and check that each entry is an object."""
    waiting = [(document.value, document.line, document.item_lines, 0)]
    while waiting:
        value, line, item_lines, depth = waiting.pop()
        if value is None:
            continue
        if isinstance(value, dict) and not _is_list(value):
            yield Document(value, name, line)
            continue
        entries = (value.get("items") or []) if isinstance(value, dict) else value
        if not isinstance(entries, list) or depth > MOST_DEPTH:
            wanted = "a list of items" if isinstance(value, dict) else "Kubernetes objects"
            what, where = f"expected {wanted}, found {describe(entries)}", f"{name}:{line}"
            raise InputError(what, where=where if line else name, hint=_OBJECTS_HINT)
        lines = item_lines if len(item_lines) == len(entries) else (line,) * len(entries)
        waiting += reversed([(e, at, (), depth + 1) for e, at in zip(entries, lines, strict=True)])


def _is_list(value: Mapping[str, object]) -> bool:
    """Tell a list of objects from an object of a kind that only ends in List: that has a name."""
    kind, metadata = value.get("kind"), value.get("metadata")
    named = isinstance(metadata, dict) and "name" in metadata
    return isinstance(kind, str) and kind.endswith("List") and "items" in value and not named


def describe(value: object) -> str:
    """Name the JSON type of a value, for messages."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _repaired(value: object) -> object:
    r"""Replace lone surrogates (`"\ud800"`), which no output could encode, as Go does."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def _refuse_constant(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _reason(error: Exception) -> str:
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)[:200]
