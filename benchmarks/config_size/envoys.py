"""Run real Envoys against istiod's own code, and measure what they hold and what reaches them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.config_size.errors import BenchmarkError
from benchmarks.config_size.istiod import BUILD, ProxyName
from benchmarks.config_size.mesh import BenchmarkMesh
from benchmarks.plan import Placed
from fixtures.shop.network import dependent
from fixtures.shop.proxies import (
    ENVOY_OPTIONS,
    READY_SECONDS,
    AdminConnection,
    Proxy,
    Sockets,
    bootstrap,
)
from fixtures.shop.record import STOCK_ENVOY, RecordError, ended, wait_for_ready

PORTS = (15001, 15006)
"""What each of the proxies listens on; they share it, as threads of one Envoy would."""
RECEIVED = "cluster.xds-grpc.upstream_cx_rx_bytes_total"
_POLL_SECONDS = 0.01
_MEMORY = Path("/proc/meminfo")
_GROWTH = 45  # bytes that an Envoy allocates for each that it is sent
_ADMIN_SECONDS = 60.0
# What Istio's bootstrap lets Envoy count (istio pkg/bootstrap/config.go), and what it refused.
_COUNTED = {
    "prefix": ("cluster_manager", "listener_manager", "server", "cluster.xds-grpc", "wasm"),
    "suffix": ("downstream_cx_active", "update_rejected", "key_rotation_failed"),
}


@dataclass(frozen=True, slots=True)
class Held:
    """What a real Envoy holds.

    `config_dump_bytes` are those of `/config_dump?include_eds`, `memory_bytes` what it has
    allocated, `received_bytes` what it received of istiod, and `seconds_to_live` from its start to
    LIVE and all of the configuration.
    """

    config_dump_bytes: int
    memory_bytes: int
    received_bytes: int
    seconds_to_live: float


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one object, and how many of the sampled proxies need it."""

    kind: str
    namespace: str
    name: str
    needed: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """To how many proxies istiod pushed a change, where bytes arrived, and how many in all."""

    change: Change
    pushed: int
    reached: int
    received_bytes: int


@dataclass(frozen=True, slots=True)
class Observed:
    """What the sampled proxies held, in their order, and what reached them."""

    held: tuple[Held, ...]
    arrived: tuple[Arrived, ...]


def observe(
    mesh: BenchmarkMesh,
    folder: Path,
    envoy: Path,
    sample: Sequence[ProxyName],
    changes: Sequence[Change],
    sidecars: Path | None,
    dump: Path,
) -> Observed:
    """Start a sample of proxies one after the other, and change objects with all connected.

    The config_dump of the first is written to the file `dump`.

    Raises:
        BenchmarkError: A port is in use, or a proxy refused configuration.
    """
    check_ports()
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_server(mesh, folder, sidecars))
        running: list[Proxy] = []
        stack.callback(_stop, running)
        held: list[Held] = []
        for number, name in enumerate(sample):
            proxy = _start(mesh, run, envoy, name, number)
            running.append(proxy)
            held.append(_hold(proxy, None if held else dump))
        arrived = tuple(_apply(server, running, change) for change in changes)
        _check_refusals(running)
    return Observed(tuple(held), arrived)


def check_ports() -> None:
    """Make sure that nothing else listens where proxies do.

    Raises:
        BenchmarkError: Something does.
    """
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # Envoy does so too
            try:
                probe.bind(("0.0.0.0", port))  # noqa: S104 - as the proxies do
            except OSError as error:
                raise BenchmarkError(
                    f"port {port} cannot be listened on, as every proxy does: {error.strerror}; "
                    f"`ss -ltnp` tells who does, `sudo unshare --net` makes room"
                ) from error


def check_memory(bytes_sent: int) -> None:
    """Make sure that there is memory for Envoys that are sent so many bytes together.

    Raises:
        BenchmarkError: There is not.
    """
    free = re.search(r"^MemAvailable:\s+(\d+) kB$", _MEMORY.read_text("ascii"), re.MULTILINE)
    needed = bytes_sent * _GROWTH
    if free and int(free[1]) * 1024 < needed:
        raise BenchmarkError(
            f"the Envoys need about {needed / 1e9:.1f} GB of memory, and "
            f"{int(free[1]) * 1024 / 1e9:.1f} GB are free: ask for fewer with --envoys"
        )


@contextlib.contextmanager
def _server(
    mesh: BenchmarkMesh, folder: Path, sidecars: Path | None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run istiod's discovery server and the certificate server."""
    run, log = folder / "run", folder / "istiod.log"
    command = dependent(
        str(BUILD / "adsserver"),
        *(f"-mesh={source}" for source in mesh.mesh_sources(folder)),
        f"-ads={run / 'ads'}",
        f"-sds={run / 'sds'}",
        "-changes",
        *([f"-sidecars={sidecars}"] if sidecars else []),
    )
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            env=os.environ | STOCK_ENVOY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
        ) as process,
        ended(process),
    ):
        try:
            wait_for_ready(process, log)
        except RecordError as error:
            raise BenchmarkError(str(error)) from error
        yield process


