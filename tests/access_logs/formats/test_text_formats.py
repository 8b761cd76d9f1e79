import io
import json
from collections.abc import Mapping

import pytest

from recommender.access_logs import read_access_logs
from recommender.access_logs.formats import (
    AMBIGUOUS_TEXT,
    DIAGNOSTIC,
    UNKNOWN_FORMAT,
    assumed_formats,
    known_formats,
    log_format,
)
from recommender.errors import UsageError
from tests.access_logs.formats.rendering import START, TRUE_VALUES, one, render, render_json
from tests.access_logs.helpers import POD, merged

CLUSTER = TRUE_VALUES["%UPSTREAM_CLUSTER_RAW%"]
DEFAULT = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% '
    "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
    '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% '
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% "
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%"
)
FORGED = 'x" "id" "evil:80" "6.6.6.6:80" outbound|80||evil 1.1.1.1:1 6.6.6.6:80 3.3.3.3:3 - evil'


def line(format_string: str, values: Mapping[str, str | None] | None = None, **more: str) -> str:
    headers = {f"%REQ({name.upper().replace('_', '-')})%": value for name, value in more.items()}
    headers = {name.replace("PATH", ":PATH"): value for name, value in headers.items()}
    return render(format_string, {**TRUE_VALUES, **(values or {}), **headers})


def read(format_string: str, text: str) -> dict[str, object]:
    return one(text, log_format(format_string))


def test_of_a_forged_field_before_all_that_decides_nothing_is_believed() -> None:
    for agent in (FORGED, FORGED + '" "id" "evil:80"', '" "' * 9):
        found = read(DEFAULT, line(DEFAULT, user_agent=agent))
        assert found == read(DEFAULT, line(DEFAULT)), agent


@pytest.mark.parametrize(
    ("operator", "column", "lie"),
    [
        ("%DOWNSTREAM_REMOTE_ADDRESS%", "downstream_remote_address", "6.6.6.6:6"),
        ("%DOWNSTREAM_PEER_URI_SAN%", "downstream_peer", "spiffe://a/ns/evil/sa/evil"),
        ("%RESPONSE_CODE%", "response_code", "503"),
    ],
)
def test_what_stands_between_values_of_the_caller_is_left_out_where_it_is_forged(
    operator: str, column: str, lie: str
) -> None:
    custom = (
        f'[%START_TIME%] "%REQ(USER-AGENT)%" {operator} "%REQ(X-REQUEST-ID)%" '
        '"%REQ(:AUTHORITY)%" %UPSTREAM_CLUSTER_RAW% %DOWNSTREAM_LOCAL_ADDRESS%'
    )
    truth = {operator: TRUE_VALUES.get(operator, "spiffe://a/ns/b/sa/c")}
    found = read(custom, line(custom, truth, user_agent="a, b", x_request_id="c"))
    forged = read(custom, line(custom, truth, user_agent=f'a" {lie} "b', x_request_id="c"))

    assert found[column] == truth[operator]
    assert forged == {**found, column: None}


def test_where_there_is_no_cluster_the_upstream_decides_who_called() -> None:
    custom = '[%START_TIME%] "%REQ(USER-AGENT)%" "%UPSTREAM_HOST%" "%REQ(X-A)%" "%REQ(:AUTHORITY)%"'
    forged = line(custom, user_agent='a" "127.0.0.1:80" "b', x_a="c")

    assert read(custom, line(custom, user_agent="a", x_a="c"))["upstream_host"] == "10.0.0.7:9080"
    assert read(custom, forged)["reason"] == AMBIGUOUS_TEXT


def test_what_the_agent_of_a_proxy_says_is_no_request_of_a_format_of_columns() -> None:
    custom = "%START_TIME%\t%UPSTREAM_CLUSTER_RAW%\t%REQ(USER-AGENT)%"
    agent = "2026-11-24T12:16:11.401234Z\tinfo\tcache returned workload certificate"

    assert read(custom, agent)["reason"] == DIAGNOSTIC
    assert read(custom, line(custom, user_agent="a"))["upstream_cluster"] == CLUSTER


