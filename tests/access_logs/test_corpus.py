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
from recommender.access_logs import LogBatch
from tests.access_logs.helpers import DESTINATION, read, write

FORMATS = load_formats()
EVENTS = load_events()
POD = (places.NAMESPACE, places.POD)
WRITER = Writer(*POD)


def both(*names: str) -> list[str]:
    """Name formats with and without omitEmptyValues."""
    return [name + suffix for name in names for suffix in ("", OMIT_EMPTY)]


# What the reader makes of each format. A format moves up as soon as the reader has learnt it;
# `read_format` is where the reader is told a format string.
COMPARED = both(
    "istio_text_1.1",
    "istio_text_1.2",
    "istio_text_1.3",
    "istio_text_1.8",
    "istio_text_1.9",
    "istio_text",
    "istio_json_1.3",
    "istio_json_1.8",
    "istio_json_1.9",
    "istio_json",
)
# Lines are skipped, or true.
NEVER_FALSE = both(
    "asm_json",
    "asm_text_template",
    "unquoted_template",
    "envoy_default",
    "custom_text",
    "custom_json",
)
# Connections look like requests in the first, because its `method` is a time. In the second an
# agent that is a whole line of Istio is taken for one, unless the reader is told the format.
UNTRUE = both("istio_json_1.1", "custom_text_first")

# The wrappers that the reader knows.
UNWRAPPED = ["cri"]

Rows = Counter[tuple[object, ...]]


def read_format(form: Format, path: Path) -> LogBatch:
    """Read a file of a format: the one place where the reader is told what to expect."""
    del form
    return read(path, pod=POD)


@cache
def read_recorded(form: Format) -> LogBatch:
    return read_format(form, LOGS / f"{form.name}.log.gz")


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


def times(rows: Rows) -> Counter[object]:
    return Counter(row[0] for row in rows.elements())


def test_every_format_has_its_place() -> None:
    assert sorted([*COMPARED, *NEVER_FALSE, *UNTRUE]) == sorted(FORMATS)


@pytest.mark.parametrize("name", COMPARED)
def test_every_line_says_where_its_event_went(name: str) -> None:
    form = FORMATS[name]
    found = read_recorded(form)
    expected = truth(form)

    assert found.lines.used == found.lines.read == len(EVENTS)
    assert expected - destinations(found) == Counter()
    # What is left is of events of which the format does not tell enough.
    assert times(destinations(found) - expected) == times(truth(form, knowable=False))


@pytest.mark.parametrize("name", [*COMPARED, *NEVER_FALSE])
def test_no_line_is_false_and_each_is_counted(name: str) -> None:
    form = FORMATS[name]
    found = read_recorded(form)
    skipped = sum(entry.lines for entry in found.lines.skipped)
    unknowable = times(truth(form, knowable=False))
    false = [row for row in destinations(found) - truth(form) if row[0] not in unknowable]

    assert found.lines.used + skipped == found.lines.read == len(EVENTS)
    assert false == []


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

    assert destinations(read_format(form, path)) == destinations(read_recorded(form))


@pytest.mark.parametrize("wrapper", UNWRAPPED)
@pytest.mark.parametrize("name", ["istio_text", "istio_json"])
def test_a_wrapper_changes_nothing(tmp_path: Path, wrapper: str, name: str) -> None:
    form = FORMATS[name]
    content = WRAPPERS[wrapper].wrap(load_lines(form), WRITER)

    found = read_format(form, write(tmp_path / "wrapped.log", content))

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

    found = read_format(form, write(tmp_path / "split.log", content))

    assert b" P " + line[:size] + b"\n" in content
    assert found.lines.used == len(EVENTS)
    assert destinations(found) == destinations(read_recorded(form))
