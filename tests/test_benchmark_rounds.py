"""How engines compare that read the same in turn, on a machine that has other work."""

from __future__ import annotations

from benchmarks.rounds import Ratio, Reading, best, ratio


def rounds(*seconds: float) -> list[Reading]:
    return [Reading(took, 2 * took, 10, None) for took in seconds]


def of_seconds(above: list[list[Reading]], below: list[Reading]) -> Ratio:
    return ratio(above, below, lambda took: took.seconds)


def test_the_middle_round_counts() -> None:
    assert of_seconds([rounds(4, 3, 8)], rounds(2, 1, 1)) == Ratio(3, 2, 8)


def test_of_several_engines_the_least_of_each_round_counts() -> None:
    assert of_seconds([rounds(4, 9, 8), rounds(5, 6, 9)], rounds(2, 2, 2)) == Ratio(3, 2, 4)


def test_a_round_in_which_all_are_slow_changes_nothing() -> None:
    quiet = of_seconds([rounds(3, 3, 3)], rounds(2, 2, 2))

    assert of_seconds([rounds(3, 30, 3)], rounds(2, 20, 2)) == quiet


def test_of_an_engine_the_fewest_seconds_and_the_most_memory_are_shown() -> None:
    readings = [
        Reading(2, 5, 10, None),
        Reading(1, 6, 30, "1 flow differs"),
        Reading(3, 4, 20, None),
    ]

    assert best(readings) == Reading(1, 4, 30, "1 flow differs")
