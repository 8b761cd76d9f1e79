import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from recommender.mesh.yaml_documents import MOST_DEPTH, YamlError, read_yaml
from recommender.mesh.yaml_scalars import plain_scalar

texts = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=12)
awkward = st.sampled_from(
    ["", "~", "null", "yes", "0o7", "1e3", "<<", "- a", "a: b", "#", "12:30", "2026-01-02", "\n x"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | awkward
)
objects = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | awkward, inner, max_size=4),
    max_leaves=25,
)


def writer_quotes_it(text: str) -> bool:
    """Tell whether PyYAML quotes a text that Kubernetes would not read as text unquoted.

    It leaves `y` and `1e3` plain, which are a boolean and a number to Kubernetes.
    """
    resolver = yaml.SafeLoader("")
    # the stubs of PyYAML leave `resolve` untyped
    tag = resolver.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return plain_scalar(text) == text or tag != "tag:yaml.org,2002:str"


agreed = st.recursive(
    scalars.filter(lambda value: not isinstance(value, str) or writer_quotes_it(value)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries((texts | awkward).filter(writer_quotes_it), inner, max_size=4)
    ),
    max_leaves=25,
)


def read(text: str) -> list[object]:
    return [document.value for document in read_yaml(text.encode())]


def read_one(text: str) -> Any:
    (value,) = read(text)
    return value


def failure(text: str) -> YamlError:
    with pytest.raises(YamlError) as caught:
        read(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (".5", 0.5),
        (".3_4", 0.34),
        (".3e1_0", 3e9),
        *((text, text) for text in (".3_", "._5", ".3__4", ".3e4_", ".9e999")),
    ],
)
def test_a_plain_scalar_with_a_point_first_is_what_go_makes_of_it(text: str, value: object) -> None:
    assert read_one(text) == value


@given(objects)
def test_what_a_json_writer_wrote_reads_as_it_was(value: object) -> None:
    text = json.dumps(value, ensure_ascii=True)

    assert read_one(text) == json.loads(text)


@given(agreed, st.booleans(), st.sampled_from([40, 80, 10_000]))
def test_what_a_yaml_writer_wrote_reads_as_the_safe_loader_reads_it(
    value: object, flow: bool, width: int
) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, width=width, allow_unicode=True)

    assert read_one(text) == yaml.safe_load(text)


@given(st.lists(agreed, min_size=1, max_size=4))
def test_documents_come_one_by_one(values: list[object]) -> None:
    text = yaml.safe_dump_all(values, explicit_start=True)

    assert read(text) == list(yaml.safe_load_all(text))


def lines_of(data: bytes) -> list[int]:
    """List the lines that reading tells: of the documents, and at last of the error."""
    lines: list[int] = []
    try:
        lines += (document.line for document in read_yaml(data))
    except YamlError as error:
        lines.append(error.line)
    return lines


@given(st.text(max_size=60).map(str.encode) | st.binary(max_size=60))
def test_any_bytes_read_or_fail_with_a_line_that_is_there(data: bytes) -> None:
    breaks = sum(data.count(c) for c in (b"\n", b"\r", b"\xc2\x85", b"\xe2\x80", b"\x85", b"\0"))

    assert all(0 <= line <= breaks + 2 for line in lines_of(data))


# What sigs.k8s.io/yaml 1.6.0 makes of each, by running it.
PLAIN = {
    "yes": True,
    "Off": False,
    "y": True,
    "tRue": "tRue",
    "~": None,
    "null": None,
    "": None,
    "0x1f": 31,
    "0o17": 15,
    "010": 8,
    "089": 89.0,
    "-0b11": -3,
    "0_7": 7,
    "1_000": 1000,
    "+5": 5,
    "1e3": 1000.0,
    ".5": 0.5,
    "5.": 5.0,
    "12:30:45": "12:30:45",
    "1.2.3": "1.2.3",
    "2026-01-02": "2026-01-02",
    "2026-01-02T10:11:12Z": "2026-01-02T10:11:12Z",
    "=": "=",
    "1e400": "1e400",
    "18446744073709551615": 18446744073709551615,
    "123456789012345678901234": 1.2345678901234569e23,
    "'010'": "010",
    '"yes"': "yes",
    "!!str 5": "5",
    "!!int '5'": 5,
    "!!float 5": 5.0,
    "!other 5": "5",
}


