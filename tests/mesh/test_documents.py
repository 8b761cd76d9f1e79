import gzip
import json
import tarfile
from pathlib import Path

import pytest
import zstandard

from recommender.errors import InputError
from recommender.mesh.documents import read_documents


def origins(*sources: str | Path) -> dict[object, str]:
    """Map each document's `id` to its origin."""
    return {d.object.get("id"): d.origin for d in read_documents(sources)}


def failure(*sources: str | Path) -> InputError:
    with pytest.raises(InputError) as caught:
        list(read_documents(sources))
    return caught.value


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_folder_is_read_whole_but_for_hidden_and_other_files(tmp_path: Path) -> None:
    write(tmp_path / "b" / "x.yml", "id: 1")
    write(tmp_path / "a.YAML", "id: 2")
    write(tmp_path / "c.json", '{"id": 3}')
    write(tmp_path / "d.yaml.gz", gzip.compress(b"id: 4"))
    write(tmp_path / "e.json.zst", zstandard.compress(b'{"id": 5}'))
    write(tmp_path / ".hidden.yaml", "id: 6")
    write(tmp_path / ".git" / "x.yaml", "id: 7")
    write(tmp_path / "README.md", "id: 8")

    assert set(origins(tmp_path)) == {1, 2, 3, 4, 5}


def test_files_come_in_sorted_order_however_they_are_named(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, f"id: {name}") for name in ("c.yaml", "a.yaml", "b.yaml")]
    expected = ["a.yaml", "b.yaml", "c.yaml"]

    assert list(origins(*paths)) == expected
    assert list(origins(str(tmp_path / "*.yaml"), tmp_path, *paths)) == expected


def test_links_are_followed_but_never_in_a_loop(tmp_path: Path) -> None:
    write(tmp_path / "..data" / "x.yaml", "id: 1")
    (tmp_path / "x.yaml").symlink_to(tmp_path / "..data" / "x.yaml")
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")

    assert [d.origin for d in read_documents([tmp_path])] == [f"{tmp_path / 'x.yaml'}:1"]


def test_a_glob_finds_files_and_folders(tmp_path: Path) -> None:
    write(tmp_path / "prod-a" / "x.yaml", "id: 1")
    write(tmp_path / "prod-b.yaml", "id: 2")
    write(tmp_path / "test" / "x.yaml", "id: 3")

    assert set(origins(str(tmp_path / "prod-*"))) == {1, 2}
    assert set(origins(str(tmp_path / "**" / "x.yaml"))) == {1, 3}


def test_a_name_with_glob_signs_that_exists_is_that_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a[1].yaml", "id: 1")

    assert set(origins(str(path))) == {1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.yaml", "# first\nid: 1\n---\n---\nnull\n---\nid: 2\n"),
        ("x.yaml", "kind: List\nitems:\n- id: 1\n- id: 2\n"),
        ("x.yaml", "items:\n- kind: PodList\n  items:\n  - id: 1\n- id: 2\nkind: List\n"),
        ("x.yaml", "- id: 1\n- id: 2\n"),
        ("x.yaml", '{"id": 1}\n---\n{"id": 2}\n'),
        ("x.yaml", '{"kind": "List", "items": [{"id": 1}, {"id": 2}]}'),
        ("x.json", '{"kind": "List", "items": [{"id": 1}, {"id": 2}]}'),
        ("x.json", '\ufeff{"id": 1}\n\n{"id": 2}\n'),
        ("x.json", '[{"id": 1}, {"id": 2}]'),
        ("x.json", '{"id": 1} []\n{"id": 2}'),
        ("dump", '{"id": 1}{"id": 2}'),
        ("dump", "id: 1\n---\nid: 2\n"),
    ],
)
def test_every_way_to_write_two_objects_is_understood(tmp_path: Path, name: str, text: str) -> None:
    assert set(origins(write(tmp_path / name, text))) == {1, 2}


def test_an_object_whose_kind_ends_in_list_is_one_object(tmp_path: Path) -> None:
    text = "kind: AllowList\nmetadata: {name: a}\nid: 1\nitems: [x]\n"

    assert set(origins(write(tmp_path / "x.yaml", text))) == {1}


