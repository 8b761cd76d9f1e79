"""Items -> the same items, made by a thread of its own while the last ones are being used."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")

_MOST_AHEAD: Final = 8


def read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield items of which some are made in advance; those must never wait for somebody."""
    waiting: deque[Future[Item | None]] = deque()
    with ThreadPoolExecutor(max_workers=1) as reader:
        while True:
            while len(waiting) < _MOST_AHEAD:
                waiting.append(reader.submit(next, items, None))
            item = waiting.popleft().result()
            if item is None:
                return
            yield item
