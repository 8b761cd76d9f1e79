r"""How the lines of a format fall into columns when they are cut at a sign.

If a line has the sign as often as the format has it between its operators, then no value holds
it: each piece between two of them is one piece of the format, and there is no other reading. Most
lines are of this kind, and all of them can be cut at once. What is not needed is not looked at.

    text        cut at quotes     [<time>] "GET / HTTP/1.1" 200 - ... "reviews:9080" ...
    JSON        cut at commas     {"authority":"reviews:9080","bytes_received":0, ...

Envoy writes the keys of JSON sorted. Where it does not, and where it leaves out those without a
value, the lines are not of this kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from recommender.access_logs.formats.cuts import (
    REMOTE,
    TIME,
    Cut,
    EndsCut,
    JsonCut,
    RequestCut,
    TextCut,
    TimeCut,
    WordsCut,
    one_reading,
)
from recommender.access_logs.formats.fields import Fields
from recommender.access_logs.formats.template import (
    NO_READING,
    ONE_READING,
    READING,
    Part,
    Template,
    Value,
)

OK: Final = "ok"
TEXT_SIGNS: Final = ('"', "\t", ",", ";", " ")
JSON_SIGNS: Final = (",",)
LOOK_ALIKE_SIGNS: Final = (*JSON_SIGNS, *TEXT_SIGNS)
_LINE: Final = "line"
_ROW: Final = "row"
_FEWEST: Final = 2
_REQUEST_PARTS: Final = 5
_ODD: Final = "\ufffd"  # what stands in place of bytes that are no UTF-8


@dataclass(frozen=True, slots=True)
class Layout:
    """Hold how a line is cut.

    Attributes:
        sign: What lies between columns.
        width: How many columns a line has.
        cuts: What becomes of those that are needed or tell the format.
        fields: What becomes of the values.
    """

    sign: str
    width: int
    cuts: tuple[Cut, ...]
    fields: Fields

    @property
    def places(self) -> list[int]:
        """List the columns that are needed; the one behind the last tells longer lines."""
        return [*sorted(cut.place for cut in self.cuts), self.width]

    def rows(self, columns: pl.DataFrame) -> pl.DataFrame:
        """Take the keys out of columns that are named `0`, `1` ... by their places.

        Returns the keys, `time`, and `ok`: the row can be a line of the format. The column behind
        the last is null where a line ends with the last.
        """
        checks = [cut.check(pl.col(str(cut.place))) for cut in self.cuts]
        ends = pl.col(str(self.width)).is_null()
        ok = pl.all_horizontal(ends, *checks).fill_null(value=False)
        found = (cut.keys(pl.col(str(cut.place))) for cut in self.cuts)
        named = [expr.alias(name) for keys in found for name, expr in keys.items()]
        return columns.lazy().select(*named, ok.alias(OK)).collect()

    def read(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Read the fields from keys, of which the time may be missing.

        Returns FIELD_SCHEMA without the time, and `reading`.
        """
        parts = [cut.read(keys) for cut in self.cuts]
        found = one_reading(parts)
        texts = [pl.col(name) for name, kind in found.schema.items() if kind == pl.String]
        odd = pl.any_horizontal(text.str.contains(_ODD, literal=True) for text in texts)
        reading = pl.when(odd.fill_null(value=False)).then(NO_READING).otherwise(READING)
        empty = pl.lit(None, pl.String)
        missing = set(self.fields.columns.values()) - set(found.columns)
        given = found.with_columns(empty.alias(name) for name in sorted(missing))
        return given.select(*self.fields.expressions(), reading.cast(pl.Int8).alias(READING)).drop(
            "start_time"
        )

    def time(self, text: pl.Expr) -> pl.Expr:
        """Read a time that `rows` gave."""
        (cut,) = (cut for cut in self.cuts if isinstance(cut, TimeCut))
        return cut.time(text)

    def read_lines(self, lines: pl.Series) -> pl.DataFrame:
        """Read whole lines; returns FIELD_SCHEMA and `reading`, none for most others."""
        parts = lines.str.split_exact(self.sign, self.width).struct.unnest()
        places = [str(place) for place in self.places]
        rows = self.rows(parts.select(pl.col(f"field_{place}").alias(place) for place in places))
        found = self.read(rows).with_columns(rows.select(OK, self.time(pl.col(TIME)).alias(TIME)))
        is_one = pl.col(OK) & pl.col(TIME).is_not_null()
        reading = pl.when(is_one).then(READING).otherwise(NO_READING)
        return found.with_columns(reading.alias(READING)).select(
            pl.col(TIME).alias("start_time"), pl.exclude(OK, TIME)
        )

    def is_received(self) -> pl.Expr:
        """Tell by the keys whether a row is a received request."""
        begin = ""
        for cut in self.cuts:
            if isinstance(cut, TextCut | JsonCut) and cut.key == "upstream_cluster":
                begin = cut.begin + ('"' if isinstance(cut, JsonCut) else "")
        cluster = pl.col("upstream_cluster").str
        return cluster.starts_with(f"{begin}inbound") | cluster.starts_with(f"{begin}Inbound")


