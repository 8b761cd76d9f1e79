import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.access_logs.formats import (
    AMBIGUOUS_JSON,
    AMBIGUOUS_TEXT,
    NOT_ACCESS_LOG,
    assumed_formats,
    known_formats,
    log_format,
)
from recommender.access_logs.formats.json_format import json_format
from recommender.access_logs.formats.text_format import TextFormat
from recommender.errors import UsageError
from tests.access_logs.formats.rendering import START, TRUE_VALUES, one, render, render_json

CLUSTER = TRUE_VALUES["%UPSTREAM_CLUSTER_RAW%"]
NESTED = {
    "@timestamp": "%START_TIME%",
    "request": {
        "line": "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%",
        "host": "%REQ(:AUTHORITY)%",
        "agent": "%REQ(USER-AGENT)%",
    },
    "upstream": {"host": "%UPSTREAM_HOST%", "it's.cluster": "%UPSTREAM_CLUSTER_RAW%"},
    "listener": {
        "ip": "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
        "port": "%DOWNSTREAM_LOCAL_PORT%",
    },
    "status": "code=%RESPONSE_CODE% flags=%RESPONSE_FLAGS%",
    "kind": "access",
    "version": 2,
    "tags": ["a", "%ROUTE_NAME%", {"sni": "%REQUESTED_SERVER_NAME%"}],
}
HEADERS = {
    "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%": "/a b HTTP/1.1",
    "%REQ(USER-AGENT)%": 'a","host":"evil',
    "%DOWNSTREAM_LOCAL_PORT%": "9080",
}


def read(template: object, values: Mapping[str, str | None] | None = None) -> dict[str, object]:
    text = render_json(template, {**TRUE_VALUES, **HEADERS, **(values or {})})
    return one(text, log_format(json.dumps(template)))


def test_nested_renamed_and_mixed_values_are_read() -> None:
    found = read(NESTED)

    assert found["reason"] is None
    assert found["start_time"] == datetime.fromisoformat(START).astimezone(UTC)
    assert (found["method"], found["protocol"]) == ("*", "*")
    assert (found["response_code"], found["response_flags"]) == ("200", None)
    assert (found["authority"], found["upstream_cluster"]) == ("reviews:9080", CLUSTER)
    assert found["downstream_local_address"] == "10.96.0.7:9080"


def test_a_text_inside_json_that_has_several_readings_is_ambiguous() -> None:
    template = {"t": "%START_TIME%", "x": "%REQ(X-A)% %UPSTREAM_CLUSTER_RAW% %REQ(X-B)%"}
    values = {"%REQ(X-A)%": "a outbound|80||evil", "%REQ(X-B)%": "b c"}

    assert read(template, values)["reason"] == AMBIGUOUS_TEXT


def without_empty(value: object) -> object:
    """Leave out what `omitEmptyValues` does: nulls, and objects that become empty."""
    if isinstance(value, dict):
        inner = {key: without_empty(v) for key, v in value.items()}
        return {key: v for key, v in inner.items() if v is not None} or None
    if isinstance(value, list):
        return [v for v in map(without_empty, value) if v is not None]
    return value


def omitting(template: object, values: Mapping[str, str | None]) -> str:
    text = render_json(template, {**TRUE_VALUES, **values})
    return json.dumps(without_empty(json.loads(text)), separators=(",", ":"))


def test_all_that_is_needed_may_stand_in_one_text() -> None:
    text = "%START_TIME% %UPSTREAM_CLUSTER_RAW% %REQ(:AUTHORITY)%"

    found = read({"call": text, "agent": "%REQ(USER-AGENT)%"})

    assert (found["reason"], found["upstream_cluster"]) == (None, CLUSTER)


def test_what_stands_in_a_list_is_read_where_nothing_has_made_way_for_it() -> None:
    sure = json_format(NESTED, "sure", keeps_empty=True)
    text = render_json(NESTED, {**TRUE_VALUES, **HEADERS})
    short = omitting(NESTED, {**HEADERS, "%ROUTE_NAME%": None})

    for formats in ([sure], log_format(json.dumps(NESTED))):
        found = one(text, formats)
        assert found["route_name"] == "default"
        assert found["requested_server_name"] == TRUE_VALUES["%REQUESTED_SERVER_NAME%"]
    found = one(short, log_format(json.dumps(NESTED)))
    assert (found["reason"], found["upstream_cluster"]) == (None, CLUSTER)
    assert (found["route_name"], found["requested_server_name"]) == (None, None)


