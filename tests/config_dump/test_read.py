"""A config_dump is read as a stream, whoever wrote it, and whatever is in it."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from recommender.config_dump import ConfigDump, read_config_dump
from recommender.config_dump.read import parse_config_dump
from recommender.errors import InputError
from tests.config_dump.helpers import (
    NODE_ID,
    blocks,
    bootstrap,
    cluster,
    clusters,
    dump,
    endpoints,
    listeners,
    routes,
)

WEB = "outbound|80||web.shop.svc.cluster.local"
WHOLE = dump(
    bootstrap(), clusters(cluster(WEB)), endpoints(WEB), listeners("0.0.0.0_80"), routes("80")
)


def parsed(content: bytes, size: int = 100) -> ConfigDump:
    return parse_config_dump(blocks(content, size), "dump.json")


def refused(content: bytes) -> str:
    with pytest.raises(InputError) as error:
        parsed(content)
    return str(error.value)


def test_resources_have_their_types_and_names() -> None:
    found = parsed(WHOLE)

    assert {xds: list(names) for xds, names in found.resources.items()} == {
        "cds": [WEB],
        "eds": [WEB],
        "lds": ["0.0.0.0_80"],
        "rds": ["80"],
    }
    assert found.missing == ()
    assert not found.is_cut


def test_the_node_tells_the_pod_and_the_version_of_istio() -> None:
    found = parsed(WHOLE)

    assert found.node_id == NODE_ID
    assert found.pod == ("shop", "web-7d9c5b8f6d-b2xxz")
    assert found.istio_version == "1.31.2"


@pytest.mark.parametrize("node_id", ["", "envoy-1", "sidecar~x~y", "sidecar~~nodot~", "a~b~.ns~d"])
def test_a_node_that_is_not_istios_tells_no_pod(node_id: str) -> None:
    assert parsed(dump(bootstrap(node_id), clusters(cluster(WEB)))).pod is None


def test_the_name_of_a_field_may_be_in_camel_case() -> None:
    """`istioctl proxy-config all -o json` prints it so."""
    text = WHOLE.decode()
    for snake in ("dynamic_active_clusters", "dynamic_listeners", "active_state", "route_config"):
        first, *rest = snake.split("_")
        text = text.replace(f'"{snake}"', f'"{first}{"".join(map(str.title, rest))}"')

    assert parsed(text.encode()).resources["cds"] == parsed(WHOLE).resources["cds"]
    assert parsed(text.encode()).resources["lds"] == parsed(WHOLE).resources["lds"]


def test_warming_clusters_count_and_static_ones_do_not() -> None:
    found = parsed(
        dump(
            clusters(cluster("warm"), section="dynamic_warming_clusters"),
            clusters(cluster("static"), section="static_clusters"),
        )
    )

    assert list(found.resources["cds"]) == ["warm"]


def test_the_bytes_are_those_of_the_encoded_resource() -> None:
    """A tag, a length and the name; a tag and a number for the enum."""
    assert parsed(WHOLE).resources["cds"] == {WEB: 2 + len(WEB) + 2}


def test_what_envoy_adds_to_load_assignments_does_not_count() -> None:
    added = {"policy": {"overprovisioning_factor": 140}}
    plain, more = (parsed(dump(endpoints(WEB, **each))).resources["eds"] for each in ({}, added))

    assert plain == more == {WEB: 2 + len(WEB)}


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bytes])
def test_a_packed_file_is_read_as_a_plain_one(tmp_path: Path, pack: Any) -> None:
    path = tmp_path / "dump"
    path.write_bytes(pack(WHOLE))

    assert read_config_dump(path) == parsed(WHOLE)


def test_a_missing_section_is_known() -> None:
    assert parsed(dump(bootstrap(), clusters(cluster(WEB)))).missing == ("eds", "lds", "rds")


@pytest.mark.parametrize("left", [0.5, 0.9, 0.99])
def test_of_a_dump_that_is_cut_short_counts_what_is_there(left: float) -> None:
    many = dump(bootstrap(), clusters(*(cluster(f"c{n}") for n in range(100))))
    found = parsed(many[: int(len(many) * left)])

    assert found.is_cut
    assert 20 < len(found.resources["cds"]) <= 100
    assert found.pod is not None


def test_a_damaged_archive_counts_up_to_the_damage(tmp_path: Path) -> None:
    many = dump(clusters(*(cluster(f"c{n}-{n * n}") for n in range(20_000))))
    packed = gzip.compress(many)
    path = tmp_path / "dump.json.gz"
    path.write_bytes(packed[: len(packed) // 2])
    found = read_config_dump(path)

    assert found.is_cut
    assert 1000 < len(found.resources["cds"]) < 20_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b"null",
        b'"configs"',
        b'{"configs": 5}',
        b'{"configs": [1, "x", null, [], {}]}',
        b'{"configs": {"dynamic_active_clusters": 1}}',
        b'{"configs": [{"dynamic_active_clusters": [{"cluster": "x"}, {"cluster": [1]}]}]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"configs":' * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": 1e999999999999}',
    ],
)
def test_what_is_no_config_dump_is_refused_in_one_sentence(content: bytes) -> None:
    said = refused(content)

    assert said.startswith("dump.json: is no config_dump of an Envoy")
    assert "config_dump?include_eds" in said
    assert "\n" not in said


def test_what_is_wrong_is_said_in_words() -> None:
    """The parser's own words for what is no text are the `repr` of bytes."""
    for content in (b'{"a": "x\xff"}', b"\xff\xfe{", b'{"it\'s": "\xff"}'):
        said = refused(content)
        assert ": lexical error: " in said
        assert "b'" not in said
        assert "\\n" not in said


