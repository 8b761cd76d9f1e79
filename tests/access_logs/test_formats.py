import json
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from recommender.access_logs import LogBatch, read_access_logs
from recommender.access_logs.formats import log_format
from tests.access_logs.helpers import (
    DATA,
    DESTINATION,
    FORMATS,
    POD,
    REVIEWS,
    as_json,
    merged,
    read,
    read_lines,
    skipped,
    summed,
    text,
    values,
    write,
)


def lines_of(name: str) -> list[str]:
    return (DATA / f"{name}.log").read_text("utf-8", "replace").split("\n")[:-1]


def destinations(batch: LogBatch) -> list[tuple[object, ...]]:
    return list(batch.requests.select(DESTINATION).iter_rows())


@pytest.mark.parametrize("name", [*FORMATS, "asm_text_template"])
def test_every_line_of_envoy_is_a_request_and_says_the_same_in_every_format(name: str) -> None:
    expected = read(DATA / "istio_json.log").requests
    found = read(DATA / f"{name}.log")

    assert found.lines.read == found.lines.used == 45
    assert summed(found.requests).equals(summed(expected))


def test_the_default_of_envoy_says_the_same_but_for_what_it_does_not_log(tmp_path: Path) -> None:
    """What was recorded ran on one machine; here what was called has an address of its own."""
    *sent, received = lines_of("envoy_default")
    away = [re.sub(r'"127\.0\.0\.1(:[0-9]+)"$', r'"10.0.0.7\1"', line) for line in sent]
    unknown = [
        "direction",
        "cluster",
        "destination_host",
        "destination_port",
        "destination_subset",
        "server_name",
        "destination_address",
        "route",
    ]
    expected = read(DATA / "istio_json.log").requests.drop(unknown)
    found = read(write(tmp_path / "a.log", [*away, received]))

    assert found.lines.used == 45
    inbound = found.requests.filter(pl.col("direction") == "inbound")
    assert inbound["requests"].sum() == 1
    assert set(found.requests["direction"]) == {"unrouted", "inbound"}
    assert summed(found.requests.drop(unknown)).equals(summed(expected))


def test_a_format_with_other_keys_says_the_same_but_for_what_it_does_not_log(
    tmp_path: Path,
) -> None:
    """Its lines have no time: they get that of the same requests in Istio's JSON."""
    template = {"start_time": "%START_TIME%", "up": "%UPSTREAM_CLUSTER%", "num": "%RESPONSE_CODE%"}
    more = {"up_raw": "%UPSTREAM_CLUSTER_RAW%", "flags_long": "%RESPONSE_FLAGS_LONG%"}
    times = [json.loads(line)["start_time"] for line in lines_of("istio_json")]
    extra = [json.loads(line) for line in lines_of("extra_json")]
    lines = [
        json.dumps({**line, "start_time": time}) for line, time in zip(extra, times, strict=True)
    ]
    path = write(tmp_path / "extra.log", lines)
    formats = log_format(json.dumps({**template, **more}))
    unknown = ["authority", "server_name", "destination_address", "route", "protocol"]

    found = merged(read_access_logs([path], source_pod=POD, formats=formats))

    expected = read(DATA / "istio_json.log").requests
    found_here, there = found.requests.drop(unknown), expected.drop(unknown)
    assert summed(found_here).equals(summed(there))


def test_the_destinations_of_the_lines_of_envoy_are_those_of_an_independent_reader() -> None:
    text_of_file = (DATA / "istio_json.log").read_text(encoding="utf-8")
    clusters = [json.loads(line)["upstream_cluster"] or "" for line in text_of_file.splitlines()]
    parts = [re.split(r"_\.|\|", cluster, maxsplit=3) for cluster in clusters]
    hosts = [p[3] or None if p[0] == "outbound" else None for p in parts]

    found = read(DATA / "istio_json.log")

    calls = found.requests.select("cluster", "destination_host", "requests").rows()
    counts = Counter({row[:2]: 0 for row in calls})
    for cluster, host, requests in calls:
        counts[cluster, host] += requests
    assert counts == Counter(zip([cluster or None for cluster in clusters], hosts, strict=True))
    assert hosts.count("reviews.default.svc.cluster.local") == 21


