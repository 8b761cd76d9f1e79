"""The types of what `_alike.c` gives to Python."""

Table = tuple[object, object]
"""The capsules of a schema and of an array, which `__arrow_c_array__` gives to who asks."""

class Alike:
    """Find the kinds of lines, of which each agrees in all that is needed."""

    # A cut: its signs, the one between its pieces first; the text before the first value; and the
    # values. A value: its `Action`; which bytes it may hold; two signs, of which the first one that
    # comes ends it; whether instead the last that comes before the second does; where in the text
    # behind the value that sign is; that text; and how many values as it is stand behind it, each
    # behind the first of its signs, that may hold the same bytes all together.
    def __init__(
        self,
        cuts: tuple[
            tuple[
                bytes,
                bytes,
                tuple[tuple[int, bytes | None, int, int, bool, int, bytes, int], ...],
            ],
            ...,
        ],
        keys: tuple[tuple[bytes, int], ...],
        is_portable: bool = False,
    ) -> None: ...
    @property
    def line_bytes(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def kinds(self) -> int: ...
    @property
    def kind_bytes(self) -> int: ...
    def add(self, lines: bytes | memoryview, number: int, /) -> int: ...
    def add_section(self, file: int, begin: int, end: int, most: int, /) -> tuple[int, int]: ...
    def begin_inside(self) -> None: ...
    def merge(self, other: Alike, before: int, /) -> None: ...
    def end_file(self) -> None: ...
    def take_tables(self) -> tuple[Table, Table]: ...
    def forget(self) -> None: ...
