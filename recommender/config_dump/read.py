"""Read `/config_dump?include_eds` of an Envoy as a stream: memory does not grow with its size.

Source: envoy api/envoy/admin/v3/config_dump_shared.proto, and istio's node id and metadata
(pilot/pkg/model/context.go `ParseServiceNodeWithMetadata`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import ijson

from recommender.config_dump.encoded_size import TYPE_KEY, EncodedSize
from recommender.errors import InputError
from recommender.files import DamagedStreamError, shown, unpacked

HINT: Final = (
    "save it with: kubectl exec POD -c istio-proxy -- "
    "pilot-agent request GET 'config_dump?include_eds' > FILE"
)
_NODE_ID_PARTS: Final = 4
_MOST_DEPTH: Final = 200
_TOO_DEEP: Final = f"nested more than {_MOST_DEPTH} deep"
_MOST_NAME: Final = 1000
_MOST_TEXT: Final = 1 << 24
_TOO_LONG: Final = f"a text of more than {_MOST_TEXT >> 20} MiB"
_CONFIGS: Final = "configs"
_PATHS: Final[Mapping[tuple[str, ...], str]] = {
    ("dynamic_active_clusters", "cluster"): "cds",
    ("dynamic_warming_clusters", "cluster"): "cds",
    ("dynamic_endpoint_configs", "endpoint_config"): "eds",
    ("dynamic_listeners", "active_state", "listener"): "lds",
    ("dynamic_listeners", "warming_state", "listener"): "lds",
    ("dynamic_route_configs", "route_config"): "rds",
}
_NAMES: Final = {"cds": "name", "eds": "cluster_name", "lds": "name", "rds": "name"}
# Envoy makes load assignments up from the endpoints that it has, and adds these
# (config_dump_handler.cc `dumpEndpointConfigs`).
_ADDED_BY_ENVOY: Final[Mapping[str, frozenset[str]]] = {
    "eds": frozenset(("policy", "health_status", "health_check_config"))
}
_NODE: Final[Mapping[tuple[str, ...], str]] = {
    ("bootstrap", "node", "id"): "id",
    ("bootstrap", "node", "metadata", "ISTIO_VERSION"): "version",
}
Event: TypeAlias = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class ConfigDump:
    """Hold what a config_dump says of one proxy.

    `node_id` is istio's, `type~address~pod.namespace~domain`; `resources` maps by xDS type the
    names of resources to their encoded bytes. `is_cut` tells that the dump ends early; `read` is
    how many bytes of JSON there were.
    """

    node_id: str
    istio_version: str
    resources: Mapping[str, Mapping[str, int]]
    is_cut: bool
    read: int

    @property
    def pod(self) -> tuple[str, str] | None:
        """Return the namespace and name of the pod, None where the node id is not istio's."""
        parts = self.node_id.split("~")
        if len(parts) != _NODE_ID_PARTS:
            return None
        name, _, namespace = parts[2].rpartition(".")
        return (namespace, name) if name and namespace else None

    @property
    def missing(self) -> tuple[str, ...]:
        """Name the xDS types of which the dump has nothing."""
        return tuple(xds for xds in _NAMES if not self.resources[xds])


def read_config_dump(path: Path) -> ConfigDump:
    """Read a config_dump, also packed with gzip or zstd.

    Raises:
        InputError: The file cannot be read, or is no config_dump.
    """
    try:
        with path.open("rb") as file:
            return parse_config_dump(unpacked(file), shown(path))
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", where=shown(path), hint=HINT
        ) from error


def parse_config_dump(blocks: Iterable[bytes], where: str) -> ConfigDump:
    """Take a config_dump out of blocks of bytes; what comes before damage counts."""
    source, found = _Blocks(iter(blocks)), _Found()
    problem = ""
    try:
        # Without use_float ijson's C code ends the process at a number of thousands of digits.
        for event, value in ijson.basic_parse(source, use_float=True):
            found.take(event, value)
    except (
        ijson.JSONError,
        ValueError,
        ArithmeticError,
        DamagedStreamError,
        _EndlessError,
    ) as error:
        problem = _problem(error)
    if not any(found.resources.values()):
        what = f"is no config_dump of an Envoy{f': {problem}' if problem else ''}"
        raise InputError(what, where=where, hint=HINT)
    node = found.node
    return ConfigDump(
        node.get("id", ""),
        node.get("version", ""),
        found.resources,
        bool(problem),
        source.read_so_far,
    )


