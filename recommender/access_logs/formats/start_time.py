"""When a request started, from what START_TIME and its kin print.

Their argument is a format of C++ `put_time` to which Envoy adds `%s` and the fractions `%f` and
`%1f` to `%9f`. Source: Envoy docs/root/configuration/advanced/substitution_formatter.rst,
source/common/common/utility.cc (`DateFormatter`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import polars as pl

from recommender.access_logs.formats.format_string import Operator
from recommender.access_logs.formats.operators import TIME, Alphabet
from recommender.errors import UsageError

# Best first: a log entry is written when the request has ended.
TIME_OPERATORS: Final = ("START_TIME", "START_TIME_LOCAL", "EMIT_TIME", "EMIT_TIME_LOCAL")

_DEFAULT: Final = "%Y-%m-%dT%H:%M:%S.%3fZ"
_DEFAULT_LOCAL: Final = "%Y-%m-%dT%H:%M:%S.%3f%z"
_ISO: Final = "%Y-%m-%dT%H:%M:%S%.fZ"
_WITH_OFFSET: Final = "%Y-%m-%dT%H:%M:%S%.f%z"

_LAST_YEAR: Final = 9999  # what Python can hold

_DIRECTIVE: Final = re.compile(
    r"%(E?z|E[0-9*]S|[1-9]?f|[A-Za-z%]|[^A-Za-z%]*[A-Za-z%]?)", re.DOTALL
)
_SHORT_FOR: Final = {
    "%F": "%Y-%m-%d",
    "%D": "%m/%d/%y",
    "%T": "%H:%M:%S",
    "%R": "%H:%M",
    "%c": "%a %b %e %H:%M:%S %Y",
    "%h": "%b",
    "%E3S": "%S.%3f",
    "%E6S": "%S.%6f",
}
_TWO: Final = "[0-9]{2}"
_ONE_OR_TWO: Final = "[0-9]{1,2}"
_DIRECTIVES: Final[dict[str, tuple[str | None, str]]] = {
    "Y": ("year", "[0-9]{4}"),
    "y": ("short_year", _TWO),
    "m": ("month", _TWO),
    "b": ("month_name", "[A-Z][a-z]{2}"),
    "d": ("day", _TWO),
    "e": ("padded_day", "[ 0-9][0-9]"),
    "H": ("hour", _TWO),
    "M": ("minute", _TWO),
    "S": ("second", "[0-9]{2}"),
    "s": ("epoch", "[0-9]+"),
    "z": ("offset", "[+-][0-9]{4}"),
    "Ez": ("offset", "[+-][0-9]{2}:[0-9]{2}"),
    # without padding
    "-m": ("month", _ONE_OR_TWO),
    "-d": ("day", _ONE_OR_TWO),
    "-e": ("day", _ONE_OR_TWO),
    "-H": ("hour", _ONE_OR_TWO),
    "-M": ("minute", _ONE_OR_TWO),
    "-S": ("second", _ONE_OR_TWO),
    # glibc has no name for some zones, and says what they are ahead of UTC
    "Z": ("zone", "(?:[A-Z]+|[+-][0-9]+)"),
    # told by others
    "a": (None, "[A-Z][a-z]{2}"),
}
# Other names mean several zones each.
_UTC: Final = ("UTC", "GMT")
_MONTHS: Final = dict(
    zip(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
        (f"{number:02}" for number in range(1, 13)),
        strict=True,
    )
)
_VARIABLE: Final = frozenset(("s", "Z"))
_SIGNS: Final = "0-9A-Za-z:+ -"


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """Hold how a time is printed.

    Attributes:
        pattern: What matches it.
        signs: What it may hold.
        is_fixed: From where it begins it can end in one place only.
        groups: What matches it with a named group for each part; None for the default.
    """

    pattern: str
    signs: Alphabet
    is_fixed: bool
    groups: str | None = None
    parts: frozenset[str] = frozenset()

    @property
    def tells_time(self) -> bool:
        """Tell whether it shows the time of the day, whatever the zone is called.

        Where none is shown, a request is taken to start at midnight.
        """
        has_time = "epoch" in self.parts or {"hour", "minute"} <= self.parts
        return self.groups is None or (has_time and not self._depends_on_zone)

    @property
    def _depends_on_zone(self) -> bool:
        return "zone" in self.parts and not self.parts & {"offset", "epoch"}

    def read(self, text: pl.Expr) -> pl.Expr:
        """Return the time as Datetime in milliseconds, UTC; null where there is none.

        A format without an offset is taken for UTC, in which proxies run. Beside the name of
        another zone there is no time.
        """
        if self.groups is None:
            time = text.str.to_datetime(_ISO, strict=False, time_unit="ms", time_zone="UTC")
            return _in_calendar(time)
        found = text.str.extract_groups(rf"^(?:{self.groups})$").struct
        time = _in_calendar(self._read(found))
        if self._depends_on_zone:
            return pl.when(found.field("zone").is_in(_UTC)).then(time)
        return time

    def _read(self, found: pl.expr.struct.ExprStructNameSpace) -> pl.Expr:
        if "epoch" in self.parts:
            seconds = found.field("epoch").str.to_integer(strict=False)
            return (seconds * 1000 + self._milliseconds(found)).cast(pl.Datetime("ms", "UTC"))
        iso = pl.concat_str(
            self._date(found),
            pl.lit("T"),
            *self._clock(found),
            pl.lit("."),
            self._fraction(found),
            found.field("offset") if "offset" in self.parts else pl.lit("+0000"),
        )
        return iso.str.to_datetime(_WITH_OFFSET, strict=False, time_unit="ms", time_zone="UTC")

    def _date(self, found: pl.expr.struct.ExprStructNameSpace) -> pl.Expr:
        year = "year" if "year" in self.parts else "short_year"
        century = pl.lit("" if year == "year" else "20")
        if "month" in self.parts:
            month = found.field("month")
        else:
            month = found.field("month_name").replace_strict(_MONTHS, default=None)
        day = found.field("day" if "day" in self.parts else "padded_day").str.replace(" ", "0")
        return pl.concat_str(century, found.field(year), pl.lit("-"), month, pl.lit("-"), day)

    def _clock(self, found: pl.expr.struct.ExprStructNameSpace) -> list[pl.Expr]:
        parts = [
            found.field(name) if name in self.parts else pl.lit("00")
            for name in ("hour", "minute", "second")
        ]
        return [parts[0], pl.lit(":"), parts[1], pl.lit(":"), parts[2]]

    def _fraction(self, found: pl.expr.struct.ExprStructNameSpace) -> pl.Expr:
        return found.field("fraction") if "fraction" in self.parts else pl.lit("0")

    def _milliseconds(self, found: pl.expr.struct.ExprStructNameSpace) -> pl.Expr:
        return self._fraction(found).str.pad_end(3, "0").str.head(3).str.to_integer(strict=False)


def _in_calendar(time: pl.Expr) -> pl.Expr:
    return pl.when(time.dt.year().is_between(1, _LAST_YEAR)).then(time)


def time_format(operator: Operator) -> TimeFormat:
    """Return how one of TIME_OPERATORS prints.

    Raises:
        UsageError: What it prints does not tell a day, or in a way that is not known.
    """
    is_local = operator.name.endswith("_LOCAL")
    argument = operator.argument or (_DEFAULT_LOCAL if is_local else _DEFAULT)
    if argument == _DEFAULT:
        return TimeFormat(TIME.pattern, TIME, is_fixed=False)
    for short, long in _SHORT_FOR.items():
        argument = argument.replace(short, long)
    return _compiled(argument, operator)


def _compiled(argument: str, operator: Operator) -> TimeFormat:
    pattern = groups = literals = ""
    parts: set[str] = set()
    is_fixed = True
    place = 0
    for match in _DIRECTIVE.finditer(argument):
        literal = argument[place : match.start()]
        name, sign = _directive(match[1], operator)
        new = name is not None and name not in parts
        pattern += re.escape(literal) + sign
        groups += re.escape(literal) + (f"(?P<{name}>{sign})" if new else sign)
        parts |= {name} if name else set()
        literals += literal
        place = match.end()
        if sign == _ONE_OR_TWO:
            _check_end(match[0], argument[place:], operator)
        is_open = sign == _ONE_OR_TWO and place == len(argument)
        is_fixed = is_fixed and match[1] not in _VARIABLE and not is_open
    rest = re.escape(argument[place:])
    if not _tells_day(parts):
        raise UsageError(
            f"{operator} tells no day",
            hint="the log format needs %START_TIME% with year, month and day, or with %s",
        )
    signs = Alphabet(f"[%{re.escape(literals)}{rest}{_SIGNS}]")
    return TimeFormat(pattern + rest, signs, is_fixed, groups + rest, frozenset(parts))


def _directive(name: str, operator: Operator) -> tuple[str | None, str]:
    if name == "%":
        return None, "%"
    if name.endswith("f"):
        return "fraction", f"[0-9]{{{name[:-1] or 9}}}"
    if name not in _DIRECTIVES:
        raise UsageError(
            f"{operator} has %{name}, which this tool cannot read",
            hint="%START_TIME% without an argument can be read",
        )
    return _DIRECTIVES[name]


def _check_end(directive: str, rest: str, operator: Operator) -> None:
    """Refuse a number of one digit or two of which nothing shows where it ends."""
    if re.match(r"[0-9]|%(?!%)", rest):
        raise UsageError(
            f"{operator} has no sign behind {directive} that shows where the number ends",
            hint="%START_TIME% without an argument can be read",
        )


def _tells_day(parts: set[str]) -> bool:
    groups = ({"year", "short_year"}, {"month", "month_name"}, {"day", "padded_day"})
    return "epoch" in parts or all(parts & group for group in groups)