def test_a_default_with_a_field_of_the_caller_behind_it_skips_what_is_forged() -> None:
    longer = DEFAULT + ' "%REQ(X-A)%"'

    assert read(longer, line(longer, x_a="b c"))["upstream_cluster"] == CLUSTER
    assert read(longer, line(longer, x_a='b "c" d'))["upstream_cluster"] == CLUSTER
    assert read(longer, line(longer, x_a=FORGED))["upstream_cluster"] == CLUSTER
    assert read(longer, line(longer, x_a=FORGED + ' "y'))["reason"] == AMBIGUOUS_TEXT


def test_a_longer_format_than_the_assumed_ones_is_unknown_not_cut_short() -> None:
    longer = DEFAULT + " %REQ(X-A)%"

    assert one(line(longer, x_a="b"))["reason"] == UNKNOWN_FORMAT
    assert one(line(longer, x_a="b"), [*log_format(longer), *assumed_formats()])["reason"] is None


def test_formats_that_read_a_line_differently_make_it_ambiguous_unless_one_is_the_only_one() -> (
    None
):
    longer = DEFAULT + " %REQ(X-A)%"
    forged = line(longer, x_a=FORGED)
    ends = "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS%"
    swapped = DEFAULT.replace(ends, " ".join(reversed(ends.split(" "))))
    ours, theirs = log_format(DEFAULT), log_format(swapped)
    text = line(DEFAULT, {"%UPSTREAM_LOCAL_ADDRESS%": "10.0.0.1:39464"})

    assert one(forged, [*log_format(longer), *assumed_formats()])["reason"] == AMBIGUOUS_TEXT
    assert one(text, ours)["downstream_local_address"] == "10.96.0.7:9080"
    assert one(text, theirs)["downstream_local_address"] == "10.0.0.1:39464"
    assert one(text, [*ours, *theirs])["reason"] == AMBIGUOUS_TEXT


@pytest.mark.parametrize("agent", ["a", "a b", "", "a - b - c", "GET 200", "-"])
def test_a_field_of_the_caller_needs_no_quotes_where_words_follow(agent: str) -> None:
    custom = "%START_TIME% %REQ(USER-AGENT)% %UPSTREAM_CLUSTER_RAW% %REQ(:AUTHORITY)% %DURATION%"

    found = read(custom, line(custom, user_agent=agent))

    assert (found["upstream_cluster"], found["authority"]) == (CLUSTER, "reviews:9080")


@pytest.mark.parametrize("agent", ["a", "a b", "", "- - -", FORGED])
def test_several_fields_of_the_caller_need_no_quotes_at_the_end(agent: str) -> None:
    custom = (
        "%START_TIME% %UPSTREAM_CLUSTER_RAW% %REQ(:AUTHORITY)% %DOWNSTREAM_LOCAL_ADDRESS% "
        "%REQ(:PATH)% %REQ(USER-AGENT)%"
    )

    found = read(custom, line(custom, user_agent=agent, path="/a b"))

    assert (found["reason"], found["upstream_cluster"]) == (None, CLUSTER)
    assert found["downstream_local_address"] == "10.96.0.7:9080"


@pytest.mark.parametrize(
    "cluster", [CLUSTER, "outbound|443||*.a.b", "inbound|80||", "BlackHoleCluster", None]
)
@pytest.mark.parametrize("agent", ["a", "a|b", "", "a|evil|outbound|80||evil.shop|6.6.6.6:80|x"])
def test_bars_between_values_are_told_from_those_of_a_cluster(
    agent: str, cluster: str | None
) -> None:
    custom = (
        "%START_TIME%|%UPSTREAM_CLUSTER_RAW%|%REQ(:AUTHORITY)%|%DOWNSTREAM_LOCAL_ADDRESS%|"
        "%ROUTE_NAME%|%REQ(USER-AGENT)%"
    )

    found = read(custom, line(custom, {"%UPSTREAM_CLUSTER_RAW%": cluster}, user_agent=agent))

    assert (found["reason"], found["upstream_cluster"]) == (None, cluster)
    assert (found["authority"], found["route_name"]) == ("reviews:9080", "default")