def read_by_layouts(
    layouts: Sequence[Layout], lines: pl.Series, rest: Callable[[pl.Series], pl.DataFrame]
) -> pl.DataFrame:
    """Read lines by the first layout that fits each, and what no layout fits in another way.

    Returns FIELD_SCHEMA and `reading`.
    """
    found: list[pl.DataFrame] = []
    left = lines.alias(_LINE).to_frame().with_row_index(_ROW)
    for layout in layouts:
        if left.height:
            read = pl.concat([left, layout.read_lines(left[_LINE])], how="horizontal")
            is_read = read[READING] == ONE_READING
            found.append(read.filter(is_read).drop(_LINE))
            left = left.filter(~is_read)
    if left.height or not found:
        found.append(pl.concat([left.drop(_LINE), rest(left[_LINE])], how="horizontal"))
    return pl.concat(found).sort(_ROW).drop(_ROW)


def layout_of(parts: Sequence[Part], fields: Fields, signs: Sequence[str]) -> Layout | None:
    """Find how to cut the lines of a format; None if no way is known.

    Args:
        parts: The literals and values of a line.
        fields: What becomes of the values.
        signs: What to cut at, best first.
    """
    if "upstream_cluster" not in fields.columns.values() or fields.time.groups is not None:
        return None
    for sign in signs:
        pieces = _pieces(parts, sign)
        cuts = [_cut(place, piece) for place, piece in enumerate(pieces)]
        # A line of another format may go on behind what looks like one of this.
        cuts[-1] = cuts[-1] or EndsCut(len(pieces) - 1, *_ends(pieces[-1]))
        fits = all(
            (cut and not isinstance(cut, EndsCut)) or not _columns(piece)
            for cut, piece in zip(cuts, pieces, strict=True)
        )
        if fits and len(pieces) > _FEWEST:
            return Layout(sign, len(pieces), tuple(cut for cut in cuts if cut), fields)
    return None


def _pieces(parts: Sequence[Part], sign: str) -> list[list[Part]]:
    """Split literals at the sign; no piece has an empty literal."""
    pieces: list[list[Part]] = [[]]
    for part in parts:
        first, *others = part.split(sign) if isinstance(part, str) else (part,)
        pieces[-1] += [first] if first else []
        pieces += [[other] if other else [] for other in others]
    return pieces


def _columns(piece: Sequence[Part]) -> list[str]:
    return [part.column for part in piece if isinstance(part, Value) and part.column]


def _cut(place: int, piece: Sequence[Part]) -> Cut | None:
    """Choose what becomes of a column; None if nothing does, or nothing that is known can."""
    begin, end = _ends(piece)
    values = [part for part in piece if isinstance(part, Value)]
    if not values:
        return Cut(place, begin)
    if len(values) == 1 and values[0].column == "start_time":
        return TimeCut(place, begin, end)
    if len(values) == 1 and values[0].is_json:
        return JsonCut(place, begin, end, column=values[0].column) if values[0].column else None
    columns = _columns(piece)
    template = Template.of(piece)
    if not columns or "start_time" in columns or not template.is_sure():
        return None
    if all(value.repeats or value.column == REMOTE for value in values):
        return TextCut(place, begin, end, template=template)
    if columns == ["method", "protocol"]:
        return _request_cut(place, piece)
    signs = {part for part in piece if isinstance(part, str)}
    is_words = signs == {begin} and len(begin) == 1 and len(piece) == 2 * len(values)
    return WordsCut(place, begin, values=tuple(values)) if is_words else None


def _ends(piece: Sequence[Part]) -> tuple[str, str]:
    """Return the literals before the first value of a piece and behind the last."""
    begin = piece[0] if piece and isinstance(piece[0], str) else ""
    end = piece[-1] if len(piece) > 1 and isinstance(piece[-1], str) else ""
    return begin, end


def _request_cut(place: int, piece: Sequence[Part]) -> Cut | None:
    """Know `method path protocol` with one sign between them that only the path can hold."""
    if len(piece) != _REQUEST_PARTS or piece[1] != piece[3] or not isinstance(piece[1], str):
        return None
    return RequestCut(place, piece[1]) if len(piece[1]) == 1 else None
