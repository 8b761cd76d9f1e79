"""Whether a request matches a route (`TranslateRouteMatch`); what is expected was seen in Envoy."""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recommender.istio.route_match import Request, is_catch_all, matches_request
from recommender.mesh import RequestMatch, StringMatch
from recommender.mesh.request_match import StringMatchKind

YES, NO, UNKNOWN = True, False, None
HEADER = (("x-user", StringMatch("exact", "a")),)


def of_path(
    kind: StringMatchKind, value: str, path: str | None, ignore_case: bool = False
) -> bool | None:
    match = RequestMatch(uri=StringMatch(kind, value), ignore_uri_case=ignore_case)
    return matches_request(match, Request(path=path))


@pytest.mark.parametrize(
    ("kind", "value", "path", "answer"),
    [
        ("exact", "/x", "/x", YES),
        ("exact", "/x", "/x?v=1", YES),
        ("exact", "/x", "/x/1", NO),
        ("exact", "/x", "/X", NO),
        ("exact", "/x?v=1", "/x?v=1", NO),
        ("prefix", "/x", "/xx", YES),
        ("prefix", "/x", "/y?/x", NO),
        ("prefix", "/", "/x", YES),
        ("prefix", "", "/x", YES),
        ("path-separated prefix", "/x", "/x", YES),
        ("path-separated prefix", "/x", "/x?v=1", YES),
        ("path-separated prefix", "/x", "/x/", YES),
        ("path-separated prefix", "/x", "/xx", NO),
        ("regex", "/x", "/x?v=1", YES),
        ("regex", "/x", "/x/1", NO),
        ("regex", ".*", "/x", YES),
    ],
)
def test_a_path_is_compared_without_its_query(
    kind: StringMatchKind, value: str, path: str, answer: bool
) -> None:
    assert of_path(kind, value, path) is answer


@pytest.mark.parametrize(
    ("kind", "answer"),
    [("exact", YES), ("prefix", YES), ("path-separated prefix", YES), ("regex", NO)],
)
def test_ignoring_the_case_of_a_path_is_for_all_but_a_regex(
    kind: StringMatchKind, answer: bool
) -> None:
    assert of_path(kind, "/Cart", "/cART", ignore_case=True) is answer
    assert of_path(kind, "/Cart", "/cART") is NO


def test_only_ascii_letters_have_a_case_that_is_ignored() -> None:
    assert of_path("exact", "/k", "/\N{KELVIN SIGN}", ignore_case=True) is NO


@pytest.mark.parametrize("kind", ["exact", "prefix", "path-separated prefix", "regex"])
def test_a_path_that_is_not_given_may_match(kind: StringMatchKind) -> None:
    assert of_path(kind, "/x", None) is UNKNOWN


@pytest.mark.parametrize("match", [RequestMatch(), RequestMatch(uri=StringMatch())])
@pytest.mark.parametrize("path", [None, "/x"])
def test_a_match_that_asks_for_no_path_takes_every_one(
    match: RequestMatch, path: str | None
) -> None:
    assert matches_request(match, Request(path=path)) is YES


@pytest.mark.parametrize(("kind", "value"), [("prefix", "/"), ("exact", "*"), ("regex", ".*")])
def test_no_route_takes_a_path_without_a_slash(kind: StringMatchKind, value: str) -> None:
    assert of_path(kind, value, "*") is NO


@pytest.mark.parametrize(
    ("pattern", "path", "answer"),
    [
        (r"/x\.y", "/x.y", YES),
        (r"/x\.y", "/xay", NO),
        (r"^\/x$", "/x", YES),
        ("/x.*", "/xy", YES),
        ("/x.*$", "/xy", YES),
        ("/x.*", "/y", NO),
        ("/x+", "/y", NO),
        ("/x+", "/xx", UNKNOWN),
        ("/xy*", "/x", UNKNOWN),
        ("/xy?", "/x", UNKNOWN),
        ("/xy{0}", "/x", UNKNOWN),
        ("/x|/y", "/y", UNKNOWN),
        ("(?i)/X", "/x", UNKNOWN),
        (r"/\d", "/1", UNKNOWN),
        (r"/\Qx\E", "/x", UNKNOWN),
        ("/(a+)+$", "/" + "a" * 5000 + "!", UNKNOWN),
    ],
)
def test_a_regex_is_judged_by_the_literal_text_it_begins_with(
    pattern: str, path: str, answer: bool | None
) -> None:
    """No pattern is run: that of RE2 may take Python's `re` for ever."""
    assert of_path("regex", pattern, path) is answer


