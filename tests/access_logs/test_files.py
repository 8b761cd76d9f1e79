import gzip
import io
import json
import os
import zlib
from codecs import BOM_UTF8
from pathlib import Path

import pytest
import zstandard

from recommender.access_logs import LogBatch, read_access_logs
from recommender.access_logs.find_logs import find_log_files
from recommender.access_logs.pieces import MOST_LINE_BYTES
from recommender.errors import InputError
from tests.access_logs.helpers import (
    HEX,
    as_json,
    container_path,
    cri,
    merged,
    read,
    read_lines,
    skipped,
    text,
    values,
    write,
)
from tests.access_logs.wrappings import WRAPPED

LINE = text() + "\n"
UID = "0f6c5a3e-8f6e-4c55-9c1b-2f4b8a1d7e90"


def failure(*sources: str | Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_access_logs(sources)
    return caught.value


def writers(batch: LogBatch) -> list[tuple[object, ...]]:
    columns = ["source_namespace", "source_pod"]
    return sorted(batch.requests.select(columns).unique().iter_rows())


def test_a_folder_is_read_whole_but_for_hidden_and_other_files(tmp_path: Path) -> None:
    read_ones = ("a.log", "b/a.log.1", "b/c/a.log.20260824-020000", "a.json", "a.jsonl", "a.txt")
    for name in read_ones:
        write(tmp_path / name, LINE)
    write(tmp_path / "a.gz", gzip.compress(LINE.encode()))
    write(tmp_path / "a.log.zst", zstandard.compress(LINE.encode()))
    for name in (".a.log", ".git/a.log", "a.yaml", "README.md", "a.log.gz.tmp"):
        write(tmp_path / name, LINE)

    assert read(tmp_path).lines.used == len(read_ones) + 2


def test_a_file_named_by_the_user_is_read_whatever_its_name(tmp_path: Path) -> None:
    assert read(write(tmp_path / "access-of-monday", LINE)).lines.used == 1


def test_a_file_is_read_once_however_often_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "logs" / "a.log", LINE)
    (tmp_path / "logs" / "b.log").symlink_to(path)
    os.link(path, tmp_path / "logs" / "c.log")
    (tmp_path / "logs" / "up").symlink_to(tmp_path)
    pattern = str(tmp_path / "**" / "*.log")

    assert read(path, path, path.parent, pattern, str(path)).lines.read == 1


def test_a_rotated_log_beside_its_packed_copy_is_read_once(tmp_path: Path) -> None:
    name = "0.log.20260824-020000"
    write(tmp_path / name, LINE)
    write(tmp_path / f"{name}.gz", gzip.compress(LINE.encode()))
    write(tmp_path / "0.log", LINE)
    write(tmp_path / "0.log.gz", gzip.compress(LINE.encode()))

    assert read(tmp_path).lines.read == 3


def test_the_writer_is_read_from_both_layouts_of_a_node(tmp_path: Path) -> None:
    write(container_path(tmp_path / "containers", "cart-1"), LINE)
    write(tmp_path / "pods" / f"data_search-0_{UID}" / "istio-proxy" / "0.log", LINE)

    found = read(tmp_path, pod=None)

    assert writers(found) == [("data", "search-0"), ("shop", "cart-1")]


@pytest.mark.parametrize("suffix", ["", ".1", ".20260824-020000", ".20260824-020000.gz", ".zst"])
def test_rotated_and_packed_logs_keep_their_writer(tmp_path: Path, suffix: str) -> None:
    write(container_path(tmp_path, "cart-1").with_suffix(f".log{suffix}"), LINE)
    write(tmp_path / f"data_search-0_{UID}" / "istio-proxy" / f"0.log{suffix}", LINE)

    found = read(tmp_path, pod=None)

    assert writers(found) == [("data", "search-0"), ("shop", "cart-1")]


def test_the_writer_is_read_from_a_tag_of_fluent_bit(tmp_path: Path) -> None:
    write(tmp_path / f"kube.var.log.containers.cart-1.a_shop_istio-proxy-{HEX}.log", LINE)

    assert writers(read(tmp_path, pod=None)) == [("shop", "cart-1.a")]


def test_a_link_has_the_writer_of_the_file_behind_it(tmp_path: Path) -> None:
    path = write(tmp_path / f"shop_cart-1_{UID}" / "istio-proxy" / "3.log", LINE)
    link = tmp_path / "newest.log"
    link.symlink_to(path)

    assert writers(read(link, pod=None)) == [("shop", "cart-1")]
    assert read(tmp_path, pod=None).lines.read == 1


@pytest.mark.parametrize("name", ["a.log", "z.log"])
def test_of_two_names_of_a_file_the_one_that_tells_its_writer_counts(
    tmp_path: Path, name: str
) -> None:
    os.link(write(container_path(tmp_path, "cart-1"), LINE), tmp_path / name)

    assert writers(read(tmp_path, pod=None)) == [("shop", "cart-1")]


