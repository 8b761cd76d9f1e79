"""Items -> the same items, made by a thread of its own while the last ones are being used."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final, TypeVar

Item = TypeVar("Item")

# To hand each one over by itself takes longer than to look at it.
_HANDED_OVER: Final = 2
_MOST_AHEAD: Final = 3


def read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield items of which some are made in advance; those must never wait for somebody."""
    waiting: deque[Future[tuple[list[Item], Exception | None]]] = deque()
    with ThreadPoolExecutor(max_workers=1) as reader:
        while True:
            while len(waiting) < _MOST_AHEAD:
                waiting.append(reader.submit(_some, items))
            made, error = waiting.popleft().result()
            yield from made
            if error:
                raise error
            if not made:
                return


def _some(items: Iterator[Item]) -> tuple[list[Item], Exception | None]:
    """Make the next items, as far as nothing fails."""
    made: list[Item] = []
    try:
        for item in islice(items, _HANDED_OVER):
            made.append(item)  # noqa: PERF402  # what was made before an error stays
    except Exception as error:  # it is raised behind what was made
        return made, error
    return made, None
