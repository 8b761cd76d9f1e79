"""The types of what `_alike.c` gives to Python."""

class Alike:
    """Sum up lines that agree in all that is needed."""

    def __init__(
        self,
        cuts: tuple[
            tuple[
                int,
                tuple[
                    tuple[bytes, bytes, int, bool, tuple[tuple[int, bytes | None], ...]],
                    ...,
                ],
            ],
            ...,
        ],
        keys: tuple[tuple[bytes, int], ...],
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
