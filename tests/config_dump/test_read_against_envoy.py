"""What a real Envoy prints of the resources that it was given is read as they were given."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from recommender.config_dump.read import parse_config_dump
from tests.config_dump.helpers import NODE_ID
from tests.istio.envoy_listener import require_envoy

SECONDS = 60
_CONFIG = "type.googleapis.com/envoy.config."
_HOSTS = {f"outbound|80||s{n}.shop.svc.cluster.local": n for n in range(1, 6)}
_METADATA = {"filter_metadata": {"istio": {"workload": "web;shop;web;v1", "weight": 3}}}


def load_assignment(name: str, endpoints: int) -> dict[str, Any]:
    """Make a load assignment as istiod does."""
    found = [
        {
            "endpoint": {
                "address": {"socket_address": {"address": f"10.0.0.{n}", "port_value": 80}}
            },
            "metadata": _METADATA,
            "load_balancing_weight": 1,
        }
        for n in range(1, endpoints + 1)
    ]
    kind = f"{_CONFIG}endpoint.v3.ClusterLoadAssignment"
    place = {"locality": {"region": "r", "zone": "z"}, "load_balancing_weight": endpoints}
    return {"@type": kind, "cluster_name": name, "endpoints": [{**place, "lb_endpoints": found}]}


def cluster(name: str, folder: Path) -> dict[str, Any]:
    """Make a cluster that has its endpoints from a file in place of istiod."""
    source = {"path_config_source": {"path": str(folder / f"{_HOSTS[name]}.json")}}
    limits = {"max_connections": 4294967295, "track_remaining": True}
    return {
        "@type": f"{_CONFIG}cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {
            "eds_config": {**source, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
        },
        "connect_timeout": "10s",
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": {"thresholds": [limits]},
        "metadata": _METADATA,
    }


@contextmanager
def serving(envoy: Path, folder: Path) -> Iterator[str]:
    """Run an Envoy that has its clusters from files; give the address of its admin interface."""
    given = [cluster(name, folder) for name in _HOSTS]
    (folder / "cds.json").write_text(json.dumps({"resources": given}))
    for name, number in _HOSTS.items():
        found = {"resources": [load_assignment(name, number)]}
        (folder / f"{number}.json").write_text(json.dumps(found))
    source = {"path_config_source": {"path": str(folder / "cds.json")}}
    anywhere = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    bootstrap = {
        "node": {"id": NODE_ID, "cluster": "web", "metadata": {"ISTIO_VERSION": "1.31.0"}},
        "admin": {"address": anywhere},
        "dynamic_resources": {"cds_config": {**source, "resource_api_version": "V3"}},
    }
    (folder / "envoy.json").write_text(json.dumps(bootstrap))
    admin = folder / "admin"
    command = [str(envoy), "-c", str(folder / "envoy.json"), "--use-dynamic-base-id"]
    command += ["--concurrency", "1", "--admin-address-path", str(admin), "-l", "error"]
    with subprocess.Popen(command) as process:
        try:
            until(lambda: admin.exists() and admin.read_text().strip())
            yield f"http://{admin.read_text().strip()}"
        finally:
            process.terminate()


def until(is_so: Callable[[], object]) -> None:
    """Ask again and again; Envoy tells nobody when it is ready."""
    end = monotonic() + SECONDS
    while not is_so():
        assert monotonic() < end, f"not within {SECONDS} seconds"


def answer(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as found:  # noqa: S310 - our own server
            return bytes(found.read())
    except urllib.error.URLError:
        return b""


def test_a_real_envoys_dump_is_read_as_what_it_was_given(tmp_path: Path) -> None:
    with serving(require_envoy(), tmp_path) as admin:
        until(lambda: answer(f"{admin}/ready") == b"LIVE\n")
        printed = answer(f"{admin}/config_dump?include_eds")
    found = parse_config_dump([printed], "envoy")
    given: list[dict[str, Any]] = [
        {"dynamic_active_clusters": [{"cluster": cluster(name, tmp_path)} for name in _HOSTS]},
        {
            "dynamic_endpoint_configs": [
                {"endpoint_config": load_assignment(*each)} for each in _HOSTS.items()
            ]
        },
    ]
    expected = parse_config_dump([json.dumps({"configs": given}).encode()], "given")

    assert (found.node_id, found.istio_version) == (NODE_ID, "1.31.0")
    assert found.resources["cds"] == expected.resources["cds"]
    assert found.resources["eds"].keys() == expected.resources["eds"].keys()
    for name, size in found.resources["eds"].items():
        assert size == pytest.approx(expected.resources["eds"][name], rel=0.02)
