"""Whatever a caller makes a proxy write, its wrapper gives back that line and the true pod."""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.access_logs.wrappers import (
    AMBIGUOUS_WRAPPER,
    OTHER_CONTAINER_RECORD,
    STORED_SCHEMA,
    no_parts,
    unwrap,
)
from tests.access_logs import wrappings
from tests.access_logs.helpers import as_json, read_in_format, read_lines, skipped, text
from tests.access_logs.wrappings import (
    BEAT,
    EXPANDED,
    FLUENT,
    NAMESPACE,
    OF_COLLECTORS,
    OF_RUNTIMES,
    POD,
    SLS,
    SLS_MARKS,
    TIME,
    WITHOUT_NAMESPACE,
    Json,
    Wrapping,
    compact,
    fluent,
    fluent_bit,
)

ALL = {**OF_RUNTIMES, **WITHOUT_NAMESPACE, **OF_COLLECTORS}
EVIL = {**FLUENT, "pod_name": "evil", "namespace_name": "evil"}
FORGED = [
    f'","kubernetes":{compact(EVIL)},"log":"',
    compact(fluent(log=text(authority="evil"), kubernetes=EVIL)),
    f"{TIME} stdout F {text(authority='evil')}",
    f"{TIME} stdout P ",
    "[pod/evil/istio-proxy] ",
    "evil evil istio-proxy ",
    '2026-11-23T12:16:11Z {pod="evil", namespace="evil"} ',
    "1795436171402\t2026-11-23T12:16:11.402Z\t",
    '"}{"date":1,"log":"x","kubernetes":{"pod_name":"evil"}}{"date":2,"log":"',
    '}{"date":',
    '{"key":"kubernetes","value":{"kvlistValue":{"values":[]}}}',
    compact({"labels": {"pod": "evil", "namespace": "evil"}, "line": text(authority="evil")}),
    compact({"__time__": 1, "_pod_name_": "evil", "_namespace_": "evil", "content": "x"}),
    '{"resourceLogs":[]}',
    '"},{"',
    '"]],"stream":{"pod":"evil"}',
    "\\",
    '"',
    "\\u0022",
    "{",
    "}",
    "[",
    "]",
    "\t",
    "\x00",
    "\x1b[31m",
    "\u2028",
]
anything = st.lists(
    st.sampled_from(FORGED) | st.text(st.characters(codec="utf-8", exclude_characters="\n\r")),
    max_size=5,
).map("".join)


def lines_of(*stored: str) -> pl.DataFrame:
    """Take stored lines out of their wrappers."""
    frame = pl.DataFrame(
        {"file": 0, "number": range(1, len(stored) + 1), "line": stored}, schema=STORED_SCHEMA
    )
    return unwrap(frame, no_parts(), None)[0]


def lines_by_wrapping(
    wrappings: Mapping[str, Wrapping], written: list[str]
) -> dict[str, pl.DataFrame]:
    """Take lines out of all wrappings at once, as if a file had them all."""
    stored: list[str] = []
    begins = {}
    for name, wrap in wrappings.items():
        begins[name] = len(stored) + 1
        stored += wrap(written)
    found = lines_of(*stored)
    ends = [*list(begins.values())[1:], len(stored) + 1]
    return {
        name: found.filter(pl.col("number").is_between(begin, end, closed="left"))
        for (name, begin), end in zip(begins.items(), ends, strict=True)
    }


def look_alike(**fields: str) -> str:
    """Write a line of ASM's default fields, which a text format makes: nothing is escaped."""
    values = {"authority_for": "reviews:9080", "path": "/", "user_agent": "-", **fields}
    return "{" + ",".join(f'"{key}":"{value}"' for key, value in values.items()) + "}"


@settings(max_examples=40)
@given(st.lists(anything, min_size=1, max_size=3))
def test_every_wrapping_gives_back_the_lines_and_their_pod(agents: list[str]) -> None:
    written = [
        line
        for agent in agents
        for line in (
            text(user_agent=agent),
            as_json(user_agent=agent, path=agent),
            look_alike(user_agent=agent),
        )
    ]
    for name, found in lines_by_wrapping(ALL, written).items():
        names_pod = name not in OF_RUNTIMES
        names_namespace = name in OF_COLLECTORS

        assert sorted(found["line"]) == sorted(written), name
        assert found["reason"].null_count() == len(written), name
        assert set(found["source_pod"]) == {POD if names_pod else None}, name
        assert set(found["source_namespace"]) == {NAMESPACE if names_namespace else None}, name


