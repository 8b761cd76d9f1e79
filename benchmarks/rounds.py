"""What engines took that read the same in turn, round after round, and how they compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Amount = Callable[["Reading"], float]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one engine took for some logs, and how its flows differ from those in them."""

    seconds: float
    processor_seconds: float
    memory_peak: int
    wrong: str | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as much one took as another: in the middle round, and in all of them."""

    middle: float
    lowest: float
    highest: float


def best(readings: Sequence[Reading]) -> Reading:
    """Take the fewest seconds, as what else a machine does adds to them; of memory the most."""
    return Reading(
        min(took.seconds for took in readings),
        min(took.processor_seconds for took in readings),
        max(took.memory_peak for took in readings),
        next((took.wrong for took in readings if took.wrong), None),
    )


def ratio(above: Sequence[Sequence[Reading]], below: Sequence[Reading], amount: Amount) -> Ratio:
    """Compare the least of some engines with one, round by round.

    A machine is slow for minutes at a time. The engines of a round follow one another, whereas the
    fewest seconds of two may come from different minutes.

    Args:
        above: The rounds of each of some engines, of which each round the least counts.
        below: The rounds of the one they are divided by.
        amount: What is compared.
    """
    least = [min(map(amount, turn)) for turn in zip(*above, strict=True)]
    ratios = [other / amount(took) for other, took in zip(least, below, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))
