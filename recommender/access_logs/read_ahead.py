"""Items -> the same items, made by a thread of its own while the last ones are being used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final, TypeVar

Item = TypeVar("Item")

_MOST_AHEAD: Final = 6


def read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield items of which some are made in advance; those must never wait for somebody."""
    made: SimpleQueue[tuple[Item] | None] = SimpleQueue()
    is_wanted: SimpleQueue[bool] = SimpleQueue()
    for _ in range(_MOST_AHEAD):
        is_wanted.put(True)
    with ThreadPoolExecutor(max_workers=1) as maker:
        making = maker.submit(_make, items, made, is_wanted)
        try:
            while item := made.get():
                yield item[0]
                is_wanted.put(True)
        finally:
            is_wanted.put(False)
        making.result()


def _make(
    items: Iterator[Item], made: SimpleQueue[tuple[Item] | None], is_wanted: SimpleQueue[bool]
) -> None:
    """Make an item whenever one is wanted; None follows the last one or an error."""
    try:
        while is_wanted.get():
            made.put((next(items),))
    except StopIteration:
        pass
    finally:
        made.put(None)