LISTED = {
    "t": "%START_TIME%",
    "flow": ["%REQ(X-A)%", ["%REQ(:AUTHORITY)%", {"c": "%UPSTREAM_CLUSTER_RAW%"}], "%REQ(X-B)%"],
}


@pytest.mark.parametrize("gone", ["%REQ(X-A)%", "%REQ(X-B)%", "%REQ(:AUTHORITY)%"])
def test_a_list_that_is_short_never_shifts_what_a_caller_wrote(gone: str) -> None:
    """Without the cluster it is not known who called whom."""
    values = {**dict.fromkeys(("%REQ(X-A)%", "%REQ(X-B)%"), "evil"), "%REQ(:AUTHORITY)%": "a"}
    formats = log_format(json.dumps(LISTED))

    whole = one(omitting(LISTED, values), formats)
    short = one(omitting(LISTED, {**values, gone: None}), formats)

    assert (whole["authority"], whole["upstream_cluster"]) == ("a", CLUSTER)
    assert short["reason"] == AMBIGUOUS_TEXT


def test_an_operator_outside_of_lists_is_preferred() -> None:
    template = {
        "t": "%START_TIME%",
        "l": ["%UPSTREAM_CLUSTER_RAW%", "%DOWNSTREAM_LOCAL_ADDRESS%", "%REQ(X-A)%"],
        "c": "%UPSTREAM_CLUSTER%",
    }

    found = one(omitting(template, {"%REQ(X-A)%": None}), log_format(json.dumps(template)))

    assert found["upstream_cluster"] == TRUE_VALUES["%UPSTREAM_CLUSTER%"]
    assert (found["reason"], found["downstream_local_address"]) == (None, None)


def test_values_may_be_missing_empty_or_left_out() -> None:
    flat = {"t": "%START_TIME%", "c": "%UPSTREAM_CLUSTER%", "a": "%REQ(:AUTHORITY)%"}
    formats = log_format(json.dumps(flat))

    for text in (
        f'{{"a":null,"c":null,"t":"{START}"}}',
        f'{{"a":"-","c":"-","t":"{START}"}}',
        f'{{"a":"","c":"","t":"{START}"}}',
        f'{{"c":null,"t":"{START}"}}',
    ):
        found = one(text, formats)
        assert (found["reason"], found["authority"], found["upstream_cluster"]) == (None,) * 3


def test_what_has_no_more_than_a_time_is_no_request() -> None:
    """The agent of a proxy logs in JSON too, and calls the time as users do."""
    formats = log_format('{"time":"%START_TIME%","c":"%UPSTREAM_CLUSTER%"}')
    agent = {"level": "info", "time": "2026-11-24T12:16:12.401234Z", "msg": 'read "c"'}

    assert one(json.dumps(agent), formats)["reason"] == "not an access log line"
    assert one(f'{{"time":"{START}"}}', formats)["reason"] == "not an access log line"


def test_numbers_are_read_as_they_are_written() -> None:
    flat = {"t": "%START_TIME(%s)%", "c": "%UPSTREAM_CLUSTER%", "n": "%RESPONSE_CODE%"}

    found = one('{"c":"outbound|80||a","n":503,"t":"1795626218"}', log_format(json.dumps(flat)))

    assert found["response_code"] == "503"
    assert str(found["start_time"]) == "2026-11-25 17:03:38+00:00"


def test_keys_that_the_format_lacks_do_no_harm() -> None:
    flat = {"t": "%START_TIME%", "c": "%UPSTREAM_CLUSTER%"}
    text = f'{{"log":{{"x":[1]}},"t":"{START}","c":"outbound|80||a","level":"info"}}'

    assert one(text, log_format(json.dumps(flat)))["upstream_cluster"] == "outbound|80||a"


def test_a_line_without_the_time_of_the_format_is_of_another() -> None:
    flat = {"t": "%START_TIME%", "c": "%UPSTREAM_CLUSTER%"}

    assert one('{"c":"outbound|80||a"}', log_format(json.dumps(flat)))["reason"] == NOT_ACCESS_LOG


