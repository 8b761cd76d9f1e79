from pathlib import Path

import pytest

from tests.access_logs.helpers import cri, read, read_lines, skipped, text, values, write


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
