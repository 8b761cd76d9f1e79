"""Which Kubernetes cluster a mesh source is of, and what counts of several.

istiod knows the Services, pods and the like of every Kubernetes cluster of a mesh, but takes its
configuration from one, the config cluster (istio serviceregistry/kube/controller/multicluster.go
`initializeCluster`). Here that is the one that is named first.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Final

from recommender.errors import InputError
from recommender.files import names_something, shown
from recommender.mesh.mesh_config import MeshConfigMap, read_mesh_config
from recommender.mesh.objects import MeshConfig, MeshNote, ObjectMeta

DIFFERS: Final = "differs from the one that configures istiod, and was not used"
ELSEWHERE: Final = "not where istiod is configured, and was not used"
_NAMED: Final = re.compile(r"([A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)=(.+)", re.DOTALL)
_HINT: Final = "name the Kubernetes cluster of every source, NAME=SRC, or of none"


def sources_by_cluster(sources: Sequence[str | Path]) -> Mapping[str, list[str | Path]]:
    """Group sources by the Kubernetes cluster that they name, in the order of the names.

    `NAME=SRC` names one, unless there is a file, a folder or a match of that whole name. All
    sources that name none are of one Kubernetes cluster, whose name is empty.

    Raises:
        InputError: Some sources name a Kubernetes cluster and others do not.
    """
    found: dict[str, list[str | Path]] = defaultdict(list)
    for source in sources:
        match = _NAMED.fullmatch(source) if isinstance(source, str) else None
        if match is None or names_something(match[0]):
            found[""].append(source)
        else:
            found[match[1]].append(match[2])
    if "" in found and len(found) > 1:
        what = "the Kubernetes cluster of this mesh source is not named, that of others is"
        raise InputError(what, where=shown(Path(found[""][0])), hint=_HINT)
    return dict(found) or {"": []}


def placed(what: str, kubernetes_cluster: str) -> str:
    """Say in which Kubernetes cluster something is, where that has a name."""
    return f"{what} in {kubernetes_cluster}" if kubernetes_cluster else what


def is_same_configuration(one: object, other: object) -> bool:
    """Tell whether two objects say the same to istiod, whenever and wherever they were made."""
    return _bare(one) == _bare(other)


def _bare(found: object) -> object:
    meta = getattr(found, "meta", None)
    if not isinstance(meta, ObjectMeta) or not is_dataclass(found) or isinstance(found, type):
        return found
    return replace(found, meta=ObjectMeta(meta.namespace, meta.name, meta.labels))


def mesh_config_of(
    maps: Iterable[MeshConfigMap], clusters: Sequence[str], root_namespace: str, revision: str = ""
) -> tuple[MeshConfig, list[MeshNote]]:
    """Read the MeshConfig of the first Kubernetes cluster; note those of others that differ."""
    by_cluster: dict[str, list[MeshConfigMap]] = defaultdict(list)
    for found in maps:
        by_cluster[found.meta.kubernetes_cluster].append(found)
    config, notes = read_mesh_config(by_cluster[clusters[0]], root_namespace, revision)
    for name in clusters[1:]:
        others = by_cluster[name]
        if others and read_mesh_config(others, root_namespace, revision)[0] != config:
            notes.append(MeshNote(DIFFERS, placed("MeshConfig", name)))
    return config, notes
