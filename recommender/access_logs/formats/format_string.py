"""An access log format string of Envoy -> what stands in it literally and its operators.

Source: Envoy source/common/formatter/substitution_formatter.cc (`SubstitutionFormatParser::parse`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from recommender.errors import UsageError

_OPERATOR: Final = re.compile(r"%([A-Z0-9_]+)(?:\((.*?)\))?(?::([0-9]+))?%", re.ASCII)
_LONG_NAMES: Final = {
    "REQUEST_HEADER": "REQ",
    "RESPONSE_HEADER": "RESP",
    "RESPONSE_TRAILER": "TRAILER",
}
_HEADERS: Final = frozenset(_LONG_NAMES.values())
# Envoy has operators that are not known here, which may take a length.
_WITHOUT_LENGTH: Final = re.compile(
    r"(?:START|EMIT)_TIME(?:_LOCAL)?|PROTOCOL|RESPONSE_CODE|RESPONSE_FLAGS(?:_LONG)?"
    r"|UPSTREAM_CLUSTER(?:_RAW)?|UPSTREAM_HOST|ROUTE_NAME|REQUESTED_SERVER_NAME"
    r"|(?:UPSTREAM|DOWNSTREAM(?:_DIRECT)?)_(?:LOCAL|REMOTE)_(?:ADDRESS(?:_WITHOUT_PORT)?|PORT)"
    r"|DOWNSTREAM_PEER_URI_SAN"
)
_MOST_SHOWN: Final = 40
# Bytes of a command line that are not UTF-8 become these, and escapes in JSON may be these.
_HALF_OF_PAIR: Final = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Operator:
    """Name an operator, `%NAME(argument):length%`; of two names of one operator the shorter."""

    name: str
    argument: str = ""
    length: int | None = None

    def __str__(self) -> str:
        argument = f"({self.argument})" if self.argument else ""
        length = "" if self.length is None else f":{self.length}"
        return f"%{self.name}{argument}{length}%"


Token = str | Operator
"""A literal text or an operator."""


def tokens_of(format_string: str) -> tuple[Token, ...]:
    """Read a format string; no two literals follow each other and none is empty.

    Raises:
        UsageError: Envoy would refuse it.
    """
    check_characters(format_string)
    tokens: list[Token] = []
    literal = ""
    place = 0
    while place < len(format_string):
        if format_string[place] != "%":
            end = format_string.find("%", place)
            end = len(format_string) if end < 0 else end
            literal += format_string[place:end]
        elif format_string.startswith("%%", place):
            literal += "%"
            end = place + 2
        else:
            operator, end = _operator(format_string, place)
            tokens += [literal, operator] if literal else [operator]
            literal = ""
        place = end
    return (*tokens, literal) if literal else tuple(tokens)


def check_characters(text: str) -> None:
    """Refuse what cannot be written as UTF-8.

    Raises:
        UsageError: It cannot.
    """
    if _HALF_OF_PAIR.search(text):
        raise UsageError("the log format is not UTF-8 text")


def _operator(format_string: str, place: int) -> tuple[Operator, int]:
    match = _OPERATOR.match(format_string, place)
    if match is None:
        rest = format_string[place : place + _MOST_SHOWN]
        raise UsageError(
            f"no operator of Envoy begins at character {place + 1} of the log format: {rest!r}",
            hint="an operator is %NAME%, %NAME(argument)% or %NAME(argument):length%, "
            "a percent sign is %%",
        )
    name, argument, length = match.groups()
    known = _LONG_NAMES.get(name, name)
    operator = Operator(known, argument or "", int(length) if length else None)
    _check_operator(operator)
    return operator, match.end()


def _check_operator(operator: Operator) -> None:
    """Refuse an operator that no Envoy takes as it is."""
    name = operator.name
    if operator.length is not None and _WITHOUT_LENGTH.fullmatch(name):
        raise UsageError(
            f"Envoy refuses {operator}, as {name} takes no length",
            hint=f"what the proxies log is perhaps {replace(operator, length=None)}",
        )
    if name in _HEADERS and not operator.argument:
        raise UsageError(
            f"Envoy refuses {operator}, as {name} takes a header",
            hint=f"name one, such as %{name}(X-REQUEST-ID)%",
        )
    if name in _HEADERS and operator.argument.count("?") > 1:
        raise UsageError(
            f"Envoy refuses {operator}, as {name} takes a header and one alternative",
            hint=f"name two headers, such as %{name}(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        )
