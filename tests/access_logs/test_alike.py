"""Lines that are summed up give what each line by itself gives."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.access_logs.events import LOGS
from recommender.access_logs import LogBatch, LogFormat, formats_to_try, log_format
from recommender.access_logs import read_access_logs as read_logs
from recommender.access_logs.alike import NO_KIND, Found, Kinds, LinesAlone, kinds_of, text_cuts_of
from recommender.access_logs.formats import assumed_formats
from tests.access_logs.formats.rendering import TRUE_VALUES, render, render_json
from tests.access_logs.helpers import (
    DATA,
    POD,
    REVIEWS,
    as_json,
    cri,
    merged,
    needs_compiled,
    read_lines,
    summed,
    text,
)
from tests.access_logs.wrappings import WRAPPED

FORGED = 'x" "id" "evil:80" "1.2.3.4:80" outbound|80||evil 1.1.1.1:1 2.2.2.2:2 3.3.3.3:3 - evil'
INBOUND = {
    "upstream_cluster": "inbound|9080||",
    "downstream_local_address": "10.0.0.1:9080",
    "requested_server_name": "outbound_.9080_._.web.shop.svc.cluster.local",
}
TCP = {
    "method": "-",
    "path": "-",
    "protocol": "-",
    "response_code": "0",
    "authority": "-",
    "route_name": "-",
}
ODD_FIELDS: tuple[dict[str, str], ...] = (
    {},
    {"user_agent": FORGED},
    {"user_agent": FORGED + '""'},
    {"user_agent": FORGED + '"'},
    {"user_agent": 'a "b"'},
    {"user_agent": "a,b"},
    {"user_agent": ""},
    {"user_agent": '"' * 13},
    {"user_agent": "\\"},
    {"user_agent": "你"},
    {"user_agent": 'a","authority":"evil'},
    {"user_agent": "x\x00\x0b\x7f"},
    {"path": '/a" 500 UF "b'},
    {"path": "/a b"},
    {"path": ""},
    {"method": "outbound|80||evil"},
    {"method": "null"},
    {"method": ""},
    {"method": "-"},
    {"method": "1"},
    {"method": "G,T"},
    {"protocol": "HTTP/2"},
    {"protocol": "-"},
    {"bytes_received": "x"},
    {"bytes_sent": ""},
    {"upstream_host": "a,b"},
    {"upstream_host": "a b"},
    {"upstream_local_address": "-"},
    {"upstream_local_address": 'a"'},
    {"authority": "A.B:80"},
    {"authority": ""},
    {"authority": "evil|x"},
    {"route_name": "a b"},
    {"route_name": 'a "b"'},
    {"route_name": "-"},
    {"response_flags": "UF,URX", "response_code": "503"},
    {"response_flags": "U F"},
    {"start_time": "2026-11-24T00:00:00.000Z"},
    {"start_time": "2026-11-23T23:59:59.999Z"},
    {"start_time": "2026-02-30T00:00:00.000Z"},
    {"start_time": "2026-11-23T24:00:00.000Z"},
    {"start_time": "2026-11-23T23:59:60.000Z"},
    {"start_time": "2001-02-03T00:00:00.000Z"},
    {"start_time": "2026-11-23T12:16:11.401999Z"},
    {"start_time": "2026-11-23T12:16:11.401Y"},
    {"start_time": "-"},
    {"upstream_cluster": "-", "response_flags": "NR"},
    {"upstream_cluster": REVIEWS + ";"},
    {"upstream_cluster": "Inbound"},
    {"upstream_cluster": "InboundPassthroughCluster"},
    {"requested_server_name": "a.b"},
    {"downstream_remote_address": "10.0.0.9:1"},
    {"downstream_remote_address": "10.0.0.9,1"},
    {**INBOUND},
    {**INBOUND, "downstream_remote_address": "10.0.0.9:1234"},
    {**INBOUND, "downstream_remote_address": "10.0.0.9:0"},
    {**INBOUND, "downstream_remote_address": "10.0.0.9:00001"},
    {**INBOUND, "downstream_remote_address": "10.0.0.9:65536"},
    {**INBOUND, "downstream_remote_address": "[fd00:1::1]:5"},
    {**INBOUND, "downstream_remote_address": "8.8.8.8:5"},
    {**INBOUND, "downstream_remote_address": ":5"},
    {**INBOUND, "downstream_remote_address": ""},
    TCP,
    {**TCP, "protocol": "HTTP/1.1", "response_flags": "DC"},
)
SLS = {
    "__time__": "1764201371",
    "__topic__": "",
    "_pod_name_": "web-1",
    "_namespace_": "shop",
    "_container_name_": "istio-proxy",
}


def sls(**fields: object) -> str:
    """Write a line that SLS has expanded, with the names of its pod beside it."""
    return as_json(**fields)[:-1] + "," + json.dumps(SLS, separators=(",", ":"))[1:]


def text_like_json(**fields: str) -> str:
    """Write a line of ASM's text that looks like JSON; nothing in it is escaped."""
    line = json.loads(as_json()) | fields
    line["authority_for"] = line.pop("authority")
    for key in ("response_code_details", "connection_termination_details"):
        del line[key]
    line |= {"istio_policy_status": "-", "trace_id": "-"}
    members = (f'"{key}":"{"-" if v is None else v}"' for key, v in sorted(line.items()))
    return "{" + ",".join(members) + "}"


