import re
from pathlib import Path

import pytest

from recommender.access_logs import (
    log_format,
)
from recommender.access_logs.formats import text_starts
from tests.access_logs.helpers import (
    cri,
    read,
    read_in_format,
    read_lines,
    skipped,
    text,
    values,
    write,
)


def parts(line: str, *cuts: int, stream: str = "stdout") -> list[str]:
    """Split a line as a container runtime does."""
    ends = [*cuts, len(line)]
    begins = [0, *cuts]
    tags = ["P"] * len(cuts) + ["F"]
    return [cri(line[a:b], tag, stream) for a, b, tag in zip(begins, ends, tags, strict=True)]


def test_wrapped_and_bare_lines_may_be_mixed() -> None:
    found = read_lines(cri(text(route_name="a")), text(route_name="b"), cri(text(route_name="c")))

    assert sorted(map(str, values(found, "route"))) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "prefix",
    [
        "2026-11-23T12:16:11Z stdout F ",
        "2026-11-23T12:16:11.402123456+08:00 stdout F ",
        "2026-11-23T12:16:11.402123456-03:30 stdout F:x:y ",
    ],
)
def test_every_time_zone_and_tag_of_the_prefix_is_known(prefix: str) -> None:
    assert read_lines(prefix + text()).lines.used == 1


@pytest.mark.parametrize("batch_bytes", [1, 300, 1 << 20])
def test_parts_are_joined_however_the_file_is_read(batch_bytes: int) -> None:
    lines = [
        *parts(text(route_name="a"), 100),
        cri(text(route_name="b")),
        *parts(text(route_name="c"), 1, 2, 50, 300),
        *parts(text(route_name="d"), 0),
    ]

    found = read_lines(*lines, batch_bytes=batch_bytes)

    assert sorted(map(str, values(found, "route"))) == ["a", "b", "c", "d"]
    assert found.lines.read == found.lines.used == 4


@pytest.mark.parametrize("batch_bytes", [1, 300, 1 << 20])
def test_parts_of_two_streams_do_not_mix(batch_bytes: int) -> None:
    one, two = parts(text(), text().index("default.svc"))
    odd, end = parts("a warning in two parts", 10, stream="stderr")

    found = read_lines(one, odd, two, end, batch_bytes=batch_bytes)

    assert values(found, "destination_host") == ["reviews.default.svc.cluster.local"]
    assert skipped(found) == {"on standard error, where no access log goes": 1}


def test_parts_of_two_files_do_not_mix(tmp_path: Path) -> None:
    one, two = parts(text(), 100)
    write(tmp_path / "a.log", [text(), one])
    write(tmp_path / "b.log", [two, text()])

    for batch_bytes in (1, 1 << 20):
        found = read(tmp_path, batch_bytes=batch_bytes)
        assert found.lines.used == 2
        assert skipped(found) == {
            "a part of a line whose end is missing": 1,
            "not an access log line": 1,
        }
        assert [e.example for e in found.lines.skipped] == [
            f"{tmp_path / 'a.log'}:2",
            f"{tmp_path / 'b.log'}:1",
        ]


def test_a_line_of_endless_parts_is_skipped() -> None:
    part = cri("A" * 16384, "P")

    for batch_bytes in (1 << 14, 1 << 20, 64 << 20):
        found = read_lines(*[part] * 300, cri(text()), cri(text()), batch_bytes=batch_bytes)
        assert found.lines.used == 1
        assert skipped(found) == {"longer than 4 MiB": 1}


def test_a_part_is_never_taken_for_a_line() -> None:
    """A caller can choose where a long line is split."""
    forged = text(authority="evil")

    found = read_lines(cri(forged, "P"), cri('" x', "F"), cri(forged, "P"))

    assert found.lines.used == 0


def test_line_ends_of_windows_are_taken_off() -> None:
    found = read_lines(text() + "\r", cri(text()) + "\r")

    assert values(found, "route") == ["default", "default"]


def test_empty_lines_are_counted() -> None:
    assert skipped(read_lines("", "\r", cri(""))) == {"an empty line": 3}


