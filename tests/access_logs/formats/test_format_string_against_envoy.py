"""A real Envoy is asked which format strings it takes."""

import json
import subprocess
from pathlib import Path

import pytest

from recommender.access_logs.formats.format_string import tokens_of
from recommender.errors import UsageError
from tests.istio.envoy_listener import require_envoy

REFUSED = [
    *(f"%{name}:10%" for name in (
        "START_TIME", "START_TIME_LOCAL", "EMIT_TIME", "EMIT_TIME_LOCAL", "PROTOCOL",
        "RESPONSE_CODE", "RESPONSE_FLAGS", "RESPONSE_FLAGS_LONG", "UPSTREAM_CLUSTER",
        "UPSTREAM_CLUSTER_RAW", "UPSTREAM_HOST", "UPSTREAM_REMOTE_ADDRESS", "UPSTREAM_REMOTE_PORT",
        "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_LOCAL_ADDRESS",
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS", "DOWNSTREAM_PEER_URI_SAN", "ROUTE_NAME",
        "REQUESTED_SERVER_NAME",
    )),
    "%START_TIME(%F):10%",
    "%START_TIME():10%",
    "%REQUESTED_SERVER_NAME(SNI_ONLY):10%",
    "%REQ%",
    "%RESP()%",
    "%TRAILER:10%",
    "%REQ(A?B?C)%",
    "%RESP(A?B?)%",
    "%REQUEST_HEADER(A??B):10%",
]  # fmt: skip
TAKEN = [
    "%START_TIME%",
    "%START_TIME()%",
    "%EMIT_TIME_LOCAL(%F)%",
    "%UPSTREAM_CLUSTER_RAW()%",
    "%REQUESTED_SERVER_NAME(SNI_ONLY)%",
    "%REQ(A):10%",
    "%REQ(A?B):0%",
    "%REQ(A?)%",
    "%REQ(?A)%",
    "%REQ(?)%",
    "%RESPONSE_TRAILER(A?B):10%",
    "%PATH:10%",
    "%DYNAMIC_METADATA(A:B):10%",
    "%FILTER_STATE(A):10%",
]


def is_taken_by_envoy(format_string: str, folder: Path) -> bool:
    kind = "type.googleapis.com/envoy.extensions."
    log = {
        "@type": f"{kind}access_loggers.file.v3.FileAccessLog",
        "path": "/dev/null",
        "log_format": {"text_format_source": {"inline_string": format_string}},
    }
    proxy = {
        "@type": f"{kind}filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "tcp",
        "cluster": "somewhere",
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 15001}},
        "access_log": [{"name": "file", "typed_config": log}],
        "filter_chains": [{"filters": [{"name": "tcp", "typed_config": proxy}]}],
    }
    config = folder / "envoy.json"
    config.write_text(json.dumps({"static_resources": {"listeners": [listener]}}))
    command = [str(require_envoy()), "--mode", "validate", "-c", str(config)]
    done = subprocess.run([*command, "--use-dynamic-base-id"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("format_string", REFUSED)
def test_what_envoy_refuses_is_refused(format_string: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Envoy refuses"):
        tokens_of(format_string)

    assert not is_taken_by_envoy(format_string, tmp_path)


@pytest.mark.parametrize("format_string", TAKEN)
def test_what_envoy_takes_is_taken(format_string: str, tmp_path: Path) -> None:
    tokens_of(format_string)

    assert is_taken_by_envoy(format_string, tmp_path)
