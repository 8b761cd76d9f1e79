"""What is compiled finds the same kinds of lines on any processor, and none too many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.access_logs import log_format
from recommender.access_logs.alike import NO_KIND, Found, Kinds, kinds_of
from recommender.access_logs.alike.actions import Action
from recommender.access_logs.alike.cut_values import CutValue
from recommender.access_logs.formats import assumed_formats
from tests.access_logs.helpers import as_json, cri, needs_compiled, text
from tests.access_logs.odd_lines import WRITERS, logs

VALUE_BYTES = {*range(256)} - {*b" \n\r"}


def at(second: int) -> int:
    """Say when a line started, in milliseconds."""
    start = datetime(2026, 11, 23, 12, 16, second, 401_000, tzinfo=UTC)
    return round(start.timestamp() * 1000)


@needs_compiled
@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("prefix", [str, cri])
def test_lines_that_differ_in_nothing_that_is_needed_are_of_one_kind(
    write: Callable[..., str], prefix: Callable[[str], str]
) -> None:
    kinds = kinds_of(assumed_formats())()
    lines = [
        prefix(write(start_time=f"2026-11-23T12:16:{n:02}.401Z", path=f"/{n}", bytes_sent=str(n)))
        for n in (20, 3, 11)
    ]
    kinds.add("\n".join(lines).encode(), 7)
    kinds.end_file()
    kinds.add(lines[1].encode(), 1)

    found = kinds.take()
    assert found.lines.rows() == [(0, 7, 0, lines[0])]
    assert found.rows.rows() == [(0, 7, 0, 3, at(3), at(20)), (1, 1, 0, 1, at(3), at(3))]
    kinds.add(lines[2].encode(), 2)
    found = kinds.take()
    assert found.lines.is_empty()
    assert found.rows.rows() == [(0, 2, 0, 1, at(11), at(11))]


@needs_compiled
@pytest.mark.parametrize(
    ("field", "kinds"),
    [("authority", 2), ("route_name", 2), ("response_code", 2), ("user_agent", 1), ("path", 1)],
)
def test_lines_are_alike_whatever_is_not_needed(field: str, kinds: int) -> None:
    for write in WRITERS:
        found = kinds_of(assumed_formats())()
        found.add(f"{write(**{field: '1'})}\n{write(**{field: '2'})}".encode(), 1)
        assert found.kinds == kinds


@needs_compiled
@pytest.mark.parametrize("sign", ["\t", ";", " "])
def test_values_of_which_the_same_is_needed_are_cut_at_any_one_sign(sign: str) -> None:
    """Such values are found together, where the sign stands that often, and no seldomer."""
    numbers = ("%BYTES_SENT%", "%BYTES_RECEIVED%", "%DURATION%")
    names = ("%UPSTREAM_CLUSTER%", "%REQ(:AUTHORITY)%", "%ROUTE_NAME%")
    kinds = kinds_of(log_format(sign.join(["[%START_TIME%]", *numbers, *names])))()
    time = "[2026-11-23T12:16:11.401Z]"
    whole = [sign.join([time, n, n, n, "c", "a", "r"]) for n in ("1", "22")]
    short = [sign.join([time, n, "c", "r"]) for n in ("1", "22")]
    kinds.add("\n".join([*whole, *short]).encode(), 1)

    found = kinds.take()

    assert found.lines["kind"].to_list() == [0, NO_KIND, NO_KIND]
    assert found.rows["requests"].to_list() == [2]


def found_in(data: bytes, *, is_portable: bool) -> Found:
    """Find kinds with the instructions of this processor, or with those that any has."""
    new_kinds = kinds_of(assumed_formats())
    assert isinstance(new_kinds, partial)
    kinds: Kinds = new_kinds(is_portable=is_portable)
    half = len(data) // 2
    kinds.add(data[half:], kinds.add(data[:half], 1) + 1)
    return kinds.take()


def assert_portable(data: bytes) -> None:
    """Compare what is found with all instructions of this processor and with those of any."""
    here, anywhere = (found_in(data, is_portable=is_portable) for is_portable in (False, True))
    assert here.lines.equals(anywhere.lines)
    assert here.rows.equals(anywhere.rows)


@needs_compiled
@given(logs())
def test_kinds_are_the_same_on_any_processor(data: bytes) -> None:
    assert_portable(data)


@needs_compiled
@given(
    st.one_of(st.sets(st.integers(0, 255), max_size=6), st.sets(st.integers(0, 255), min_size=40)),
    st.lists(st.binary(max_size=70).filter(lambda value: not {*value} - VALUE_BYTES)),
    st.booleans(),
)
def test_a_value_that_may_not_hold_some_bytes_is_of_a_line_alone(
    wrong: set[int], others: list[bytes], is_portable: bool
) -> None:
    from recommender.access_logs.alike.kinds import CompiledKinds

    may = bytes(byte not in wrong for byte in range(256))
    space = ord(" ")
    time = CutValue(Action.TIME, None, space, space, is_path=False, first=1, behind=b"] ")
    value = CutValue(Action.SKIPPED, may, space, space, is_path=False, first=0, behind=b"")
    kinds = CompiledKinds(cuts=((b" ", b"[", (time, value)),), keys=(), is_portable=is_portable)
    values = [*(bytes([byte]) for byte in sorted(VALUE_BYTES)), *others]
    kinds.add(b"\n".join(b"[2026-11-23T12:16:11.401Z] " + each for each in values), 1)

    found = kinds.take()

    alone = [number for number, each in enumerate(values, start=1) if wrong & {*each}]
    assert found.lines.filter(kind=NO_KIND)["number"].to_list() == alone
    assert found.rows["requests"].sum() == len(values) - len(alone)


@needs_compiled
def test_lines_that_end_early_are_alike_on_any_processor() -> None:
    """A processor that looks at many bytes at once looks behind the end of each line."""
    usual = [text().encode(), as_json().encode(), cri(text()).encode()]
    cut = [
        line[:at] + end for line in usual for at in range(len(line)) for end in (b"", b'"', b"}")
    ]

    assert_portable(b"\n".join([*cut, *usual, *usual]))


@needs_compiled
@pytest.mark.parametrize("is_merged", [False, True])
def test_lines_of_one_kind_are_counted_by_day(is_merged: bool) -> None:
    """What a line says does not depend on its day, so that one of them is looked at."""
    days = [23, 24, 23, 1, 24]
    lines = [text(start_time=f"2026-11-{day:02}T12:16:20.401Z") for day in days]
    new_kinds = kinds_of(assumed_formats())
    kinds = new_kinds()
    if is_merged:
        for before, line in enumerate(lines):
            part = new_kinds()
            part.add(line.encode(), 1)
            kinds.merge(part, before)
    else:
        kinds.add("\n".join(lines).encode(), 1)

    found = kinds.take()

    assert found.lines["number"].to_list() == [1]
    assert found.rows.select("number", "kind", "requests").rows() == [
        (1, 0, 2),
        (2, 0, 2),
        (4, 0, 1),
    ]


@needs_compiled
def test_rows_of_days_in_disorder_are_merged() -> None:
    lines = [text(start_time=f"2026-11-{day:02}T12:16:20.401Z") for day in [*range(1, 31), 1, 30]]
    new_kinds = kinds_of(assumed_formats())
    kinds, part = new_kinds(), new_kinds()
    part.add("\n".join(lines).encode(), 1)
    kinds.merge(part, 10)
    kinds.merge(part, 50)

    rows = kinds.take().rows

    day = pl.col("first") // (24 * 3600 * 1000)
    of_days = rows.group_by(day).agg(pl.col("requests").sum(), pl.col("number").min()).sort("first")
    assert of_days["requests"].to_list() == [4, *[2] * 28, 4]
    assert of_days["number"].to_list() == list(range(11, 41))


@needs_compiled
def test_lines_of_years_of_which_some_are_no_use_are_of_different_kinds() -> None:
    kinds = kinds_of(assumed_formats())()
    years = (2026, 2014, 1969, 2026)
    lines = [text(start_time=f"{year}-01-01T12:16:20.401Z") for year in years]
    kinds.add("\n".join(lines).encode(), 1)

    assert kinds.take().rows["requests"].to_list() == [2, 1, 1]


@needs_compiled
def test_the_end_of_a_split_line_is_not_taken_for_a_line() -> None:
    kinds = kinds_of(assumed_formats())()
    usual, part = cri(text()), cri("x" * 100, "P")
    kinds.add(f"{usual}\n{part}\n".encode(), 1)
    kinds.add(f"{usual}\n{usual}".encode(), 3)

    found = kinds.take()
    assert found.lines.select("number", "kind").rows() == [(1, 0), (2, NO_KIND), (3, NO_KIND)]
    assert found.rows["requests"].to_list() == [2]


@needs_compiled
def test_kinds_that_collide_stay_apart() -> None:
    """Whatever a caller writes, lines with different authorities are never of one kind."""
    kinds = kinds_of(assumed_formats())()
    lines = [text(authority=f"h{number}") for number in range(20_000)] * 2
    kinds.add("\n".join(lines).encode(), 1)

    found = kinds.take()
    alone = found.lines.filter(kind=NO_KIND).height
    assert found.rows["requests"].sum() + alone == 40_000
    assert found.lines.height >= 20_000
    assert set(found.rows["requests"]) <= {1, 2}


@needs_compiled
@pytest.mark.parametrize("other", [text(authority="other"), cri(text()[:90], "P")])
def test_what_was_cleared_is_as_new(other: str) -> None:
    new_kinds = kinds_of(assumed_formats())
    used, new = new_kinds(), new_kinds()
    used.add(f"{text()}\n{other}\n{as_json()}\n".encode() * 3, 1)
    used.end_file()
    used.add(other.encode(), 1)
    used.clear()
    assert (used.kinds, used.rows, used.line_bytes) == (0, 0, 0)
    for kinds in (used, new):
        kinds.add(f"{cri(text())}\n{text()}\n{as_json()}\n{text()}".encode(), 1)
    whole = new_kinds()
    whole.merge(used, 0)

    found = new.take()
    for kinds in (used, whole):
        again = kinds.take()
        assert again.lines.equals(found.lines)
        assert again.rows.equals(found.rows)
