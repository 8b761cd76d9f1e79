"""Read YAML as Kubernetes does, several times faster than PyYAML's own constructor.

PyYAML parses to events in C but builds objects in Python with a general, slow constructor. A
Kubernetes object needs little of that, so this builds dicts, lists and scalars straight from the
events. It also keeps line numbers and stays harmless on hostile input: no recursion, bounded
depth, bounded alias expansion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from recommender.mesh.yaml_scalars import Scalar, key_text, plain_scalar, tagged_scalar

if TYPE_CHECKING:
    from yaml import CSafeLoader as Parser
    from yaml._yaml import Mark as CMark
    from yaml.error import Mark
else:
    # A PyYAML built without libyaml still works, only slower.
    Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MOST_DEPTH: Final = 200
MOST_ALIASED_TEXT: Final = 20_000_000
"""How many characters of a document its aliases may stand for in all."""
_MERGE: Final = "<<"
_MOST_REMEMBERED: Final = 200_000


class YamlError(Exception):
    """Indicate YAML that cannot be read; `line` counts from 1, 0 when it is not known."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.what = what
        self.line = line


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """Hold one document, the line it starts on, and the line of each entry of its `items`."""

    value: object
    line: int
    item_lines: tuple[int, ...] = ()


def read_yaml(text: bytes) -> Iterator[YamlDocument]:
    """Yield the documents of a YAML stream.

    Raises:
        YamlError: The text does not parse, repeats a key, or is too deep or too large.
    """
    remembered: dict[str, Scalar] = {}
    try:
        parser = Parser(text)
        while True:
            event = parser.get_event()
            if isinstance(event, DocumentStartEvent):
                yield _Builder(remembered).build(parser)
            elif isinstance(event, StreamEndEvent):
                return
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "not YAML"
        raise YamlError(what, mark.line + 1 if mark else 0) from error
    except yaml.reader.ReaderError as error:
        line = text.count(b"\n", 0, max(error.position, 0)) + 1
        raise YamlError(f"{error.reason} (at position {error.position})", line) from error


@dataclass(slots=True)
class _Open:
    """Hold a mapping or sequence whose end is still to come.

    `key` is the mapping key that waits for its value, `merge_line` the line of its `<<` key,
    `start` the amount of text read before, with what aliases stood for.
    """

    mapping: dict[str, object]
    items: list[object] | None
    anchor: str | None
    start: int
    key: str | None = None
    merge_line: int = 0


@dataclass(slots=True)
class _Builder:
    """Build one document from parser events, with a stack in place of recursion."""

    remembered: dict[str, Scalar]
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[object, int]] = field(default_factory=dict)
    aliased: int = 0
    item_lines: list[int] = field(default_factory=list)

    def build(self, parser: Parser) -> YamlDocument:
        """Read to the end of the document."""
        # The stubs say that it may answer None, which it does only past the end of the stream.
        next_event: Callable[[], Event] = parser.get_event  # type: ignore[assignment]
        event = next_event()
        line = _line(event)
        root: list[object] = []
        top = _Open({}, root, None, 0)
        remembered = self.remembered
        while not isinstance(event, DocumentEndEvent):
            # Nearly every event is a scalar, most of them seen before: this decides the speed.
            if isinstance(event, ScalarEvent):
                text = event.value
                if event.implicit[0] and event.anchor is None and text in remembered:
                    value = remembered[text]
                else:
                    value = self.scalar(event)
                if top.key is not None:
                    top.mapping[top.key] = value
                    top.key = None
                elif top.items is not None:
                    top.items.append(value)
                else:
                    self.set_key(top, value, event)
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                self.stack.append(top)
                top = self.opened(event, top)
            elif isinstance(event, AliasEvent):
                self.put(top, self.alias(event), event)
            else:
                finished = self.closed(event, top)
                top = self.stack.pop()
                self.put(top, finished, event)
            event = next_event()
        return YamlDocument(root[0], line, tuple(self.item_lines))

    def scalar(self, event: ScalarEvent) -> Scalar:
        """Resolve a scalar and remember what an untagged plain one means."""
        text = event.value
        if event.implicit[0]:
            value = plain_scalar(text)
            if len(self.remembered) < _MOST_REMEMBERED:
                self.remembered[text] = value
        elif event.tag is None:
            value = text
        else:
            try:
                value = tagged_scalar(event.tag, text)
            except ValueError as error:
                raise YamlError(str(error), _line(event)) from error
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, len(text))
        return value

    def set_key(self, top: _Open, value: object, event: Event) -> None:
        """Take a scalar as the key of the next value."""
        if value == _MERGE and isinstance(event, ScalarEvent) and event.implicit[0]:
            top.merge_line = _line(event)
        try:
            key = value if isinstance(value, str) else key_text(value)
        except ValueError as error:
            raise YamlError(str(error), _line(event)) from error
        if key in top.mapping:
            raise YamlError(f"the key {key[:60]!r} is there twice", _line(event))
        top.key = key

    def opened(self, event: MappingStartEvent | SequenceStartEvent, parent: _Open) -> _Open:
        """Start a mapping or sequence inside its parent."""
        if parent.items is None and parent.key is None:
            raise YamlError("a mapping or list cannot be a key", _line(event))
        if len(self.stack) > MOST_DEPTH:
            raise YamlError(f"nested more than {MOST_DEPTH} deep", _line(event))
        if len(self.stack) == 3 and self.stack[1].key == "items":
            self.item_lines.append(_line(event))
        items: list[object] | None = [] if isinstance(event, SequenceStartEvent) else None
        if event.anchor is not None:
            self.anchors.pop(event.anchor, None)
        return _Open({}, items, event.anchor, _index(event.start_mark) + self.aliased)

    def closed(self, event: Event, top: _Open) -> object:
        """Finish a mapping or sequence: do its merges and note its anchor."""
        value: object = top.items
        if isinstance(event, MappingEndEvent):
            value = top.mapping
            if top.merge_line:
                _merge(top.mapping, top.merge_line)
        if top.anchor is not None:
            size = _index(event.end_mark) + self.aliased - top.start
            self.anchors[top.anchor] = (value, size)
        return value

    def alias(self, event: AliasEvent) -> object:
        """Look up an anchor, whose value the aliases share."""
        anchor = event.anchor or ""
        if anchor not in self.anchors:
            raise YamlError(f"no finished anchor {anchor[:60]!r}", _line(event))
        value, size = self.anchors[anchor]
        self.aliased += size
        if self.aliased > MOST_ALIASED_TEXT:
            raise YamlError("its aliases stand for too much text", _line(event))
        return value

    def put(self, top: _Open, value: object, event: Event) -> None:
        """Put a finished value where the parent expects it."""
        if top.key is not None:
            top.mapping[top.key] = value
            top.key = None
        elif top.items is not None:
            top.items.append(value)
        else:
            self.set_key(top, value, event)


def _merge(mapping: dict[str, object], line: int) -> None:
    """Add the entries of what `<<` names; a mapping's own entries, then earlier ones, win."""
    named = mapping.pop(_MERGE)
    for source in named if isinstance(named, list) else [named]:
        if not isinstance(source, dict):
            raise YamlError("'<<' takes a mapping or a list of mappings", line)
        for key, value in source.items():
            mapping.setdefault(key, value)


def _line(event: Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 0


def _index(mark: Mark | CMark | None) -> int:
    return mark.index if mark else 0
