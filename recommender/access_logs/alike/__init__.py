"""Lines of files -> kinds of lines: those that agree in all that is needed are looked at once.

A proxy writes the same again and again, but for times, paths and numbers of bytes, and so do the
other pods of its workload. `_alike.c` finds the lines of known formats that differ in nothing else,
and counts them; the first of them stands for all. It only tells which lines are alike, never what
they mean. A line that fits nothing known is looked at by itself, and so is every line where
`_alike.c` could not be built: what is read is the same then, only slower.

kinds       what finds the kinds of lines, and what it gives
actions     what becomes of a value
text_cuts   how lines of text are cut into values
cut_values  the values of a cut, as `_alike.c` takes them
json_keys   which keys of JSON are needed
rivals      which lines only one of several formats can read
utf8        bytes as text
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Final

from recommender.access_logs.alike.cut_values import compiled_cut
from recommender.access_logs.alike.json_keys import keys_of
from recommender.access_logs.alike.kinds import (
    IS_BUILT,
    LINES,
    NO_KIND,
    ROWS,
    Found,
    Kinds,
    LinesAlone,
)
from recommender.access_logs.alike.rivals import is_unrivalled
from recommender.access_logs.alike.text_cuts import TextCut, cut_of
from recommender.access_logs.formats import LogFormat, TextFormat

_MOST_CUTS: Final = 64  # `_alike.c` knows no more


def kinds_of(formats: Sequence[LogFormat]) -> Callable[[], Kinds]:
    """Prepare to find lines that are alike to all of some formats; what comes back finds them."""
    if not IS_BUILT:
        return LinesAlone
    from recommender.access_logs.alike.kinds import CompiledKinds

    cuts = tuple(compiled_cut(cut) for cut in text_cuts_of(formats))
    keys = [(f'"{key}":'.encode(), int(action)) for key, action in keys_of(formats).items()]
    return partial(CompiledKinds, cuts=cuts, keys=tuple(keys))


def text_cuts_of(formats: Sequence[LogFormat]) -> list[TextCut]:
    """List cuts of lines that only one of the formats can read, of the first formats if need be."""
    cuts = (
        cut
        for text_format in formats
        if isinstance(text_format, TextFormat)
        for shape in text_format.shapes
        if (cut := cut_of(text_format, shape)) is not None
        and is_unrivalled(text_format, shape, cut.sign, formats)
    )
    return list(islice(cuts, _MOST_CUTS))


__all__ = [
    "IS_BUILT",
    "LINES",
    "NO_KIND",
    "ROWS",
    "Found",
    "Kinds",
    "LinesAlone",
    "kinds_of",
    "text_cuts_of",
]
