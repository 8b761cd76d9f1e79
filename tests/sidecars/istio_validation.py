"""What istiod's webhook refuses in an egress-only Sidecar.

Source: istio pkg/config/validation/validation.go `ValidateSidecar` and
agent/validation.go `ValidateNamespaceSlashWildcardHostname`, as of 1.30, the strictest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_LABEL = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")


def refusals(manifest: dict[str, Any]) -> list[str]:
    """List why istiod would refuse a manifest; empty when it would take it."""
    spec = manifest["spec"]
    labels = spec["workloadSelector"]["labels"]
    found = [f"selector {k}={v}" for k, v in labels.items() if not k or "*" in f"{k}{v}"]
    found += [] if labels else ["selects the whole namespace (a warning of istiod)"]
    listeners = spec["egress"]
    for position, listener in enumerate(listeners):
        if "port" not in listener and position != len(listeners) - 1:
            found.append("a listener without port before the last")
        if not listener.get("hosts"):
            found.append("a listener without hosts")
        found += (f"{host}: {why}" for host in listener["hosts"] for why in _host_refusals(host))
    return found


def _host_refusals(host: object) -> Iterator[str]:
    if not isinstance(host, str) or "/" not in host:
        yield "not namespace/dnsName"
        return
    namespace, name = host.split("/", 1)
    if namespace not in ("*", ".", "~") and not _LABEL.fullmatch(namespace):
        yield "no namespace"
    if name == "*":
        return
    parts = name.removesuffix(".").split(".")
    labels = parts[1:] if parts[0] == "*" else parts
    if len(name) > 255 or len(parts) < 2 or parts[-1].isdigit():
        yield "no full name"
    if not all(_LABEL.fullmatch(label) for label in labels):
        yield "a bad label"
