"""A config_dump as Envoy prints one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

NODE_ID = "sidecar~10.244.0.1~web-7d9c5b8f6d-b2xxz.shop~shop.svc.cluster.local"
_ADMIN = "type.googleapis.com/envoy.admin.v3."
_CONFIG = "type.googleapis.com/envoy.config."


def bootstrap(node_id: str = NODE_ID, version: str = "1.31.2") -> dict[str, Any]:
    metadata = {"ISTIO_VERSION": version, "NAMESPACE": "shop"}
    node = {"id": node_id, "cluster": "web.shop", "metadata": metadata}
    return {"@type": f"{_ADMIN}BootstrapConfigDump", "bootstrap": {"node": node}}


def cluster(name: str, **more: Any) -> dict[str, Any]:
    return {"@type": f"{_CONFIG}cluster.v3.Cluster", "name": name, "type": "EDS", **more}


def clusters(*found: dict[str, Any], section: str = "dynamic_active_clusters") -> dict[str, Any]:
    wrapped = [{"version_info": "1", "cluster": each} for each in found]
    return {"@type": f"{_ADMIN}ClustersConfigDump", "version_info": "1", section: wrapped}


def listeners(*names: str) -> dict[str, Any]:
    found = [
        {"name": name, "active_state": {"listener": {"@type": "x", "name": name}}} for name in names
    ]
    return {"@type": f"{_ADMIN}ListenersConfigDump", "dynamic_listeners": found}


def routes(*names: str) -> dict[str, Any]:
    found = [{"route_config": {"@type": "x", "name": name}} for name in names]
    return {"@type": f"{_ADMIN}RoutesConfigDump", "dynamic_route_configs": found}


def endpoints(*names: str, **more: Any) -> dict[str, Any]:
    found = [{"endpoint_config": {"@type": "x", "cluster_name": name, **more}} for name in names]
    return {"@type": f"{_ADMIN}EndpointsConfigDump", "dynamic_endpoint_configs": found}


def dump(*configs: dict[str, Any]) -> bytes:
    return json.dumps({"configs": configs}, indent=1).encode()


def blocks(content: bytes, size: int = 100) -> Iterable[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))