# Received requests of two peers, to who reads the escape.
ESCAPED = (
    as_json(**INBOUND, downstream_remote_address="10.0.0.PEER:1")
    .replace("inbound|", "\\u0069nbound|")
    .replace("{", "{{")
    .replace("}", "}}")
    .replace("PEER", "{}")
)
OTHER_LINES = (
    "",
    "x",
    "{}",
    "{",
    '{"',
    '{"authority":',
    '{"authority":"',
    '"',
    '"' * 14,
    "," * 23,
    "2026-11-23T12:16:11.401Z\tinfo\tready",
    text() + '"',
    text() + '""',
    text() + "x",
    text() + "\r",
    " " + text(),
    text()[:-9],
    text() * 2,
    as_json() + ",",
    as_json() + "}",
    as_json()[:-1],
    as_json() * 2,
    as_json().replace(":", ": "),
    as_json()[:-1] + ',"new":1}',
    as_json()[:-1] + ',"authority":"evil"}',
    as_json()[:-1] + ',"authority_for":"evil"}',
    as_json()[:-1] + ',"stream":"stderr"}',
    as_json()[:-1] + ',"user_agent":"twice"}',
    as_json(bytes_sent=1.5, duration=True),
    as_json(response_code=503),
    as_json(response_code="0503"),
    as_json(user_agent="\x01"),
    as_json(user_agent="RAW").replace("RAW", "\x01"),
    as_json(user_agent="RAW").replace("RAW", "\t"),
    as_json(x_forwarded_for="RAW").replace("RAW", "\x1f"),
    ESCAPED.format(1),
    ESCAPED.format(2),
    as_json().replace('"duration":"1"', '"duration":01'),
    as_json().replace('"duration":"1"', '"duration":'),
    as_json().replace('"duration":"1"', '"duration":{}'),
    "[pod/web-1/istio-proxy] " + text(),
    "2026-11-23T12:16:11.402123456Z " + text(),
    "2026-11-23T12:16:11.402123456+08:00 stdout F " + text(),
    "2026-11-23T12:16:11.402123456+0800 stdout F " + text(),
    "2026-11-23T12:16:11.402123456Z stdout F",
    "2026-11-23T12:16:11.402123456Z stdout F ",
    "2026-11-23T12:16:11.402123456Z stdout X " + text(),
    cri(text(), "F:x"),
    cri(text(), "P:x"),
    cri(text(), "P"),
    cri(text(), "F"),
    cri(text(), stream="stderr"),
    cri(text(), "P", stream="stderr"),
    "\ufeff" + text(),
    json.dumps(json.loads(as_json()) | {"authority": "a\\b"}),
    json.dumps(json.loads(as_json())),
    json.dumps(dict(reversed(json.loads(as_json()).items())), separators=(",", ":")),
    sls(),
    sls(authority="null"),
    sls(_pod_name_="web-2"),
    sls(__source__="10.0.0.1"),
    sls(content="a"),
    sls(_container_name_="app"),
    text_like_json(),
    text_like_json(user_agent='a" "b'),
    text_like_json(user_agent='a","authority_for":"evil'),
    text_like_json(trace_id='a","_pod_name_":"evil'),
    "x" * (1 << 16) + text(),
    text(path="/" + "x" * (1 << 16)),
)
WRITERS: tuple[Callable[..., str], ...] = (text, as_json, sls, text_like_json)


