"""What is known of the lines that wrappers may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class OwnMembers:
    """Say which keys of wrappers lines of a format of JSON have, too.

    Attributes:
        names: These keys.
        always: Keys that every line of the format has.
        some: Keys, none of them a wrapper's, of which every line has one at least.
    """

    names: tuple[str, ...]
    always: tuple[str, ...]
    some: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LineShapes:
    """Say what lines can look like that are in no wrapper.

    Attributes:
        unescaped_starts: How lines of text formats begin that look like JSON; the empty text where
            a caller can write any words there.
        members: The keys of lines of JSON.
        objects: Those that hold objects.
        own: What formats of JSON have in common with wrappers.
        like_documents: For each format of JSON with a member that documents of many lines have, the
            other members that every line of it has.
    """

    unescaped_starts: tuple[str, ...]
    members: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()
    own: tuple[OwnMembers, ...] = ()
    like_documents: tuple[tuple[str, ...], ...] = ()


# The default fields of ASM are a text that looks like JSON: nothing in it is escaped, so what
# looks like a wrapper inside may be what a caller wrote.
DEFAULT_SHAPES: Final = LineShapes(('{"authority_for":"', '{"bytes_received":"'))