def test_files_of_other_containers_are_passed_over_and_counted(tmp_path: Path) -> None:
    write(container_path(tmp_path, "cart-1"), LINE)
    write(container_path(tmp_path, "cart-1", "cart"), LINE * 3)
    write(tmp_path / f"shop_cart-1_{UID}" / "istio-init" / "0.log", LINE * 3)

    found = read(tmp_path, pod=None)

    assert found.lines.used == 1
    assert skipped(found) == {"the file of another container than istio-proxy": 2}


def test_a_path_tells_the_writer_better_than_the_user(tmp_path: Path) -> None:
    write(container_path(tmp_path, "cart-1"), LINE)
    write(tmp_path / "bare.log", LINE)

    found = read(tmp_path, pod=("data", "search-0"))

    assert writers(found) == [("data", "search-0"), ("shop", "cart-1")]


@pytest.mark.parametrize(
    ("said", "pod", "expected"),
    [
        ({"pod_name": "a", "namespace_name": "shop"}, ("data", "b"), ("shop", "a")),
        ({"pod_name": "a"}, ("shop", None), ("shop", "a")),
        ({"pod_name": "a"}, ("shop", "a"), ("shop", "a")),
        ({"pod_name": "a"}, ("shop", "b"), None),
        ({"namespace_name": "shop"}, ("shop", "a"), ("shop", "a")),
        ({"namespace_name": "shop"}, ("data", "a"), None),
        ({"namespace_name": "shop"}, ("shop", None), None),
        ({}, ("shop", "a"), ("shop", "a")),
    ],
)
def test_a_wrapper_is_completed_only_by_what_agrees_with_it(
    said: dict[str, str], pod: tuple[str, str | None], expected: tuple[str, str] | None
) -> None:
    record = {"log": text(), "stream": "stdout", "kubernetes": said}

    found = read_lines(json.dumps(record), pod=pod)

    assert writers(found) == ([expected] if expected else [])
    assert skipped(found) == ({} if expected else {"from a pod that is not known": 1})


def test_a_wrapper_that_contradicts_the_path_is_not_believed(tmp_path: Path) -> None:
    write(container_path(tmp_path, "cart-1"), [f"[pod/cart-2/istio-proxy] {text()}", text()])

    found = read(tmp_path, pod=None)

    assert writers(found) == [("shop", "cart-1")]
    assert skipped(found) == {"in a wrapper that names another pod than the path of its file": 1}


