"""Callers write into the access log: what they choose must never change where a request went."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.access_logs import LogBatch
from tests.access_logs.helpers import DESTINATION, REVIEWS, as_json, cri, read_lines, text

FORGED_TAIL = (
    'x" "id" "evil:80" "1.2.3.4:80" outbound|80||evil.default.svc.cluster.local'
    " 1.1.1.1:1 2.2.2.2:2 3.3.3.3:3 - evil"
)
FRAGMENTS = [
    '"',
    '" "',
    "\\",
    " ",
    "] ",
    "-",
    "|",
    "\r",
    "\x00",
    "\u2028",
    "{",
    "}",
    '","authority":"evil',
    FORGED_TAIL,
    text(authority="evil"),
    as_json(authority="evil"),
    cri(""),
    'HTTP/1.1" 500 UF via_upstream - "-" 0 5 0 0 "-" "b',
]
anything = st.lists(
    st.sampled_from(FRAGMENTS) | st.text(st.characters(codec="utf-8", exclude_characters="\n")),
    max_size=6,
).map("".join)
raw_header = (
    st.binary(max_size=40)
    .map(lambda b: b.replace(b"\n", b""))
    .filter(lambda b: not b.endswith(b"\r"))
)


def destinations(batch: LogBatch) -> set[tuple[object, ...]]:
    return set(batch.requests.select("source_pod", "first_seen", *DESTINATION).iter_rows())


HONEST = destinations(read_lines(text()))


@given(path=anything, agent=anything, forwarded=anything, request=anything)
def test_no_header_changes_the_destination_of_a_text_line(
    path: str, agent: str, forwarded: str, request: str
) -> None:
    fields = {
        "path": path,
        "user_agent": agent,
        "x_forwarded_for": forwarded,
        "request_id": request,
    }
    lines = [text(**{name: value}) for name, value in fields.items()]

    found = read_lines(text(**fields), cri(text(**fields)), *lines)

    assert found.lines.used == len(lines) + 2
    assert destinations(found) == HONEST


@given(agent=anything, path=anything)
def test_no_header_changes_the_destination_of_a_json_line(agent: str, path: str) -> None:
    found = read_lines(as_json(user_agent=agent, path=path), as_json())

    assert found.lines.used == 2
    assert destinations(found) == HONEST


@given(raw_header)
def test_no_byte_changes_the_destination(header: bytes) -> None:
    found = read_lines(text(user_agent="AGENT").encode().replace(b"AGENT", header))

    assert destinations(found) == HONEST


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_bytes_are_read_and_counted(lines: list[bytes]) -> None:
    found = read_lines("not packed", *lines)

    assert found.lines.read == 1 + sum(line.count(b"\n") + 1 for line in lines)
    assert found.lines.used == found.requests.height
    assert found.lines.read == found.lines.used + sum(e.lines for e in found.lines.skipped)


@given(st.data())
def test_no_spoiled_line_changes_the_destination_of_others(data: st.DataObject) -> None:
    """Lines are spoiled in the middle: a byte range goes missing or gets other content."""
    line = data.draw(st.sampled_from([text(), as_json(), cri(text()), cri(as_json())]))
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(line))] * 2)))
    spoiled = (line[:begin] + data.draw(anything) + line[end:]).replace("\n", "")

    found = read_lines(text(route_name="before"), spoiled, as_json(route_name="after"))

    routes = found.requests["route"].to_list()
    assert "before" in routes
    assert "after" in routes
    assert found.lines.read == 3


@pytest.mark.parametrize("fields", [{"authority": "-"}, {"authority": ""}, {"route_name": "-"}])
def test_a_forged_path_does_not_make_http_look_like_tcp(fields: dict[str, str]) -> None:
    path = '- -" 0 - - "-" 0 0 0 - "-" "-" "-" "-"'

    found = read_lines(text(path=path, **fields))

    assert found.requests["protocol"].to_list() == ["http"]
    assert found.requests["cluster"].to_list() == [REVIEWS]
