"""Logs in object storage, read from a real server of S3's protocol."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from recommender.access_logs import LogBatch, read_access_logs
from recommender.access_logs.object_storage import ObjectStorage, OssAccess
from recommender.errors import InputError
from tests.access_logs.helpers import HEX, POD, merged, skipped, text, write
from tests.access_logs.object_server import (
    BUCKET,
    KEY_ID,
    SECRET,
    ObjectServer,
    require_server,
    running_server,
)

LINE = (text() + "\n").encode()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    require_server()
    with running_server(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture
def server(running: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> ObjectServer:
    """Empty the server, and let the environment name it as users do."""
    running.clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return running


def read(*sources: str | Path, storage: ObjectStorage | None = None) -> LogBatch:
    return merged(read_access_logs(sources, source_pod=POD, storage=storage))


def failure(*sources: str | Path, storage: ObjectStorage | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read(*sources, storage=storage)
    return caught.value


def test_an_object_a_prefix_and_a_pattern_are_read(server: ObjectServer) -> None:
    for key in ("day/a.log", "day/.e.log", "day/f.yaml", "day2/g.log"):
        server.write(key, LINE)
    server.write("day/b/c.log.gz", gzip.compress(LINE))
    server.write("day/b/d.zst", zstandard.compress(LINE))

    found = {
        "day/a.log": 1,
        "day": 3,
        "day/": 3,
        "": 4,
        "day/*.log": 1,
        "day/**/*.log": 1,
        "**.log.gz": 1,
        "day/b/?.*": 2,
        "da[xy]/[!b].log": 1,
        "day/f.yaml": 1,
    }

    assert {key: read(f"s3://{BUCKET}/{key}").lines.used for key in found} == found


def test_the_key_tells_the_writer(server: ObjectServer) -> None:
    server.write(f"node/cart-1_data_istio-proxy-{HEX}.log", LINE)
    server.write(f"node/cart-1_data_cart-{HEX}.log", LINE)

    found = read(f"s3://{BUCKET}/node")

    assert found.requests.select("source_namespace", "source_pod").rows() == [("data", "cart-1")]
    assert skipped(found) == {"the file of another container than istio-proxy": 1}


def test_an_object_that_is_named_twice_is_read_once(server: ObjectServer) -> None:
    server.write("a.log", LINE)
    url = f"s3://{BUCKET}/a.log"

    assert read(url, url, f"s3://{BUCKET}").lines.read == 1


def test_an_object_is_read_as_it_comes(server: ObjectServer) -> None:
    size = 24 << 20
    server.write("a.log", b"x" * size)
    storage = ObjectStorage()
    (stored,) = storage.find(f"s3://{BUCKET}/a.log", bool)

    with storage.open(stored) as stream:
        begin = stream.read(10)
        raw = stream.raw  # type: ignore[attr-defined] # a BufferedReader has it
        held = raw._done

    assert begin == b"x" * 10
    assert held < size / 8


def test_oss_is_reached_by_what_the_user_tells(server: ObjectServer) -> None:
    server.write("a.log", LINE)
    access = OssAccess(server.endpoint, "oss-cn-hangzhou", KEY_ID, SECRET)

    assert read(f"oss://{BUCKET}/a.log", storage=ObjectStorage(access)).lines.used == 1
    assert "OSS_ENDPOINT" in str(failure(f"oss://{BUCKET}/a.log"))
    assert SECRET not in repr(access)


def test_what_cannot_be_found_is_a_sentence(
    server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.write("a.log", LINE)

    assert failure(f"s3://{BUCKET}/none.log").what == "there is no such object"
    assert "NoSuchBucket" in failure("s3://nowhere/a.log").what
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    refused = failure(f"s3://{BUCKET}/a.log")
    assert "SignatureDoesNotMatch" in refused.what
    assert refused.hint is not None
    assert "credentials" in refused.hint


def test_what_cannot_be_found_beside_other_sources_is_counted(
    server: ObjectServer, tmp_path: Path
) -> None:
    server.write("a.log", LINE)
    local = write(tmp_path / "b.log", LINE)

    found = read(f"s3://{BUCKET}/a.log", f"s3://{BUCKET}/none.log", local)

    assert found.lines.used == 2
    (entry,) = found.lines.skipped
    assert (entry.reason, entry.example) == ("there is no such object", f"s3://{BUCKET}/none.log")


def test_an_object_that_is_removed_or_replaced_while_reading_is_counted(
    server: ObjectServer,
) -> None:
    for key in ("a.log", "b.log", "c.log"):
        server.write(key, LINE)
    batches = read_access_logs([f"s3://{BUCKET}"], source_pod=POD)
    server.client.delete_object(Bucket=BUCKET, Key="a.log")
    server.write("b.log", LINE * 2)

    found = merged(batches)

    assert found.lines.used == 1
    said = {entry.example: entry.reason for entry in found.lines.skipped}
    assert "NoSuchKey" in said[f"s3://{BUCKET}/a.log"]
    assert "PreconditionFailed" in said[f"s3://{BUCKET}/b.log"]


def test_a_damaged_object_is_read_up_to_the_damage(server: ObjectServer) -> None:
    packed = gzip.compress(LINE * 20_000, 1)
    server.write("a.log.gz", packed[: len(packed) // 2])

    found = read(f"s3://{BUCKET}/a.log.gz")

    assert 100 < found.lines.used < 20_000
    (entry,) = found.lines.skipped
    assert "damaged gzip data after byte" in entry.reason


def test_odd_keys_are_shown_as_text(server: ObjectServer) -> None:
    server.write("odd\x1b[31m/ä b+%.log", b"nothing\n")

    (entry,) = read(f"s3://{BUCKET}").lines.skipped

    assert entry.example == f"s3://{BUCKET}/odd\N{REPLACEMENT CHARACTER}[31m/ä b+%.log:1"