def test_names_that_only_resemble_the_layout_tell_no_writer(tmp_path: Path) -> None:
    write(tmp_path / f"cart_shop_istio-proxy-{HEX[:-1]}.log", LINE)
    write(tmp_path / "shop_cart_notes" / "istio-proxy" / "0.log", LINE)

    found = read(tmp_path, pod=None)

    assert skipped(found) == {"from a pod that is not known": 2}


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_every_packing_gives_the_same_lines(tmp_path: Path, size: int) -> None:
    content = "".join(text(route_name=f"r{number}") + "\n" for number in range(50)).encode()
    half = content.index(b"\n", len(content) // 2) - 7
    first, second = content[:half], content[half:]
    stream = zstandard.ZstdCompressor(write_content_size=False)
    skippable = b"\x50\x2a\x4d\x18\x01\0\0\0x"
    files = [
        write(tmp_path / "plain", content),
        write(tmp_path / "gzip.log", gzip.compress(content)),
        write(tmp_path / "members.gz", gzip.compress(first) + gzip.compress(second)),
        write(tmp_path / "padded.gz", gzip.compress(content) + bytes(100)),
        write(tmp_path / "zstd", zstandard.compress(content)),
        write(tmp_path / "frames.zst", stream.compress(first) + stream.compress(second)),
        write(tmp_path / "skippable.zst", skippable + zstandard.compress(content)),
    ]

    expected = read(files[0], batch_bytes=1 << 20)

    for path in files:
        found = read(path, batch_bytes=size)
        assert found.requests.equals(expected.requests), path
        assert found.lines == expected.lines


@pytest.mark.parametrize("name", ["bare", "elasticsearch", "elasticsearch-indented"])
def test_a_byte_order_mark_loses_nothing(tmp_path: Path, name: str) -> None:
    content = (WRAPPED / f"{name}.log").read_bytes()
    marked = BOM_UTF8 + content
    files = [
        write(tmp_path / "plain.log", marked),
        write(tmp_path / "packed.gz", gzip.compress(marked)),
    ]

    expected = read(write(tmp_path / "without.log", content))

    assert expected.lines.read == 12
    for path in files:
        found = read(path)
        assert found.requests.equals(expected.requests)
        assert found.lines.used == expected.lines.used


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
@pytest.mark.parametrize("damage", ["cut", "garbled"])
def test_what_precedes_damage_counts_and_the_rest_is_one_skipped_line(
    tmp_path: Path, name: str, damage: str
) -> None:
    lines = [text(request_id=os.urandom(16).hex()) + "\n" for _ in range(5000)]
    content = "".join(lines).encode()
    packed = gzip.compress(content) if name == "a.gz" else zstandard.compress(content)
    middle = len(packed) // 2
    rest = b"" if damage == "cut" else b"\xff" * (len(packed) - middle)
    damaged = write(tmp_path / name, packed[:middle] + rest)
    whole = write(tmp_path / "whole.log", LINE)

    found = read(damaged, whole)

    assert 100 < found.lines.used < 5000
    (entry,) = (entry for entry in found.lines.skipped if "damaged" in entry.reason)
    assert entry.lines == 1
    assert entry.example == str(damaged)
    # Garbled gzip may go on to unpack to garbage; only its end tells.
    assert int(entry.reason.split()[5].rstrip(",")) >= middle - 5000


def test_the_line_that_damage_cuts_off_is_not_tried(tmp_path: Path) -> None:
    """Its start may be all that a caller chose, up to a byte that a caller chose."""
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress((LINE + text()).encode()) + packer.flush(zlib.Z_SYNC_FLUSH)

    found = read(write(tmp_path / "a.gz", packed))

    assert found.lines.used == 1
    assert found.lines.read == 2


def test_a_file_that_vanishes_is_counted_and_the_run_goes_on(tmp_path: Path) -> None:
    first = write(tmp_path / "a.log", LINE)
    second = write(tmp_path / "b.log", LINE)
    batches = read_access_logs([tmp_path], source_pod=("shop", "cart-1"), batch_bytes=1)
    second.unlink()

    found = merged(batches)

    assert found.lines.used == 1
    (entry,) = found.lines.skipped
    assert entry.example == str(second)
    assert "removed or replaced" in entry.reason
    assert first.exists()


def test_a_line_that_never_ends_is_skipped_and_what_follows_is_read(tmp_path: Path) -> None:
    endless = b"[" * (3 * MOST_LINE_BYTES)
    path = write(tmp_path / "a.log", LINE.encode() + endless + b"\n" + LINE.encode())

    for size in (1, 1 << 20, 64 << 20):
        found = read(path, batch_bytes=size)
        assert found.lines.used == 2
        (entry,) = found.lines.skipped
        assert (entry.reason, entry.example) == ("longer than 4 MiB", f"{path}:2")


def test_a_line_of_a_mebibyte_is_a_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", [text(user_agent="A" * (1 << 20))])

    for size in (1, 1 << 20):
        assert read(path, batch_bytes=size).lines.used == 1


def test_a_last_line_without_line_feed_is_a_line(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.log", LINE + text())).lines.used == 2


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    write(tmp_path / "a.log", "")

    assert read(write(tmp_path / "a.log", "")).lines.read == 0


def test_an_example_names_the_first_line_of_its_reason(tmp_path: Path) -> None:
    write(tmp_path / "a.log", [text(), text(), "x"] + [text()] * 7 + ["y"])
    write(tmp_path / "b.log", ["z"])

    for size in (1, 1 << 20):
        (entry,) = read(tmp_path, batch_bytes=size).lines.skipped
        assert entry.example == f"{tmp_path / 'a.log'}:3"


def test_an_example_is_the_first_line_whatever_the_formats() -> None:
    never = "2026-13-01T00:00:00.000Z"
    lines = [as_json(start_time=never), text(start_time=never), as_json(start_time=never)]

    assert [entry.example for entry in read_lines(*lines).lines.skipped] == ["stdin:1"]


def test_the_standard_input_is_read_once_beside_files(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", LINE)
    stdin = io.BytesIO(gzip.compress((cri(text()) + "\n").encode()))

    found = merged(read_access_logs([path, "-", "-"], stdin=stdin, source_pod=("shop", "cart-1")))

    assert found.lines.used == 2
    assert not stdin.closed


def test_a_pipe_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, LINE.encode())
    os.close(writer)
    path = Path(f"/dev/fd/{reader}")

    assert read(path).lines.used == 1
    os.close(reader)


def test_a_name_with_glob_signs_that_exists_is_that_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a[1].log", LINE)
    write(tmp_path / "a1.log", LINE)

    assert values(read(str(path)), "route") == ["default"]


def test_nothing_to_read_fails_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(container_path(tmp_path / "apps", "cart-1", "cart"), LINE)
    missing = tmp_path / "none.log"

    assert failure().what == "no log source is named"
    assert failure(missing).where == str(missing)
    assert failure(str(tmp_path / "*.none")).what == "the pattern matches no file"
    assert failure(tmp_path / "empty").what == "the folder holds no log"
    assert failure(tmp_path / "apps").what == "no log is that of a proxy"
    assert failure("-").what == "there is no standard input to read"
    assert failure("x" * 5000).what.startswith("cannot be read")


def test_an_unreadable_file_fails_before_any_work(tmp_path: Path) -> None:
    loop = tmp_path / "loop.log"
    loop.symlink_to(loop)

    assert failure(loop).where == str(loop)


def test_a_name_of_odd_bytes_is_shown_as_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\x1b[31m\xff.log"))
    write(path, "x\n")

    files, _ = find_log_files([tmp_path])

    assert files[0].name == f"{tmp_path}/\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}.log"
    assert read(tmp_path).lines.read == 1