def found(
    data: bytes,
    formats: Sequence[LogFormat] | None = None,
    *,
    alone: bool,
    batch_bytes: int = 1 << 24,
) -> LogBatch:
    return merged(
        read_logs(
            ["-"],
            stdin=io.BytesIO(data),
            source_pod=POD,
            formats=formats,
            batch_bytes=batch_bytes,
            new_kinds=LinesAlone if alone else kinds_of(formats or assumed_formats()),
        )
    )


def assert_same(
    data: bytes, formats: Sequence[LogFormat] | None = None, size: int = 1 << 24
) -> None:
    """Compare what is found in lines that are summed up with what each by itself gives."""
    together = found(data, formats, alone=False, batch_bytes=size)
    alone = found(data, formats, alone=True)
    assert together.lines == alone.lines
    assert summed(together.requests).equals(summed(alone.requests))


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Draw a file: lines of all kinds, each perhaps several times and with a prefix."""
    write = st.one_of(
        st.builds(
            lambda writer, fields: writer(**fields),
            st.sampled_from(WRITERS),
            st.sampled_from(ODD_FIELDS),
        ),
        st.sampled_from(OTHER_LINES),
    )
    prefix = st.sampled_from((str, str, cri, lambda line: cri(line, "P")))
    lines = st.builds(lambda put, line: put(line), prefix, write)
    few = draw(st.lists(lines, min_size=1, max_size=8))
    return "\n".join(draw(st.lists(st.sampled_from(few), max_size=30))).encode()


@settings(max_examples=150)
@given(logs(), st.booleans(), st.sampled_from((1, 1000, 1 << 24)))
def test_lines_summed_up_give_what_each_gives(data: bytes, ends: bool, size: int) -> None:
    assert_same(data + b"\n" * ends, size=size)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("prefix", [str, cri])
def test_odd_fields_between_usual_ones_are_as_by_themselves(
    write: Callable[..., str], prefix: Callable[[str], str]
) -> None:
    usual = write(user_agent="usual")
    lines = [prefix(x) for fields in ODD_FIELDS for x in (usual, write(**fields), write(**fields))]

    assert_same("\n".join(lines).encode())


def test_other_lines_between_usual_ones_are_as_by_themselves() -> None:
    lines = [x for line in OTHER_LINES for x in (line, text(), as_json(), cri(text()), line)]

    assert_same("\n".join(lines).encode())


def test_bytes_that_are_no_text_disturb_nothing() -> None:
    odd = text(user_agent="AGENT").encode().replace(b"AGENT", bytes(range(128, 256)))
    authority = text(authority="HOST").encode().replace(b"HOST", b"\xff\xfe")
    half = as_json(user_agent="AGENT").encode().replace(b"AGENT", b"\xe4\xbd")

    assert_same(b"\n".join([text().encode(), odd, authority, half, odd, authority, half] * 3))


@pytest.mark.parametrize("separator", ["\u4f60", "\u00e9", "|"])
def test_values_may_be_parted_by_any_sign(separator: str) -> None:
    line = f'[TIME] "METHOD{separator}PROTOCOL" "CLUSTER" "LOCAL" "AUTHORITY"'
    operators = {
        "TIME": ("%START_TIME%", "2026-11-23T12:16:11.401Z"),
        "METHOD": ("%REQ(:METHOD)%", "GET"),
        "PROTOCOL": ("%PROTOCOL%", "HTTP/1.1"),
        "CLUSTER": ("%UPSTREAM_CLUSTER%", REVIEWS),
        "LOCAL": ("%DOWNSTREAM_LOCAL_ADDRESS%", "10.0.0.1:9080"),
        "AUTHORITY": ("%REQ(:AUTHORITY)%", "reviews:9080"),
    }
    log_line = format_string = line
    for name, (operator, value) in operators.items():
        format_string, log_line = (
            format_string.replace(name, operator),
            log_line.replace(name, value),
        )

    assert_same(f"{log_line}\n{log_line}\n".encode(), log_format(format_string))
    assert found(log_line.encode(), log_format(format_string), alone=False).lines.used == 1


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
def test_lines_that_end_early_are_alike_on_any_processor() -> None:
    """A processor that looks at many bytes at once looks behind the end of each line."""
    usual = [text().encode(), as_json().encode(), cri(text()).encode()]
    cut = [
        line[:at] + end for line in usual for at in range(len(line)) for end in (b"", b'"', b"}")
    ]

    assert_portable(b"\n".join([*cut, *usual, *usual]))


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


def test_each_shape_of_istios_texts_has_a_cut_that_no_other_format_disputes() -> None:
    assert len(text_cuts_of(assumed_formats())) == 5


@pytest.mark.parametrize("name", ["istio_text", "istio_json", "asm_text_template"])
def test_lines_of_envoy_come_out_the_same(name: str) -> None:
    assert_same((DATA / f"{name}.log").read_bytes() * 2)


def test_all_recorded_lines_come_out_the_same() -> None:
    files = sorted(LOGS.glob("*.log.gz"))
    assert_same(b"".join(gzip.decompress(file.read_bytes()) for file in files))


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("istio-text", "istio_text*"),
        ("istio-1.1", "istio_text_1.1*"),
        ("istio-json", "istio_json*"),
        ("asm-json", "asm_json*"),
        ("asm-text", "asm_text*"),
    ],
)
def test_recorded_lines_of_a_format_that_is_told_come_out_the_same(
    name: str, recorded: str
) -> None:
    files = sorted(LOGS.glob(f"{recorded}.log.gz"))
    assert len(files) > 1
    data = b"".join(gzip.decompress(file.read_bytes()) for file in files)

    assert_same(data, log_format(name))


def test_lines_in_all_wrappers_come_out_the_same() -> None:
    files = (file for file in sorted(WRAPPED.iterdir()) if "indented" not in file.name)
    assert_same(b"".join(file.read_bytes() * 2 for file in files))


DEFAULT = "".join(map(str, getattr(log_format("istio-1.23")[0], "tokens", ())))
CUSTOM = (
    DEFAULT.replace('"%REQ(USER-AGENT)%" ', ""),
    DEFAULT + " %REQ(X-A)%",
    DEFAULT + ' "%REQ(X-A)%"',
    "[%START_TIME%]\t%REQ(:AUTHORITY)%\t%REQ(USER-AGENT)%\t%UPSTREAM_CLUSTER%\t%ROUTE_NAME%",
    "%START_TIME%\t%REQ(:AUTHORITY)%\t%REQ(USER-AGENT)%\t%UPSTREAM_CLUSTER%\t%ROUTE_NAME%",
    '{"t":"%START_TIME%","a":"%REQ(:AUTHORITY)%","u":"%REQ(USER-AGENT)%","c":"%UPSTREAM_CLUSTER%"}',
    '{"b":{"c":"%UPSTREAM_CLUSTER_RAW%","x":1},"n":"%PROTOCOL%","t":"%START_TIME%"}',
    '{"t":"%START_TIME%","stream":"%REQ(X-A)%","c":"%UPSTREAM_CLUSTER%","message":"%PROTOCOL%"}',
    '{"t":"%START_TIME(%s)%","c":"%UPSTREAM_CLUSTER%","a":"x %REQ(:AUTHORITY)% %REQ(USER-AGENT)%"}',
)
HOSTILE = ('a "b"', FORGED, 'a","c":"evil', "a\tb\tc", "a b", "", 'x"', ",,", '{"b":1}', "stderr")


@settings(max_examples=60)
@given(
    st.sampled_from(CUSTOM),
    st.lists(st.tuples(st.sampled_from(HOSTILE), st.sampled_from(HOSTILE)), max_size=6),
    st.booleans(),
)
def test_lines_of_own_formats_come_out_the_same(
    format_string: str, hostile: list[tuple[str, str]], only: bool
) -> None:
    agents = [("curl", "b"), *hostile, ("curl", "c"), *hostile]
    lines = [rendered(format_string, agent, other) for agent, other in agents]
    formats = log_format(format_string)

    assert_same("\n".join(lines).encode(), formats if only else formats_to_try(formats))


def rendered(format_string: str, agent: str, other: str) -> str:
    values = {**TRUE_VALUES, "%REQ(USER-AGENT)%": agent, "%REQ(X-A)%": other}
    if format_string.startswith('{"b"'):
        return render_json(json.loads(format_string), values)
    return render(format_string, values)


def test_a_file_of_nothing_else_is_read_the_same_in_many_batches() -> None:
    assert read_lines(*[text()] * 50, batch_bytes=10).lines.used == 50
