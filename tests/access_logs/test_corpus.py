"""The recorded access logs: one proxy wrote the same events in every format.

Its callers, and an upstream, did all they could to bring in a Service that nobody called.
"""

import json
from collections import Counter
from datetime import datetime
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from fixtures.access_logs import places
from fixtures.access_logs.events import LOGS, Event, load_events, load_lines
from fixtures.access_logs.facts import facts, is_knowable
from fixtures.access_logs.formats import OMIT_EMPTY, Format, load_formats
from fixtures.access_logs.wrap import WRAPPERS, Writer
from fixtures.access_logs.wrap.runtimes import cri
from recommender.access_logs import LogBatch, formats_as_configured, read_access_logs
from recommender.access_logs.alike import LinesAlone
from tests.access_logs.helpers import DESTINATION, merged, write

FORMATS = load_formats()
EVENTS = load_events()
POD = (places.NAMESPACE, places.POD)
WRITER = Writer(*POD)


def both(*names: str) -> list[str]:
    """Name formats with and without omitEmptyValues."""
    return [name + suffix for name in names for suffix in ("", OMIT_EMPTY)]


# The formats that the reader knows, or that are much like one that it knows.
KNOWN = both(
    "istio_text_1.1",
    "istio_text_1.2",
    "istio_text_1.3",
    "istio_text_1.8",
    "istio_text_1.9",
    "istio_text",
    "istio_json_1.1",
    "istio_json_1.3",
    "istio_json_1.8",
    "istio_json_1.9",
    "istio_json",
    "asm_json",
)
# Callers can write what a line has twice, or in two ways: such lines are skipped.
BLURRED = both("asm_text_template", "unquoted_template", "envoy_default")
# What they do not tell for certain: an authority from another header of the caller's where no
# cluster is logged, HTTP without an authority from TCP, and which element of a list is missing.
CUSTOM = both("custom_text", "custom_text_first", "custom_json")
LESS_TOLD = {
    **dict.fromkeys(both("custom_text"), "authority"),
    **dict.fromkeys(both("custom_text_first"), "protocol"),
    f"custom_json{OMIT_EMPTY}": "destination_address",
}

Rows = Counter[tuple[object, ...]]


def read_format(form: Format, path: Path, *, told: bool) -> LogBatch:
    """Read a file of a format, of which the reader is told or has to find out."""
    text, labels = (form.template, None) if form.kind == "text" else (None, form.template)
    formats = (
        formats_as_configured(text, labels, form.name, omits_empty=form.omit_empty)
        if told
        else None
    )
    return merged(read_access_logs([path], source_pod=POD, formats=formats, new_kinds=LinesAlone))


@cache
def read_recorded(form: Format, *, told: bool = False) -> LogBatch:
    return read_format(form, LOGS / f"{form.name}.log.gz", told=told)


def destinations(batch: LogBatch) -> Rows:
    """Count where requests went, with the time that tells them apart."""
    without_dot = pl.col("server_name").str.strip_suffix(".")
    rows = batch.requests.with_columns(without_dot).select("first_seen", *DESTINATION)
    return Counter(rows.iter_rows())


@cache
def truth(form: Format, *, knowable: bool = True) -> Rows:
    """Count where the events went, as far as a format can tell."""
    return Counter(row(event, form) for event in EVENTS if is_knowable(event, form) is knowable)


def row(event: Event, form: Format) -> tuple[object, ...]:
    found = facts(event, form.operators())
    name = found["server_name"]
    found["server_name"] = name.removesuffix(".") if isinstance(name, str) else None
    time = datetime.fromisoformat(str(event.values["START_TIME"]))
    return time, *(found[column] for column in DESTINATION)


def without(rows: Rows, column: str | None) -> Rows:
    """Leave a column out."""
    if column is None:
        return rows
    place = 1 + DESTINATION.index(column)
    return Counter((*row[:place], *row[place + 1 :]) for row in rows.elements())


def times(rows: Rows) -> Counter[object]:
    return Counter(row[0] for row in rows.elements())


def test_every_format_has_its_place() -> None:
    assert sorted([*KNOWN, *BLURRED, *CUSTOM]) == sorted(FORMATS)


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("name", KNOWN)
def test_every_line_says_where_its_event_went(name: str, told: bool) -> None:
    form = FORMATS[name]
    found = read_recorded(form, told=told)
    expected = truth(form)

    assert found.lines.used == found.lines.read == len(EVENTS)
    assert expected - destinations(found) == Counter()
    # What is left is of events of which the format does not tell enough.
    assert times(destinations(found) - expected) == times(truth(form, knowable=False))


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_no_line_is_false_and_each_is_counted(name: str, told: bool) -> None:
    form = FORMATS[name]
    found = read_recorded(form, told=told)
    skipped = sum(entry.lines for entry in found.lines.skipped)
    less = LESS_TOLD.get(name)
    unknowable = times(truth(form, knowable=False))
    false = [
        row
        for row in without(destinations(found), less) - without(truth(form), less)
        if row[0] not in unknowable
    ]

    assert found.lines.used + skipped == found.lines.read == len(EVENTS)
    assert false == []