@settings(max_examples=40)
@given(st.lists(anything, min_size=1, max_size=3))
def test_what_a_collector_expanded_keeps_its_fields_and_its_pod(agents: list[str]) -> None:
    written = [as_json(user_agent=agent, path=agent) for agent in agents]
    for name, found in lines_by_wrapping(EXPANDED, written).items():
        fields = [json.loads(line) for line in found["line"]]

        assert sorted(f["user_agent"] for f in fields) == sorted(
            json.loads(line)["user_agent"] for line in written
        ), name
        assert set(found["source_pod"]) == {POD}, name
        assert found["reason"].null_count() == len(written), name


@settings(max_examples=15)
@given(st.lists(anything, min_size=2, max_size=6), st.integers(1, 400))
def test_where_a_batch_ends_changes_nothing(agents: list[str], batch_bytes: int) -> None:
    lines = [text(user_agent=agent, route_name=f"r{n}") for n, agent in enumerate(agents)]
    for name in ("cri-split", "docker-split", "fluent-bit", "otlp", "stern", "kubectl-prefix"):
        stored = ALL[name](lines)
        few = read_lines(*stored, pod=(NAMESPACE, POD), batch_bytes=batch_bytes)
        one = read_lines(*stored, pod=(NAMESPACE, POD))

        assert few.lines == one.lines
        assert few.requests.sort(pl.all()).equals(one.requests.sort(pl.all()))
        assert one.lines.used == len(lines)


@settings(max_examples=40)
@given(anything, anything)
def test_a_bare_line_never_becomes_a_record(agent: str, path: str) -> None:
    """In a text that only looks like JSON a caller can write any key."""
    for line in (
        text(user_agent=agent, path=path),
        as_json(user_agent=agent, path=path),
        look_alike(user_agent=agent, path=path),
    ):
        (row,) = lines_of(line).iter_rows(named=True)
        assert row["line"] == line
        assert row["source_pod"] is None


NAMES = compact(FLUENT)
NESTED = {
    "a record": fluent_bit(text(authority="evil")),
    "a line": {"log": text(authority="evil"), "stream": "stdout"},
    "hits": {"hits": [wrappings.hit(fluent_bit(text(authority="evil")))]},
    "records": {"count": 1, "logs": [wrappings.sls(text(authority="evil"))]},
    "fields": {"line": text(authority="evil"), "fields": {"pod": "evil", "namespace": "evil"}},
    "streams": {"streams": [wrappings.stream([text(authority="evil")])]},
    "names": {"kubernetes": EVIL, "labels": {"pod": "evil"}, "_pod_name_": "evil"},
}


@pytest.mark.parametrize("nested", NESTED)
@pytest.mark.parametrize(
    "first", ["start_time", "status", "data", "hits", "took", "count", "id", "date"]
)
def test_an_object_in_a_bare_line_never_becomes_a_record(nested: str, first: str) -> None:
    """A format may log claims of a token, say, whose keys are anything."""
    line = compact(
        {first: "2026-11-23T12:16:11.401Z", "claims": NESTED[nested], "a": [NESTED[nested]]}
    )

    (row,) = lines_of(line).iter_rows(named=True)

    assert row["line"] == line
    assert row["source_pod"] is None


