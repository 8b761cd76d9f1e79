"""Whatever a caller writes, whatever the format: the truth is read, or the line is skipped."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import event, given, settings
from hypothesis import strategies as st

from recommender.access_logs.formats import (
    NOT_ACCESS_LOG,
    UNKNOWN_FORMAT,
    assumed_formats,
    log_format,
)
from recommender.access_logs.formats.format_string import Operator, tokens_of
from recommender.access_logs.formats.operators import ANYTHING, alphabet_of
from tests.access_logs.formats.rendering import START, TRUE_VALUES, one, render

HOSTILE = (
    "%REQ(USER-AGENT)%",
    "%REQ(X-FORWARDED-FOR)%",
    "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "%REQ(X-REQUEST-ID)%",
    "%RESP(SERVER)%",
    "%DYNAMIC_METADATA(a:b)%",
)
NEEDED = ("%START_TIME%", "%UPSTREAM_CLUSTER_RAW%", "%REQ(:AUTHORITY)%")
EVIL = {
    **TRUE_VALUES,
    "%START_TIME%": "2001-01-01T00:00:00.000Z",
    "%REQ(:METHOD)%": "-",
    "%REQ(:AUTHORITY)%": "evil:80",
    "%UPSTREAM_CLUSTER%": "outbound|80||evil",
    "%UPSTREAM_CLUSTER_RAW%": "outbound|80||evil",
    "%DOWNSTREAM_LOCAL_ADDRESS%": "6.6.6.6:80",
    "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%": "6.6.6.6",
    "%REQUESTED_SERVER_NAME%": "evil",
    "%RESPONSE_CODE%": "503",
    "%RESPONSE_FLAGS%": "UF",
    "%DOWNSTREAM_REMOTE_ADDRESS%": "6.6.6.6:6",
    "%ROUTE_NAME%": "evil",
}
FIELDS = {
    "authority": "%REQ(:AUTHORITY)%",
    "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
    "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "requested_server_name": "%REQUESTED_SERVER_NAME%",
}
# Where a caller can make these look otherwise they are left out.
MAY_BE_LEFT_OUT = {
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "route_name": "%ROUTE_NAME%",
}
LITERALS = ('"', '" "', " ", " - ", "|", ",", "\t", '","k":"', "] ", "[", "=", "x", "")
COMMON_LITERALS = ('" "', " ", '" ', ' "', "|")


@st.composite
def format_strings(draw: st.DrawFn) -> str:
    """Draw a format string that has what is needed, in any order, with anything between."""
    optional = [name for name in TRUE_VALUES if name not in NEEDED]
    others = draw(st.lists(st.sampled_from((*optional, *HOSTILE, *HOSTILE)), max_size=8))
    operators = draw(st.permutations([*NEEDED, *others]))
    begin, end = draw(st.sampled_from(("", "[", '"', "{"))), draw(st.sampled_from(("", '"', "}")))
    usual = draw(st.sampled_from(COMMON_LITERALS))
    literal = st.just(usual) | st.sampled_from(LITERALS) | st.sampled_from(COMMON_LITERALS)
    return begin + "".join(op + draw(literal) for op in operators[:-1]) + operators[-1] + end


@st.composite
def hostile_values(draw: st.DrawFn, format_string: str) -> str:
    """Draw what a caller writes who knows the format: parts of it, filled in with lies."""
    tokens = [str(token) for token in tokens_of(format_string)]
    pieces = []
    for _ in range(draw(st.integers(0, 3))):
        begin, end = sorted(draw(st.tuples(*[st.integers(0, len(tokens))] * 2)))
        pieces.append(render("".join(tokens[begin:end]), {**EVIL, **dict.fromkeys(HOSTILE, "h")}))
        pieces.append(draw(st.sampled_from(("", "a", '"', " ", "\\", "\u2028", "|", ","))))
    return "".join(pieces)


def expected(
    fields: dict[str, str], values: dict[str, str | None], format_string: str
) -> dict[str, str | None]:
    """Say what is true of some fields, as far as the format has them."""
    return {
        name: None if values.get(operator) in ("", "-") else values.get(operator)
        for name, operator in fields.items()
        if operator in format_string
    }


@st.composite
def cases(draw: st.DrawFn, format_string: str) -> dict[str, str | None]:
    """Draw the values of a line: some are missing, callers write what they like."""
    operators = [t for t in tokens_of(format_string) if isinstance(t, Operator)]
    values: dict[str, str | None] = {}
    for operator in operators:
        name = str(operator)
        if alphabet_of(operator) == ANYTHING:
            values[name] = draw(st.none() | hostile_values(format_string))
        elif name == "%START_TIME%" or draw(st.integers(0, 4)):
            values[name] = TRUE_VALUES[name]
        else:
            values[name] = None
    return values


@settings(max_examples=600)
@given(format_strings(), st.data(), st.booleans())
def test_a_line_of_any_format_gives_the_truth_or_is_skipped(
    format_string: str, data: st.DataObject, omits_empty: bool
) -> None:
    values = data.draw(cases(format_string))
    line = render(format_string, values, omits_empty=omits_empty)
    others = data.draw(st.sampled_from(((), assumed_formats())))

    found = one(line, [*log_format(format_string), *others])

    event("skipped" if found["reason"] else "read")
    assert found["reason"] not in (UNKNOWN_FORMAT, NOT_ACCESS_LOG)
    if not found["reason"]:
        truth = expected(FIELDS, values, format_string)
        assert {name: found[name] for name in truth} == truth
        for name, value in expected(MAY_BE_LEFT_OUT, values, format_string).items():
            assert found[name] in (value, None, "", "-")
        assert found["start_time"] == datetime.fromisoformat(START).astimezone(UTC)
