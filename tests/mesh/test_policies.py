"""PeerAuthentications, RequestAuthentications, EnvoyFilters, extensions: what of them counts."""

from __future__ import annotations

import pytest

from recommender.mesh import ObjectMeta, PeerAuthentication
from recommender.mesh.objects import EdgeObject, Extension, RequestAuthentication
from tests.mesh.helpers import Object, mesh_of_objects, notes_of, obj

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


EXTENSIONS: list[tuple[str, Object]] = [
    ("WasmPlugin", {"pluginConfig": {"deep": [{"at": "outbound|80||auth.sec.svc"}]}}),
    ("WasmPlugin", {"vmConfig": {"env": [{"name": "A", "value": "outbound|80||auth.sec.svc"}]}}),
    ("TrafficExtension", {"wasm": {"pluginConfig": {"at": "outbound|80||auth.sec.svc"}}}),
    ("TrafficExtension", {"lua": {"inlineCode": 'h:httpCall("outbound|80||auth.sec.svc")'}}),
]


@pytest.mark.parametrize(("kind", "spec"), EXTENSIONS)
def test_an_extension_tells_the_clusters_that_it_mentions(kind: str, spec: Object) -> None:
    selector = {"selector": {"matchLabels": {"app": "x"}}}
    mesh = mesh_of_objects(obj("extensions.istio.io/v1alpha1", kind, "w", spec=spec | selector))
    clusters = ("outbound|80||auth.sec.svc",)

    assert mesh.extensions == (Extension(ObjectMeta("shop", "w"), kind, {"app": "x"}, clusters),)
    assert not notes_of(mesh, "plays no part")


def test_an_extension_attached_by_target_refs_is_one_of_the_edge() -> None:
    spec = EXTENSIONS[0][1] | {"targetRefs": [{"kind": "Gateway", "name": "g"}]}
    mesh = mesh_of_objects(obj("extensions.istio.io/v1alpha1", "WasmPlugin", "w", spec=spec))

    assert mesh.extensions == ()
    assert mesh.edge_objects == (
        EdgeObject(ObjectMeta("shop", "w"), "WasmPlugin", ("auth.sec.svc",)),
    )
