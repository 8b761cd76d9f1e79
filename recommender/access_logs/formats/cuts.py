"""What becomes of the columns that lines are cut into: checks, keys, and fields.

A row of columns becomes keys, in which many rows agree, before anything costly is done: fields are
read once for all rows with the same keys.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from recommender.access_logs.formats.fields import SOME
from recommender.access_logs.formats.template import (
    NO_READING,
    ONE_READING,
    READING,
    Template,
    Value,
)

DAY: Final = "day"
TIME: Final = "time"
REMOTE: Final = "downstream_remote_address"

_ISO: Final = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-[0-3][0-9]T"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
)
_ISO_LENGTH: Final = 24
_DAY_LENGTH: Final = 10
# JSON that needs no unescaping.
_PLAIN_JSON: Final = (
    r'^(?:"(?P<text>[^"\\\x00-\x1f]*)"|(?P<number>-?(?:0|[1-9][0-9]{0,17}))|(?P<null>null))$'
)


@dataclass(frozen=True, slots=True)
class Cut:
    """Say what becomes of a column; this one holds nothing that is needed but tells the format.

    Attributes:
        place: Which column it is, from 0.
        begin: The literal that it begins with.
        end: The literal that it ends with.
    """

    place: int
    begin: str
    end: str = ""

    def check(self, column: pl.Expr) -> pl.Expr:
        """Tell whether a row may be a line of the format."""
        return column == self.begin

    def keys(self, column: pl.Expr) -> dict[str, pl.Expr]:  # noqa: ARG002 - others have keys
        """Take out of a row what few rows differ in."""
        return {}

    def read(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Read the columns of the fields from the keys, and `reading`."""
        one = pl.repeat(ONE_READING, keys.height, dtype=pl.Int8, eager=True)
        return one.alias(READING).to_frame()

    def _has_ends(self, column: pl.Expr) -> pl.Expr:
        begins = column.str.starts_with(self.begin) if self.begin else column.is_not_null()
        return begins & column.str.ends_with(self.end) if self.end else begins

    def _inside(self, text: pl.Expr) -> pl.Expr:
        length = text.str.len_chars() - len(self.begin) - len(self.end)
        return text.str.slice(len(self.begin), length)


@dataclass(frozen=True, slots=True)
class EndsCut(Cut):
    """Hold a value that is not needed: what stands around it tells the format."""

    def check(self, column: pl.Expr) -> pl.Expr:
        """Tell whether a row begins and ends as it must."""
        return self._has_ends(column)


@dataclass(frozen=True, slots=True)
class TimeCut(Cut):
    """Take the start time, as it is printed by default: all of one length, they sort as text."""

    def check(self, column: pl.Expr) -> pl.Expr:
        """Tell whether a row has a time."""
        return column.str.contains(f"^{re.escape(self.begin)}{_ISO}{re.escape(self.end)}$")

    def keys(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Take the day; the time itself is no key, its least and greatest will be wanted."""
        return {DAY: column.str.slice(len(self.begin), _DAY_LENGTH), TIME: column}

    def time(self, text: pl.Expr) -> pl.Expr:
        """Read a time out of the column."""
        iso = text.str.slice(len(self.begin), _ISO_LENGTH)
        return iso.str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%.fZ", strict=False, time_unit="ms", time_zone="UTC"
        )


@dataclass(frozen=True, slots=True)
class TextCut(Cut):
    """Take what stands in text, of which few different ones come."""

    template: Template | None = None

    def check(self, column: pl.Expr) -> pl.Expr:
        """Tell whether a row begins and ends as it must; the keys will tell the rest."""
        return self._has_ends(column)

    def keys(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Take all of it."""
        return {self.key: column}

    def read(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Read the text."""
        if self.template is None or self.key not in keys.columns:
            return Cut.read(self, keys)
        return self.template.read(keys[self.key])

    @property
    def key(self) -> str:
        """Name the key: the column of a field if there is only one."""
        columns = self.template.columns if self.template else []
        return columns[0] if len(columns) == 1 else f"cut{self.place}"


@dataclass(frozen=True, slots=True)
class RequestCut(Cut):
    """Take whether there is a method and a protocol: between them stands the path.

    `begin` is the sign between the three.
    """

    has_protocol: bool = True

    def check(self, column: pl.Expr) -> pl.Expr:
        """Tell whether a row has all three."""
        return column.str.count_matches(self.begin, literal=True) > 1

    def keys(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Take what is there; `-` and nothing are none."""
        starts = column.str.starts_with(f"-{self.begin}") | column.str.starts_with(self.begin)
        ends = column.str.ends_with(f"{self.begin}-") | column.str.ends_with(self.begin)
        return {
            "method": pl.when(~starts).then(pl.lit(SOME)),
            "protocol": pl.when(~ends).then(pl.lit(SOME)),
        }

    def read(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Give both back."""
        return keys.select("method", "protocol", pl.lit(ONE_READING, pl.Int8).alias(READING))


@dataclass(frozen=True, slots=True)
class WordsCut(Cut):
    """Take values between which the same sign stands each time, `begin`, also before the first."""

    values: tuple[Value, ...] = ()

    def check(self, column: pl.Expr) -> pl.Expr:
        """Tell whether a row begins as it must."""
        return column.str.starts_with(self.begin)

    def keys(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Take the values that are needed; the last one is all of the rest."""
        words = column.str.splitn(self.begin, len(self.values) + 1).struct
        return {
            value.column: words.field(f"field_{place}")
            for place, value in enumerate(self.values, start=1)
            if value.column
        }

    def read(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Check that the values hold no sign that they cannot hold."""
        needed = [(value.column, value) for value in self.values if value.column in keys.columns]
        sound = pl.all_horizontal(
            pl.col(column).str.contains(f"^{value.pattern}$") for column, value in needed if column
        ).fill_null(value=False)
        reading = pl.when(sound).then(ONE_READING).otherwise(NO_READING).cast(pl.Int8)
        return keys.select(*(column for column, _ in needed if column), reading.alias(READING))


@dataclass(frozen=True, slots=True)
class JsonCut(Cut):
    """Take a value of JSON that stands behind its key."""

    column: str = ""

    def check(self, column: pl.Expr) -> pl.Expr:
        """Tell whether a row has the key here, at the right depth."""
        return self._has_ends(column)

    @property
    def key(self) -> str:
        """Name the key."""
        return self.column

    def keys(self, column: pl.Expr) -> dict[str, pl.Expr]:
        """Take the value with its key."""
        return {self.column: column}

    def read(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Read the value if nothing in it is escaped."""
        if self.column not in keys.columns:
            return Cut.read(self, keys)
        found = keys.select(
            self._inside(pl.col(self.column)).str.extract_groups(_PLAIN_JSON).alias("json")
        )
        text, number, null = (
            pl.col("json").struct.field(name) for name in ("text", "number", "null")
        )
        value = pl.coalesce(text, number)
        sound = value.is_not_null() | null.is_not_null()
        reading = pl.when(sound).then(ONE_READING).otherwise(NO_READING).cast(pl.Int8)
        return found.select(value.alias(self.column), reading.alias(READING))


def one_reading(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Put what was read from several columns together; `reading` tells if all have one."""
    frames = [part.rename({READING: f"{READING}{place}"}) for place, part in enumerate(parts)]
    names = [f"{READING}{place}" for place in range(len(parts))]
    is_one = pl.all_horizontal(pl.col(name) == ONE_READING for name in names)
    reading = pl.when(is_one).then(ONE_READING).otherwise(NO_READING).cast(pl.Int8)
    return pl.concat(frames, how="horizontal").with_columns(reading.alias(READING)).drop(names)
