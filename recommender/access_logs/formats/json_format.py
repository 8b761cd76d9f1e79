"""A log format of JSON, compiled to what reads its lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from recommender.access_logs.formats.fields import Fields, fields_of
from recommender.access_logs.formats.format_string import Operator, Token, tokens_of
from recommender.access_logs.formats.json_lines import Path
from recommender.access_logs.formats.template import (
    NO_READING,
    ONE_READING,
    READING,
    Template,
    values_of,
)
from recommender.errors import UsageError

# What Envoy always has a value for: a line without one of them has another format.
_ALWAYS_LOGGED: Final = frozenset(("start_time", "response_code", "downstream_local_address"))
_ODD_KEY: Final = re.compile(r'["\\\x00-\x1f]')
_MOST_DEPTH: Final = 20


@dataclass(frozen=True, slots=True)
class Leaf:
    """Describe a text inside the JSON: it has one column, or several with text between them."""

    path: Path
    column: str | None
    template: Template | None

    @property
    def columns(self) -> list[str]:
        """List what the text gives."""
        return self.template.columns if self.template else [self.column] if self.column else []


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """Hold a log format of JSON.

    Attributes:
        name: What to call it.
        fields: What becomes of the columns.
        leaves: Where the columns are.
        keys: The keys on the way to them -> how often each comes in a line at most.
        all_keys: These and all others of its lines.
        foreign: Keys that only other formats have.
    """

    name: str
    fields: Fields
    leaves: tuple[Leaf, ...]
    keys: Mapping[str, int]
    all_keys: frozenset[str]
    foreign: frozenset[str] = frozenset()

    @property
    def always_logged(self) -> list[str]:
        """List keys that every line has."""
        needed = (leaf.path[-1] for leaf in self.leaves if _ALWAYS_LOGGED & set(leaf.columns))
        return [key for key in needed if isinstance(key, str)]

    def read(self, values: Mapping[Path, pl.Series]) -> pl.DataFrame:
        """Read lines, given the values at all paths of the leaves.

        Returns FIELD_SCHEMA and `reading`.
        """
        parts = [self._part(leaf, values[leaf.path]) for leaf in self.leaves]
        frame = pl.concat(
            [part.rename({READING: f"{READING}{place}"}) for place, part in enumerate(parts)],
            how="horizontal",
        )
        has_all = pl.all_horizontal(
            pl.lit(True),
            *(pl.col(column).is_not_null() for column in frame.columns if column in _ALWAYS_LOGGED),
        )
        reading = pl.max_horizontal(f"{READING}{place}" for place in range(len(parts)))
        is_one = pl.all_horizontal(pl.col(f"{READING}{n}") != NO_READING for n in range(len(parts)))
        return frame.select(
            *self.fields.expressions(),
            pl.when(has_all & is_one)
            .then(reading)
            .otherwise(NO_READING)
            .cast(pl.Int8)
            .alias(READING),
        )

    @staticmethod
    def _part(leaf: Leaf, values: pl.Series) -> pl.DataFrame:
        if leaf.template is None:
            one = pl.lit(ONE_READING, pl.Int8).alias(READING)
            return values.alias(str(leaf.column)).to_frame().with_columns(one)
        return leaf.template.read(values)


def json_format(
    template: Mapping[str, object],
    name: str,
    *,
    keeps_empty: bool = False,
    foreign: frozenset[str] = frozenset(),
) -> JsonFormat:
    """Compile a log format of JSON.

    Args:
        template: The format: its texts have operators.
        name: What to call it.
        keeps_empty: It is known that omitEmptyValues is off. What stands in lists is read then
            only: an item without a value would make way for the next.
        foreign: Keys that a line of this format never has.

    Raises:
        UsageError: Envoy would refuse the format, or it lacks what is needed.
    """
    leaves = [
        (path, tokens_of(text))
        for path, text in _texts(template, ())
        if keeps_empty or all(isinstance(step, str) for step in path)
    ]
    operators = [token for _, tokens in leaves for token in tokens if isinstance(token, Operator)]
    fields = fields_of(operators)
    compiled: list[Leaf] = []
    place = 0
    for path, tokens in leaves:
        count = sum(isinstance(token, Operator) for token in tokens)
        columns = {
            i: fields.columns[place + i] for i in range(count) if place + i in fields.columns
        }
        place += count
        if columns:
            compiled.append(_leaf(path, tokens, columns, fields))
    often = Counter(_keys(template))
    needed = {step for leaf in compiled for step in leaf.path if isinstance(step, str)}
    _check_keys(needed)
    times = {key: often[key] for key in sorted(needed)}
    return JsonFormat(name, fields, tuple(compiled), times, frozenset(often), foreign)


def _leaf(
    path: Path, tokens: tuple[Token, ...], columns: Mapping[int, str], fields: Fields
) -> Leaf:
    if len(tokens) == 1:
        return Leaf(path, columns[0], None)
    return Leaf(path, None, Template.of(values_of(tokens, columns, fields.time)))


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text inside a value that has operators; numbers and the like have none."""
    if len(path) > _MOST_DEPTH:
        raise UsageError(f"the log format is nested more than {_MOST_DEPTH} deep")
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*path, str(key)))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _texts(inner, (*path, place))


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def _check_keys(keys: set[str]) -> None:
    for key in sorted(keys):
        if _ODD_KEY.search(key):
            raise UsageError(
                f"the log format has a key that must be escaped in JSON: {key[:40]!r}",
                hint="choose a key without quotes, backslashes and control characters",
            )
