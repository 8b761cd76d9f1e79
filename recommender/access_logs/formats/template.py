r"""Text with operators in it -> what may be read in a line, and whether in one way only.

Nothing is escaped in text, so a line can often be read in many ways. A template is taken apart
at its open values, those that may hold what ends them:

    segment ─ open value ─ segment ─ open value ─ ... ─ segment

Inside a segment every value ends where the literal behind it begins, so a segment is read in one
way from where it begins. What is to be known is where: as early as it can stand in a line, which
a lazy regular expression finds, and as late as it can, which a greedy one finds (each segment
ends the later the later it begins, so all of them can stand at their earliest or latest together).
If both find the same place, every reading of the line agrees there.

The last segment needs no such comparison if none of its values can hold the sign it begins with:
then that sign, counted from the right end, tells where it begins. If all that decides stands there
and before the first open value, only lines are compared in which a value may hold a sign of the
text between the values: those that have it more often than the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from recommender.access_logs.formats.fields import DECIDING
from recommender.access_logs.formats.format_string import Operator, Token
from recommender.access_logs.formats.operators import (
    BARRED_CLUSTER,
    BARRED_CLUSTER_BEHIND_ANYTHING,
    CLUSTER,
    NAME,
    NAME_WITHOUT_BAR,
    WORD,
    Alphabet,
    alphabet_of,
)
from recommender.access_logs.formats.start_time import TIME_OPERATORS, TimeFormat

# What a line is to a format.
NO_READING: Final = 0
ONE_READING: Final = 1
SEVERAL_READINGS: Final = 2
READING: Final = "reading"

_FLAGS: Final = "(?s)"  # a value of JSON may hold line feeds
_SIGNS: Final = ('"', "\t", ",", ";", "|", " ")
_ROW: Final = "row"
_BAR: Final = "|"


@dataclass(frozen=True, slots=True)
class Value:
    """Describe what an operator prints.

    Attributes:
        pattern: What matches it.
        signs: What it may hold.
        is_fixed: From where it begins it can end in one place only.
        column: Where it goes, if it is needed.
    """

    pattern: str
    signs: Alphabet
    is_fixed: bool = False
    column: str | None = None

    @property
    def group(self) -> str:
        """Return what matches the value, as a group that has the name of its column."""
        return f"(?P<{self.column}>{self.pattern})" if self.column else f"(?:{self.pattern})"

    def ends_before(self, rest: Part | None) -> bool:
        """Tell whether what follows shows where the value ends."""
        if rest is None or self.is_fixed:
            return True
        return isinstance(rest, str) and not self.signs.has(rest[0])


Part = str | Value
_Segment = tuple[Part, ...]


def values_of(
    tokens: Sequence[Token],
    columns: Mapping[int, str],
    time: TimeFormat | None = None,
    *,
    is_assumed: bool = False,
) -> list[Part]:
    """Describe the operators of a format.

    Args:
        tokens: The format.
        columns: The place of an operator among the operators -> the column it goes to.
        time: How the time is printed that goes to the column `start_time`.
        is_assumed: Nobody said that this is the format. Names of routes are then taken for
            words: what follows them may be a field that only another format has.
    """
    parts: list[Part] = []
    place = 0
    for token, rest in zip(tokens, [*tokens[1:], None], strict=True):
        if isinstance(token, str):
            parts.append(token)
            continue
        value = _value(token, columns.get(place), time, is_assumed=is_assumed)
        parts.append(_beside_bar(value, parts, rest) if _touches_bar(parts, rest) else value)
        place += 1
    return parts


def _touches_bar(before: Sequence[Part], rest: Token | None) -> bool:
    """Tell whether a bar stands right before a value or right behind it."""
    is_behind = bool(before) and isinstance(before[-1], str) and before[-1].endswith(_BAR)
    return is_behind or _is_bar(rest)


def _is_bar(rest: Token | None) -> bool:
    return isinstance(rest, str) and rest.startswith(_BAR)


def _beside_bar(value: Value, before: Sequence[Part], rest: Token | None) -> Value:
    """Tell the bars in the name of an Envoy cluster from those between the values."""
    if value.signs == NAME:
        return Value(NAME_WITHOUT_BAR.pattern, NAME_WITHOUT_BAR, column=value.column)
    if value.signs != CLUSTER:
        return value
    is_open = any(isinstance(part, Value) and part.signs.has(_BAR) for part in before)
    pattern = BARRED_CLUSTER_BEHIND_ANYTHING if is_open else BARRED_CLUSTER
    return Value(pattern, CLUSTER, _is_bar(rest), value.column)


def _value(
    operator: Operator, column: str | None, time: TimeFormat | None, *, is_assumed: bool
) -> Value:
    if operator.name in TIME_OPERATORS and column and time:
        return Value(time.pattern, time.signs, time.is_fixed, column)
    signs = alphabet_of(operator)
    if is_assumed and signs == NAME:
        signs = WORD
    return Value(signs.pattern, signs, column=column)


@dataclass(frozen=True, slots=True)
class Template:
    """Hold a text with operators in it, taken apart.

    Attributes:
        segments: One more than there are open values.
        opens: The open values between them.
        shapes: What texts are made of: several where an open value stands for several parts.
    """

    segments: tuple[_Segment, ...]
    opens: tuple[Value, ...]
    shapes: tuple[tuple[Part, ...], ...]

    @classmethod
    def of(
        cls, parts: Sequence[Part], shapes: tuple[tuple[Part, ...], ...] | None = None
    ) -> Template:
        """Take a text apart; `shapes` are all that it stands for, if it stands for several."""
        segments: list[list[Part]] = [[]]
        opens: list[Value] = []
        for part, rest in zip(parts, [*parts[1:], None], strict=True):
            if isinstance(part, str) or part.ends_before(rest):
                segments[-1].append(part)
            else:
                opens.append(part)
                segments.append([])
        return cls(tuple(map(tuple, segments)), tuple(opens), shapes or (tuple(parts),))

    @property
    def parts(self) -> list[Part]:
        """List the literals and values in the order of the text."""
        parts = [*self.segments[0]]
        for value, segment in zip(self.opens, self.segments[1:], strict=True):
            parts += [value, *segment]
        return parts

    @property
    def columns(self) -> list[str]:
        """List the columns in the order of the text."""
        found = _columns(self.segments[0])
        for value, segment in zip(self.opens, self.segments[1:], strict=True):
            found += [*_columns((value,)), *_columns(segment)]
        return found

    def read(self, text: pl.Series) -> pl.DataFrame:
        """Read the columns of each text, as printed, and say in `reading` what it is.

        Where there is no one reading the columns mean nothing. A column that decides nothing is
        null where it could stand at two places.
        """
        if not self.opens:
            found = _found(text, f"^{self._pattern()}$")
            return _with_reading(found, pl.col(found.columns[0]).is_not_null(), self.columns)
        if not self._is_anchored():
            return self._read_both_ways(text)
        found, unsure = self._read_ends(text)
        if not unsure.any():
            return found
        rows = found.with_row_index(_ROW)
        again = rows.filter(unsure).select(_ROW)
        again = pl.concat([again, self._read_both_ways(text.filter(unsure))], how="horizontal")
        return pl.concat([rows.filter(~unsure), again]).sort(_ROW).drop(_ROW)

    def is_sure(self) -> bool:
        """Tell whether every text that matches has one reading, as far as that decides."""
        return not self.opens or self._is_anchored()

    def _is_anchored(self) -> bool:
        """Tell whether all that decides stands where the ends of the text show it."""
        sure = {*_columns(self.segments[0]), *_columns(self.segments[-1])}
        is_sure = self._ends_apart() and self.opens[-1].column is None
        return is_sure and DECIDING.intersection(self.columns) <= sure

    def _ends_apart(self) -> bool:
        """Tell whether the right end of a text shows where the last segment begins."""
        if not self.segments[-1]:
            return True
        first, *rest = self.segments[-1]
        values = [part for part in rest if isinstance(part, Value)]
        return isinstance(first, str) and not any(value.signs.has(first[0]) for value in values)

    def _last_wanted(self) -> int:
        """Return the place of the last segment that is needed, but for the last of all."""
        wanted = [
            place
            for place, segment in enumerate(self.segments[:-1])
            if _columns(segment) or (place and self.opens[place - 1].column)
        ]
        return max(wanted, default=0)

    def _read_ends(self, text: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
        """Read the last segment from the right end, the others as early as they can stand.

        Also tell in which texts one of these might stand later, too.
        """
        head = self._pattern("*?", self._last_wanted() + 1, before=True)
        right = _found(text, f"(?P<tail>{_pattern(self.segments[-1])})$")
        # A line of another format mostly ends otherwise, and is looked at no more.
        text = _where(text, right["tail"].is_not_null())
        left = _found(text, f"^(?P<head>{head})")
        frame = pl.concat([left, right, text.alias("text").to_frame()], how="horizontal")
        length = pl.col("head").str.len_bytes() + pl.col("tail").str.len_bytes()
        fits = length <= pl.col("text").str.len_bytes()
        unsure = frame.select(fits.fill_null(value=False) & self._come_again()).to_series()
        return _with_reading(frame, fits, self.columns), unsure

    def _come_again(self) -> pl.Expr:
        """Tell texts in which what is needed between the ends stands again, behind where it is."""
        inner = self.segments[1 : self._last_wanted() + 1]
        sign = next((s for s in _SIGNS if all(_is_held_by(s, segment) for segment in inner)), None)
        text = pl.col("text")
        if sign:
            fewest = min(sum(p.count(sign) for p in s if isinstance(p, str)) for s in self.shapes)
            text = pl.when(text.str.count_matches(sign, literal=True) != fewest).then(text)
        again = [
            text.str.slice(pl.col(f"before{place}").str.len_chars() + 1).str.contains(
                _FLAGS + _pattern(segment)
            )
            for place, segment in enumerate(inner, start=1)
        ]
        return pl.any_horizontal(pl.lit(value=False), *again).fill_null(value=False)

    def _read_both_ways(self, text: pl.Series) -> pl.DataFrame:
        """Read each segment where it can stand first and where it can stand last."""
        early = _found(text, f"^{self._pattern('*?', before=True)}$")
        late = _found(text, f"^{self._pattern('*', before=True)}$").select(
            pl.col(f"before{place}").alias(f"late{place}") for place in range(1, len(self.segments))
        )
        frame = pl.concat([early, late], how="horizontal")
        deciding = DECIDING.intersection(self.columns)
        return _with_reading(
            frame.with_columns(
                pl.when(~self._moves(column)).then(column).alias(column)
                for column in self.columns
                if column not in deciding
            ),
            pl.col("before1").is_not_null(),
            self.columns,
            pl.any_horizontal(pl.lit(False), *map(self._moves, sorted(deciding))),
        )

    def _moves(self, column: str) -> pl.Expr:
        """Tell whether a column stands at two places in two readings."""
        places = [
            place for place, segment in enumerate(self.segments) if column in _columns(segment)
        ]
        for place, value in enumerate(self.opens):
            if value.column == column:
                places = [place, place + 1]
        return pl.any_horizontal(
            pl.lit(False),
            *(
                pl.col(f"before{place}").str.len_bytes() != pl.col(f"late{place}").str.len_bytes()
                for place in places
                if place
            ),
        )

    def _pattern(self, often: str = "", end: int | None = None, *, before: bool = False) -> str:
        """Make the pattern of some segments, with groups `before1` ... for what precedes them.

        Open values are as short as can be if `often` is `*?`, as long if it is `*`.
        """
        pattern = _pattern(self.segments[0])
        for place, segment in enumerate(self.segments[1:end], start=1):
            value = self.opens[place - 1]
            text = value.signs.signs + often
            pattern += f"(?P<{value.column}>{text})" if value.column else text
            if before:
                pattern = f"(?P<before{place}>{pattern})"
            pattern += _pattern(segment)
        return pattern


def _is_held_by(sign: str, segment: _Segment) -> bool:
    """Tell whether a segment stands in one place if the sign stands nowhere but in literals.

    From the sign on it is read to the right as always; to the left each value must begin where the
    literal before it ends.
    """
    before: Part | None = None
    for part in segment:
        if isinstance(part, str):
            if sign in part:
                return True
        elif not isinstance(before, str) or part.signs.has(before[-1]):
            return False
        before = part
    return False


def _columns(segment: _Segment) -> list[str]:
    return [part.column for part in segment if isinstance(part, Value) and part.column]


def _pattern(segment: _Segment) -> str:
    return "".join(re.escape(part) if isinstance(part, str) else part.group for part in segment)


def _found(text: pl.Series, pattern: str) -> pl.DataFrame:
    """Extract the named groups of a pattern; nulls where it does not match."""
    return text.str.extract_groups(_FLAGS + pattern).struct.unnest()


def _where(text: pl.Series, chosen: pl.Series) -> pl.Series:
    """Put nulls in the place of all texts but those that are chosen."""
    return pl.select(pl.when(chosen).then(text)).to_series()


def _with_reading(
    frame: pl.DataFrame,
    matches: pl.Expr,
    columns: Sequence[str],
    differs: pl.Expr | None = None,
) -> pl.DataFrame:
    several = pl.lit(False) if differs is None else differs
    reading = (
        pl.when(~matches.fill_null(value=False))
        .then(NO_READING)
        .when(several)
        .then(SEVERAL_READINGS)
        .otherwise(ONE_READING)
    )
    return frame.select(*columns, reading.cast(pl.Int8).alias(READING))