def test_origins_tell_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path / "x.yaml", "id: 1\n---\nkind: List\nitems:\n- id: 2\n- id: 3\n")
    other = write(tmp_path / "x.json", '{"id": 4}\n\n{"id": 5}')

    assert origins(path) == {1: f"{path}:1", 2: f"{path}:5", 3: f"{path}:6"}
    assert origins(other) == {4: f"{other}:1", 5: f"{other}:3"}


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("x.yaml", "a: 1\nb: [\n", 3),
        ("x.yaml", "a: {{ .Values.a }}\n", 1),
        ("x.yaml", "a: 1\n---\njust text\n", 3),
        ("x.yaml", "kind: List\nitems:\n- a: 1\n- text\n", 1),
        ("x.yaml", "kind: List\nitems: text\n", 1),
        ("x.json", '{"a": 1}\n{"b": }', 2),
        ("x.json", '{"a": 1}\n"text"', 2),
        ("x.json", '{"a": NaN}', 1),
        ("x.json", '{"a": ' + "9" * 5000 + "}", 1),
        ("x.json", '{"a": ' + "[" * 200_000, 1),
        ("x.json", b'{"a": 1}\n\xff', 2),
    ],
)
def test_what_is_no_object_fails_with_file_and_line(
    tmp_path: Path, name: str, text: str | bytes, line: int
) -> None:
    path = write(tmp_path / name, text)

    assert failure(path).where == f"{path}:{line}"


def test_a_template_gets_a_hint(tmp_path: Path) -> None:
    assert "template" in str(failure(write(tmp_path / "x.yaml", "a: {{ .Values.a }}\n")))


def test_a_tar_gets_a_hint(tmp_path: Path) -> None:
    manifest = write(tmp_path / "x.yaml", "id: 1")
    with tarfile.open(tmp_path / "dump.tar.gz", "w:gz") as archive:
        archive.add(manifest, "x.yaml")

    assert failure(tmp_path / "dump.tar.gz").hint == "unpack the archive first"


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("utf-16.json", '{"id": 1}'.encode("utf-16"), "save it as UTF-8"),
        ("cut.json", '{"items": [{"id": "x', "dump it again"),
        ("yaml.json", "id: 1", ".yaml"),
        ("bad.yaml", "id: [", "dump it again"),
        ("text.yaml", "once upon a time", "kubectl"),
        ("items.yaml", "{kind: List, items: {id: 1}}", "kubectl"),
    ],
)
def test_what_cannot_be_understood_fails_with_what_to_try(
    tmp_path: Path, name: str, text: str | bytes, hint: str
) -> None:
    assert hint in (failure(write(tmp_path / name, text)).hint or "")


def test_a_json_text_without_an_end_is_told_in_a_whole_sentence(tmp_path: Path) -> None:
    error = failure(write(tmp_path / "cut.json", '{"items": [{"id": "x'))

    assert error.what == "the JSON does not parse: Unterminated string"


def test_a_missing_source_fails_with_its_name(tmp_path: Path) -> None:
    assert failure(tmp_path / "none.yaml").where == str(tmp_path / "none.yaml")
    assert failure(str(tmp_path / "*.yaml")).where == str(tmp_path / "*.yaml")
    assert failure(tmp_path).where == str(tmp_path)
    assert failure()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("x.yaml.gz", "cut short"),
        ("x.yaml.gz", "garbled"),
        ("x.yaml.zst", "cut short"),
    ],
)
def test_a_damaged_archive_fails_with_its_name_and_what_to_try(
    tmp_path: Path, name: str, damage: str
) -> None:
    pack = gzip.compress if name.endswith("gz") else zstandard.compress
    whole = pack(b"".join(b"k%d: %d\n" % (n, n * n) for n in range(5000)))
    content = {
        "cut short": whole[: len(whole) // 2],
        "garbled": whole[:40] + b"\xff" * 40 + whole[80:],
    }[damage]
    path = write(tmp_path / name, content)

    error = failure(path)
    assert error.where == str(path)
    assert error.what.startswith("cannot be unpacked: damaged ")
    assert error.hint == "copy it again, or dump it again"


def test_a_file_named_as_packed_that_is_not_is_read_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "x.yaml.gz", b"id: 1")

    assert list(origins(path)) == [1]


def test_a_few_packed_bytes_that_hold_very_many_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.mesh.documents.MOST_BYTES", 1 << 20)
    for name, pack in (("x.yaml.gz", gzip.compress), ("x.yaml.zst", zstandard.compress)):
        path = write(tmp_path / name, pack(b"#" * (2 << 20)))

        assert "holds more than 1 MiB" in failure(path).what


def test_an_archive_of_several_parts_is_read_whole(tmp_path: Path) -> None:
    packed = zstandard.compress(b"id: 1\n---\n") + zstandard.compress(b"id: 2\n")

    assert set(origins(write(tmp_path / "x.yaml.zst", packed))) == {1, 2}


def test_a_folder_may_be_named_like_a_file_and_a_path_below_a_file_fails(tmp_path: Path) -> None:
    path = write(tmp_path / "x.yaml" / "y.yaml", "id: 1").parent

    assert set(origins(path)) == {1}
    assert failure(path / "y.yaml" / "z.yaml").where == str(path / "y.yaml" / "z.yaml")


def test_text_that_no_output_could_encode_is_repaired(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", json.dumps({"id": "a\ud800b", "\udfff": "\U0001f600"}))
    (document,) = read_documents([path])

    assert document.object == {"id": "a\ufffdb", "\ufffd": "\U0001f600"}
