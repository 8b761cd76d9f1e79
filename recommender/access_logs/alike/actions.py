"""What becomes of a value in lines that are summed up."""

from __future__ import annotations

from enum import IntEnum


class Action(IntEnum):
    """Say what becomes of a value; `_alike.c` knows the same numbers."""

    SKIPPED = 0
    """It decides nothing."""
    NEEDED = 1
    """Lines are alike if they have the same."""
    TIME = 2
    """A time in milliseconds, UTC: the year is needed, and of a day the first and the last time."""
    CLUSTER = 3
    """The Envoy cluster is needed, and tells whether the request was received."""
    PEER = 4
    """The address of a peer is needed where the request was received, without its port."""
    PRESENCE = 5
    """It is needed whether there is a value that begins as a name does."""
    PRESENT = 6
    """It is needed whether the key is there."""


_OF_COLUMN = {
    "start_time": Action.TIME,
    "upstream_cluster": Action.CLUSTER,
    "downstream_remote_address": Action.PEER,
    "method": Action.PRESENCE,
    "protocol": Action.PRESENCE,
}


def action_of(column: str | None) -> Action:
    """Return what becomes of the value that a column is read from; None is no column."""
    return Action.SKIPPED if column is None else _OF_COLUMN.get(column, Action.NEEDED)