def test_a_key_that_comes_more_often_than_in_the_format_makes_a_line_ambiguous() -> None:
    text = render_json(NESTED, {**TRUE_VALUES, **HEADERS})
    formats = log_format(json.dumps(NESTED))
    twin = text.replace('"kind":', '"host":"evil","kind":')

    assert one(text, formats)["reason"] is None
    assert one(twin, formats)["reason"] == AMBIGUOUS_JSON


@pytest.mark.parametrize("key", ['a"b', "a\\b", "a\tb"])
def test_a_key_that_must_be_escaped_is_refused(key: str) -> None:
    template = {"t": "%START_TIME%", key: "%UPSTREAM_CLUSTER%"}

    with pytest.raises(UsageError, match="must be escaped"):
        log_format(json.dumps(template))


@pytest.mark.parametrize("template", [{}, {"a": 1}, {"t": "%START_TIME%", "c": ["%REQ(X-A)%"]}])
def test_json_that_lacks_what_is_needed_is_refused(template: object) -> None:
    with pytest.raises(UsageError):
        log_format(json.dumps(template) + ("" if "%" in json.dumps(template) else " %%"))


@pytest.mark.parametrize(
    "text",
    [
        '{"\\ud800": "%START_TIME%", "c": "%UPSTREAM_CLUSTER%"}',
        '{"a": "%START_TIME%", "c": "%UPSTREAM_CLUSTER%", "x": {"\\udfff": 1}}',
        '{"a": "\\ud800%START_TIME%", "c": "%UPSTREAM_CLUSTER%"}',
        "%START_TIME% \udcff %UPSTREAM_CLUSTER%",
    ],
)
def test_a_format_that_is_no_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not UTF-8 text"):
        log_format(text)


WHOLE = '{"t": "%START_TIME%", "c": {"d": "%UPSTREAM_CLUSTER%", "a": "%REQ(:AUTHORITY)%"}}'


@pytest.mark.parametrize("end", ["}", '"}}', ')%"}}', '"%REQ(:AUTHORITY)%"}}'])
def test_json_that_breaks_off_is_refused(end: str) -> None:
    """As text it would be another format, which reads no line of JSON."""
    text = WHOLE.removesuffix(end)

    assert len(log_format(WHOLE)) == 2
    for broken in (text, text + "\n"):
        with pytest.raises(UsageError, match=r"begins like JSON and is none: .* at line 1"):
            log_format(broken)


@pytest.mark.parametrize(
    "text", [WHOLE.replace(",", ",\n", 1)[:-1], WHOLE.replace(" ", "\n ", 1) + ","]
)
def test_what_is_wrong_in_json_of_several_lines_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=r"begins like JSON and is none: .* at line 2"):
        log_format(text)


@pytest.mark.parametrize(
    "text",
    [
        "".join(map(str, getattr(known_formats()["asm-text"], "tokens", ()))),
        '{"t":"%START_TIME%","n":%RESPONSE_CODE%,"c":"%UPSTREAM_CLUSTER%"}',
        '{"t":"%START_TIME%","c":"%UPSTREAM_CLUSTER%",}',
        '{"t":"%START_TIME%"} %UPSTREAM_CLUSTER%',
        "{'t':'%START_TIME%','c':'%UPSTREAM_CLUSTER%'",
        "{%START_TIME% %UPSTREAM_CLUSTER%",
    ],
)
def test_text_that_only_looks_like_json_is_a_format_of_text(text: str) -> None:
    assert isinstance(log_format(text)[-1], TextFormat)


def test_depth_without_end_is_refused() -> None:
    template: object = "%START_TIME% %UPSTREAM_CLUSTER%"
    for _ in range(50):
        template = {"a": template}

    with pytest.raises(UsageError, match="nested"):
        log_format(json.dumps(template))
    with pytest.raises(UsageError, match="lacks %START_TIME%"):
        log_format('{"a":' * 100_000 + "%PROTOCOL%")


anything = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ('"', '","host":"evil"', "\\", '\\","host":"evil","x":"', "}", "\n", "\x00", "\u2028")
)


