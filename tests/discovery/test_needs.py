"""What keeps a namespace: each reason by itself, in a mesh where nothing else needs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.discovery.model import NEED_KINDS
from tests.discovery.helpers import decide, idle, kept, namespace, needs
from tests.mesh.helpers import Object, obj, pod
from tests.recommendation.helpers import (
    fqdn,
    mesh_config,
    pod_name,
    route_to,
    service,
    service_entry,
    sidecar,
    virtual_service,
)

ISTIO = "networking.istio.io/v1"
GATEWAY_API = "gateway.networking.k8s.io/v1"
OLD = fqdn("old.attic")
AUTHORITY_IN_ATTIC = {"mode": "SIMPLE", "credentialName": "configmap://attic/ca"}
EDGE = namespace("edge", istio_injection="enabled")


def test_a_namespace_that_nothing_needs_is_idle() -> None:
    answer = decide()

    assert idle(answer) == ["attic"]
    (attic,) = answer.idle
    assert (attic.contents.services, attic.contents.pods) == (1, 1)
    assert needs(answer, "shop") == {"proxy", "injection", "logged", "called"}
    assert needs(answer, "istio-system") == {"root namespace"}


@pytest.mark.parametrize(
    ("need", "objects"),
    [
        (
            "proxy",
            [namespace("attic", istio_injection="disabled"), pod("p", namespace="attic")],
        ),
        ("proxy", [obj(ISTIO, "WorkloadGroup", "vm", "attic", spec={})]),
        (
            "proxy",
            [
                obj(
                    ISTIO,
                    "WorkloadEntry",
                    "vm",
                    "attic",
                    annotations={"istio.io/autoRegistrationGroup": "vm"},
                    spec={"address": "192.0.2.7"},
                )
            ],
        ),
        (
            "proxy",
            [
                obj(
                    ISTIO,
                    "WorkloadEntry",
                    "vm",
                    "attic",
                    spec={"address": "192.0.2.7", "serviceAccount": "vm"},
                )
            ],
        ),
        ("injection", [namespace("attic", istio_injection="enabled")]),
        ("injection", [obj("v1", "Namespace", "attic", labels={"istio.io/rev": "stable"})]),
        (
            "ambient",
            [obj("v1", "Namespace", "attic", labels={"istio.io/dataplane-mode": "ambient"})],
        ),
        ("ambient", [service("w", "attic", labels={"istio.io/use-waypoint": "w"}, ip="10.96.8.8")]),
        (
            "ambient",
            [
                obj(
                    ISTIO,
                    "ServiceEntry",
                    "e",
                    "attic",
                    labels={"istio.io/use-waypoint": "w"},
                    spec={"hosts": ["api.example"]},
                )
            ],
        ),
        (
            "root namespace",
            [service("istiod", "attic", labels={"app": "istiod"}, ip="10.96.8.8")],
        ),
        ("gateway", [obj(ISTIO, "Gateway", "g", "attic", spec={})]),
        ("gateway", [obj(GATEWAY_API, "ListenerSet", "l", "attic", spec={})]),
        ("gateway", [obj(GATEWAY_API, "Gateway", "g", "attic", spec={})]),
        ("gateway", [obj("networking.k8s.io/v1", "Ingress", "i", "attic", spec={})]),
        (
            "gateway",
            [virtual_service("v", "attic", hosts=["a.example"], gateways=["edge/g"], http=[])],
        ),
        (
            "gateway",
            [
                obj(
                    GATEWAY_API,
                    "HTTPRoute",
                    "r",
                    "attic",
                    spec={"parentRefs": [{"name": "g", "namespace": "edge"}], "rules": []},
                )
            ],
        ),
        ("virtual service", [virtual_service("v", hosts=["x"], http=[route_to(OLD)])]),
        (
            "virtual service",
            [
                virtual_service(
                    "v", hosts=["x"], http=[{**route_to("cart"), "mirror": {"host": OLD}}]
                )
            ],
        ),
        (
            "virtual service",
            [
                virtual_service(
                    "v", hosts=["x"], http=[{"delegate": {"name": "d", "namespace": "attic"}}]
                )
            ],
        ),
        ("virtual service", [virtual_service("v", "attic", hosts=[fqdn("cart.shop")], http=[{}])]),
        (
            "alias",
            [
                service(
                    "stands", spec={"type": "ExternalName", "externalName": OLD, "clusterIP": ""}
                )
            ],
        ),
        (
            "endpoint",
            [
                obj(
                    "discovery.k8s.io/v1",
                    "EndpointSlice",
                    "cart-1",
                    labels={"kubernetes.io/service-name": "cart"},
                    endpoints=[
                        {
                            "addresses": ["10.244.7.1"],
                            "targetRef": {"kind": "Pod", "name": "p", "namespace": "attic"},
                        }
                    ],
                    ports=[{"name": "http", "port": 8080}],
                )
            ],
        ),
        (
            "provider",
            [
                mesh_config(
                    "extensionProviders: [{name: t, opentelemetry: "
                    f"{{service: attic/{OLD}, port: 80}}}}]"
                )
            ],
        ),
        (
            "provider",
            [
                obj(
                    ISTIO,
                    "EnvoyFilter",
                    "f",
                    spec={"configPatches": [{"patch": {"x": f"outbound|8080||{OLD}"}}]},
                )
            ],
        ),
        (
            "provider",
            [
                obj(
                    "extensions.istio.io/v1alpha1",
                    "WasmPlugin",
                    "w",
                    spec={"pluginConfig": {"x": f"outbound|8080||{OLD}"}},
                )
            ],
        ),
        ("sidecar", [sidecar("s", hosts=["./*", "attic/*"])]),
        (
            "egress proxy",
            [
                sidecar(
                    "s",
                    hosts=["./*"],
                    outboundTrafficPolicy={
                        "mode": "ALLOW_ANY",
                        "egressProxy": {"host": OLD, "port": {"number": 8080}},
                    },
                )
            ],
        ),
        (
            "gateway",
            [
                EDGE,
                obj(
                    GATEWAY_API,
                    "HTTPRoute",
                    "r",
                    "edge",
                    spec={
                        "parentRefs": [{"name": "g"}],
                        "rules": [
                            {"backendRefs": [{"name": "old", "namespace": "attic", "port": 8080}]}
                        ],
                    },
                ),
            ],
        ),
        (
            "certificate",
            [
                obj(
                    ISTIO,
                    "DestinationRule",
                    "d",
                    spec={"host": "x", "trafficPolicy": {"tls": AUTHORITY_IN_ATTIC}},
                )
            ],
        ),
        (
            "gateway",
            [
                EDGE,
                obj(ISTIO, "Gateway", "g", "edge", spec={"servers": [{"tls": AUTHORITY_IN_ATTIC}]}),
            ],
        ),
        (
            "gateway",
            [
                EDGE,
                obj(
                    GATEWAY_API,
                    "Gateway",
                    "g",
                    "edge",
                    spec={
                        "listeners": [
                            {"tls": {"certificateRefs": [{"name": "c", "namespace": "attic"}]}}
                        ]
                    },
                ),
            ],
        ),
    ],
)
def test_what_is_there_or_named_keeps_a_namespace(need: str, objects: list[Object]) -> None:
    answer = decide(*objects)

    assert needs(answer) == {need}
    assert kept(answer).needs[0].evidence is None or need == "virtual service"


@pytest.mark.parametrize(
    "objects",
    [
        [namespace("attic", istio_injection="disabled")],
        [obj("v1", "Namespace", "attic", labels={"istio.io/dataplane-mode": "none"})],
        [obj("networking.k8s.io/v1", "Ingress", "i", "attic", spec={"ingressClassName": "nginx"})],
        [virtual_service("v", "attic", hosts=["old"], http=[route_to("old")])],
        [obj(ISTIO, "DestinationRule", "d", "attic", spec={"host": fqdn("cart.shop")})],
        [service_entry("e", "attic", ["api.example"], location="MESH_EXTERNAL")],
        [sidecar("s", hosts=["./*", "*/*"])],
        [sidecar("s", "attic", hosts=["shop/*"])],
        [obj(ISTIO, "WorkloadEntry", "w", "attic", spec={"address": "192.0.2.7"})],
    ],
)
def test_what_concerns_nobody_else_keeps_no_namespace(objects: list[Object]) -> None:
    assert idle(decide(*objects)) == ["attic"]


def test_the_namespace_of_a_pinned_host_stays() -> None:
    assert needs(decide(pinned_hosts=("attic/old.attic.svc.cluster.local",))) == {"pinned"}
    assert needs(decide(pinned_hosts=(f"*/{OLD}",))) == {"pinned"}


def test_a_namespace_without_a_namespace_object_stays() -> None:
    answer = decide(service("stray", "nowhere", ip="10.96.9.9"))

    assert needs(answer, "nowhere") == {"not in the dump"}


def test_dns_the_api_server_and_what_else_kubernetes_made_stay() -> None:
    names = ("kube-system", "default", "kube-public", "kube-node-lease")
    answer = decide(*map(namespace, names))

    assert [needs(answer, name) for name in names] == [{"system"}] * 4


def test_what_a_kept_namespace_leads_to_stays_however_long_the_way() -> None:
    answer = decide(
        namespace("far"),
        service("end", "far", ip="10.96.8.8"),
        virtual_service("v", hosts=["cart"], http=[route_to(OLD)]),
        virtual_service("v", "attic", hosts=["old"], http=[route_to(fqdn("end.far"))]),
    )

    assert needs(answer, "far") == {"virtual service"}


def test_the_order_of_objects_changes_nothing() -> None:
    more = [namespace("barn"), pod(pod_name("x"), namespace="barn")]

    assert decide(*more) == decide(*reversed(more))


def test_every_need_is_tried_here_or_beside() -> None:
    files = Path(__file__).parent.glob("test_*.py")
    text = "".join(file.read_text("utf-8") for file in files)

    assert [kind for kind in NEED_KINDS if f'"{kind}"' not in text] == []