@pytest.mark.parametrize("name", [name for name, less in LESS_TOLD.items() if less != "protocol"])
def test_what_is_not_told_for_certain_is_right_or_not_known(name: str) -> None:
    form, column = FORMATS[name], LESS_TOLD[name]
    place = 1 + DESTINATION.index(column)
    found = {row[0]: row[place] for row in destinations(read_recorded(form, told=True))}
    expected = {row[0]: row[place] for row in truth(form) if row[place] is not None}
    known = {time for time, value in found.items() if value is not None}

    unknowable = times(truth(form, knowable=False))
    assert {found[time] == expected.get(time) for time in known if time not in unknowable} == {True}
    # Of the address, little is known: a list with it is whole where TLS had a server name.
    assert len(known) > (0.9 if column == "authority" else 0.05) * len(expected)


@pytest.mark.parametrize("name", [*BLURRED, *CUSTOM])
def test_almost_every_line_of_a_format_that_is_told_is_read(name: str) -> None:
    assert read_recorded(FORMATS[name], told=True).lines.used > 0.98 * len(EVENTS)


@pytest.mark.parametrize("name", FORMATS)
def test_nobody_brings_in_a_service_that_was_not_called(name: str) -> None:
    for told in (False, True):
        hosts = read_recorded(FORMATS[name], told=told).requests["destination_host"]
        assert not hosts.str.contains("evil").any()


# The name for statistics is that of the cluster of unknown outbound calls, or follows a pattern.
NAMED_OTHERWISE = {
    "other namespace",
    "inbound, unknown port",
    "inbound, unknown port, forged",
    "inbound tcp, unknown port",
}
# Without the name of a route, and without an authority, its path makes it look like TCP.
LIKE_TCP = {"forged, passed through"}


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_format_cannot_tell_is_known(name: str) -> None:
    form = FORMATS[name]
    unknowable = {event.case for event in EVENTS if not is_knowable(event, form)}
    operators = form.operators()
    expected = set() if "UPSTREAM_CLUSTER_RAW" in operators else set(NAMED_OTHERWISE)
    if name.startswith("envoy_default"):
        expected = {event.case for event in EVENTS if "UPSTREAM_CLUSTER_RAW" in event.values}
    if form.kind == "text" and "ROUTE_NAME" not in operators:
        expected |= LIKE_TCP

    assert unknowable == expected


@pytest.mark.parametrize("suffix", ["", OMIT_EMPTY])
def test_json_of_proxies_before_1_8_had_only_texts(tmp_path: Path, suffix: str) -> None:
    form = FORMATS[f"istio_json_1.3{suffix}"]
    objects = [json.loads(line) for line in load_lines(form)]
    texts = [{k: "-" if v is None else str(v) for k, v in o.items()} for o in objects]
    path = write(tmp_path / "old.log", [json.dumps(line) for line in texts])

    assert destinations(read_format(form, path, told=False)) == destinations(read_recorded(form))


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("name", ["istio_text", "istio_json"])
def test_a_wrapper_changes_nothing(tmp_path: Path, wrapper: str, name: str) -> None:
    form = FORMATS[name]
    content = WRAPPERS[wrapper].wrap(load_lines(form), WRITER)

    found = read_format(form, write(tmp_path / "wrapped.log", content), told=False)

    assert found.lines.used == len(EVENTS)
    assert destinations(found) == destinations(read_recorded(form))


@pytest.mark.parametrize("name", ["istio_text", "istio_text_1.8", "istio_json"])
def test_a_line_may_be_split_where_a_caller_likes(tmp_path: Path, name: str) -> None:
    """A caller that knows where it is split can begin the next part with a whole line."""
    form = FORMATS[name]
    lines = load_lines(form)
    (line,) = [
        line
        for line, event in zip(lines, EVENTS, strict=True)
        if event.case == "a line again and again"
    ]
    forged = b"[2026-01-01T00:00:00.000Z]"
    size = line.index(forged, line.index(forged) + 1)
    content = cri(lines, WRITER, size)

    found = read_format(form, write(tmp_path / "split.log", content), told=False)

    assert b" P " + line[:size] + b"\n" in content
    assert found.lines.used == len(EVENTS)
    assert destinations(found) == destinations(read_recorded(form))
