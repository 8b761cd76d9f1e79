"""Logs in object storage, read from a real server of S3's protocol."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
import zstandard

from recommender.access_logs import LogBatch, read_access_logs
from recommender.access_logs.object_storage import ObjectStorage, OssAccess, oss_access
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


def test_a_hidden_folder_is_read_where_it_is_named(server: ObjectServer) -> None:
    for key in (".day/a.log", ".day/.b/c.log", ".day/b/d.log"):
        server.write(key, LINE)

    found = {".day": 2, ".day/*.log": 1, ".day/**": 2, ".day/b/*": 1}

    assert {key: read(f"s3://{BUCKET}/{key}").lines.used for key in found} == found
    assert failure(f"s3://{BUCKET}/**.log").what == "there is no such object"


def test_a_set_in_a_pattern_is_that_of_a_shell(server: ObjectServer) -> None:
    for key in ("day1/a.log", "day^/b.log", "day&/c.log", "day/d.log"):
        server.write(key, LINE)

    found = {"day[^]/*": 1, "day[1&&]/*": 2, "day[!z-a]/*": 3}

    assert {key: read(f"s3://{BUCKET}/{key}").lines.used for key in found} == found
    for nothing in ("day[z-a]/*", "day[+-9]d.log"):
        assert failure(f"s3://{BUCKET}/{nothing}").what == "there is no such object"


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


def test_a_profile_names_credentials_and_server(
    server: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.write("a.log", LINE)
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    profile = [
        "[profile mesh]",
        f"endpoint_url = {server.endpoint}",
        f"aws_access_key_id = {KEY_ID}",
        f"aws_secret_access_key = {SECRET}",
    ]
    monkeypatch.setenv("AWS_CONFIG_FILE", str(write(tmp_path / "config", profile)))
    monkeypatch.setenv("AWS_PROFILE", "mesh")

    assert read(f"s3://{BUCKET}/a.log").lines.used == 1


class Unsteady(BaseHTTPRequestHandler):
    """Answer as S3 does, but break off in the middle of what is asked for."""

    content = b"".join((text(route_name=f"r{n}") + "\n").encode() for n in range(20_000))
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer a listing whole, and the first half of the object."""
        if "list-type" in self.path:
            entry = "<Contents><Key>a.log</Key><ETag>x</ETag></Contents>"
            self._answer(200, f"<ListBucketResult>{entry}</ListBucketResult>".encode(), 1.0)
            return
        begin = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.asked.append(f"{begin} {self.headers.get('If-Match')}")
        if begin:
            self._answer_rest(begin)
        else:
            self._answer(200, self.content, 0.5)

    def _answer_rest(self, begin: int) -> None:
        self._answer(206, self.content[begin:], 1.0)

    def _answer(self, status: int, content: bytes, share: float) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: int(len(content) * share)])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(handler: type[Unsteady], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the environment name a server that answers so."""
    require_server()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "x")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_a_connection_that_breaks_is_taken_up_where_it_broke(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(Unsteady, monkeypatch):
        found = read("s3://logs/a.log")

    assert found.lines.used == found.lines.read == 20_000
    assert found.requests["route"].n_unique() == 20_000
    assert Unsteady.asked[0] == "0 x"
    assert Unsteady.asked[1].endswith(" x")
    assert len(Unsteady.asked) == 2


class Refusing(Unsteady):
    """Break off in the middle, and then refuse the rest."""

    content = gzip.compress(Unsteady.content)

    def _answer_rest(self, begin: int) -> None:  # noqa: ARG002 - as all answer
        self._answer(403, b"<Error><Code>AccessDenied</Code></Error>", 1.0)


def test_what_came_of_an_object_before_it_broke_off_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(Refusing, monkeypatch):
        found = read("s3://logs/a.log")

    assert 5000 < found.lines.used < 20_000
    (entry,) = found.lines.skipped
    assert (entry.lines, entry.reason) == (1, "the file cannot be read on: AccessDenied")


class Repeating(Unsteady):
    """Break off in the middle, and then send all of the object again."""

    def _answer_rest(self, begin: int) -> None:  # noqa: ARG002 - as all answer
        self._answer(200, self.content, 1.0)


def test_no_line_is_counted_twice_where_all_of_an_object_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(Repeating, monkeypatch):
        found = read("s3://logs/a.log")

    assert 5000 < found.lines.used < 20_000
    assert found.requests["route"].n_unique() == found.lines.used
    (entry,) = found.lines.skipped
    assert "sends no part of an object" in entry.reason


class _Spoiled(io.BytesIO):
    """Fail as urllib3 does where bytes of TLS are spoiled."""

    def read(self, *_: object) -> bytes:
        from urllib3.exceptions import SSLError

        raise SSLError("decryption failed or bad record mac")


def test_an_object_is_read_on_after_bytes_of_tls_were_spoiled(server: ObjectServer) -> None:
    content = bytes(range(256)) * (3 << 13)
    server.write("a.log", content)
    storage = ObjectStorage()
    (stored,) = storage.find(f"s3://{BUCKET}/a.log", bool)

    with storage.open(stored) as stream:
        begin = stream.read(10)
        stream.raw._body = _Spoiled()  # type: ignore[attr-defined] # a BufferedReader has it
        rest = b"".join(iter(lambda: stream.read(1 << 20), b""))

    assert begin + rest == content


@pytest.mark.usefixtures("server")
def test_a_key_that_is_no_text_is_a_sentence() -> None:
    assert "cannot be listed" in failure(f"s3://{BUCKET}/\udcff").what


@pytest.mark.parametrize("url", ["s3://", "s3:///a.log", "s3://two words/a.log", "oss://"])
def test_a_url_without_a_bucket_is_told_as_it_was_given_and_as_it_should_be(url: str) -> None:
    error = failure(url)

    assert (error.what, error.where) == ("this is no URL of an object", url)
    assert error.hint == f"{url.partition(':')[0]}://BUCKET/KEY"


def test_the_variables_of_oss_tell_how_to_reach_it() -> None:
    keys = {"OSS_ACCESS_KEY_ID": "i", "OSS_ACCESS_KEY_SECRET": "s"}
    found = {
        place: oss_access({**keys, name: place})
        for name, place in (
            ("OSS_REGION", "cn-hangzhou"),
            ("OSS_REGION", "oss-cn-beijing"),
            ("OSS_ENDPOINT", "oss-cn-shanghai-internal.aliyuncs.com"),
            ("OSS_ENDPOINT", "http://127.0.0.1:9000"),
        )
    }

    assert {place: (a.endpoint, a.region) for place, a in found.items() if a} == {
        "cn-hangzhou": ("https://s3.oss-cn-hangzhou.aliyuncs.com", "cn-hangzhou"),
        "oss-cn-beijing": ("https://s3.oss-cn-beijing.aliyuncs.com", "cn-beijing"),
        "oss-cn-shanghai-internal.aliyuncs.com": (
            "https://s3.oss-cn-shanghai-internal.aliyuncs.com",
            "cn-shanghai",
        ),
        "http://127.0.0.1:9000": ("http://127.0.0.1:9000", "us-east-1"),
    }
    sdk = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "i", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"}
    assert oss_access({**sdk, "OSS_REGION": "cn-hangzhou"}) == found["cn-hangzhou"]
    assert oss_access(keys) is None
    assert oss_access({"OSS_REGION": "cn-hangzhou"}) is None


def test_without_the_extra_a_sentence_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)

    assert "recommend-sidecars[s3]" in str(failure("s3://logs/a.log"))