# The tail is the same in all versions; the middle is not.
VERSIONS = {
    "1.1": '200 - "-" 0 5 1 0 "-" "curl" "id" "reviews:9080" "10.0.0.7:9080" {cluster}'
    " - 10.96.0.7:9080 10.0.0.1:1 -",
    "1.2": '200 - "-" "-" 0 5 1 0 "-" "curl" "id" "reviews:9080" "10.0.0.7:9080" {cluster}'
    " - 10.96.0.7:9080 10.0.0.1:1 -",
    "1.3": '200 - "-" "-" 0 5 1 0 "-" "curl" "id" "reviews:9080" "10.0.0.7:9080" {cluster}'
    " - 10.96.0.7:9080 10.0.0.1:1 - default",
    "1.8": '200 - "-" 0 5 1 0 "-" "curl" "id" "reviews:9080" "10.0.0.7:9080" {cluster}'
    " - 10.96.0.7:9080 10.0.0.1:1 - default",
    "1.9": '200 - via_upstream - "-" 0 5 1 0 "-" "curl" "id" "reviews:9080" "10.0.0.7:9080"'
    " {cluster} - 10.96.0.7:9080 10.0.0.1:1 - default",
}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_text_of_every_version_of_istio_is_known(version: str) -> None:
    rest = VERSIONS[version].format(cluster=REVIEWS)

    found = read_lines(f'[2026-11-23T12:16:11.401Z] "GET / HTTP/1.1" {rest}')

    route = None if version in ("1.1", "1.2") else "default"
    (destination,) = destinations(read_lines(text()))
    assert destinations(found) == [(*destination[:-1], route)]


def test_json_of_old_versions_has_only_texts_and_dashes() -> None:
    line = json.loads(as_json(response_code="503"))
    old = json.dumps({key: "-" if value is None else value for key, value in line.items()})

    assert destinations(read_lines(old)) == destinations(read_lines(text()))
    assert values(read_lines(old), "failed") == [True]


def test_json_may_have_spaces_numbers_and_any_order() -> None:
    line = json.loads(as_json(response_code=503, duration=1.5))
    reordered = json.dumps(dict(reversed(line.items())))

    assert destinations(read_lines(reordered)) == destinations(read_lines(text()))


def test_json_with_nested_values_is_read() -> None:
    line = json.loads(as_json()) | {"kubernetes": {"labels": {"a": [1, {"b": None}]}}}

    assert destinations(read_lines(json.dumps(line), text())) == [
        *destinations(read_lines(text())) * 2
    ]


def test_escapes_in_json_are_read() -> None:
    line = as_json(route_name='a "b" \\ \u2028').replace("\u2028", "\\u2028")

    assert values(read_lines(line), "route") == ['a "b" \\ \u2028']


@pytest.mark.parametrize(
    "line",
    [
        '{"level":"info","time":"2026-11-23T12:16:11.401Z","msg":"ready"}',
        "[]",
        "{}",
        "panic: runtime error",
        "\x00\x00\x00",
        "null",
    ],
)
def test_lines_of_other_programs_are_no_access_log(line: str) -> None:
    assert skipped(read_lines(line)) == {"not an access log line": 1}


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-23T12:16:11.401Z\tinfo\tEnvoy proxy is ready",
        "2026-11-23T12:16:11.401Z\twarning\tenvoy main\tno limit\tthread=1",
        "[2026-11-23 12:16:11.401][12][warning][config] gRPC config stream closed",
    ],
)
def test_diagnostics_of_envoy_and_the_agent_are_told_from_lines_of_no_use(line: str) -> None:
    """They belong into a proxy's log: `strict` does not fail for them."""
    assert skipped(read_lines(line)) == {"a diagnostic line of the proxy or its agent": 1}