@pytest.mark.filterwarnings("ignore:Possible :FutureWarning")
@given(
    st.text(r"ab.*+?()|[]{}^$\1", max_size=8).map("/".__add__),
    st.text("ab.1", max_size=5).map("/".__add__),
)
@example("/ab*", "/a")
@example("/a|b", "/")
def test_what_is_said_of_a_regex_is_true(pattern: str, path: str) -> None:
    answer = of_path("regex", pattern, path)
    try:
        compiled = re.compile(pattern)
    except re.error:
        return
    assert answer in (UNKNOWN, bool(compiled.fullmatch(path)))


@pytest.mark.parametrize(
    ("wanted", "method", "answer"),
    [
        (StringMatch("exact", "GET"), "GET", YES),
        (StringMatch("exact", "GET"), "get", NO),
        (StringMatch("exact", "GET"), None, UNKNOWN),
        (StringMatch("prefix", "P"), "PUT", YES),
        (StringMatch("regex", "GET"), "GETS", NO),
        (StringMatch("regex", "GET|PUT"), "PUT", UNKNOWN),
        (StringMatch("regex", "*"), None, YES),
        (StringMatch(), None, YES),
    ],
)
def test_a_method_is_compared_as_it_is(
    wanted: StringMatch, method: str | None, answer: bool | None
) -> None:
    assert matches_request(RequestMatch(method=wanted), Request(method=method)) is answer


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (StringMatch("exact", "api.example"), UNKNOWN),
        (StringMatch("exact", "API.example:8080"), UNKNOWN),
        (StringMatch("exact", "api.example."), UNKNOWN),
        (StringMatch("exact", "api.example.com"), NO),
        (StringMatch("exact", "api"), NO),
        (StringMatch("prefix", "api"), UNKNOWN),
        (StringMatch("prefix", "API.example:80"), UNKNOWN),
        (StringMatch("prefix", "www"), NO),
        (StringMatch("prefix", "api.example.com"), NO),
        (StringMatch("regex", "www"), UNKNOWN),
        (StringMatch("regex", "*"), YES),
        (StringMatch(), YES),
    ],
)
def test_an_authority_may_match_whatever_its_case_and_port(
    wanted: StringMatch, answer: bool | None
) -> None:
    match = RequestMatch(authority=wanted)
    assert matches_request(match, Request(authority="api.example")) is answer


def test_an_ipv6_authority_may_be_in_brackets() -> None:
    match = RequestMatch(authority=StringMatch("exact", "[2001:db8::1]:80"))
    assert matches_request(match, Request(authority="2001:db8::1")) is UNKNOWN


UNKNOWABLE = [
    RequestMatch(scheme=StringMatch("exact", "https")),
    RequestMatch(headers=HEADER),
    RequestMatch(without_headers=HEADER),
    RequestMatch(query_params=HEADER),
    RequestMatch(authority=StringMatch("exact", "api.example")),
]


@pytest.mark.parametrize("match", UNKNOWABLE)
def test_what_no_log_has_may_match(match: RequestMatch) -> None:
    assert matches_request(match, Request(path="/x?x-user=a", method="GET")) is UNKNOWN


@pytest.mark.parametrize("match", UNKNOWABLE)
def test_one_condition_that_fails_is_enough(match: RequestMatch) -> None:
    other = replace(match, method=StringMatch("exact", "PUT"))
    assert matches_request(other, Request(method="GET")) is NO


@pytest.mark.parametrize(
    ("match", "answer"),
    [
        (RequestMatch(), True),
        (RequestMatch(uri=StringMatch()), True),
        (RequestMatch(uri=StringMatch("prefix", "/")), True),
        (RequestMatch(uri=StringMatch("regex", ".*")), True),
        (RequestMatch(uri=StringMatch("prefix", "")), False),
        (RequestMatch(uri=StringMatch("exact", "/")), False),
        (RequestMatch(uri=StringMatch("prefix", "/x")), False),
        (RequestMatch(method=StringMatch()), False),
        *((match, False) for match in UNKNOWABLE),
    ],
)
def test_istiod_stops_at_a_match_of_any_path_that_asks_for_nothing_else(
    match: RequestMatch, answer: bool
) -> None:
    assert is_catch_all(match) is answer
