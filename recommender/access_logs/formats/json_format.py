"""A log format of JSON, compiled to what reads its lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from recommender.access_logs.formats.fields import Fields, field_of, fields_of
from recommender.access_logs.formats.format_string import (
    Operator,
    Token,
    check_characters,
    tokens_of,
)
from recommender.access_logs.formats.json_lines import Path
from recommender.access_logs.formats.template import (
    NO_READING,
    ONE_READING,
    READING,
    SEVERAL_READINGS,
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
    """Describe a text inside the JSON: it has one column, or several with text between them.

    Attributes:
        path: Where it is.
        column: The one column that it is.
        template: What takes several columns out of it.
        last: The last elements of the lists that it is in; without one of them, elements have made
            way for others.
    """

    path: Path
    column: str | None
    template: Template | None
    last: tuple[Path, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Tell whether the text is the column, whatever is in it and around it."""
        return self.template is None and not self.last

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
        members: Those of the outermost object.
        objects: Of these, those that hold an object.
        foreign: Keys that only other formats have.
    """

    name: str
    fields: Fields
    leaves: tuple[Leaf, ...]
    keys: Mapping[str, int]
    all_keys: frozenset[str]
    members: frozenset[str]
    objects: frozenset[str]
    foreign: frozenset[str] = frozenset()

    @property
    def paths(self) -> list[Path]:
        """List what is to be known of a line."""
        return [path for leaf in self.leaves for path in (leaf.path, *leaf.last)]

    @property
    def always_logged(self) -> list[str]:
        """List keys that every line has."""
        needed = (leaf.path[-1] for leaf in self.leaves if self._always_there(leaf))
        return [key for key in needed if isinstance(key, str)]

    @property
    def always_there(self) -> list[str]:
        """List keys that the outermost object of every line has."""
        return [str(leaf.path[0]) for leaf in self.leaves if self._always_there(leaf)]

    @property
    def telling(self) -> list[str]:
        """List keys of which a line has one at least: others log the time, too."""
        others = [leaf.path for leaf in self.leaves if leaf.columns != ["start_time"]]
        return sorted({step for path in others for step in path if isinstance(step, str)})

    @staticmethod
    def _always_there(leaf: Leaf) -> frozenset[str]:
        return frozenset() if leaf.last else _ALWAYS_LOGGED.intersection(leaf.columns)

    def read(self, values: Mapping[Path, pl.Series]) -> pl.DataFrame:
        """Read lines, given the values at all paths.

        Returns FIELD_SCHEMA and `reading`.
        """
        whole = [leaf for leaf in self.leaves if leaf.is_whole]
        parts = [self._part(leaf, values) for leaf in self.leaves if not leaf.is_whole]
        frame = pl.concat(
            [
                pl.DataFrame([values[leaf.path].alias(str(leaf.column)) for leaf in whole]),
                *(part.rename({READING: f"{READING}{place}"}) for place, part in enumerate(parts)),
            ],
            how="horizontal",
        )
        always = [column for leaf in self.leaves for column in sorted(self._always_there(leaf))]
        has_all = pl.all_horizontal(pl.lit(True), *(pl.col(c).is_not_null() for c in always))
        readings = [pl.col(f"{READING}{place}") for place in range(len(parts))]
        reading = pl.max_horizontal(pl.lit(ONE_READING), *readings)
        is_one = pl.all_horizontal(pl.lit(True), *(r != NO_READING for r in readings))
        return frame.select(
            *self.fields.expressions(),
            pl.when(has_all & is_one)
            .then(reading)
            .otherwise(NO_READING)
            .cast(pl.Int8)
            .alias(READING),
        )

    def _part(self, leaf: Leaf, values: Mapping[Path, pl.Series]) -> pl.DataFrame:
        text = values[leaf.path]
        if leaf.template is None:
            one = pl.lit(ONE_READING, pl.Int8).alias(READING)
            found = text.alias(str(leaf.column)).to_frame().with_columns(one)
        else:
            found = leaf.template.read(text)
        if not leaf.last:
            return found
        short = pl.any_horizontal(values[path].is_null() for path in leaf.last)
        several = SEVERAL_READINGS if self._is_needed(leaf) else ONE_READING
        return found.select(
            *(pl.when(~short).then(name).alias(name) for name in leaf.columns),
            pl.when(short).then(pl.lit(several, pl.Int8)).otherwise(READING).alias(READING),
        )

    def _is_needed(self, leaf: Leaf) -> bool:
        """Tell whether without a text it is not known who called whom."""
        given = {field_of(column) for column in self.fields.columns.values()}
        side = "upstream_cluster" if "upstream_cluster" in given else "downstream_local_address"
        return not {"start_time", side}.isdisjoint(map(field_of, leaf.columns))


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
        keeps_empty: It is known that omitEmptyValues is off. Else what stands in a list is read
            only where all of the list is there: an element without a value makes way for the next
            (Envoy `StructFormatter::structFormatListCallback`).
        foreign: Keys that a line of this format never has.

    Raises:
        UsageError: Envoy would refuse the format, or it lacks what is needed.
    """
    texts = [
        (path, tokens_of(text), () if keeps_empty else last)
        for path, text, last in _texts(template, ())
    ]
    compiled, fields = _leaves(texts)
    often = Counter(_keys(template))
    for key in often:
        check_characters(key)
    needed = {step for leaf in compiled for step in leaf.path if isinstance(step, str)}
    _check_keys(needed)
    times = {key: often[key] for key in sorted(needed)}
    objects = frozenset(str(key) for key, value in template.items() if isinstance(value, Mapping))
    members = frozenset(map(str, template))
    return JsonFormat(
        name, fields, tuple(compiled), times, frozenset(often), members, objects, foreign
    )


_Text = tuple[Path, tuple[Token, ...], tuple[Path, ...]]
"""Where a text is, what it is made of, and the last elements of the lists that it is in."""


def _leaves(texts: Sequence[_Text]) -> tuple[list[Leaf], Fields]:
    """Choose the texts that give the fields."""
    found = [(token, last) for _, tokens, last in texts for token in tokens]
    operators = [(token, last) for token, last in found if isinstance(token, Operator)]
    unsure = {place for place, (_, last) in enumerate(operators) if last}
    fields = fields_of([operator for operator, _ in operators], unsure)
    compiled: list[Leaf] = []
    place = 0
    for path, tokens, last in texts:
        count = sum(isinstance(token, Operator) for token in tokens)
        columns = {
            i: fields.columns[place + i] for i in range(count) if place + i in fields.columns
        }
        place += count
        if columns:
            compiled.append(_leaf(path, tokens, columns, fields, last))
    return compiled, fields


def _leaf(
    path: Path,
    tokens: tuple[Token, ...],
    columns: Mapping[int, str],
    fields: Fields,
    last: tuple[Path, ...],
) -> Leaf:
    if len(tokens) == 1:
        return Leaf(path, columns[0], None, last)
    return Leaf(path, None, Template.of(values_of(tokens, columns, fields.time)), last)


def _texts(
    value: object, path: Path, last: tuple[Path, ...] = ()
) -> Iterator[tuple[Path, str, tuple[Path, ...]]]:
    """Yield every text inside a value, and the last elements of the lists that it is in.

    Numbers and the like have no operators.
    """
    if len(path) > _MOST_DEPTH:
        raise UsageError(f"the log format is nested more than {_MOST_DEPTH} deep")
    if isinstance(value, str):
        yield path, value, last
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*path, str(key)), last)
    elif isinstance(value, list):
        end = (*path, len(value) - 1)
        for place, inner in enumerate(value):
            yield from _texts(inner, (*path, place), (*last, end))


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
