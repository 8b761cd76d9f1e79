"""A log format of text, compiled to what reads its lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from recommender.access_logs.formats.fields import Fields, fields_of
from recommender.access_logs.formats.format_string import Operator, Token, tokens_of
from recommender.access_logs.formats.operators import alphabet_of
from recommender.access_logs.formats.start_time import TIME_OPERATORS
from recommender.access_logs.formats.template import Part, Template, values_of
from recommender.errors import UsageError

_NOT_OF_CALLERS: Final = frozenset(
    (*TIME_OPERATORS, "ENVIRONMENT", "FILTER_CHAIN_NAME", "ROUTE_NAME", "VIRTUAL_CLUSTER_NAME")
)
"""Operators that print what the proxy, or the owners of the mesh, choose."""
_WRAPPERS_BEGIN: Final = ("[pod/", '[{"', '{"')
_WORDS_OF_CALLERS: Final = ("REQ", "REQUESTED_SERVER_NAME")


@dataclass(frozen=True, slots=True)
class TextFormat:
    """Hold a log format of text.

    Attributes:
        name: What to call it.
        fields: What becomes of the columns.
        tokens: The format string.
        template: What reads a line.
    """

    name: str
    fields: Fields
    tokens: tuple[Token, ...]
    template: Template

    @property
    def shapes(self) -> tuple[tuple[Part, ...], ...]:
        """Return what lines are made of: several where the format stands for several alike."""
        return self.template.shapes

    @property
    def start(self) -> str:
        """Return what every line begins with; nothing if that is an operator."""
        first = self.tokens[0]
        return first if isinstance(first, str) else ""

    @property
    def begins_with_time(self) -> bool:
        """Tell whether every line begins with a time as Envoy writes it by default."""
        first = self.tokens[0]
        return isinstance(first, Operator) and str(first) in ("%START_TIME%", "%EMIT_TIME%")

    @property
    def begins_with_anything(self) -> bool:
        """Tell whether a caller can write what a wrapper begins with, or that behind the time."""
        if self.begins_with_time and self._has_word_of_proxy_behind_time():
            return False
        opened = bool(self.start) and _may_open_wrapper(self.start)
        for token in self.tokens[1:] if opened else self.tokens:
            if isinstance(token, str):
                if token.strip(" "):
                    return False
            elif token.name not in _NOT_OF_CALLERS:
                if alphabet_of(token).has(" "):
                    return True
            elif opened:
                return False
        return False

    def _has_word_of_proxy_behind_time(self) -> bool:
        """Tell whether a word follows the time that no caller chooses, and text behind it."""
        match self.tokens[1:4]:
            case (str(), Operator() as word, str()):
                return word.name not in _WORDS_OF_CALLERS and not alphabet_of(word).has(" ")
        return False


def _may_open_wrapper(start: str) -> bool:
    """Tell whether a prefix of kubectl, a record or an array of them may begin with a text."""
    return any(opening.startswith(start.strip(" ")) for opening in _WRAPPERS_BEGIN)


def text_format(format_string: str, name: str, *, is_assumed: bool = False) -> TextFormat:
    """Compile a log format of text; one line feed may end it, also behind a carriage return.

    Raises:
        UsageError: Envoy would refuse the format, or it lacks what is needed.
    """
    text = format_string.removesuffix("\n").removesuffix("\r")
    if "\n" in text:
        raise UsageError(
            "the log format has a line feed inside",
            hint="what a proxy writes about one request must be one line",
        )
    return format_of_tokens(tokens_of(text), name, is_assumed=is_assumed)


def format_of_tokens(
    tokens: tuple[Token, ...],
    name: str,
    *,
    is_assumed: bool = False,
    shapes: tuple[tuple[Part, ...], ...] | None = None,
) -> TextFormat:
    """Compile a log format of text that is read already; `shapes` are all that there are.

    Raises:
        UsageError: It lacks what is needed.
    """
    operators = [token for token in tokens if isinstance(token, Operator)]
    fields = fields_of(operators)
    values = values_of(tokens, fields.columns, fields.time, is_assumed=is_assumed)
    return TextFormat(name, fields, tokens, Template.of(values, shapes))
