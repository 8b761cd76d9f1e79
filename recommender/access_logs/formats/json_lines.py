"""JSON lines -> the values at some paths, and what is wrong with a line.

A proxy that logs JSON escapes everything, so a line is read in one way. A key that comes twice,
or that is spelled with escapes, was not written by it: readers of JSON would disagree about it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

BROKEN_JSON: Final = "not valid JSON"
AMBIGUOUS_JSON: Final = "ambiguous JSON: a key comes twice or is spelled with escapes"
PROBLEM: Final = "problem"

Path = tuple[str | int, ...]
"""Keys of objects and places in lists, from the outside."""

# Half a surrogate pair is refused by some readers; lines with one go the slower way.
_CODE: Final = (
    r"\\u(?:[0-9a-cefA-CEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}"
    r"|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_STRING: Final = rf'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|{_CODE})*"'
# A key that is spelled with escapes takes the slower way too: its twin would be missed.
_KEY: Final = r'"[^"\\\x00-\x1f]*"'
_VALUE: Final = rf"(?:{_STRING}|-?(?:0|[1-9][0-9]{{0,17}})(?:\.[0-9]{{1,18}})?|null|true|false)"
_MEMBER: Final = rf"[ \t]*{_KEY}[ \t]*:[ \t]*{_VALUE}[ \t]*"
_FLAT_OBJECT: Final = rf"^\{{{_MEMBER}(?:,{_MEMBER})*\}}[ \t]*$"
_ESCAPED_KEY: Final = r'[{,][ \t\r]*"[^"\\]*(?:\\.[^"\\]*)+"[ \t\r]*:'
_ROW: Final = "row"


def values_at(lines: pl.Series, paths: Sequence[Path]) -> pl.DataFrame:
    """Read the values at some paths of lines that begin with a brace.

    Returns a column of text for each path, named by its place, null where there is nothing, and
    `problem`, null for JSON. `str.json_decode` joins a whole column to one JSON text: it must see
    nothing but lines that are one object each, or a line such as `{},{}` would shift the values
    of all that follow. Lines with nested values therefore take a slower way.
    """
    frame = lines.alias("line").to_frame().with_row_index(_ROW)
    is_flat = pl.col("line").str.contains(_FLAT_OBJECT)
    flat = frame.filter(is_flat) if all(len(path) == 1 for path in paths) else frame.clear()
    other = frame.join(flat, on=_ROW, how="anti", maintain_order="left") if flat.height else frame
    found = pl.concat([_decoded(flat, paths), _searched(other, paths)])
    return found.sort(_ROW).drop(_ROW)


def _decoded(flat: pl.DataFrame, paths: Sequence[Path]) -> pl.DataFrame:
    keys = list(dict.fromkeys(str(path[0]) for path in paths))
    values = flat["line"].str.json_decode(pl.Struct(dict.fromkeys(keys, pl.String)))
    fields = values.struct.unnest()
    return flat.select(
        _ROW,
        *(fields[str(path[0])].alias(str(place)) for place, path in enumerate(paths)),
        pl.lit(None, pl.String).alias(PROBLEM),
    )


def _searched(other: pl.DataFrame, paths: Sequence[Path]) -> pl.DataFrame:
    line = pl.col("line")
    problem = (
        pl.when(line.str.json_path_match("$").is_null())
        .then(pl.lit(BROKEN_JSON))
        .when(line.str.contains(_ESCAPED_KEY))
        .then(pl.lit(AMBIGUOUS_JSON))
    )
    return other.select(
        _ROW,
        *(
            line.str.json_path_match(_json_path(path)).alias(str(place))
            for place, path in enumerate(paths)
        ),
        problem.alias(PROBLEM),
    )


def _json_path(path: Path) -> str:
    """Write a path as JSONPath."""
    steps = (json.dumps(step, ensure_ascii=False) for step in path)
    return "$" + "".join(f"[{step}]" for step in steps)


def comes_too_often(keys: Mapping[str, int]) -> pl.Expr:
    """Tell whether a key comes more often in `line` than a number of times.

    Inside a value a quote is escaped, so only keys match.
    """
    return pl.any_horizontal(
        pl.lit(False),
        *(
            pl.col("line").str.count_matches(rf'"{re.escape(key)}"[ \t\r]*:') > times
            for key, times in keys.items()
        ),
    )
