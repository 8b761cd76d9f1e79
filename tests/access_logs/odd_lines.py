"""Lines that are like usual ones but for something, and logs of such lines."""

from __future__ import annotations

import json
from collections.abc import Callable

from hypothesis import strategies as st

from tests.access_logs.helpers import REVIEWS, as_json, cri, text

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
    {"start_time": "1969-12-31T23:59:59.999Z"},
    {"start_time": "2015-01-01T00:00:00.000Z"},
    {"start_time": "2014-12-31T23:59:59.999Z"},
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
