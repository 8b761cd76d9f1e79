"""The texts are what Envoy 1.40 printed for one request."""

import io
from datetime import UTC, datetime

import polars as pl
import pytest

from recommender.access_logs import read_access_logs
from recommender.access_logs.formats.format_string import Operator, tokens_of
from recommender.access_logs.formats.start_time import time_format
from recommender.access_logs.formats.text_format import text_format
from recommender.errors import UsageError
from tests.access_logs.helpers import POD, REVIEWS, merged, skipped

SECOND = datetime(2026, 11, 25, 17, 3, 38, tzinfo=UTC)
MILLISECOND = SECOND.replace(microsecond=474_000)


def read(operator: str, text: str) -> datetime | None:
    (token,) = tokens_of(operator)
    assert isinstance(token, Operator)
    frame = pl.DataFrame({"text": [text]})
    found = frame.select(time_format(token).read(pl.col("text"))).item()
    assert found is None or isinstance(found, datetime)
    return found


@pytest.mark.parametrize(
    ("operator", "text", "expected"),
    [
        ("%START_TIME%", "2026-11-25T17:03:38.474Z", MILLISECOND),
        ("%EMIT_TIME%", "2026-11-25T17:03:38.474Z", MILLISECOND),
        ("%START_TIME_LOCAL%", "2026-11-25T17:03:38.474+0000", MILLISECOND),
        ("%START_TIME_LOCAL%", "2026-11-26T01:03:38.474+0800", MILLISECOND),
        ("%START_TIME(%s.%3f)%", "1795626218.474", MILLISECOND),
        ("%START_TIME(%s%3f)%", "1795626218474", MILLISECOND),
        ("%START_TIME(%s.%9f)%", "1795626218.474164000", MILLISECOND),
        ("%START_TIME(%s)%", "1795626218", SECOND),
        ("%START_TIME(%Y/%m/%dT%H:%M:%S%z)%", "2026/11/25T17:03:38+0000", SECOND),
        ("%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)%", "2026-11-25T17:03:38.474164Z", MILLISECOND),
        ("%START_TIME(%FT%T.%1fZ)%", "2026-11-25T17:03:38.4Z", SECOND.replace(microsecond=400_000)),
        ("%START_TIME(%d/%b/%Y:%H:%M:%S %z)%", "25/Nov/2026:17:03:38 +0000", SECOND),
        ("%START_TIME(%FT%TZ)%", "2026-11-25T17:03:38Z", SECOND),
        ("%START_TIME(%F %T.%f)%", "2026-11-25 17:03:38.474164000", MILLISECOND),
        ("%START_TIME(%c)%", "Wed Nov 25 17:03:38 2026", SECOND),
        ("%START_TIME(%D %R)%", "11/25/26 17:03", SECOND.replace(second=0)),
        ("%START_TIME(%F %R %E3S%Ez %Z%%)%", "2026-11-25 17:03 38.474+00:00 UTC%", MILLISECOND),
        ("%START_TIME_LOCAL(%F %T %Z)%", "2026-11-25 17:03:38 GMT", SECOND),
        ("%START_TIME_LOCAL(%F %T %Z %z)%", "2026-11-26 01:03:38 CST +0800", SECOND),
        ("%START_TIME_LOCAL(%F %T%z(%Z))%", "2026-11-25 14:03:38-0300(-03)", SECOND),
        ("%START_TIME_LOCAL(%s %Z)%", "1795626218 CST", SECOND),
        ("%START_TIME(%e. %h %Y)%", " 5. Nov 2026", datetime(2026, 11, 5, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_every_way_to_print_a_time_is_read(operator: str, text: str, expected: datetime) -> None:
    assert read(operator, text) == expected


@pytest.mark.parametrize(
    "text", ["", "-", "x", "2026-13-25T17:03:38.474Z", "-2026-11-25T17:03:38Z"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert read("%START_TIME%", text) is None
    assert read("%START_TIME(%F %T)%", text) is None
    assert read("%START_TIME(%s)%", text) is None


@pytest.mark.parametrize("zone", ["CST", "BST", "-03", "+0545"])
def test_the_name_of_another_zone_alone_tells_no_time(zone: str) -> None:
    """`CST` is eight hours ahead of UTC in China, and six behind it in America."""
    assert read("%START_TIME_LOCAL(%F %T %Z)%", f"2026-11-26 01:03:38 {zone}") is None


def test_a_line_in_another_zone_is_counted_as_one_without_a_start_time() -> None:
    log_format = text_format("%START_TIME_LOCAL(%F %T %Z)% %UPSTREAM_CLUSTER_RAW%", "a")
    lines = [f"2026-11-26 01:03:38 {zone} {REVIEWS}" for zone in ("CST", "+08", "UTC")]
    stdin = io.BytesIO("".join(f"{line}\n" for line in lines).encode())

    found = merged(read_access_logs(["-"], stdin=stdin, source_pod=POD, formats=[log_format]))

    assert found.lines.used == 1
    assert skipped(found) == {"no usable start time": 2}


def test_a_time_beyond_all_calendars_is_none() -> None:
    assert read("%START_TIME(%s)%", "9" * 18) is None


@pytest.mark.parametrize(
    ("argument", "what"),
    [
        ("%H:%M:%S", "tells no day"),
        ("%Y-%m", "tells no day"),
        ("%F %I:%M %p", "has %I"),
        ("%Y-%j", "has %j"),
        ("now", "tells no day"),
    ],
)
def test_a_time_that_cannot_be_told_is_refused(argument: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        time_format(Operator("START_TIME", argument))
