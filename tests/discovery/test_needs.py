"""What keeps a namespace: each reason by itself, in a mesh where nothing else needs it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from recommender.discovery.model import NEED_KINDS
from tests.discovery.helpers import CALL, WEB, decide, idle, kept, namespace, needs
from tests.mesh.helpers import Object, obj, pod
from tests.recommendation.helpers import (
    Flow,
    fqdn,
    http_call,
    mesh_config,
    pod_name,
    received,
    route_to,
    service,
    service_entry,
    sidecar,
    tcp_call,
    virtual_service,
)

ISTIO = "networking.istio.io/v1"
GATEWAY_API = "gateway.networking.k8s.io/v1"
OLD = fqdn("old.attic")
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


@pytest.mark.parametrize(
    "call",
    [
        http_call(WEB, "old.attic", OLD, address="10.96.7.7"),
        http_call(WEB, "old.attic:8080", address="10.96.7.7"),
        http_call(WEB, "old.attic.svc", cluster="PassthroughCluster", address="192.0.2.9"),
        http_call(WEB, "old-0.old.attic", cluster="PassthroughCluster", address="192.0.2.9"),
        http_call(WEB, f"old-0.{OLD}", cluster="PassthroughCluster", address="192.0.2.9"),
        tcp_call(WEB, "10.96.7.7", 9999, cluster="PassthroughCluster"),
        tcp_call(WEB, "10.244.7.1", 9999, cluster="PassthroughCluster"),
        tcp_call(WEB, "192.0.2.9", 443, server_name=OLD, cluster="PassthroughCluster"),
    ],
)
def test_a_call_to_a_service_pod_or_name_of_it_keeps_a_namespace(call: Flow) -> None:
    answer = decide(flows=[CALL, call])

    assert needs(answer) == {"called"}
    (need,) = kept(answer).needs
    assert need.evidence is not None
    assert need.evidence.requests == 1
    assert "web" in need.detail


def test_a_call_to_a_service_that_the_dump_lacks_keeps_its_namespace() -> None:
    call = http_call(WEB, "gone", fqdn("gone.attic"), address="192.0.2.9")

    assert needs(decide(flows=[CALL, call])) == {"called", "possible"}


def test_a_call_of_a_pod_that_is_gone_keeps_a_namespace() -> None:
    call = http_call("shop/nobody-knows", "old.attic", OLD, address="10.96.7.7")
    answer = decide(flows=[CALL, call])

    assert needs(answer) == {"called"}
    assert [pod.name for pod in answer.unknown_pods] == ["nobody-knows"]


def test_a_call_of_a_gateway_keeps_a_namespace() -> None:
    proxy = {"name": "istio-proxy", "args": ["proxy", "router"]}
    gateway = pod("ingress", namespace="edge", containers=[proxy], status={"podIP": "10.244.6.1"})
    call = http_call("edge/ingress", "shop.example", OLD, address="10.244.6.1")
    answer = decide(namespace("edge"), gateway, flows=[CALL, call])

    assert needs(answer) == {"called"}
    assert needs(answer, "edge") == {"proxy", "logged"}


def test_where_pods_logged_that_are_gone_stays() -> None:
    assert needs(decide(flows=[CALL, received("attic/nobody-knows")])) == {"logged"}


def test_of_services_of_one_host_the_one_that_a_caller_meets_keeps_its_namespace() -> None:
    """Each tenant has a ServiceEntry of the same host: the copies of idle ones are not needed."""
    copies = [
        service_entry(
            "pay", home, ["pay.example"], exportTo=["."], ports=[{"number": 80, "name": "http"}]
        )
        for home in ("attic", "shop")
    ]
    call = http_call(WEB, "pay.example", "pay.example", port=80, address="192.0.2.9")

    assert idle(decide(*copies, flows=[CALL, call])) == ["attic"]


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


def test_a_service_whose_listener_a_call_needs_keeps_its_namespace() -> None:
    """The VirtualService's host is no service: at port 80 there is a listener for others alone."""
    vs = virtual_service("v", hosts=["api.example"], http=[route_to("cart")])
    web = service("web", "attic", port=80, ip="10.96.7.8")
    others = [namespace("barn"), service("hay", "barn", port=80, ip="10.96.8.8")]
    call = http_call(WEB, "api.example", fqdn("cart.shop"), address="192.0.2.9", port=8080)
    call |= {"destination_address": "192.0.2.9:80"}
    answer = decide(vs, web, *others, flows=[CALL, call])

    assert needs(answer) == {"decides"}
    assert idle(answer) == ["barn"]
    assert "api.example" in kept(answer).needs[0].detail