def test_behind_a_field_of_the_caller_bars_are_those_of_a_cluster_in_one_way_only() -> None:
    custom = (
        "%START_TIME%|%REQ(USER-AGENT)%|%REQ(:AUTHORITY)%|%UPSTREAM_CLUSTER_RAW%|"
        "%DOWNSTREAM_LOCAL_ADDRESS%|%ROUTE_NAME%"
    )
    forged = "a|evil|outbound|80"
    passed = {"%UPSTREAM_CLUSTER_RAW%": "PassthroughCluster", "%REQ(:AUTHORITY)%": "v1"}

    for agent in ("a", "a|b", "", "a|evil|outbound|80||evil.shop|6.6.6.6:80|x"):
        assert read(custom, line(custom, user_agent=agent))["upstream_cluster"] == CLUSTER, agent
    assert read(custom, line(custom, passed, user_agent="a"))["authority"] == "v1"
    assert read(custom, line(custom, passed, user_agent=forged))["reason"] == AMBIGUOUS_TEXT


@pytest.mark.parametrize("separator", [" ", "|"])
@pytest.mark.parametrize("cluster", [CLUSTER, None])
def test_where_a_cluster_ends_that_nothing_follows_but_another_value_is_not_guessed(
    separator: str, cluster: str | None
) -> None:
    values = ("%START_TIME%", "%UPSTREAM_CLUSTER_RAW%%REQ(:METHOD)%", "%REQ(:AUTHORITY)%")
    custom = separator.join(values)

    found = read(custom, line(custom, {"%UPSTREAM_CLUSTER_RAW%": cluster}))

    assert found["reason"] == AMBIGUOUS_TEXT


def test_what_an_operator_cannot_print_is_no_value_of_it() -> None:
    custom = "{%UPSTREAM_CLUSTER_RAW%|%START_TIME% %REQ(USER-AGENT)%"

    assert read(custom, line(custom, user_agent="a"))["upstream_cluster"] == CLUSTER
    assert read(custom, f'{{"log":"{{outbound|80||a|{START} a"}}')["reason"] is not None


def test_words_before_a_name_that_may_hold_spaces_are_where_only_one_place_is() -> None:
    custom = "%START_TIME% %REQ(USER-AGENT)% %UPSTREAM_CLUSTER_RAW% %ROUTE_NAME%"

    assert read(custom, line(custom, user_agent="a"))["upstream_cluster"] == CLUSTER
    assert read(custom, line(custom, user_agent="a outbound|80||evil"))["reason"] == AMBIGUOUS_TEXT


def test_a_cluster_before_a_field_of_the_caller_is_read_where_nothing_imitates_it() -> None:
    custom = '%START_TIME% "%REQ(:PATH)%" %UPSTREAM_CLUSTER_RAW% "%REQ(USER-AGENT)%"'
    quoted = line(custom, user_agent='a "b" c', path="/x")
    forged = line(custom, user_agent='a" outbound|80||evil "b', path="/x")

    assert read(custom, quoted)["upstream_cluster"] == CLUSTER
    assert read(custom, forged)["reason"] == AMBIGUOUS_TEXT


def test_what_surrounds_a_truth_with_two_lies_of_the_same_kind_is_not_believed() -> None:
    custom = '%START_TIME% "%REQ(:PATH)%" %UPSTREAM_CLUSTER_RAW% "%REQ(USER-AGENT)%"'
    lie = 'a" outbound|80||evil "b'

    found = read(custom, line(custom, user_agent=lie, path=lie))

    assert found["reason"] == AMBIGUOUS_TEXT


def test_what_is_cut_to_a_length_is_no_host_name_once_it_is_that_long() -> None:
    custom = "%START_TIME% %REQ(:AUTHORITY):12% %UPSTREAM_HOST%"
    values = {"%UPSTREAM_HOST%": "10.0.0.7:80"}

    def authority(text: str) -> object:
        return read(custom, line(custom, {**values, "%REQ(:AUTHORITY):12%": text[:12]}))[
            "authority"
        ]

    assert authority("reviews:80") == "reviews:80"
    assert authority("reviews.shop.svc") is None


def test_an_address_may_be_logged_in_two_parts() -> None:
    custom = "%START_TIME% %UPSTREAM_CLUSTER_RAW% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%"
    with_port = custom + " %DOWNSTREAM_LOCAL_PORT%"
    ipv6 = {"%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%": "fd00::7"}
    none = dict.fromkeys((*ipv6, "%DOWNSTREAM_LOCAL_PORT%"))

    def address(format_string: str, values: Mapping[str, str | None]) -> object:
        return read(format_string, line(format_string, values))["downstream_local_address"]

    assert address(with_port, {}) == "10.96.0.7:9080"
    assert address(with_port, ipv6) == "[fd00::7]:9080"
    assert address(with_port, none) is None
    assert address(custom, {}) == "10.96.0.7:0"


