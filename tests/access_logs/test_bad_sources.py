"""What cannot be read is counted and named; only where nothing at all can be is it an error."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recommender.access_logs import read_access_logs
from recommender.access_logs.find_logs import find_log_files
from recommender.access_logs.log_file import LogFile
from recommender.access_logs.pieces import read_pieces
from recommender.errors import InputError
from tests.access_logs.helpers import POD, merged, read, skipped, text, write
from tests.access_logs.wrappings import INDENTED, NAMESPACE

LINE = text() + "\n"


def lost(*sources: str | Path) -> dict[str, str]:
    """Read sources, one line of which is of use; map what was lost to why."""
    found = read(*sources)
    assert found.lines.used == 1
    return {entry.example: entry.reason for entry in found.lines.skipped}


def test_a_file_that_was_rotated_away_is_counted(tmp_path: Path) -> None:
    """A shell has expanded the pattern before."""
    path = write(tmp_path / "a.log", LINE)
    gone = tmp_path / "b.log"

    assert lost(path, gone) == {str(gone): "there is no such file or folder"}


def test_a_pattern_without_match_and_a_folder_without_logs_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", LINE)
    (tmp_path / "empty").mkdir()
    pattern = str(tmp_path / "*.none")

    assert lost(path, pattern, tmp_path / "empty") == {
        pattern: "the pattern matches no file",
        str(tmp_path / "empty"): "the folder holds no log",
    }


@pytest.mark.parametrize(
    "url", ["gs://logs/a.log", "S3://logs/a.log", "https://logs/*.gz", "file:///a.log"]
)
def test_a_url_of_no_known_storage_is_named_as_it_was_written(tmp_path: Path, url: str) -> None:
    path = write(tmp_path / "a.log", LINE)

    assert lost(path, url) == {url: "this is no URL that can be read"}


@pytest.mark.parametrize("url", ["s3://", "oss:///a.log", "s3://two words/a.log"])
def test_a_url_without_a_bucket_is_counted(tmp_path: Path, url: str) -> None:
    path = write(tmp_path / "a.log", LINE)

    assert lost(path, url) == {url: "this is no URL of an object"}


def test_a_link_that_leads_nowhere_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", LINE)
    loop = tmp_path / "loop.log"
    loop.symlink_to(loop)

    assert lost(path, loop) == {str(loop): "there is no such file or folder"}


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Make a folder that other users may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user who may not read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_what_may_not_be_read_is_counted(shared_folder: Path) -> None:
    write(shared_folder / "a.log", LINE)
    secret = write(shared_folder / "secret.log", LINE)
    folder = shared_folder / "closed"
    write(folder / "c.log", LINE)
    names = shared_folder / "names-only"
    write(names / "d.log", LINE)
    for path, mode in ((secret, 0), (folder, 0), (names, 0o444)):
        path.chmod(mode)
    with nobody():
        files, skipped = find_log_files([shared_folder])
        found = read(shared_folder)
    for path, mode in ((secret, 0o644), (folder, 0o755), (names, 0o755)):
        path.chmod(mode)

    assert [file.name for file in files] == [str(shared_folder / "a.log")]
    assert {entry.example for entry in skipped} == {str(secret), str(folder), str(names)}
    assert {entry.reason for entry in skipped} == {"cannot be read: Permission denied"}
    assert found.lines.used == 1
    assert [entry.lines for entry in found.lines.skipped] == [3]


def tar_archive() -> bytes:
    """Pack two logs, as `istioctl bug-report` does those of many pods."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("a.log", "b.log"):
            member = tarfile.TarInfo(name)
            member.size = len(LINE)
            archive.addfile(member, io.BytesIO(LINE.encode()))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04\x14\0\0\0" + b"\0" * 90, "not a log but a zip archive"),
        (tar_archive(), "not a log but a tar archive, unpack it"),
        (gzip.compress(tar_archive()), "not a log but a tar archive, unpack it"),
        (b"BZh91AY&SY" + b"\0" * 90, "not a log but packed with bzip2"),
        (b"\xfd7zXZ\0\0\x04" + b"\0" * 90, "not a log but packed with xz"),
        (b"PAR1" + b"\0" * 90, "not a log but a Parquet file"),
        (b"\x7fELF\x02\x01", "not a log but a program"),
        (LINE.encode("utf-16"), "not a log but text in UTF-16, save it as UTF-8"),
        (b"\xfe\xff" + LINE.encode("utf-16-be"), "not a log but text in UTF-16, save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_text_is_named_once(tmp_path: Path, content: bytes, what: str) -> None:
    path = write(tmp_path / "a.log", LINE)
    other = write(tmp_path / "b.log", content + b"\n\n\n")

    assert lost(path, other) == {str(other): what}


def test_nothing_at_all_is_an_error_that_names_the_first(tmp_path: Path) -> None:
    gone = [tmp_path / "a.log", tmp_path / "b.log"]

    with pytest.raises(InputError, match=r"a\.log: there is no such file"):
        read_access_logs(gone)


@pytest.mark.parametrize("name", INDENTED)
@pytest.mark.parametrize("line_feed", ["\n", "\r\n"])
def test_indented_documents_are_read_however_they_are_cut(
    tmp_path: Path, name: str, line_feed: str
) -> None:
    """Several of them too, as jq prints them, between which a line of another kind may stand."""
    lines = [text(user_agent='}\\n}"\u2028', route_name=str(n)) for n in range(3)]
    document = line_feed.join([*INDENTED[name](lines), ""])
    path = write(tmp_path / "a.json", document * 2)

    for batch_bytes in (1, 100, 1 << 20):
        found = read(path, pod=None, batch_bytes=batch_bytes)
        assert sorted(found.requests["route"]) == ["0", "0", "1", "1", "2", "2"]
        assert set(found.requests["source_namespace"]) == {NAMESPACE}


def test_a_file_of_an_indented_json_that_is_no_log_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps({"kind": "Pod", "items": [1]}, indent=2) + "\n")

    found = read(path)

    assert found.lines.read == 1
    assert found.lines.used == 0