def test_more_calls_never_hide_more() -> None:
    calls = [
        CALL,
        http_call(WEB, "old.attic", OLD, address="10.96.7.7"),
        http_call(WEB, "x.example", cluster="PassthroughCluster", address="192.0.2.9"),
    ]
    found = [set(idle(decide(flows=calls[:number]))) for number in range(1, len(calls) + 1)]

    assert all(later <= earlier for earlier, later in pairwise(found))


def test_the_order_of_objects_changes_nothing() -> None:
    more = [namespace("barn"), pod(pod_name("x"), namespace="barn")]

    assert decide(*more) == decide(*reversed(more))


def test_every_need_is_tried_here_or_beside() -> None:
    files = Path(__file__).parent.glob("test_*.py")
    text = "".join(file.read_text("utf-8") for file in files)

    assert [kind for kind in NEED_KINDS if f'"{kind}"' not in text] == []


def route_to_pool(parent: Object) -> Object:
    """Make a route to an InferencePool of another namespace."""
    pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "p"}
    rules = [{"backendRefs": [{**pool, "namespace": "attic"}]}]
    return obj(GATEWAY_API, "HTTPRoute", "r", spec={"parentRefs": [parent], "rules": rules})


@pytest.mark.parametrize(
    ("object_", "need"),
    [
        (
            obj(
                ISTIO,
                "EnvoyFilter",
                "f",
                spec={
                    "targetRefs": [{"kind": "Gateway", "name": "g"}],
                    "configPatches": [{"patch": {"x": f"outbound|8080||{OLD}"}}],
                },
            ),
            {"gateway"},
        ),
        (
            obj(
                "security.istio.io/v1",
                "RequestAuthentication",
                "r",
                spec={"jwtRules": [{"issuer": "i", "jwksUri": f"http://{OLD}:8080/jwks"}]},
            ),
            {"provider"},
        ),
        (route_to_pool({"name": "g"}), {"gateway"}),
        (route_to_pool({"group": "", "kind": "Service", "name": "cart"}), {"gateway"}),
        (
            obj(
                "extensions.istio.io/v1alpha1",
                "WasmPlugin",
                "w",
                spec={"url": f"http://{OLD}:8080/filter.wasm"},
            ),
            set(),
        ),
    ],
)
def test_what_envoy_asks_through_istiod_keeps_a_namespace_and_what_its_agent_fetches_does_not(
    object_: Object, need: set[str]
) -> None:
    """The agent fetches Wasm by itself: istiod names no Envoy cluster for it."""
    assert needs(decide(object_)) == need


TRACED = obj(
    "telemetry.istio.io/v1",
    "Telemetry",
    "t",
    "istio-system",
    spec={"tracing": [{"providers": [{"name": "otel"}]}]},
)


@pytest.mark.parametrize("unread", [[], [mesh_config("1")]])
def test_every_namespace_stays_where_a_provider_is_used_that_no_known_mesh_config_defines(
    unread: list[Object],
) -> None:
    """Its service may be in any of them. A MeshConfig that lacks it leaves it without effect."""
    (need,) = kept(decide(TRACED, *unread)).needs

    assert (need.kind, need.detail.partition(",")[0]) == ("provider", "tracing provider otel")
    assert needs(decide(TRACED, mesh_config("{}"))) == set()


def test_without_a_call_no_namespace_is_idle() -> None:
    answer = decide(flows=[received(f"shop/{pod_name('cart')}")])

    assert (idle(answer), needs(answer)) == ([], {"no evidence"})