def _start(mesh: BenchmarkMesh, run: Path, envoy: Path, name: ProxyName, number: int) -> Proxy:
    placed = placed_pods(mesh)[name.kubernetes_cluster, name.namespace, name.pod]
    sockets = Sockets(run / "ads", run / "sds", run / f"{number}.admin")
    static = bootstrap(placed.pod, placed.address, sockets, name.kubernetes_cluster)
    config = run / f"{number}.json"
    config.write_text(json.dumps(static | {"stats_config": _stats_config()}), encoding="utf-8")
    with (run / f"{number}.log").open("wb") as log:
        process = subprocess.Popen(
            dependent(str(envoy), "-c", str(config), *ENVOY_OPTIONS),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    return Proxy(placed.pod, process, sockets.admin)


def placed_pods(mesh: BenchmarkMesh) -> dict[tuple[str, str, str], Placed]:
    """Every pod by its Kubernetes cluster, namespace and name."""
    return {
        (runner.kubernetes_cluster, placed.pod.namespace, placed.pod.name): placed
        for runner in mesh.plan.runners
        for placed in runner.pods
    }


def _stats_config() -> dict[str, Any]:
    patterns = [{how: text} for how, texts in _COUNTED.items() for text in texts]
    return {"stats_matcher": {"inclusion_list": {"patterns": patterns}}}


def _hold(proxy: Proxy, file: Path | None) -> Held:
    """Wait until a proxy is live and configured, then look at it, and perhaps keep its dump."""
    begin = time.monotonic()
    while not _is_live(proxy):
        if proxy.process.poll() is not None:
            raise BenchmarkError(f"the proxy of {proxy.pod.key} has ended: {_last_words(proxy)}")
        if time.monotonic() - begin > READY_SECONDS:
            raise BenchmarkError(f"the proxy of {proxy.pod.key} is not live: {_last_words(proxy)}")
        time.sleep(_POLL_SECONDS)
    seconds = time.monotonic() - begin
    try:
        proxy.wait_until_configured()
    except RuntimeError as error:
        raise BenchmarkError(str(error)) from error
    dump = _ask(proxy, "/config_dump?include_eds")
    if file is not None:
        file.write_bytes(dump)
    memory = json.loads(_ask(proxy, "/memory"))
    return Held(len(dump), int(memory["allocated"]), proxy.stats()[RECEIVED], seconds)


def _is_live(proxy: Proxy) -> bool:
    try:
        return bool(json.loads(_ask(proxy, "/server_info"))["state"] == "LIVE")
    except OSError:
        return False  # not listening yet


def _ask(proxy: Proxy, path: str) -> bytes:
    connection = AdminConnection(proxy.admin, _ADMIN_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def _last_words(proxy: Proxy) -> str:
    log = proxy.admin.with_suffix(".log")
    return log.read_text(encoding="utf-8", errors="replace")[-1000:]


def _apply(server: subprocess.Popen[bytes], running: Sequence[Proxy], change: Change) -> Arrived:
    """Change an object; istiod tells when it has decided about every proxy."""
    before = [proxy.stats()[RECEIVED] for proxy in running]
    names = {"kind": change.kind, "namespace": change.namespace, "name": change.name}
    assert server.stdin is not None  # noqa: S101 - these are pipes
    assert server.stdout is not None  # noqa: S101
    server.stdin.write(json.dumps(names).encode() + b"\n")
    server.stdin.flush()
    line = server.stdout.readline()
    if not line:
        raise BenchmarkError(f"istiod ended when {names} was changed")
    decision = json.loads(line)
    pushed = set(decision["pushed"])
    if len(pushed) + len(decision["spared"]) != len(running):
        raise BenchmarkError(f"istiod decided about other proxies than those running: {decision}")
    for proxy, bytes_before in zip(running, before, strict=True):
        if f"{proxy.pod.name}.{proxy.pod.namespace}" in pushed:
            _wait_for_more(proxy, bytes_before)
    more = [p.stats()[RECEIVED] - b for p, b in zip(running, before, strict=True)]
    return Arrived(change, len(pushed), sum(1 for each in more if each), sum(more))


def _wait_for_more(proxy: Proxy, received: int) -> None:
    """Wait until bytes arrive and no more do."""
    deadline = time.monotonic() + READY_SECONDS
    last = received
    while time.monotonic() < deadline:
        now = proxy.stats()[RECEIVED]
        if now == last > received:
            return
        last = now
        time.sleep(_POLL_SECONDS * 5)
    raise BenchmarkError(f"what was pushed to the proxy of {proxy.pod.key} did not arrive")


def _check_refusals(running: Sequence[Proxy]) -> None:
    refused = {proxy.pod.key: proxy.refused() for proxy in running if proxy.refused()}
    if refused:
        raise BenchmarkError(f"proxies refused configuration: {refused}")


def _stop(running: Sequence[Proxy]) -> None:
    for proxy in running:
        proxy.process.terminate()
    for proxy in running:
        proxy.stop()
