"""Members of JSON texts, found without decoding what is not asked for.

The patterns are for JSON that is valid: there a quote inside a string is escaped, so that
`"key":` can only be a key, and braces outside strings are paired.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

_DEPTH: Final = 16
_SPACE: Final = r"[ \t\r\n]*"
_CONTENT: Final = r'[^"\\]*(?:\\[\s\S][^"\\]*)*'
STRING: Final = f'"{_CONTENT}"'


def _nested(begin: str, end: str) -> str:
    inner = rf'[^"{begin}{end}]|{STRING}'
    pattern = rf"{begin}(?:{inner})*{end}"
    for _ in range(_DEPTH - 1):
        pattern = rf"{begin}(?:{inner}|{pattern})*{end}"
    return pattern


OBJECT: Final = _nested(r"\{", r"\}")
ARRAY: Final = _nested(r"\[", r"\]")
VALUE: Final = rf'(?:{STRING}|{OBJECT}|{ARRAY}|[^\s,"{{}}\[\]]+)'
_ESCAPES: Final = {
    r"\\": "\\", r"\"": '"', r"\/": "/", r"\n": "\n",
    r"\t": "\t", r"\r": "\r", r"\b": "\b", r"\f": "\f",
}  # fmt: skip
_SKIPPED: Final = rf'(?:[^"{{}}]|{STRING}|{OBJECT})*?'
# A key with a letter of ASCII that is spelled as a code may be the twin of one that decides.
_CODED_KEY: Final = rf'[{{,]{_SPACE}"(?:[^"\\]|\\.)*?\\u00[0-7](?:[^"\\]|\\.)*"{_SPACE}:'


def is_json(text: pl.Expr) -> pl.Expr:
    """Tell whether a text is valid JSON."""
    return text.str.json_path_match("$").is_not_null()


def key(name: str) -> str:
    """Write the pattern of a key with its colon."""
    return rf'"{_literal(name)}"{_SPACE}:{_SPACE}'


def _literal(name: str) -> str:
    return name.replace(".", r"\.")


def inside(*names: str) -> str:
    """Write the pattern of an object from its begin to the key that some keys lead to."""
    return "^" + "".join(rf"\{{{_SKIPPED}{key(name)}" for name in names)


def has_member(text: pl.Expr, name: str) -> pl.Expr:
    """Tell whether an object has a member that is not null, however deep those before it are."""
    near = text.str.contains(inside(name))
    far = pl.when(~near).then(text).str.json_path_match(f'$["{name}"]').is_not_null()
    return near | far


def has_nested(text: pl.Expr, name: str) -> pl.Expr:
    """Tell whether the value of a key is an object or array."""
    return text.str.contains(key(name) + r"[{\[]")


def member(text: pl.Expr, name: str) -> pl.Expr:
    """Find a member of an object: a string unescaped, anything else as JSON; null for null."""
    return text.str.json_path_match(f"$['{name}']")


def object_member(text: pl.Expr, name: str) -> pl.Expr:
    """Find a member that is mostly an object, as JSON."""
    return member(pl.when(text.str.contains(inside(name))).then(text), name)


def string_member(texts: pl.Series, name: str) -> pl.Series:
    """Find a member that is mostly a string, quickly where only one key has the name.

    Strings are unescaped; numbers are as they are spelled, of anything else the begin is.
    """
    times = texts.str.count_matches(key(name))
    # A key may be one of a member of the object.
    there = _where(times > 0, texts)
    there = _where(there.str.contains(inside(name)).fill_null(value=False), there)
    once = _where(times == 1, there)
    content = once.str.extract(f'{key(name)}"({_CONTENT})"')
    found = content.to_frame("s").select(unescaped(pl.col("s"))).to_series()
    other = _where(found.is_null(), once).str.extract(key(name) + r'([^"\s,}][^\s,}]*)')
    several = _where(times > 1, there).to_frame("s").select(member(pl.col("s"), name))
    values = [found, other.replace("null", None), several.to_series()]
    return pl.select(pl.coalesce(values)).to_series().alias(name)


def _where(chosen: pl.Series, texts: pl.Series) -> pl.Series:
    """Leave out texts that need not be searched."""
    return texts if chosen.all() else pl.select(pl.when(chosen).then(texts)).to_series()


def raw_member(text: pl.Expr, name: str, value: str) -> pl.Expr:
    """Find the first member of a name whose value matches a pattern, as it is spelled."""
    first = text.str.extract_all(key(name) + value).list.first()
    return first.str.replace("^" + key(name), "")


def without_members(text: pl.Expr, names: Iterable[str]) -> pl.Expr:
    """Put null in place of the objects that some keys have."""
    for name in names:
        text = text.str.replace(key(name) + OBJECT, f'"{name}":null')
    return text


def with_mark(text: pl.Expr, name: str, mark: str) -> pl.Expr:
    """Put a mark before the name of a member of an object."""
    begin = rf'^(\{{{_SKIPPED}")({_literal(name)}"{_SPACE}:)'
    return text.str.replace(begin, f"${{1}}{mark}${{2}}")


def without_mark(text: pl.Expr, names: Iterable[str], mark: str) -> pl.Expr:
    """Take a mark from the names of members again; no value is followed by a colon."""
    marked = rf'"{_literal(mark)}((?:{"|".join(map(_literal, names))})"{_SPACE}:)'
    return text.str.replace_all(marked, '"${1}')


def elements(array: pl.Expr) -> pl.Expr:
    """List the objects of an array, as they are spelled; null if it holds anything else."""
    found = array.str.extract_all(OBJECT)
    nothing_else = array.str.replace_all(OBJECT, "").str.contains(r"^\[[\s,]*\]$")
    return pl.when(nothing_else).then(found)


def repeats_key(lines: pl.DataFrame, column: str, names: Iterable[str]) -> pl.Series:
    """Tell for each text whether one of its objects has one of some keys twice."""
    text = lines[column]
    found = text.str.contains(r"\u00", literal=True)
    if found.any():
        found = found & text.str.contains(_CODED_KEY)
    for name in names:
        several = text.str.count_matches(key(name)) > 1
        if several.any():
            other = rf"(?:{_SPACE},{_SPACE}{STRING}{_SPACE}:{_SPACE}{VALUE})*"
            twice = key(name) + VALUE + other + rf"{_SPACE},{_SPACE}" + key(name)
            # Such patterns are slow: nothing else is searched.
            found = found | _where(several, text).str.contains(twice).fill_null(value=False)
    return found


def unescaped(content: pl.Expr) -> pl.Expr:
    """Read what stands between the quotes of a JSON string."""
    coded = pl.when(content.str.contains(r"\u", literal=True)).then('"' + content + '"')
    return pl.coalesce(coded.str.json_path_match("$"), content.str.replace_many(_ESCAPES))


def quoted(text: pl.Expr) -> pl.Expr:
    """Write a text as a JSON string."""
    return pl.struct(text.alias("s")).struct.json_encode().str.slice(5).str.strip_suffix("}")
