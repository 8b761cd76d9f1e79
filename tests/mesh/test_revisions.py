"""Objects that are labelled for another revision than istiod's do not count, and are named."""

from __future__ import annotations

import json

import pytest

from recommender.discovery.contents import istio_objects
from recommender.mesh import Mesh
from tests.mesh.helpers import APP, PROXY, Object, mesh_of_objects, notes_of, obj, pod

NETWORKING, API = "networking.istio.io/v1", "gateway.networking.k8s.io/v1"
CANARY = {"istio.io/rev": "canary"}
UNSEEN = "of another revision than istiod's"
ENTRY = obj(NETWORKING, "ServiceEntry", "e", labels=CANARY, spec={"hosts": ["e.x"]})


def config_map(name: str) -> Object:
    return obj("v1", "ConfigMap", name, "istio-system", data={"mesh": ""})


def istiod(revision: str | None) -> Object:
    env = [] if revision is None else [{"name": "REVISION", "value": revision}]
    containers = [{"name": "discovery", "image": "istio/pilot:1.31.0", "env": env}]
    template = {"metadata": {"labels": {"app": "istiod"}}, "spec": {"containers": containers}}
    return obj("apps/v1", "Deployment", "istiod", "istio-system", spec={"template": template})


def injected(name: str, revision: str) -> Object:
    return pod(name, annotations={"istio.io/rev": revision})


def sees(mesh: Mesh) -> bool:
    assert len(notes_of(mesh, UNSEEN)) == len(mesh.unseen) == 1 - len(mesh.service_entries)
    return bool(mesh.service_entries)


@pytest.mark.parametrize(
    "made",
    [
        obj(NETWORKING, "VirtualService", "x", labels=CANARY, spec={"hosts": ["a"]}),
        obj(NETWORKING, "DestinationRule", "x", labels=CANARY, spec={"host": "a"}),
        obj(NETWORKING, "ServiceEntry", "x", labels=CANARY, spec={"hosts": ["a.x"]}),
        obj(NETWORKING, "WorkloadEntry", "x", labels=CANARY, spec={"address": "10.0.0.1"}),
        obj(NETWORKING, "Sidecar", "x", labels=CANARY, spec={}),
        obj(NETWORKING, "EnvoyFilter", "x", labels=CANARY, spec={}),
        obj("extensions.istio.io/v1alpha1", "WasmPlugin", "x", labels=CANARY, spec={}),
        obj("extensions.istio.io/v1alpha1", "TrafficExtension", "x", labels=CANARY, spec={}),
        obj("telemetry.istio.io/v1", "Telemetry", "x", labels=CANARY, spec={}),
        obj("security.istio.io/v1", "AuthorizationPolicy", "x", labels=CANARY, spec={}),
        obj("security.istio.io/v1", "PeerAuthentication", "x", labels=CANARY, spec={}),
        obj("security.istio.io/v1", "RequestAuthentication", "x", labels=CANARY, spec={}),
        obj(API, "HTTPRoute", "x", labels=CANARY, spec={}),
    ],
    ids=lambda made: str(made["kind"]),
)
def test_an_object_of_another_revision_does_not_count_and_is_named(made: Object) -> None:
    mesh = mesh_of_objects(config_map("istio"), made)

    assert notes_of(mesh, UNSEEN) == [f"{made['kind']} shop/x of canary"]
    assert [kind for kind, _ in mesh.unseen] == [made["kind"]]
    assert not list(istio_objects(mesh))
    assert not notes_of(mesh_of_objects(config_map("istio-canary"), made), UNSEEN)


def test_what_kubernetes_has_counts_for_every_revision() -> None:
    service = obj("v1", "Service", "s", labels=CANARY, spec={"ports": [{"port": 80}]})

    assert mesh_of_objects(config_map("istio"), service).services


def test_the_revision_is_that_which_injected_the_proxies() -> None:
    assert sees(
        mesh_of_objects(config_map("istio"), istiod("default"), injected("a", "canary"), ENTRY)
    )
    assert not sees(mesh_of_objects(config_map("istio-canary"), injected("a", "stable"), ENTRY))


def test_older_injectors_tell_it_in_their_status() -> None:
    status = {"sidecar.istio.io/status": json.dumps({"revision": "canary"})}

    assert sees(mesh_of_objects(config_map("istio"), pod("a", annotations=status), ENTRY))


@pytest.mark.parametrize("status", ["", "{", "[]", "null", '{"revision": 1}', "[" * 9999])
def test_a_status_that_nobody_can_read_tells_nothing(status: str) -> None:
    odd = pod("a", annotations={"sidecar.istio.io/status": status})

    assert sees(mesh_of_objects(config_map("istio-canary"), odd, ENTRY))


def test_a_pod_without_a_proxy_does_not_tell_it() -> None:
    bare = pod("a", annotations=CANARY, containers=[APP])

    assert not sees(mesh_of_objects(config_map("istio"), bare, ENTRY))


def test_without_proxies_the_only_istiod_tells_it() -> None:
    assert sees(mesh_of_objects(config_map("istio"), istiod("canary"), ENTRY))


def test_of_several_revisions_that_of_the_mesh_config_in_use_counts() -> None:
    both = [injected("a", "canary"), injected("b", "default")]

    assert not sees(mesh_of_objects(config_map("istio"), config_map("istio-canary"), *both, ENTRY))
    assert sees(mesh_of_objects(config_map("istio-canary"), *both, ENTRY))


def test_an_istiod_without_a_revision_sees_all() -> None:
    assert sees(mesh_of_objects(config_map("istio"), istiod(None), ENTRY))
    assert sees(mesh_of_objects(config_map("istio"), istiod(None), injected("a", "default"), ENTRY))
    assert not sees(mesh_of_objects(config_map("istio"), istiod(None), injected("a", "x"), ENTRY))


def test_a_revision_that_nothing_tells_is_assumed_and_that_is_said_where_it_matters() -> None:
    assert not sees(mesh_of_objects(ENTRY))
    assert notes_of(mesh_of_objects(ENTRY), "nothing tells the revision") == ["default"]
    assert not notes_of(mesh_of_objects(pod("a", containers=[APP, PROXY])), "revision")


def test_the_mesh_config_is_that_of_the_revision_which_injected_the_proxies() -> None:
    maps = [config_map("istio"), config_map("istio-canary"), config_map("istio-a")]
    maps[1]["data"] = {"mesh": "trustDomain: canary.example"}

    mesh = mesh_of_objects(*maps, injected("a", "canary"))
    assert mesh.config.trust_domain == "canary.example"
    assert mesh_of_objects(*maps).config.trust_domain == "cluster.local"
    assert mesh_of_objects(*maps, injected("a", "gone")).config.trust_domain == "cluster.local"