def test_a_resource_that_is_nested_without_end_ends_the_dump() -> None:
    deep: Any = {}
    for _ in range(150):
        deep = {"x": [deep]}
    found = parsed(dump(clusters(cluster("fine"), cluster("deep", x=deep), cluster("lost"))))

    assert list(found.resources["cds"]) == ["fine"]
    assert found.is_cut


def test_a_text_without_end_ends_the_dump() -> None:
    """The parser would hold all of it, and take a time that grows with its square."""
    begin, _, _ = dump(clusters(cluster("fine"), cluster("endless"))).rpartition(b'endless"')
    found = parse_config_dump(chain([begin], repeat(b"x" * 100_000)), "dump.json")

    assert list(found.resources["cds"]) == ["fine"]
    assert found.is_cut
    assert found.read < 20_000_000


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_config_dump(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_config_dump(tmp_path)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(JSON, st.sampled_from(["name", "metadata", "filter_metadata", "typed_config", "@type"]))
def test_whatever_is_in_a_resource_has_some_size(value: Any, key: str) -> None:
    found = parsed(dump(clusters({**cluster("c"), key: value}, cluster("after"))))

    assert "after" in found.resources["cds"]
    assert all(size >= 0 for size in found.resources["cds"].values())


def test_memory_does_not_grow_with_the_dump() -> None:
    """The same 20 clusters come again and again, since names are kept."""
    each = [cluster(f"outbound|{n}||x", metadata={"a": ["b" * 500] * 9}) for n in range(20)]
    part = json.dumps([{"cluster": one} for one in each])[1:-1].encode()

    def content(times: int) -> Iterator[bytes]:
        head, tail = b'{"configs": [{"dynamic_active_clusters": [', b"]}]}"
        return chain([head], repeat(part + b",", times), [part, tail])

    peaks = []
    for times in (10, 50, 200):
        tracemalloc.start()
        found = parse_config_dump(content(times), "dump.json")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert not found.is_cut
        assert found.read > times * len(part)

    assert peaks[2] < 1.5 * peaks[1] < len(part) * 20
