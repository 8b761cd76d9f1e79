"""Who wrote a log, from the path that Kubernetes gives it on a node."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

PROXY_CONTAINER: Final = "istio-proxy"

# A log keeps its name when it is rotated or packed: 0.log.20260824-020000, 0.log.20260824-020000.gz
_ROTATED: Final = r"\.log(?:\.[A-Za-z0-9._-]+)?"
_NAMESPACE: Final = r"(?P<namespace>[a-z0-9][a-z0-9-]*)"
_POD: Final = r"(?P<pod>[a-z0-9][a-z0-9.-]*)"
_CONTAINER: Final = r"(?P<container>[a-z0-9][a-z0-9-]*)"
# Fluent Bit names its own files by the path, with dots for slashes: kube.var.log.containers....
_TAG: Final = r"(?:[a-z0-9.-]*var\.log\.containers\.)?"
IN_CONTAINERS: Final = rf"{_TAG}{_POD}_{_NAMESPACE}_{_CONTAINER}-[0-9a-f]{{64}}{_ROTATED}"
IN_PODS: Final = rf"{_NAMESPACE}_{_POD}_[0-9a-f-]{{32,36}}/{_CONTAINER}/[0-9]+{_ROTATED}"
"""The ends of paths that name a container, with the groups `namespace`, `pod` and `container`."""


@dataclass(frozen=True, slots=True)
class ContainerLog:
    """Name the container whose log a file is."""

    namespace: str
    pod: str
    container: str


def container_log(path: PurePath) -> ContainerLog | None:
    """Read the writer from a path below `/var/log/containers` or `/var/log/pods`.

    Only the end of the path counts, so that a copied folder serves too; None for other names.
    """
    match = re.fullmatch(IN_CONTAINERS, path.name) or re.fullmatch(
        IN_PODS, "/".join(path.parts[-3:])
    )
    return ContainerLog(match["namespace"], match["pod"], match["container"]) if match else None