def _problem(error: Exception) -> str:
    """Say in a few words what is wrong; yajl quotes what is no text as the `repr` of bytes."""
    said = str(error).removeprefix("b'").removeprefix('b"')
    return re.split(r"\n|\\n", said, maxsplit=1)[0][:100] or "not JSON"


class _EndlessError(Exception):
    """Indicate objects in objects, or a text, without end."""


@dataclass(slots=True)
class _Blocks:
    """Let the parser read blocks as from a file.

    It keeps a text until that ends, and looks at all of it again with each block.
    """

    blocks: Iterator[bytes]
    rest: bytes = b""
    read_so_far: int = 0
    _without_quote: int = 0

    def read(self, size: int) -> bytes:
        """Return at most so many bytes, nothing at the end."""
        if not size:
            return b""
        if not self.rest:
            self.rest = next(self.blocks, b"")
        found, self.rest = self.rest[:size], self.rest[size:]
        self.read_so_far += len(found)
        self._without_quote = 0 if b'"' in found else self._without_quote + len(found)
        if self._without_quote > _MOST_TEXT:
            raise _EndlessError(_TOO_LONG)
        return found


@dataclass(slots=True)
class _Found:
    """Follow the events of a parser; `path` has the keys of the objects that are open.

    An array adds nothing to the path, an object in it an empty key until one is read.
    """

    resources: dict[str, dict[str, int]] = field(default_factory=lambda: {x: {} for x in _NAMES})
    node: dict[str, str] = field(default_factory=dict)
    _path: list[str | None] = field(default_factory=list)
    _xds: str = ""
    _name: str = ""
    _key: str = ""
    _size: EncodedSize = field(default_factory=EncodedSize)

    def take(self, event: str, value: Any) -> None:
        """Take one event."""
        if self._xds:
            self._measure(event, value)
        elif event == "map_key":
            self._path[-1] = _snake(value[:_MOST_NAME])
        elif event in ("start_map", "start_array"):
            self._start(is_map=event == "start_map")
        elif event in ("end_map", "end_array"):
            self._path.pop()
        elif isinstance(value, str):
            self._note(value)

    def _start(self, *, is_map: bool) -> None:
        if len(self._path) >= _MOST_DEPTH:
            raise _EndlessError(_TOO_DEEP)
        xds = _PATHS.get(self._place()) if is_map else None
        if xds is None:
            self._path.append("" if is_map else None)
        else:
            added = _ADDED_BY_ENVOY.get(xds, frozenset())
            self._xds, self._name, self._key, self._size = xds, "", "", EncodedSize(added)

    def _measure(self, event: str, value: Any) -> None:
        """Pass an event inside a resource on; its type is not part of it, but its name."""
        size = self._size
        if event == "map_key":
            key = _snake(value[:_MOST_NAME])
            self._key = key if size.depth == 1 else self._key
            size.key(key)
        elif event in ("start_map", "start_array"):
            if size.depth >= _MOST_DEPTH:
                raise _EndlessError(_TOO_DEEP)
            size.start(is_map=event == "start_map")
        elif event in ("end_map", "end_array"):
            size.end()
            if size.done:
                self.resources[self._xds][self._name] = size.bytes
                self._xds = ""
        elif size.depth > 1 or self._key != TYPE_KEY:
            if size.depth == 1 and self._key == _NAMES[self._xds] and isinstance(value, str):
                self._name = value[:_MOST_NAME]
            size.scalar(value)

    def _note(self, value: str) -> None:
        what = _NODE.get(self._place())
        if what is not None:
            self.node[what] = value[:_MOST_NAME]

    def _place(self) -> tuple[str, ...]:
        """Return the keys below an entry of `configs`; nothing elsewhere."""
        keys = tuple(key for key in self._path if key is not None)
        return keys[1:] if keys[:1] == (_CONFIGS,) else ()


@lru_cache(maxsize=4096)
def _snake(key: str) -> str:
    """Write a field's name as protobuf does; `istioctl` prints them in camel case."""
    if "_" in key or key.isupper() or not key.isalpha():
        return key
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in key)
