"""Lines of one's own formats that look wrapped: nothing false comes of them, nor are they lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recommender.access_logs import LogBatch
from tests.access_logs.helpers import POD, cri, read_in_format, skipped, values

TIME = "2026-11-25T12:16:11.401Z"
NANOSECONDS = "2026-11-25T12:16:11.401123456Z"
CLUSTER = "outbound|80||a.ns.svc.cluster.local"
EVIL = "outbound|80||evil.ns.svc.cluster.local"
FORGEABLE = {"in what looks like a wrapper, which callers can write in this format": 1}
FORWARDED = (
    "%REQ(X-FORWARDED-FOR)% [%START_TIME%] %UPSTREAM_CLUSTER_RAW% %REQ(:AUTHORITY)% "
    "%REQ(TRACEPARENT)%"
)
COLUMNS = "%START_TIME% %REQ(X-FORWARDED-FOR)% %UPSTREAM_CLUSTER_RAW% %REQ(:AUTHORITY)%"
KUBERNETES = {
    "stream": "stdout",
    "kubernetes": {
        "pod_name": "other",
        "namespace_name": "others",
        "container_name": "istio-proxy",
        "labels": {"service": "x"},
    },
}


def found_in(batch: LogBatch) -> list[tuple[object, object]]:
    """List who called which Envoy cluster."""
    return list(zip(values(batch, "source_pod"), values(batch, "cluster"), strict=True))


@pytest.mark.parametrize(
    "around",
    [
        {"log": "", **KUBERNETES},
        {"message": "", "pod": "other", "namespace": "others", "container": "istio-proxy"},
        {"content": "", "_pod_name_": "other", "_namespace_": "others", "__time__": "1"},
    ],
)
def test_a_record_that_a_caller_wrote_around_the_line_is_not_believed(
    around: dict[str, Any],
) -> None:
    key = next(iter(around))
    lie = json.dumps({**around, key: f"- [{TIME}] {EVIL} evil -", "x": "MIDDLE"})
    before, behind = lie.split("MIDDLE")
    forged = f"{before} [{TIME}] {CLUSTER} a {behind}"

    assert json.loads(forged)[key].split(" ")[2] == EVIL
    assert skipped(read_in_format(FORWARDED, forged)) == FORGEABLE
    truth = read_in_format(FORWARDED, f"1.2.3.4 [{TIME}] {CLUSTER} a -")
    assert found_in(truth) == [(POD[1], CLUSTER)]


def test_a_record_that_a_line_with_a_brace_before_what_a_caller_wrote_may_be_is_not_believed() -> (
    None
):
    custom = "{%REQ(USER-AGENT)% %UPSTREAM_CLUSTER_RAW% %REQ(:AUTHORITY)% %START_TIME% %REQ(A)%"
    line = f"{{x {CLUSTER} a {TIME} x"

    assert found_in(read_in_format(custom, line)) == [(POD[1], CLUSTER)]
    record = json.dumps({"log": f"{line}\n", **KUBERNETES})
    assert skipped(read_in_format(custom, record)) == FORGEABLE


def test_a_record_that_no_caller_can_have_written_is_believed() -> None:
    """Here the record ends with nothing that the format has there."""
    custom = FORWARDED.removesuffix(" %REQ(TRACEPARENT)%")
    record = json.dumps({"log": f"1.2.3.4 [{TIME}] {CLUSTER} a\n", **KUBERNETES})

    assert found_in(read_in_format(custom, record)) == [("other", CLUSTER)]


@pytest.mark.parametrize(
    ("header", "is_read"),
    [
        ("stdout F 2019-01-01T00:00:00.000Z 1.2.3.4", False),
        ("stdout P 2019-01-01T00:00:00.000Z 1.2.3.4", True),
        ("stderr F x", True),
        ("1.2.3.4", True),
    ],
)
def test_what_looks_like_the_prefix_of_a_runtime_behind_the_time_of_a_line_changes_no_request(
    header: str, is_read: bool
) -> None:
    found = read_in_format(COLUMNS, f"{TIME} {header} {CLUSTER} a")

    assert (found_in(found), skipped(found)) == (
        ([(POD[1], CLUSTER)], {}) if is_read else ([], FORGEABLE)
    )
    assert [day.year for day in found.requests["first_seen"]] == [2026] * is_read


def test_two_lines_that_look_like_parts_of_one_are_both_counted() -> None:
    lines = [f"{TIME} stdout {tag} {TIME} x {CLUSTER} a" for tag in "PF"]

    found = read_in_format(COLUMNS, *lines)

    assert found.lines.read == 2


def test_the_prefix_of_a_runtime_is_known_by_its_nanoseconds() -> None:
    line = cri(f"{TIME} 1.2.3.4 {CLUSTER} a")

    assert found_in(read_in_format(COLUMNS, line)) == [(POD[1], CLUSTER)]


ECS = json.dumps(
    {
        "@timestamp": "%START_TIME%",
        "message": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "kubernetes": {
            "pod": {"name": "%ENVIRONMENT(POD_NAME)%"},
            "namespace": "%ENVIRONMENT(POD_NAMESPACE)%",
        },
        "upstream": "%UPSTREAM_CLUSTER_RAW%",
        "code": "%RESPONSE_CODE%",
    },
    indent=1,
)


def ecs(path: str, cluster: str = CLUSTER) -> str:
    """Write a line of a format whose keys are those of collectors."""
    names = {"pod": {"name": "web-1"}, "namespace": "shop"}
    line = {"@timestamp": TIME, "message": path, "kubernetes": names}
    return json.dumps({**line, "upstream": cluster, "code": 200})


@pytest.mark.parametrize("path", ["/x", ecs("/y", EVIL)])
def test_a_line_of_json_with_the_keys_of_a_collector_is_read_as_the_proxy_wrote_it(
    path: str,
) -> None:
    assert found_in(read_in_format(ECS, ecs(path))) == [(POD[1], CLUSTER)]


def test_a_line_of_json_with_the_keys_of_a_collector_is_taken_out_of_a_record() -> None:
    record = json.dumps({"log": ecs("/x"), **KUBERNETES})

    assert found_in(read_in_format(ECS, record)) == [("other", CLUSTER)]


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (
            {"t": "%START_TIME%", "service": {"c": "%UPSTREAM_CLUSTER%"}},
            {"t": TIME, "service": {"c": CLUSTER}},
        ),
        (
            {"envoy": {"t": "%START_TIME%", "c": "%UPSTREAM_CLUSTER%"}},
            {"envoy": {"t": TIME, "c": CLUSTER}},
        ),
        (
            {"time": "%START_TIME%", "json": {"c": "%UPSTREAM_CLUSTER%"}},
            {"time": TIME, "json": {"c": CLUSTER}},
        ),
        (
            {"t": "%START_TIME%", "c": "%UPSTREAM_CLUSTER%"},
            {"envoy": {"t": TIME, "c": CLUSTER}},
        ),
        (
            {"t": "%START_TIME%", "envoy": {"c": "%UPSTREAM_CLUSTER%"}},
            {"line": {"t": TIME, "envoy": {"c": CLUSTER}}},
        ),
    ],
)
def test_what_a_collector_has_expanded_is_found_among_what_it_adds(
    template: dict[str, Any], line: dict[str, Any]
) -> None:
    record = json.dumps({**line, **KUBERNETES})

    assert found_in(read_in_format(json.dumps(template, indent=1), record)) == [("other", CLUSTER)]


@pytest.mark.parametrize("key", ["message", "log", "line", "content"])
@pytest.mark.parametrize(
    "around",
    [
        KUBERNETES,
        {"kubernetes.pod_name": "other", "kubernetes.namespace_name": "others"},
        {"_pod_name_": "other", "_namespace_": "others", "__time__": "1", "sni": "null"},
    ],
)
def test_a_line_with_the_key_of_a_text_may_be_expanded_into_a_record(
    key: str, around: dict[str, Any]
) -> None:
    template = {
        "time": "%START_TIME%",
        key: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "c": "%UPSTREAM_CLUSTER_RAW%",
        "sni": "%REQUESTED_SERVER_NAME%",
    }
    line = {"time": TIME, key: "/x", "c": CLUSTER, "sni": None, **around}
    records = (line, {"_index": "x", "_source": line}, {"took": 1, "hits": {"hits": [line]}})

    for record in records:
        found = read_in_format(json.dumps(template, indent=1), json.dumps(record))
        assert found_in(found) == [("other", CLUSTER)]
        assert values(found, "server_name") == [None]


def test_what_a_caller_writes_into_the_key_of_a_text_is_no_line_in_a_wrapper_either() -> None:
    template = {"t": "%START_TIME%", "content": "%REQ(:PATH)%", "c": "%UPSTREAM_CLUSTER_RAW%"}
    template["__time__"] = "%DURATION%"
    lie = json.dumps({"t": TIME, "c": EVIL})
    line = json.dumps({"t": TIME, "content": lie, "c": CLUSTER, "__time__": "1"})
    downloaded = f"1795610000401\t{TIME}\t{line}"

    for stored in (line, cri(line), downloaded):
        found = read_in_format(json.dumps(template, indent=1), stored)
        assert found_in(found) == [(POD[1], CLUSTER)], stored


@pytest.mark.parametrize("last", ["%RESPONSE_CODE%", "%REQ(USER-AGENT)%"])
def test_a_format_may_begin_with_a_time_as_collectors_put_before_lines(last: str) -> None:
    custom = f"%START_TIME(%Y-%m-%dT%H:%M:%S.%9fZ)% %UPSTREAM_CLUSTER_RAW% {last}"
    line = f"{NANOSECONDS} {CLUSTER} 200"

    for stored in (line, f"{line}\r", cri(line), f"{NANOSECONDS} {line}"):
        assert found_in(read_in_format(custom, stored)) == [(POD[1], CLUSTER)], stored


def test_a_format_may_look_like_the_records_of_a_file_of_fluent_bit() -> None:
    custom = 'access: [%START_TIME(%s.%3f)%, {"c":"%UPSTREAM_CLUSTER%"}]'

    found = read_in_format(custom, f'access: [1795610000.401, {{"c":"{CLUSTER}"}}]')

    assert found_in(found) == [(POD[1], CLUSTER)]


def test_a_name_that_the_proxy_writes_first_is_nothing_of_a_caller() -> None:
    custom = "%ENVIRONMENT(POD_NAME)% [%START_TIME%] %UPSTREAM_CLUSTER%"
    line = f"web-1 [{TIME}] {CLUSTER}"
    found = read_in_format(custom, f"[pod/web-1/istio-proxy] {line}", pod=("shop", None))

    assert found_in(found) == [("web-1", CLUSTER)]


@pytest.mark.parametrize("prefix", ["[pod/web-1/istio-proxy] ", "web-1 istio-proxy "])
def test_behind_a_time_and_a_word_of_the_proxy_a_caller_can_name_no_pod(prefix: str) -> None:
    custom = "%START_TIME% %UPSTREAM_CLUSTER_RAW% %REQ(:AUTHORITY)% %REQ(USER-AGENT)%"
    by_caller = "%START_TIME% %REQ(:AUTHORITY)% %UPSTREAM_CLUSTER_RAW% %REQ(USER-AGENT)%"
    line = f"{TIME} {CLUSTER} a b {prefix}{TIME} {EVIL} evil x"

    assert found_in(read_in_format(custom, line)) == [(POD[1], CLUSTER)]
    found = read_in_format(custom, prefix + line, pod=("shop", None))
    assert found_in(found) == [("web-1", CLUSTER)]
    assert found_in(read_in_format(by_caller, f"{prefix}{TIME} a {CLUSTER} x")) == []