def indented_answer(*routes: str) -> str:
    """Write an answer of Elasticsearch for people, of one line per route."""
    lines = [text(user_agent='}\\n}"\u2028', route_name=route) for route in routes]
    return "\n".join([*INDENTED["elasticsearch-indented"](lines), ""])


@pytest.mark.parametrize("between", ["", "\n", " \n\n"])
@pytest.mark.parametrize("line_feed", ["\n", "\r\n"])
def test_what_follows_an_indented_document_is_read_by_itself(
    tmp_path: Path, between: str, line_feed: str
) -> None:
    """Ordinary lines, what begins like a document and is none, and more documents."""
    lines = "".join(text(route_name=f"bare-{n}") + "\n" for n in range(5))
    parts = [indented_answer("a", "b"), lines, "{\n", indented_answer("c"), indented_answer("d")]
    path = write(tmp_path / "a.json", between.join(parts).replace("\n", line_feed))

    for batch_bytes in (1, 7, 100, 1 << 20):
        found = read(path, batch_bytes=batch_bytes)
        assert sorted(found.requests["route"]) == [
            "a",
            "b",
            *(f"bare-{n}" for n in range(5)),
            "c",
            "d",
        ]
        assert skipped(found)["not valid JSON"] == 1


def test_an_indented_document_that_is_cut_off_takes_no_other_line_along(tmp_path: Path) -> None:
    whole = indented_answer("a")
    for end in range(3, len(whole) - 2, 97):
        rest = "\n" + text(route_name="bare") + "\n" + indented_answer("b")
        found = read(write(tmp_path / "a.json", whole[:end] + rest))
        assert sorted(found.requests["route"]) == ["b", "bare"], whole[:end]
        assert sum(skipped(found).values()) == 1


@pytest.mark.parametrize("size", range(1, 9))
def test_lines_are_joined_alike_wherever_blocks_end(size: int) -> None:
    class Slow(io.BytesIO):
        def read(self, most: int | None = -1, /) -> bytes:
            return super().read(size if most is None else min(most, size))

    content = b'{\n "a":\n\n 1\n}\nb\n[\r\n\t2\r\n]\r\n\n{\nc\n{\n 3\nd\n{\n4\n}\n{\n 5\n'
    joined = b'{  "a":   1 }\nb\n[\r \t2\r ]\r\n\n{\nc\n{  3\nd\n{\n4\n}\n{  5\n'

    pieces = read_pieces(LogFile(None, "stdin"), Slow(content * 4))

    assert b"".join(piece.data for piece in pieces) == joined * 4


def test_a_last_line_that_is_cut_off_is_not_guessed(tmp_path: Path) -> None:
    whole = text()
    for end in range(1, len(whole)):
        found = read(write(tmp_path / "a.log", LINE + whole[:end]), pod=POD)
        hosts = set(found.requests["destination_host"])
        assert hosts == {"reviews.default.svc.cluster.local"}, whole[:end]


def test_the_order_of_sources_does_not_matter(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.log", LINE) for n in "ab"]
    gone = tmp_path / "c.log"

    one = merged(read_access_logs([*paths, gone], source_pod=POD))
    two = merged(read_access_logs([gone, *reversed(paths)], source_pod=POD))

    assert one.lines == two.lines
    assert one.requests.equals(two.requests)
