"""The texts are what Envoy 1.40 printed for one request."""

import io
import json
from datetime import UTC, datetime

import polars as pl
import pytest

from recommender.access_logs import read_access_logs
from recommender.access_logs.formats import AMBIGUOUS_TEXT
from recommender.access_logs.formats.format_string import Operator, tokens_of
from recommender.access_logs.formats.json_format import json_format
from recommender.access_logs.formats.start_time import time_format
from recommender.access_logs.formats.text_format import text_format
from recommender.errors import UsageError
from tests.access_logs.formats.rendering import one
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
        ("%START_TIME(%-d/%-m/%Y %-H:%-M:%-S)%", "25/11/2026 17:3:38", SECOND),
        ("%START_TIME(%-e.%-m.%y %-H%%)%", "5.1.27 7%", datetime(2027, 1, 5, 7, tzinfo=UTC)),
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


def test_a_time_without_padding_ends_where_the_line_shows() -> None:
    """What is right behind it may belong to it, too."""
    unsure = text_format("%UPSTREAM_CLUSTER_RAW% %START_TIME(%F %-H)%%RESPONSE_CODE%", "a")
    log_format = text_format("%START_TIME(%F %-H:%-M)% %UPSTREAM_CLUSTER_RAW% %RESPONSE_CODE%", "a")

    for printed, minute in (("17:3", 3), ("17:30", 30)):
        found = one(f"2026-11-25 {printed} {REVIEWS} 200", [log_format])
        assert found["start_time"] == datetime(2026, 11, 25, 17, minute, tzinfo=UTC)
        assert found["upstream_cluster"] == REVIEWS
    assert one(f"{REVIEWS} 2026-11-25 1200", [unsure])["reason"] == AMBIGUOUS_TEXT


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


@pytest.mark.parametrize(
    ("times", "printed"),
    [
        (("%START_TIME(%T)%", "%START_TIME%"), ("17:03:38", "2026-11-25T17:03:38.000Z")),
        (("%START_TIME(%F)%", "%START_TIME%"), ("2026-11-25", "2026-11-25T17:03:38.000Z")),
        (("%START_TIME(%F)%", "%START_TIME_LOCAL(%s)%"), ("2026-11-25", "1795626218")),
        (("%START_TIME(%F %H)%", "%EMIT_TIME%"), ("2026-11-25 17", "2026-11-25T17:03:38.000Z")),
        (("%START_TIME(%I)%", "%START_TIME_LOCAL%"), ("05", "2026-11-26T01:03:38.000+0800")),
        (
            ("%START_TIME_LOCAL(%F %T %Z)%", "%EMIT_TIME%"),
            ("2026-11-26 01:03:38 CST", "2026-11-25T17:03:38.000Z"),
        ),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_of_several_times_the_one_that_tells_the_most_is_read(
    times: tuple[str, ...], printed: tuple[str, ...], order: int
) -> None:
    texts, (first, second) = times[::order], printed[::order]
    as_text = text_format(f"{texts[0]} %UPSTREAM_CLUSTER_RAW% {texts[1]}", "a")
    as_json = json_format({"a": texts[0], "b": texts[1], "c": "%UPSTREAM_CLUSTER_RAW%"}, "a")

    in_text = one(f"{first} {REVIEWS} {second}", [as_text])
    in_json = one(json.dumps({"a": first, "b": second, "c": REVIEWS}), [as_json])

    assert in_text["start_time"] == in_json["start_time"] == SECOND
    assert in_text["reason"] is None


def test_where_only_a_day_is_told_requests_start_at_midnight() -> None:
    log_format = text_format("%START_TIME(%F)% %START_TIME(%T)% %UPSTREAM_CLUSTER_RAW%", "a")

    found = one(f"2026-11-25 17:03:38 {REVIEWS}", [log_format])

    assert found["start_time"] == datetime(2026, 11, 25, tzinfo=UTC)


def test_a_time_that_may_be_left_out_is_read_where_no_other_is() -> None:
    template = {"a": ["%START_TIME%", "%REQ(X)%"], "c": "%UPSTREAM_CLUSTER%"}
    beside_a_day = {**template, "d": "%START_TIME(%F)%"}
    full = "2026-11-25T17:03:38.000Z"
    printed = {"a": [full, "x"], "c": REVIEWS, "d": "2026-11-25"}

    alone = one(json.dumps(printed), [json_format(template, "a")])
    beside = one(json.dumps({**printed, "a": [full]}), [json_format(beside_a_day, "a")])

    assert alone["start_time"] == SECOND
    assert beside["start_time"] == datetime(2026, 11, 25, tzinfo=UTC)


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
        ("%F %_H:%M", "has %_H"),
        ("%F %-I", "has %-I"),
        ("%F %5S", "has %5S"),
        ("%F %T %:z", "has %:z"),
        ("%F %T %", "has %,"),
        ("%Y%m%-d%H", "no sign behind %-d"),
        ("%Y %-d%-m", "no sign behind %-d"),
        ("%F %-H00", "no sign behind %-H"),
    ],
)
def test_a_time_that_cannot_be_told_is_refused(argument: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        time_format(Operator("START_TIME", argument))