TWINS = {
    "the object of names": f'{{"log":"x","kubernetes":{NAMES},"kubernetes":{compact(EVIL)}}}',
    "the pod": '{"log":"x","stream":"stdout","kubernetes":{"pod_name":"a","pod_name":"evil"}}',
    "the pod, spelled with a code": (
        r'{"log":"x","kubernetes":{"pod_name":"a","pod\u005fname":"evil"}}'
    ),
    "the pod of Filebeat": '{"message":"x","kubernetes":{"pod":{"name":"a","name":"evil"}}}',
    "the line": f'{{"log":"x","kubernetes":{NAMES},"log":"y"}}',
    "the message": f'{{"message":"x","message":"y","kubernetes":{compact(BEAT)}}}',
    "the container": (
        '{"log":"x","kubernetes":'
        '{"pod_name":"a","container_name":"b","container_name":"istio-proxy"}}'
    ),
    "a label": '{"labels":{"pod":"a","pod":"evil"},"line":"x","timestamp":"t"}',
    "a field of SLS": '{"__time__":1,"content":"x","_pod_name_":"a","_pod_name_":"evil"}',
    "a hit": (
        '{"hits":{"hits":[{"_index":"i","_source":'
        f'{{"log":"x","log":"y","kubernetes":{NAMES}}}}}]}}}}'
    ),
    "a stream": '{"streams":[{"stream":{"pod":"a","pod":"evil"},"values":[["1","x"]]}]}',
    "an attribute of a resource": compact(
        {
            "resourceLogs": [
                {
                    "resource": {
                        "attributes": [
                            wrappings.attribute("k8s.pod.name", n) for n in ("a", "evil")
                        ]
                    },
                    "scopeLogs": [{"logRecords": [wrappings.log_record("x")]}],
                }
            ]
        }
    ),
    "attributes of a resource and of a record": compact(
        {
            "resourceLogs": [
                {
                    "resource": {"attributes": [wrappings.attribute("k8s.pod.name", "evil")]},
                    "scopeLogs": [{"logRecords": [wrappings.path_record("x")]}],
                }
            ]
        }
    ),
    "an attribute and a path": compact(
        wrappings.otlp_without_names(
            [
                {
                    "body": {"stringValue": "x"},
                    "attributes": [
                        wrappings.attribute("k8s.pod.name", "evil"),
                        wrappings.attribute("log.file.path", wrappings.FILE),
                    ],
                }
            ]
        )
    ),
    "the pod and the path of Filebeat": compact(
        wrappings.beat_without_names("x") | {"kubernetes": {"pod": {"name": "evil"}}}
    ),
    "a field and a tag that differ": compact(
        {**SLS_MARKS, **SLS, "__tag__:_pod_name_": "evil", "content": "x"}
    ),
    "a label that logcli prints": '2026-11-23T12:16:11Z {pod="a", pod="evil"} x',
    "two labels that differ": '2026-11-23T12:16:11Z {k8s_pod_name="a", pod="evil"} x',
    "what is known of a line alone": (
        '{"streams":[{"stream":{},"values":[["1","x",{"pod":"a","pod":"evil"}]]}]}'
    ),
    "a stream and what is known of a line alone": (
        '{"streams":[{"stream":{"pod":"a"},"values":[["1","x",{"k8s_pod_name":"evil"}]]}]}'
    ),
    "a field of Grafana": (
        '[{"line":"x","timestamp":"1","date":"x","fields":{"pod":"a","pod":"evil"}}]'
    ),
    "a tag and a record": (
        f"kube{wrappings.FILE.replace('/', '.')}: [1.5, "
        f'{{"log":"x","kubernetes":{{"pod_name":"evil"}}}}]'
    ),
    "a label and a path": compact(
        {"labels": {"pod": "a", "filename": wrappings.FILE}, "line": "x"}
    ),
    "a member of a body": compact(
        wrappings.otlp_without_names(
            [
                {
                    "body": {
                        "kvlistValue": {
                            "values": [
                                wrappings.otlp_attribute("log", "x"),
                                wrappings.otlp_attribute("stream", "stdout"),
                                wrappings.otlp_attribute("kubernetes", {"pod_name": "a"}),
                                wrappings.otlp_attribute("kubernetes", {"pod_name": "evil"}),
                            ]
                        }
                    }
                }
            ]
        )
    ),
    "two wrappers that differ": compact(
        {"labels": {"pod": "a", "namespace": "b"}, "line": compact(fluent_bit("x"))}
    ),
}


