"""PeerAuthentications: of them only names, ages and selectors count."""

from __future__ import annotations

from recommender.mesh import ObjectMeta, PeerAuthentication
from tests.mesh.helpers import mesh_of_objects, notes_of, obj

SECURITY = "security.istio.io/v1"


def test_a_peer_authentication_is_kept_with_its_selector() -> None:
    spec = {"selector": {"matchLabels": {"app": "pay"}}, "mtls": {"mode": "STRICT"}}
    mesh = mesh_of_objects(
        obj(SECURITY, "PeerAuthentication", "pay", spec=spec),
        obj("security.istio.io/v1beta1", "PeerAuthentication", "default", "istio-system"),
    )

    assert mesh.peer_authentications == (
        PeerAuthentication(ObjectMeta("istio-system", "default")),
        PeerAuthentication(ObjectMeta("shop", "pay"), {"app": "pay"}),
    )
    assert not notes_of(mesh, "plays no part")


def test_a_selector_of_the_wrong_type_is_left_out_with_a_note() -> None:
    spec = {"selector": {"matchLabels": ["app"]}}
    mesh = mesh_of_objects(obj(SECURITY, "PeerAuthentication", "pay", spec=spec))

    assert not mesh.peer_authentications
    assert len(notes_of(mesh, "left out")) == 1