def test_a_diagnostic_that_ends_like_an_access_log_line_is_none() -> None:
    tail = text().partition('"reviews')[2]
    line = f'[2026-11-23 12:16:11.401][12][debug][http] "reviews{tail}'

    assert skipped(read_lines(line, "x" + text())) == {
        "a diagnostic line of the proxy or its agent": 1,
        "not an access log line": 1,
    }


@pytest.mark.parametrize(
    "line",
    [
        '[2026-11-23T12:16:11.401Z] "GET / HTTP/1.1" 200 - "a" "b" one two three four five six',
        '{"start_time":"2026-11-23T12:16:11.401Z","cluster":"outbound|80||a"}',
        as_json(start_time="-"),
        text()[:-60],
    ],
)
def test_formats_that_are_not_istios_are_not_guessed_at(line: str) -> None:
    assert skipped(read_lines(line)) == {"an access log line of an unknown format": 1}


@pytest.mark.parametrize(
    "line",
    [
        as_json()[:-10],
        as_json() + as_json(),
        as_json() + "," + as_json(),
        as_json() + " x",
        as_json().replace("curl", 'cu"rl'),
        as_json().replace("curl", "cu\trl"),
        as_json().replace("curl", "cu\\xrl"),
        as_json().replace("curl", "cu\\ud800rl"),
        as_json().replace("curl", "cu\\ud800\\u0000rl"),
        as_json().replace("curl", "cu\\udc00\\ud800rl"),
        as_json(labels=0).replace(":0", ":" + "[" * 10_000),
        as_json(labels=0).replace(":0", ":" + "[" * 10_000 + "]" * 10_000),
        "{'a': 1}",
        "{" * 100_000,
    ],
)
def test_broken_json_is_counted_and_does_not_disturb_its_neighbours(line: str) -> None:
    found = read_lines(as_json(route_name="a"), line, as_json(route_name="b"))

    assert values(found, "route") == ["a", "b"]
    assert skipped(found) == {"not valid JSON": 1}


@pytest.mark.parametrize(
    "twin",
    [
        '"authority":"evil"',
        '"authority" : "evil"',
        '"authority"\t:"evil"',
        '"\\u0061uthority":"evil"',
        '"upstream_cluster":null',
        '"x":{"authority":"evil"}',
        '"x":{"\\u0061uthority":[]}',
        '"start_time":0',
    ],
)
def test_json_that_can_be_read_in_two_ways_is_not_read(twin: str) -> None:
    reason = "ambiguous JSON: a key comes twice or is spelled with escapes"
    before, after = "{" + twin + "," + as_json()[1:], as_json()[:-1] + "," + twin + "}"

    assert skipped(read_lines(before, after)) == {reason: 2}


def test_values_that_look_like_keys_do_not_make_json_ambiguous() -> None:
    odd = [
        '"authority":',
        'a,"authority":"evil"',
        "a,",
        "{",
        ',"a\\":',
        "\\",
        '","a":"',
        "authority",
    ]

    found = read_lines(*(as_json(user_agent=agent) for agent in odd))

    assert found.lines.used == len(odd)
    assert set(destinations(found)) == set(destinations(read_lines(text())))


def test_only_line_feeds_end_lines() -> None:
    odd = "a\u2028b\u0085c\x0bd\x0ce\x1cf\rg\x00h\x1b[31mi\ufeffj"

    found = read_lines(text(user_agent=odd), as_json(user_agent="a\u2028b\u0085c"), text())

    assert found.lines.read == found.lines.used == 3
    assert set(destinations(found)) == set(destinations(read_lines(text())))


def test_bytes_that_are_not_utf8_disturb_nothing() -> None:
    line = text(user_agent="AGENT").encode().replace(b"AGENT", bytes(range(128, 256)) + b"\xf0\x9f")

    found = read_lines(line, text(), line)

    assert set(destinations(found)) == set(destinations(read_lines(text())))
    assert set(values(found, "source_pod")) == {POD[1]}
    assert found.requests["requests"].sum() == found.lines.used == 3
