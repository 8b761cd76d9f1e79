"""Objects as short YAML, and a mesh loaded from them."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recommender.mesh import Mesh, load_mesh

Object = dict[str, Any]

APP = {"name": "app", "image": "shop/app:1"}
PROXY = {"name": "istio-proxy", "args": ["proxy", "sidecar"]}


def mesh_of(*texts: str, cluster_domain: str = "cluster.local", root_namespace: str = "") -> Mesh:
    """Load a mesh from YAML texts, one file each."""
    with TemporaryDirectory() as folder:
        for number, text in enumerate(texts):
            Path(folder, f"{number}.yaml").write_text(text, encoding="utf-8")
        return load_mesh([folder], cluster_domain=cluster_domain, root_namespace=root_namespace)


def mesh_of_objects(*objects: Object) -> Mesh:
    """Load a mesh from objects."""
    return mesh_of("\n---\n".join(map(json.dumps, objects)) or "{}")


def mesh_of_clusters(**clusters: list[Object]) -> Mesh:
    """Load a mesh from the objects of its Kubernetes clusters, in order."""
    with TemporaryDirectory() as folder:
        for name, objects in clusters.items():
            text = "\n---\n".join(map(json.dumps, objects)) or "{}"
            Path(folder, f"{name}.yaml").write_text(text, encoding="utf-8")
        return load_mesh([f"{name}={folder}/{name}.yaml" for name in clusters])


def notes_of(mesh: Mesh, part: str) -> list[str]:
    """List where the notes point whose reason has a certain part."""
    return [note.where for note in mesh.notes if part in note.reason]


def obj(version: str, kind: str, name: str, namespace: str = "shop", **more: Any) -> Object:
    """Make an object; `labels`, `annotations`, `owner`, `created` go to its metadata."""
    metadata: Object = {"name": name, "namespace": namespace}
    for field in ("labels", "annotations"):
        if field in more:
            metadata[field] = more.pop(field)
    if "created" in more:
        metadata["creationTimestamp"] = more.pop("created")
    if "owner" in more:
        owner_kind, owner_name = str(more.pop("owner")).split("/")
        reference = {"kind": owner_kind, "name": owner_name, "controller": True}
        metadata["ownerReferences"] = [{"kind": "Aside", "name": "aside"}, reference]
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def pod(name: str, **more: Any) -> Object:
    """Make a pod; `containers` and `spec` go to its spec."""
    spec = {"containers": more.pop("containers", [APP, PROXY])}
    spec.update(more.pop("spec", {}))
    return obj("v1", "Pod", name, spec=spec, **more)
