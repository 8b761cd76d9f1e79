"""The types of what `_alike.c` gives to Python."""

class Alike:
    """Sum up lines that agree in all that is needed."""

    # A cut: its signs, the one between its pieces first; the text before the first value; and the
    # values. A value: its `Action`; which bytes it may hold; two signs, of which the first one that
    # comes ends it; whether instead the last that comes before the second does; where in the text
    # behind the value that sign is; and that text.
    def __init__(
        self,
        cuts: tuple[
            tuple[bytes, bytes, tuple[tuple[int, bytes | None, int, int, bool, int, bytes], ...]],
            ...,
        ],
        keys: tuple[tuple[bytes, int], ...],
        is_portable: bool = False,
    ) -> None: ...
    @property
    def size(self) -> int: ...
    def add(self, lines: bytes | memoryview, number: int, /) -> int: ...
    def add_section(self, file: int, begin: int, end: int, /) -> tuple[int, int]: ...
    def merge(self, other: Alike, before: int, /) -> None: ...
    def begin_inside(self) -> None: ...
    def end_file(self) -> None: ...
    def take(
        self,
    ) -> tuple[list[int], list[bytes], list[int], list[str | None], list[str | None]]: ...