def test_a_masked_address_is_none() -> None:
    custom = "%START_TIME% %UPSTREAM_CLUSTER_RAW% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(16)%"
    values = {"%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(16)%": "10.96.0.0/16"}

    assert read(custom, line(custom, values))["downstream_local_address"] is None


def test_flags_may_be_spelled_out() -> None:
    custom = "%START_TIME% %UPSTREAM_CLUSTER_RAW% %RESPONSE_FLAGS_LONG%"
    values = {
        "%RESPONSE_FLAGS_LONG%": "UpstreamConnectionFailure,NewFlag,UpstreamRetryLimitExceeded"
    }

    assert read(custom, line(custom, values))["response_flags"] == "UF,NewFlag,URX"
    assert read(custom, line(custom))["response_flags"] is None


def test_host_is_another_name_of_the_authority_but_other_headers_are_not() -> None:
    for header in ("HOST", ":authority", ":AUTHORITY?HOST"):
        custom = f"%START_TIME% %UPSTREAM_CLUSTER_RAW% %REQ({header})%"
        values = {f"%REQ({header})%": "reviews"}
        assert read(custom, line(custom, values))["authority"] == "reviews"
    for header in ("X-FORWARDED-HOST", "AUTHORITY", "X-ENVOY-ORIGINAL-HOST?:AUTHORITY"):
        custom = f"%START_TIME% %UPSTREAM_CLUSTER_RAW% %REQ({header})%"
        values = {f"%REQ({header})%": "evil"}
        assert read(custom, line(custom, values))["authority"] is None


ALTERNATIVE = "%REQ(:AUTHORITY?X-FORWARDED-HOST)%"
FALLS_BACK = f"%START_TIME% %RESPONSE_CODE% %UPSTREAM_CLUSTER_RAW% {ALTERNATIVE}"


@pytest.mark.parametrize(
    ("more", "authority"),
    [
        ({}, "reviews:9080"),
        ({"%UPSTREAM_CLUSTER_RAW%": "PassthroughCluster"}, "reviews:9080"),
        ({"%UPSTREAM_CLUSTER_RAW%": None, "%RESPONSE_CODE%": "404"}, None),
        ({"%UPSTREAM_CLUSTER_RAW%": None, "%RESPONSE_CODE%": "400"}, None),
        ({"%RESPONSE_CODE%": "400"}, None),
        ({"%RESPONSE_CODE%": "426"}, None),
        ({ALTERNATIVE: None}, None),
    ],
)
@pytest.mark.parametrize("is_json", [False, True])
def test_an_authority_with_an_alternative_is_believed_of_what_was_routed(
    more: dict[str, str | None], authority: str | None, is_json: bool
) -> None:
    """Without an authority the caller writes what is logged, but Envoy finds no cluster then."""
    values = {**TRUE_VALUES, ALTERNATIVE: "reviews:9080", **more}
    labels = {f"k{place}": str(part) for place, part in enumerate(FALLS_BACK.split(" "))}
    if is_json:
        found = one(render_json(labels, values), log_format(json.dumps(labels))[:1])
    else:
        found = one(render(FALLS_BACK, values), log_format(FALLS_BACK))

    assert (found["reason"], found["authority"]) == (None, authority)


def test_a_caller_cannot_make_a_line_look_routed() -> None:
    """What decides whether an alternative is believed has to be read in one way too."""
    custom = f'%START_TIME% "%REQ(:PATH)%" %UPSTREAM_CLUSTER_RAW% "{ALTERNATIVE}" %DURATION%'
    values = {
        "%REQ(:PATH)%": '/" outbound|80||evil "evil" 1',
        "%UPSTREAM_CLUSTER_RAW%": None,
        ALTERNATIVE: 'evil" 1 "',
    }

    found = read(custom, render(custom, {**TRUE_VALUES, **values}))

    assert found["reason"] is not None or found["authority"] is None