FORWARDED_FIRST = '%REQ(X-FORWARDED-FOR)% [%START_TIME%] "%REQ(:AUTHORITY)%" %UPSTREAM_CLUSTER_RAW%'
FORGEABLE = {"behind words that name a pod, which callers can write in this format": 1}
WORDS = {
    "stern": "evil istio-proxy ",
    "stern, namespaces": "evil evil istio-proxy ",
    "kubectl": "[pod/evil/istio-proxy] ",
    "logcli": '2026-11-23T12:16:11Z {namespace="evil", pod="evil"} ',
}


@pytest.mark.parametrize("words", WORDS)
def test_words_that_a_caller_can_write_first_name_no_pod(words: str) -> None:
    line = WORDS[words] + text(authority="evil")

    found = read_in_format("%START_TIME% %UPSTREAM_CLUSTER%", line, pod=("shop", None))
    assert values(found, "source_pod") == ["evil"]
    assert skipped(read_in_format(FORWARDED_FIRST, line, text())) == FORGEABLE


@pytest.mark.parametrize(
    ("format_string", "is_believed"),
    [
        ("[%REQ(X-FORWARDED-FOR)%] %UPSTREAM_CLUSTER_RAW% [%START_TIME%]", False),
        ("[%REQ(:METHOD)% %REQ(X-REAL-IP)%] %UPSTREAM_CLUSTER_RAW% [%START_TIME%]", False),
        ("[%START_TIME% %REQ(X-REAL-IP)%] %UPSTREAM_CLUSTER_RAW%", True),
        ("[%START_TIME%] %REQ(X-REAL-IP)% %UPSTREAM_CLUSTER_RAW%", True),
        ("(%REQ(X-FORWARDED-FOR)%) %UPSTREAM_CLUSTER_RAW% [%START_TIME%]", True),
    ],
)
def test_a_bracket_of_the_format_may_be_that_of_a_prefix(
    format_string: str, is_believed: bool
) -> None:
    """Behind it a caller can write the rest of the prefix, unless a word of the proxy follows."""
    fields = {"UPSTREAM_CLUSTER_RAW": "outbound|80||a", "START_TIME": "2026-11-23T12:16:11.401Z"}
    line = re.sub(
        r"%([A-Z_]+)(?:\(.*?\))?%", lambda found: fields.get(found[1], "x"), format_string
    )

    found = read_in_format(format_string, f"[pod/web/istio-proxy] {line}", pod=("shop", None))

    assert values(found, "source_pod") == ["web"] * is_believed
    assert skipped(found) == ({} if is_believed else {"from a pod that is not known": 1})


def test_colours_are_nothing_that_a_caller_can_write() -> None:
    line = f"\x1b[32mfrontend-2\x1b[0m \x1b[33mistio-proxy\x1b[0m {text()}"

    found = read_in_format(FORWARDED_FIRST, line, pod=("shop", None))

    assert values(found, "source_pod") == ["frontend-2"]


@pytest.mark.parametrize(
    ("format_string", "starts"),
    [
        ("%REQ(USER-AGENT)% %START_TIME% %UPSTREAM_CLUSTER%", ("",)),
        ("%START_TIME% %REQ(USER-AGENT)% %UPSTREAM_CLUSTER%", ("",)),
        ("%PROTOCOL% %REQ(:METHOD)% %REQ(:PATH)% %START_TIME% %UPSTREAM_CLUSTER%", ("",)),
        ('%START_TIME% "%REQ(USER-AGENT)%" %UPSTREAM_CLUSTER%', ()),
        ("[%START_TIME%] %REQ(USER-AGENT)% %UPSTREAM_CLUSTER%", ()),
        ("%START_TIME% %UPSTREAM_CLUSTER% %PROTOCOL%", ()),
        ('{"t":"%START_TIME%" "%UPSTREAM_CLUSTER%"', ('{"t":"',)),
    ],
)
def test_it_is_known_what_lines_of_a_format_can_look_like(
    format_string: str, starts: tuple[str, ...]
) -> None:
    assert text_starts(log_format(format_string)) == starts