@pytest.mark.parametrize("twin", TWINS)
def test_twins_that_decide_are_ambiguous(twin: str) -> None:
    found = lines_of(TWINS[twin])

    assert set(found["reason"]) <= {AMBIGUOUS_WRAPPER, OTHER_CONTAINER_RECORD}
    assert found.height == 1


def test_twins_that_decide_nothing_are_no_harm() -> None:
    """Pods may have labels of any name."""
    labels = {"pod_name": "evil", "log": "x", "kubernetes": "x", "stream": "stderr"}
    record: Json = fluent(log=text(), kubernetes={**FLUENT, "labels": labels})

    (row,) = lines_of(compact(record)).iter_rows(named=True)

    assert (row["line"], row["source_pod"], row["reason"]) == (text(), POD, None)


def test_a_key_in_another_script_is_no_harm() -> None:
    record = json.dumps({**fluent(log=text()), "用户": "x"})

    (row,) = lines_of(record).iter_rows(named=True)

    assert (row["line"], row["source_pod"], row["reason"]) == (text(), POD, None)


def test_records_of_other_containers_are_counted_as_such() -> None:
    app = {**FLUENT, "container_name": "app"}
    stored = [
        compact(fluent(log=text(), kubernetes=app)),
        f"[pod/{POD}/app] {text()}",
        compact({"labels": {"namespace": "a", "pod": "b", "container": "app"}, "line": text()}),
        f"\x1b[32m{POD}\x1b[0m \x1b[33mapp\x1b[0m {text()}",
    ]

    found = read_lines(*stored, fluent_line())

    assert skipped(found) == {"of another container than istio-proxy": 4}
    assert found.lines.used == 1


def fluent_line() -> str:
    return compact(fluent_bit(text()))


def test_what_went_to_standard_error_is_counted_as_such() -> None:
    stored = [
        compact(fluent(log=text(), stream="stderr")),
        compact({"log": text() + "\n", "stream": "stderr", "time": TIME}),
        compact({**SLS_MARKS, **SLS, "_source_": "stderr", "content": text()}),
    ]

    assert skipped(read_lines(*stored)) == {"on standard error, where no access log goes": 3}


def test_a_collector_that_took_the_lines_of_a_runtime_as_they_were_is_understood() -> None:
    wrapped = f"{TIME} stdout F {text()}"
    stored = [
        compact({"log": wrapped, "kubernetes": FLUENT}),
        compact({"labels": wrappings.LOKI, "line": wrapped, "timestamp": TIME}),
        compact({"message": wrappings.docker(text()), "kubernetes": BEAT}),
        compact({"labels": {"job": "fluent-bit"}, "line": fluent_line(), "timestamp": TIME}),
        compact(wrappings.hit({"message": compact(fluent(log=text())), "kubernetes": FLUENT})),
    ]

    found = lines_of(*stored)

    assert set(found["line"]) == {text()}
    assert set(found["source_pod"]) == {POD}


@pytest.mark.parametrize(
    ("namespace", "pod", "container"),
    [
        ("kubernetes.namespace_name", "kubernetes.pod_name", "kubernetes.container_name"),
        ("kubernetes.namespace", "kubernetes.pod.name", "kubernetes.container.name"),
        ("kubernetes_namespace_name", "kubernetes_pod_name", "kubernetes_container_name"),
        ("k8s.namespace.name", "k8s.pod.name", "k8s.container.name"),
    ],
)
def test_names_may_be_keys_of_the_record_itself(namespace: str, pod: str, container: str) -> None:
    """What flattens objects writes them so, and they tell the pod better than the user does."""
    names = {namespace: NAMESPACE, pod: POD, container: "istio-proxy"}
    told = {"stream": "stdout", **names}
    stored = [
        compact({"log": text(), **told}),
        compact({"message": f"{TIME} stdout F {text()}", **names}),
        compact({**json.loads(as_json()), **told}),
        compact(wrappings.hit({"message": text(), **told})),
    ]

    found = read_lines(*stored, pod=("other", "other-1"))

    assert skipped(found) == {}
    assert set(found.requests["source_pod"]) == {POD}
    assert set(found.requests["source_namespace"]) == {NAMESPACE}
    app = compact({"log": text(), **told, container: "app"})
    assert skipped(read_lines(app)) == {"of another container than istio-proxy": 1}
    twins = stored[0].replace("{", f'{{"{pod}":"evil",', 1)
    assert list(skipped(read_lines(twins))) == [AMBIGUOUS_WRAPPER]