def test_the_authority_by_itself_is_preferred_to_one_with_an_alternative() -> None:
    custom = f"%START_TIME% %UPSTREAM_CLUSTER_RAW% {ALTERNATIVE} %REQ(:AUTHORITY)%"
    values = {"%UPSTREAM_CLUSTER_RAW%": None, ALTERNATIVE: "evil"}

    assert read(custom, line(custom, values))["authority"] == "reviews:9080"


def test_an_alternative_without_the_cluster_is_no_authority() -> None:
    with pytest.raises(UsageError, match=r"neither %UPSTREAM_CLUSTER% nor %REQ\(:AUTHORITY\)%"):
        log_format(f"%START_TIME% %DOWNSTREAM_LOCAL_ADDRESS% {ALTERNATIVE}")


def test_a_server_name_that_falls_back_to_a_header_is_none() -> None:
    custom = "%START_TIME% %UPSTREAM_CLUSTER_RAW% %REQUESTED_SERVER_NAME(SNI_FIRST)%"
    values = {"%REQUESTED_SERVER_NAME(SNI_FIRST)%": "evil"}

    assert read(custom, line(custom, values))["requested_server_name"] is None


def test_the_raw_cluster_is_preferred() -> None:
    custom = "%START_TIME% %UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW%"

    assert read(custom, line(custom))["upstream_cluster"] == CLUSTER


@pytest.mark.parametrize("format_string", [DEFAULT, DEFAULT + "\n", DEFAULT + " 100%%"])
def test_the_line_feed_that_istio_adds_is_no_part_of_a_line(format_string: str) -> None:
    assert read(format_string, line(format_string.removesuffix("\n")))["reason"] is None


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_a_carriage_return_at_the_end_is_no_part_of_a_line(end: str) -> None:
    """A shell takes away the line feed behind it."""
    log_formats = log_format(f"%START_TIME% %REQ(:AUTHORITY)% %UPSTREAM_CLUSTER_RAW%{end}")
    written = f"{START} reviews:9080 {CLUSTER}\r\n".encode()

    found = merged(
        read_access_logs(["-"], stdin=io.BytesIO(written), source_pod=POD, formats=log_formats)
    )

    assert found.lines.used == 1


@pytest.mark.parametrize(
    ("format_string", "what"),
    [
        ("%START_TIME% %REQ(USER-AGENT)%", "neither %UPSTREAM_CLUSTER% nor %REQ(:AUTHORITY)%"),
        ("%START_TIME% %REQUESTED_SERVER_NAME%", "neither %UPSTREAM_CLUSTER% nor"),
        ("%START_TIME% %REQ(:AUTHORITY)%", "has none of %UPSTREAM_CLUSTER%, %DOWNSTREAM_LOCAL"),
        ("%UPSTREAM_CLUSTER%", "lacks %START_TIME%"),
        ("%START_TIME(%H:%M)% %UPSTREAM_CLUSTER%", "tells no day"),
        ("%START_TIME%\n%UPSTREAM_CLUSTER%", "line feed inside"),
        ("%START_TIME% %UPSTREAM_CLUSTER% %", "at character 33"),
    ],
)  # fmt: skip
def test_a_format_that_lacks_what_is_needed_is_refused_and_it_is_named(
    format_string: str, what: str
) -> None:
    with pytest.raises(UsageError) as caught:
        log_format(format_string)

    assert what in caught.value.what
    assert caught.value.where == "--log-format"
    assert caught.value.hint


@pytest.mark.parametrize(
    "name", [name for name, f in known_formats().items() if "json" not in name]
)
@pytest.mark.parametrize("omits_empty", [False, True])
def test_every_default_reads_its_own_lines(name: str, omits_empty: bool) -> None:
    (compiled,) = log_format(name)
    format_string = "".join(map(str, getattr(compiled, "tokens", ()))).replace("%ANYTHING%", "- -")
    text = render(format_string, TRUE_VALUES, omits_empty=omits_empty)

    found = one(text, [compiled])

    assert found == one(text)
    assert found["reason"] is None
    assert str(found["start_time"])[:10] == START[:10]
    expected = None if name == "envoy" else CLUSTER
    assert str(found["upstream_cluster"]).removesuffix(";") == str(expected)
    assert found["authority"] == "reviews:9080"
