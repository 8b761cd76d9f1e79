"""Lines that are summed up give what each line by itself gives."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.access_logs.events import LOGS
from recommender.access_logs import LogBatch, LogFormat, formats_to_try, log_format
from recommender.access_logs import read_access_logs as read_logs
from recommender.access_logs.alike import LinesAlone, kinds_of, text_cuts_of
from recommender.access_logs.formats import assumed_formats
from tests.access_logs.formats.rendering import TRUE_VALUES, render, render_json
from tests.access_logs.helpers import (
    DATA,
    POD,
    REVIEWS,
    as_json,
    cri,
    merged,
    read_lines,
    summed,
    text,
)
from tests.access_logs.odd_lines import FORGED, ODD_FIELDS, OTHER_LINES, WRITERS, logs
from tests.access_logs.wrappings import WRAPPED


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


def test_odd_prefixes_of_a_container_runtime_are_as_by_themselves() -> None:
    """Most are known by their bytes, whatever digits they have; others by their parts."""
    usual = cri(text())
    begin = usual.index("[")
    odd = [
        usual[:place] + sign + usual[place + 1 :]
        for place in range(begin)
        for sign in "09:/;ZF P[x"
    ]
    shorter = [usual[:place] + usual[place + 1 :] for place in range(begin)]

    assert usual[:begin].endswith("Z stdout F ")
    assert begin == 40
    assert_same("\n".join(x for line in (*odd, *shorter) for x in (usual, line)).encode())
    assert_same("\n".join(usual[:end] for end in range(begin + 9)).encode())


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
    DEFAULT + ' "%REQ(X-A)%' + "z" * 300 + '"',
    "[%START_TIME%]\t%REQ(:AUTHORITY)%\t%REQ(USER-AGENT)%\t%UPSTREAM_CLUSTER%\t%ROUTE_NAME%",
    "%START_TIME%\t%REQ(:AUTHORITY)%\t%REQ(USER-AGENT)%\t%UPSTREAM_CLUSTER%\t%ROUTE_NAME%",
    '{"t":"%START_TIME%","a":"%REQ(:AUTHORITY)%","u":"%REQ(USER-AGENT)%","c":"%UPSTREAM_CLUSTER%"}',
    '{"b":{"c":"%UPSTREAM_CLUSTER_RAW%","x":1},"n":"%PROTOCOL%","t":"%START_TIME%"}',
    '{"t":"%START_TIME%","stream":"%REQ(X-A)%","c":"%UPSTREAM_CLUSTER%","message":"%PROTOCOL%"}',
    '{"t":"%START_TIME(%s)%","c":"%UPSTREAM_CLUSTER%","a":"x %REQ(:AUTHORITY)% %REQ(USER-AGENT)%"}',
)
HOSTILE = ('a "b"', FORGED, 'a","c":"evil', "a\tb\tc", "a b", "", 'x"', ",,", '{"b":1}', "stderr")


@pytest.mark.parametrize("format_string", CUSTOM)
@settings(max_examples=12)
@given(
    hostile=st.lists(st.tuples(st.sampled_from(HOSTILE), st.sampled_from(HOSTILE)), max_size=6),
    only=st.booleans(),
)
def test_lines_of_own_formats_come_out_the_same(
    format_string: str, hostile: list[tuple[str, str]], *, only: bool
) -> None:
    agents = [("curl", "b"), *hostile, ("curl", "c"), *hostile]
    lines = [rendered(format_string, agent, other) for agent, other in agents]
    formats = log_format(format_string)

    assert_same("\n".join(lines).encode(), formats if only else formats_to_try(formats))


def test_lines_of_more_formats_than_are_known_by_their_cuts_come_out_the_same() -> None:
    strings = [f"P{place:03} {DEFAULT}" for place in range(80)]
    formats = [each for string in strings for each in log_format(string)]
    lines = [rendered(string, agent, "b") for string in strings for agent in ("curl", "wget")]

    assert_same("\n".join(lines).encode(), formats)
    assert 0 < len(text_cuts_of(formats)) < len(formats)


def rendered(format_string: str, agent: str, other: str) -> str:
    values = {**TRUE_VALUES, "%REQ(USER-AGENT)%": agent, "%REQ(X-A)%": other}
    if format_string.startswith('{"b"'):
        return render_json(json.loads(format_string), values)
    return render(format_string, values)


def test_a_file_of_nothing_else_is_read_the_same_in_many_batches() -> None:
    assert read_lines(*[text()] * 50, batch_bytes=10).lines.used == 50
