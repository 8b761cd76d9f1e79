"""What istiod accepts as an entry of a Sidecar's `egress.hosts`.

Source: istio pkg/config/validation/agent/validation.go (`ValidateNamespaceSlashWildcardHostname`,
`validateSidecarOrGatewayHostnamePart`, `ValidateWildcardDomain`, `ValidateFQDN`).
"""

from __future__ import annotations

import re
from typing import Final

_LABEL: Final = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?", re.ASCII)
_MOST_LABEL, _MOST_NAME = 63, 255


def egress_host_problem(entry: str) -> str | None:
    """Say why istiod would refuse an `egress.hosts` entry, None if it would not.

    >>> egress_host_problem("shop/cart.shop.svc.cluster.local"), egress_host_problem("shop/*")
    (None, None)
    >>> egress_host_problem("shop/cart")
    'cart is a short name'
    """
    namespace, slash, host = entry.partition("/")
    if not slash:
        return f"{entry} has no namespace"
    if not _is_namespace(namespace):
        return f"{namespace} is no namespace"
    return None if host == "*" else _host_problem(host)


def _is_namespace(text: str) -> bool:
    name = text[1:] if text.startswith("~") else text
    return name in ("*", ".") or (text.startswith("~") and not name) or _is_label(name)


def _is_label(text: str) -> bool:
    return len(text) <= _MOST_LABEL and _LABEL.fullmatch(text) is not None


def _host_problem(host: str) -> str | None:
    if len(host) > _MOST_NAME:
        return f"{host[:40]}… is longer than {_MOST_NAME} characters"
    labels = host.removesuffix(".").split(".")
    if len(labels) < 2:
        return f"{host} is a short name"
    if labels[0] == "*":
        labels = labels[1:]
    wrong = [label for label in labels if not _is_label(label)]
    if wrong:
        return f"{host}: {wrong[0]!r} is no DNS label"
    if labels[-1].isdigit():
        return f"{host} is an address or ends in a number"
    return None