@pytest.mark.parametrize("text", PLAIN)
def test_a_scalar_means_what_it_means_to_kubernetes(text: str) -> None:
    value = read_one(f"a: {text}\n")

    assert value == {"a": PLAIN[text]}
    assert type(value["a"]) is type(PLAIN[text])


@pytest.mark.parametrize(
    ("key", "text"), [("80", "80"), ("1.0", "1"), ("true", "true"), ("on", "true"), ("0x10", "16")]
)
def test_a_key_that_is_no_text_becomes_text(key: str, text: str) -> None:
    assert read_one(f"{key}: x") == {text: "x"}


def test_an_anchor_stands_for_its_value_in_each_place() -> None:
    text = "base: &b {x: [1, 2]}\nmore: *b\nname: &n shop\nagain: *n\n*n : as a key\n"

    assert read_one(text) == {
        "base": {"x": [1, 2]},
        "more": {"x": [1, 2]},
        "name": "shop",
        "again": "shop",
        "shop": "as a key",
    }


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        ("<<: *a\n  x: 9", {"x": 9, "w": 1}),
        ("x: 9\n  <<: *a", {"x": 9, "w": 1}),
        ("<<: [*a, *b]", {"x": 1, "w": 1, "z": 2}),
        ("<<: [*b, *a]", {"x": 2, "w": 1, "z": 2}),
        ("<<: {x: 5}", {"x": 5}),
        ("'<<': 5", {"<<": 5}),
    ],
)
def test_a_merge_adds_what_is_not_there(merge: str, expected: object) -> None:
    value = read_one(f"a: &a {{x: 1, w: 1}}\nb: &b {{x: 2, z: 2}}\nc:\n  {merge}\n")

    assert value["c"] == expected
    assert value["a"] == {"x": 1, "w": 1}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1\nc: 2\n", 3),
        ("a: 1\nb: 2\na: 3\n", 3),
        ("a: 1\n? [x]\n: 2\n", 2),
        ("a: 1\n~: 2\n", 2),
        ("a:\n  - *nowhere\n", 2),
        ("a: &a\n  - *a\n", 2),
        ("a: &a 1\nb: &a\n  - *a\n", 3),
        ("a: !!int shop\n", 1),
        ("a: 1\n---\nb: {x: 1, x: 2}\n", 3),
        ("a: 1\nb:\n  <<: 5\n", 3),
        ("a: \x07\n", 1),
        ("a: 1\nb: \t\x01\n", 2),
    ],
)
def test_yaml_that_kubernetes_refuses_fails_with_its_line(text: str, line: int) -> None:
    assert failure(text).line == line


def test_a_document_before_the_broken_one_is_read() -> None:
    documents = iter(read_yaml(b"a: 1\n---\nb: [\n"))

    assert next(documents).value == {"a": 1}
    with pytest.raises(YamlError):
        next(documents)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000])
def test_deep_nesting_is_refused(text: str) -> None:
    assert failure(text)


def test_nesting_is_refused_exactly_beyond_the_limit() -> None:
    assert read_one("[" * MOST_DEPTH + "]" * MOST_DEPTH)
    assert "deep" in failure("[" * (MOST_DEPTH + 2) + "]" * (MOST_DEPTH + 2)).what


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]

    assert "aliases" in failure("\n".join(lines)).what


def test_a_document_tells_its_line_and_those_of_its_items() -> None:
    text = (
        "# first\na: 1\n---\n\nkind: List\nitems:\n- x: 1\n- x: 2\n  w: [{z: 1}]\nmore:\n- z: 1\n"
    )
    first, second = read_yaml(text.encode())

    assert (first.line, first.item_lines) == (2, ())
    assert (second.line, second.item_lines) == (5, (7, 8))