@settings(deadline=None)
@given(agent=anything, path=anything)
def test_no_value_changes_the_destination_of_a_line_of_json(agent: str, path: str) -> None:
    values = {"%REQ(USER-AGENT)%": agent, "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%": path}

    found = read(NESTED, values)

    assert found["reason"] is None
    truth = read(NESTED)
    names = ("start_time", "authority", "upstream_cluster", "downstream_local_address", "method")
    assert {name: found[name] for name in names} == {name: truth[name] for name in names}


ASM = "".join(map(str, getattr(known_formats()["asm-text"], "tokens", ())))
ASM_VALUES = {
    **TRUE_VALUES,
    **dict.fromkeys(("%REQ(USER-AGENT)%", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"), "a"),
}


def asm(**headers: str) -> str:
    names = {
        "agent": "%REQ(USER-AGENT)%",
        "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "forwarded": "%REQ(X-FORWARDED-FOR)%",
    }
    return render(ASM, {**ASM_VALUES, **{names[k]: v for k, v in headers.items()}})


@pytest.mark.parametrize("agent", ['a "b" c', "a\\", "a\tb", "\\x", '"', '","a":"', "\\u12"])
def test_lines_of_asm_that_are_no_json_are_read_by_the_order_of_their_keys(agent: str) -> None:
    found = one(asm(agent=agent))

    assert found["reason"] is None
    assert (found["upstream_cluster"], found["authority"]) == (CLUSTER + ";", "reviews:9080")
    assert found == one(asm())


FORGED_KEYS = (
    {"agent": 'a","upstream_cluster":"outbound|80||evil'},
    {"path": 'a","upstream_cluster":"outbound|80||evil","b":"c'},
    {"path": 'a","\\u0075pstream_cluster":"outbound|80||evil","b":"c'},
    {"path": 'a","authority_for":"evil'},
    {
        "path": 'a","upstream_cluster":"outbound|80||evil","y":{"z":"',
        "agent": 'b"},"c":"',
    },
)


@pytest.mark.parametrize("headers", FORGED_KEYS)
def test_a_key_that_a_caller_adds_to_a_line_of_asm_is_not_believed(headers: dict[str, str]) -> None:
    found = one(asm(**headers))

    if found["reason"] not in (AMBIGUOUS_JSON, AMBIGUOUS_TEXT):
        assert found == one(asm())


def test_a_whole_line_of_asm_within_a_field_is_not_believed() -> None:
    evil = render(ASM, {**ASM_VALUES, "%UPSTREAM_CLUSTER%": "outbound|80||evil"})
    middle = evil[evil.index('","protocol"') : evil.index('","user_agent"')]

    found = one(asm(path="a" + middle + '","user_agent":"b'))

    assert found["reason"] in (AMBIGUOUS_JSON, AMBIGUOUS_TEXT)


def test_a_template_that_may_be_json_or_text_is_read_as_either() -> None:
    flat = {"a": "%REQ(:AUTHORITY)%", "c": "%UPSTREAM_CLUSTER%", "t": "%START_TIME%"}
    flat["u"] = "%REQ(USER-AGENT)%"
    text = json.dumps(flat, separators=(",", ":"))
    values = {**TRUE_VALUES, "%REQ(USER-AGENT)%": 'a "b"'}
    formats = log_format(text)

    assert one(render_json(flat, values), formats)["authority"] == "reviews:9080"
    assert one(render(text, values), formats)["authority"] == "reviews:9080"
    values["%REQ(USER-AGENT)%"] = 'a","c":"outbound|80||evil","t":"'
    assert (
        one(render_json(flat, values), formats)["upstream_cluster"]
        == TRUE_VALUES["%UPSTREAM_CLUSTER%"]
    )
    assert one(render(text, values), formats)["reason"] == AMBIGUOUS_JSON


def test_json_of_istio_and_of_asm_are_told_apart_by_the_key_of_the_authority() -> None:
    keys = {"start_time": START, "response_code": 200, "downstream_local_address": "10.96.0.7:80"}

    for name in ("authority", "authority_for"):
        text = json.dumps({**keys, name: "reviews", "upstream_cluster": "outbound|80||reviews"})
        assert one(text)["authority"] == "reviews"
        assert one(text, assumed_formats())["reason"] is None
    both = json.dumps({**keys, "authority": "reviews", "authority_for": "evil"})
    assert one(both)["reason"] is not None
