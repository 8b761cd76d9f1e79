"""Progress on a terminal, silence in a pipe."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self, TextIO

_CLEAR_LINE = "\r\x1b[K"


class ProgressLine:
    """Show what is going on as one line on a terminal that is rewritten, and cleared in the end."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()

    def __call__(self, text: str) -> None:
        """Show a few words."""
        if self._shown:
            self._stream.write(f"{_CLEAR_LINE}{text} …")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._shown:
            self._stream.write(_CLEAR_LINE)
            self._stream.flush()
