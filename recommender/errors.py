"""The errors a user can meet: each says what is wrong, where, and what to try.

RecommenderError
├── UsageError        the request itself makes no sense (settings, options)
├── InputError        a log or mesh source cannot be read or understood
└── OutputError       a result cannot be written
"""

from __future__ import annotations


class RecommenderError(Exception):
    """Report why the job could not be done.

    Args:
        what: One sentence on what is wrong.
        where: The file, line or object concerned, if there is one.
        hint: What to try.
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.what}{advice}"


class UsageError(RecommenderError):
    """Indicate a request that makes no sense: an unknown setting, options that contradict."""


class InputError(RecommenderError):
    """Indicate a log or mesh source that cannot be read or understood."""


class OutputError(RecommenderError):
    """Indicate a result that cannot be written."""
