"""Which Sidecars of a source istiod would ever see: its webhook keeps others out of the cluster.

Only what has no creationTimestamp is still to be applied. What has one is stored, and istiod does
not ask again (istio pilot/pkg/config/kube/crdclient/client.go): it applies it as it is, even if it
was let in by an older release or while no webhook ran.
"""

from __future__ import annotations

from dataclasses import replace

from recommender.istio.validation import validate_sidecar
from recommender.mesh.objects import Mesh, MeshNote, Sidecar

_LEFT_OUT = "left out, since istiod would refuse it"
_STORED = "applied by istiod, which would refuse it today"


def admitted(mesh: Mesh) -> Mesh:
    """Return a mesh without the Sidecars that istiod would refuse."""
    refused = {id(s) for s in mesh.sidecars if s.meta.created is None and refusal(s)}
    if not refused:
        return mesh
    return replace(mesh, sidecars=tuple(s for s in mesh.sidecars if id(s) not in refused))


def admission_notes(mesh: Mesh) -> list[MeshNote]:
    """Name the Sidecars of a mesh that istiod would refuse, and why."""
    notes = []
    for sidecar in mesh.sidecars:
        reason = refusal(sidecar)
        if reason is not None:
            is_new = sidecar.meta.created is None
            meta = sidecar.meta
            origin = f" ({meta.origin})" if meta.origin else ""
            where = f"Sidecar {meta.namespace}/{meta.name}{origin}"
            text = f"{_LEFT_OUT if is_new else _STORED}: {reason}"
            notes.append(MeshNote(text, where, is_loss=is_new))
    return notes


def refusal(sidecar: Sidecar) -> str | None:
    """Say why istiod would refuse a Sidecar, None if it would not or there is no manifest."""
    if sidecar.spec is None:
        return None
    metadata = {
        "namespace": sidecar.meta.namespace,
        "annotations": dict(sidecar.meta.annotations),
    }
    errors = validate_sidecar({"metadata": metadata, "spec": sidecar.spec}).errors
    return errors[0] if errors else None
