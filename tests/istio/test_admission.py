"""A Sidecar that istiod would refuse counts only where it is stored already."""

from __future__ import annotations

from recommender.istio.admission import admission_notes
from recommender.istio.sidecar_scope import build_scope_rules, select_sidecar
from recommender.mesh import Mesh
from tests.mesh.helpers import mesh_of_objects, obj

ISTIO = "networking.istio.io/v1"


def mesh_with(created: str | None, **spec: object) -> Mesh:
    """Load a mesh with one Sidecar; without a creation time it is still to be applied."""
    more: dict[str, object] = (
        {"spec": spec} if created is None else {"spec": spec, "created": created}
    )
    return mesh_of_objects(obj(ISTIO, "Sidecar", "mine", "shop", **more))


def selected(mesh: Mesh) -> str | None:
    """Name the Sidecar of the namespace's proxies."""
    found = select_sidecar(build_scope_rules(mesh), "shop", {})
    return found.meta.name if found else None


def test_one_that_is_still_to_be_applied_is_left_out_with_a_note() -> None:
    mesh = mesh_with(None, egress=[{"hosts": ["shop/cart"]}])
    (note,) = admission_notes(mesh)

    assert selected(mesh) is None
    assert note.is_loss
    assert note.where.startswith("Sidecar shop/mine (")
    assert note.reason == (
        "left out, since istiod would refuse it: egress[0]: hosts: cart is a short name"
    )


def test_one_that_is_stored_is_applied_all_the_same_with_a_note() -> None:
    mesh = mesh_with("2026-01-01T00:00:00Z", egress=[{"hosts": ["shop/cart"]}])
    (note,) = admission_notes(mesh)

    assert selected(mesh) == "mine"
    assert not note.is_loss
    assert "applied by istiod" in note.reason


def test_what_only_the_manifest_shows_counts_too() -> None:
    """The port's name and target are no part of the mesh."""
    port = {"number": 80, "targetPort": 8080}
    assert selected(mesh_with(None, egress=[{"port": port, "hosts": ["*/*"]}])) is None
    assert selected(mesh_with(None, egress=[{"port": {"number": 80}, "hosts": ["*/*"]}])) == "mine"


def test_one_that_is_fine_or_only_warned_of_counts_and_has_no_note() -> None:
    mesh = mesh_with(None, workloadSelector={}, egress=[{"hosts": ["*/*", "shop/*"]}])
    assert selected(mesh) == "mine"
    assert admission_notes(mesh) == []
