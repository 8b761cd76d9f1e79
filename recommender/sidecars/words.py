"""Numbers, evidence and foreign text in words that a comment or a terminal can hold."""

from __future__ import annotations

import unicodedata
from typing import Final

from recommender.service_graph import Evidence

_MOST_SHOWN: Final = 500
# Letters that take no visible space though their category says otherwise.
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_LEFT_TO_RIGHT: Final = frozenset(("L", "EN", "ES", "ET", "CS", "ON", "WS"))


def printable(text: str, most: int = _MOST_SHOWN) -> str:
    r"""Escape whatever could end a line, steer a terminal, hide or change the order of text.

    Control and format characters, letters written from right to left and combining marks come
    out as `\x1b` or `\u202e`; what is longer than `most` characters is cut.

    >>> printable("a\x1b[31m\n\u202ebé")
    'a\\x1b[31m\\x0a\\u202ebé'
    """
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    if cut.isascii() and cut.isprintable():
        return cut
    return "".join(char if _is_harmless(char) else _escaped(char) for char in cut)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    >>> counted(1, "pod"), counted(1200, "pod")
    ('1 pod', '1,200 pods')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def bytes_in_words(number: int) -> str:
    """Write a number of bytes with three digits or so.

    >>> bytes_in_words(812), bytes_in_words(40_120_000), bytes_in_words(3_300)
    ('812 B', '40.1 MB', '3.3 kB')
    """
    value, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if abs(value) < 999.5:  # more would be four digits
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} B" if unit == "B" else f"{value:.{int(abs(value) < 99.95)}f} {unit}"


def evidence_in_words(evidence: Evidence) -> str:
    """Tell how often, when and on how many days something was seen."""
    errors = f" ({counted(evidence.errors, 'error')})" if evidence.errors else ""
    first, last = evidence.first_seen.date(), evidence.last_seen.date()
    seen = f"{first}" if first == last else f"{first} to {last}"
    requests = counted(evidence.requests, "request")
    return f"{requests}{errors}, {seen}, {counted(evidence.days, 'day')}"


def _is_harmless(char: str) -> bool:
    return (
        char.isprintable()
        and char not in _BLANK
        and unicodedata.bidirectional(char) in _LEFT_TO_RIGHT
        and not unicodedata.category(char).startswith("M")
    )


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
