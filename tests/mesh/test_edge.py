"""Gateways, their routes and Ingresses: of them only what they bind counts."""

from __future__ import annotations

import pytest

from recommender.mesh.objects import EdgeObject, ObjectMeta
from tests.mesh.helpers import Object, mesh_of_objects, notes_of, obj

API = "gateway.networking.k8s.io/v1"
NETWORKING = "networking.istio.io/v1"


def edges(*objects: Object) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    found = mesh_of_objects(*objects).edge_objects
    return [(e.kind, e.meta.name, e.hosts, e.namespaces) for e in found]


def test_a_gateway_counts_by_being_there() -> None:
    mesh = mesh_of_objects(obj(NETWORKING, "Gateway", "g", spec={"servers": []}))

    assert mesh.edge_objects == (EdgeObject(ObjectMeta("shop", "g"), "Gateway"),)
    assert not notes_of(mesh, "plays no part")


def test_a_workload_group_tells_the_labels_of_its_virtual_machines() -> None:
    spec = {
        "metadata": {"labels": {"app": "old", "tier": "x"}},
        "template": {"labels": {"app": "new"}},
    }
    mesh = mesh_of_objects(obj(NETWORKING, "WorkloadGroup", "vm", spec=spec))

    assert [group.labels for group in mesh.workload_groups] == [{"app": "new", "tier": "x"}]
    assert not notes_of(mesh, "plays no part")


def test_a_gateway_names_the_namespaces_of_its_certificates() -> None:
    references = [{"name": "own"}, {"name": "c", "namespace": "certs"}]
    spec = {"listeners": [{"name": "a"}, {"name": "b", "tls": {"certificateRefs": references}}]}

    assert edges(obj(API, "Gateway", "g", spec=spec)) == [("Gateway", "g", (), ("certs",))]


@pytest.mark.parametrize(
    "frontend",
    [
        {"default": {"validation": {"caCertificateRefs": [{"name": "c", "namespace": "certs"}]}}},
        {
            "perPort": [
                {
                    "port": 443,
                    "tls": {
                        "validation": {"caCertificateRefs": [{"name": "c", "namespace": "certs"}]}
                    },
                }
            ]
        },
    ],
)
def test_a_gateway_names_the_namespaces_of_its_clients_authorities(frontend: Object) -> None:
    spec = {"tls": {"frontend": frontend}, "listeners": []}

    assert edges(obj(API, "Gateway", "g", spec=spec)) == [("Gateway", "g", (), ("certs",))]


@pytest.mark.parametrize(
    ("version", "kind"),
    [(API, "ListenerSet"), ("gateway.networking.x-k8s.io/v1alpha1", "XListenerSet")],
)
def test_a_listener_set_counts_as_its_gateway_does_and_binds_routes(
    version: str, kind: str
) -> None:
    listeners = [{"name": "a", "tls": {"certificateRefs": [{"name": "c", "namespace": "certs"}]}}]
    parent = {"name": "g", "namespace": "edge"}
    route = {"parentRefs": [{"kind": kind, "name": "l", "namespace": "sets"}], "rules": []}

    assert edges(
        obj(version, kind, "l", spec={"parentRef": parent, "listeners": listeners}),
        obj(API, "HTTPRoute", "r", spec=route),
    ) == [("ListenerSet", "l", (), ("certs", "edge")), ("HTTPRoute", "r", (), ("sets",))]


def test_gateways_of_both_kinds_may_have_one_name() -> None:
    references = [{"name": "c", "namespace": "certs"}]
    listeners = [{"name": "a", "tls": {"certificateRefs": references}}]
    mesh = mesh_of_objects(
        obj(NETWORKING, "Gateway", "g", spec={}, created="2026-01-02T00:00:00Z"),
        obj(API, "Gateway", "g", spec={"listeners": listeners}, created="2026-01-01T00:00:00Z"),
    )

    assert sorted(each.namespaces for each in mesh.edge_objects) == [(), ("certs",)]
    assert not notes_of(mesh, "different objects")


def test_a_route_of_a_gateway_names_it_and_where_it_leads() -> None:
    rules = [{"backendRefs": [{"name": "cart", "namespace": "pay", "port": 80}]}]
    to_gateway = {"parentRefs": [{"name": "g", "namespace": "edge"}], "rules": rules}
    to_service = {"parentRefs": [{"kind": "Service", "group": "", "name": "s"}], "rules": rules}

    assert edges(
        obj(API, "HTTPRoute", "r", spec=to_gateway), obj(API, "HTTPRoute", "s", spec=to_service)
    ) == [("HTTPRoute", "r", ("cart.pay.svc.cluster.local",), ("edge",))]


@pytest.mark.parametrize(
    ("ingress_class", "counts"),
    [(None, True), ("istio", True), ("istio-internal", True), ("nginx", False)],
)
def test_an_ingress_counts_unless_it_is_of_another_controller(
    ingress_class: str | None, counts: bool
) -> None:
    spec = {"ingressClassName": ingress_class} if ingress_class else {}
    noted = {"kubernetes.io/ingress.class": ingress_class} if ingress_class else {}
    by_field = obj("networking.k8s.io/v1", "Ingress", "i", spec=spec)
    by_annotation = obj("networking.k8s.io/v1", "Ingress", "i", annotations=noted)

    assert bool(edges(by_field)) is bool(edges(by_annotation)) is counts
    assert not mesh_of_objects(by_field).notes[0].is_loss


def test_the_class_of_an_ingress_tells_whose_it_is_whatever_its_name() -> None:
    def of(controller: str) -> list[object]:
        spec = {"controller": controller}
        return [
            *edges(
                obj("networking.k8s.io/v1", "IngressClass", "public", "", spec=spec),
                obj("networking.k8s.io/v1", "Ingress", "i", spec={"ingressClassName": "public"}),
            )
        ]

    assert of("istio.io/ingress-controller") == [("Ingress", "i", (), ())]
    assert of("k8s.io/ingress-nginx") == []


def test_the_annotation_of_an_ingress_comes_before_its_spec() -> None:
    noted = {"kubernetes.io/ingress.class": "edge"}
    spec = {"ingressClassName": "nginx"}
    both = obj("networking.k8s.io/v1", "Ingress", "i", annotations=noted, spec=spec)
    config = {"mesh": "ingressClass: edge"}
    named = obj("v1", "ConfigMap", "istio", "istio-system", data=config)

    assert edges(both) == []
    assert edges(both, named) == [("Ingress", "i", (), ())]


def test_a_gateway_of_the_wrong_shape_is_left_out_with_a_note() -> None:
    mesh = mesh_of_objects(obj(API, "Gateway", "g", spec={"listeners": "all"}))

    assert mesh.edge_objects == ()
    assert len(notes_of(mesh, "left out")) == 1