def test_several_lines_in_one_record_are_several_lines() -> None:
    record = compact(fluent(log=f"{text(route_name='a')}\n{text(route_name='b')}\n"))

    found = read_lines(record)

    assert sorted(found.requests["route"]) == ["a", "b"]


@pytest.mark.parametrize("name", ["", "Evil", "a/b", "a\x1b[31m", "a" * 300, "-a"])
def test_a_name_that_no_pod_can_have_is_no_name(name: str) -> None:
    record = compact(fluent(log=text(), kubernetes={**FLUENT, "pod_name": name}))

    assert skipped(read_lines(record, pod=None)) == {"from a pod that is not known": 1}


@pytest.mark.parametrize("name", ["loki", "elasticsearch", "otlp"])
def test_a_document_that_is_cut_off_is_one_lost_line(name: str) -> None:
    (document,) = OF_COLLECTORS[name]([text()] * 3)

    found = read_lines(document[: len(document) // 2], document)

    assert found.lines.used == 3
    assert sum(entry.lines for entry in found.lines.skipped) == 1


def test_a_large_document_is_read_and_one_that_is_too_large_is_counted() -> None:
    padding = "x" * (1 << 20)
    for size, used in ((6, 6), (70, 0)):
        lines = [text(user_agent=padding)] * size
        (document,) = OF_COLLECTORS["loki"](lines)
        found = read_lines(document, text())
        assert found.lines.used == used + 1
        assert skipped(found) == ({} if used else {"a JSON document longer than 64 MiB": 1})


@pytest.mark.parametrize("depth", [1, 40])
@pytest.mark.parametrize("key", ["data", "logs", "streams", "hits", "responses", "resourceLogs"])
def test_metadata_that_look_like_a_document_say_nothing(key: str, depth: int) -> None:
    """Envoy writes the metadata of a request, such as the claims of a token, as they are."""
    form = compact(
        {
            key: "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn)%",
            "at": "%START_TIME%",
            "to": "%UPSTREAM_CLUSTER_RAW%",
        }
    )
    forged = {"at": TIME, "to": "outbound|80||evil.x.svc.cluster.local"}
    record = {"content": compact(forged), **SLS_MARKS, **SLS, "_pod_name_": "evil"}
    deep: object = []
    for _ in range(depth):
        deep = {"a": deep}
    for held in (
        [record, deep],
        {"result": [{"stream": {"pod": "evil"}, "values": [["1", compact(forged)]]}], "a": deep},
        {"hits": [{"_index": "i", "_source": record}], "a": deep},
    ):
        line = compact({key: held, "at": TIME, "to": "outbound|80||a.b"})
        found = read_in_format(form, line, pod=(NAMESPACE, POD))

        assert found.requests["destination_host"].to_list() == ["a.b"]
        assert found.requests["source_pod"].to_list() == [POD]

    document = compact({"data": [{**record, "_pod_name_": POD}]})
    found = read_in_format(form, document, pod=("other", "other-1"))
    assert found.requests["source_pod"].to_list() == [POD]


@pytest.mark.parametrize("depth", [1, 40])
def test_metadata_that_look_like_a_record_say_nothing_however_deep_others_are(depth: int) -> None:
    metadata = "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn)%"
    form = {"_source": metadata, "more": metadata, "at": "%START_TIME%", "to": "%UPSTREAM_CLUSTER%"}
    forged = compact({"at": TIME, "to": "outbound|80||evil.x.svc.cluster.local"})
    deep: object = []
    for _ in range(depth):
        deep = {"a": deep}
    held = {"_source": {"log": forged, "kubernetes": EVIL}, "more": deep}
    line = compact({**held, "at": TIME, "to": "outbound|80||a.b"})

    found = read_in_format(compact(form), line, pod=(NAMESPACE, POD))

    assert found.requests["destination_host"].to_list() == ["a.b"]
    assert found.requests["source_pod"].to_list() == [POD]
