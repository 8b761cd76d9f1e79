"""PeerAuthentications, RequestAuthentications and EnvoyFilters: what of them counts."""

from __future__ import annotations

from recommender.mesh import ObjectMeta, PeerAuthentication
from recommender.mesh.objects import EdgeObject, RequestAuthentication
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


def test_a_request_authentication_names_where_its_keys_are_fetched() -> None:
    uris = ["https://keys.sec.svc:8443/jwks", "http://[::1", "no uri", "", "http://KEYS.sec/k"]
    rules = [{"issuer": "i", "jwksUri": uri} for uri in uris]
    mesh = mesh_of_objects(
        obj(SECURITY, "RequestAuthentication", "r", spec={"jwtRules": [*rules, {"issuer": "i"}]})
    )

    assert mesh.request_authentications == (
        RequestAuthentication(ObjectMeta("shop", "r"), ("keys.sec", "keys.sec.svc")),
    )


def test_an_envoy_filter_attached_by_target_refs_is_one_of_the_edge() -> None:
    spec = {
        "targetRefs": [{"kind": "Gateway", "name": "g"}],
        "configPatches": [{"patch": {"value": {"cluster": "outbound|80||auth.sec.svc"}}}],
    }
    mesh = mesh_of_objects(obj("networking.istio.io/v1alpha3", "EnvoyFilter", "f", spec=spec))

    assert mesh.envoy_filters == ()
    assert mesh.edge_objects == (
        EdgeObject(ObjectMeta("shop", "f"), "EnvoyFilter", ("auth.sec.svc",)),
    )
