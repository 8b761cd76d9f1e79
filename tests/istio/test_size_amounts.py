"""How often each thing comes in a configuration that has a size of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import pytest

from recommender.istio.config_size import SizeCoefficients
from recommender.istio.proxy import DYNAMIC_DNS
from recommender.istio.size_amounts import OutboundResources, SizeAmounts, size_amounts
from tests.istio.endpoint_mesh import (
    destination_rule,
    endpoint_mesh,
    endpoint_slice,
    port,
    ready,
)
from tests.istio.helpers import (
    external_name,
    mesh_config,
    proxy_config,
    service,
    virtual_service,
)
from tests.mesh.helpers import Object, obj, pod

INJECTED = {"security.istio.io/tlsMode": "istio"}


def amounts(*objects: Object) -> SizeAmounts:
    made = proxy_config(*objects)
    return size_amounts(made, OutboundResources.of(made))


@pytest.mark.parametrize(
    ("pool", "clusters"),
    [
        ({"tcp": {"maxConnections": 1}}, 1),
        ({"http": {}}, 1),
        ({"http": {"http2MaxRequests": 100}}, 1),
        ({"http": {"maxRequestsPerConnection": 100}}, 3),
        ({"tcp": {"idleTimeout": "5s"}}, 3),
    ],
)
def test_some_limits_of_a_destination_rule_give_clusters_at_every_port_options_for_http(
    pool: Object, clusters: int
) -> None:
    """Without them only the gRPC port's cluster has any."""
    services = [service("web", "b", ports=[port("http", 80), port("tcp", 90), port("grpc", 91)])]
    found = amounts(*services, destination_rule("web", connectionPool=pool))

    assert found.cds["http_options"] == clusters


def test_outlier_detection_counts_for_each_cluster_of_its_rule() -> None:
    services = [service("web", "b", ports=[port("http", 80), port("tcp", 90)]), service("api", "b")]
    found = amounts(*services, destination_rule("web", outlierDetection={"interval": "1s"}))

    assert found.cds["outlier_detection"] == 2


def routed(route: Object, *more: Object) -> Mapping[str, int]:
    """Count what adds to the routes of a service with a VirtualService of one route."""
    host = ["web.b.svc.cluster.local"]
    to: Object = {"route": [{"destination": {"host": host[0]}}]}
    made = virtual_service("vs", "b", host, http=[{**to, **route}])
    return amounts(service("web", "b"), made, *more).rds


@pytest.mark.parametrize(
    ("retries", "retry_on", "without"),
    [
        ({}, 0, 0),
        ({"retries": {"attempts": 1}}, 0, 0),
        ({"retries": {"attempts": 1, "retryOn": "5xx"}}, len("5xx") - 75, 0),
        ({"retries": {"attempts": 0, "retryOn": "5xx"}}, 0, 1),
        ({"retries": {}}, 0, 1),
    ],
)
def test_a_routes_own_retries_count_instead_of_the_default_ones(
    retries: Object, retry_on: int, without: int
) -> None:
    found = routed(retries)

    assert (found["retry_on_byte"], found["route_without_retries"]) == (retry_on, without)


def test_retries_of_the_mesh_count_where_a_route_has_none() -> None:
    """Also for services without a VirtualService, but never for what answers by itself."""
    mesh = mesh_config("{defaultHttpRetryPolicy: {attempts: 0}}")
    own = {"retries": {"attempts": 1}}
    found = [routed(route, mesh) for route in ({}, own, {"directResponse": {"status": 503}})]

    assert [each["route_without_retries"] for each in found] == [1, 0, 0]
    assert amounts(service("web", "b"), mesh).rds["route_without_retries"] == 1


@pytest.mark.parametrize(
    ("objects", "domains"),
    [
        ([service("web", "b")], 4 + 1),
        ([service("web", "b"), external_name("alias", "a", "web.b.svc.cluster.local")], 5 + 5),
        ([service("web", "b", clusterIP="None")], 2 * (3 + 1)),
    ],
)
def test_a_service_is_known_by_names_with_a_trailing_dot_too(
    objects: list[Object], domains: int
) -> None:
    """So are its aliases, and the pods of a headless service below it."""
    assert amounts(*objects).rds["domain"] == domains


def test_names_that_routes_hold_are_counted() -> None:
    """The operation that is traced names host and port, or the VirtualService and its port."""
    host = "web.b.svc.cluster.local"
    two = [{"destination": {"host": host}, "weight": weight} for weight in (1, 2)]
    one, split = routed({"name": "named"}), routed({"route": two})

    assert one["route_name_byte"] - split["route_name_byte"] == len("named")
    assert one["operation_byte"] == len(host + "80")
    assert split["operation_byte"] == len("vs" + "80")


def test_a_destination_may_have_any_text_for_its_host() -> None:
    assert routed({"route": [{"destination": {"host": "a|b|c"}}]})["route"] == 1


def test_a_route_to_a_backend_of_another_kind_is_counted() -> None:
    backend = {"group": "example.com", "kind": "Other", "name": "x"}
    parent = {"group": "", "kind": "Service", "name": "web"}
    spec = {"parentRefs": [parent], "rules": [{"backendRefs": [backend]}]}
    route = obj("gateway.networking.k8s.io/v1", "HTTPRoute", "r", "b", spec=spec)
    found = amounts(service("web", "b"), route).rds

    assert (found["route"], found["route_cluster_byte"]) == (1, len("UnknownService"))


def test_a_route_that_answers_by_itself_has_nothing_for_a_destination() -> None:
    """A delegate may have it from its root beside what does not go together in one route."""
    settings = {"rewrite": {"uri": "/y"}, "retries": {}, "headers": {"request": {"remove": ["x"]}}}
    found = routed({**settings, "directResponse": {"status": 503, "body": {"string": "closed"}}})

    assert (found["rewrite"], found["route_without_retries"]) == (0, 0)
    assert (found["answered_route"], found["header_operation"]) == (1, 1)
    assert found["settings_byte"] == len("closed" + "x")


@pytest.mark.parametrize(
    ("tls", "secured", "matched", "told"),
    [
        ({}, 1, 1, 1),
        ({"tls": {"mode": "ISTIO_MUTUAL"}}, 1, 0, 1),
        ({"tls": {"mode": "DISABLE"}}, 0, 0, 0),
        ({"tls": {}}, 0, 0, 0),
        ({"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "DISABLE"}}]}, 0, 0, 0),
        ({"portLevelSettings": [{"port": {"number": 81}, "tls": {"mode": "DISABLE"}}]}, 1, 1, 1),
    ],
)
def test_a_destination_rule_may_say_how_connections_are_secured(
    tls: Object, secured: int, matched: int, told: int
) -> None:
    """Only where none does the cluster has both ways, and endpoints tell which they take."""
    labels = {"app": "in", **INJECTED}
    backend = pod("in-0", namespace="b", labels=labels, status={"podIP": "10.0.0.7"})
    made = service("in", "b", selector={"app": "in"})
    found = amounts(backend, made, destination_rule("in", **tls))

    assert (found.cds["mutual_tls"], found.cds["mutual_tls_match"]) == (secured, matched)
    assert found.eds["mutual_tls_endpoint"] == told


def test_of_two_destination_rules_of_a_host_the_older_with_any_policy_decides() -> None:
    older = destination_rule("in", loadBalancer={"simple": "RANDOM"})
    newer = destination_rule("in", tls={"mode": "DISABLE"})
    for rule, name, minute in ((older, "older", 1), (newer, "newer", 2)):
        rule["metadata"] |= {"name": name, "creationTimestamp": f"2024-01-01T00:0{minute}:00Z"}
    made = service("in", "b")

    assert amounts(made, newer).cds["mutual_tls"] == 0
    assert amounts(made, newer, older).cds["mutual_tls"] == 1


def test_a_load_assignment_names_each_locality_of_its_endpoints() -> None:
    """By the pod's label, else its node, else the zone of its EndpointSlice."""
    zone = {"topology.kubernetes.io/region": "r", "topology.kubernetes.io/zone": "zone"}
    pods = [
        pod(name, namespace="b", spec={"nodeName": node}, labels=labels)
        for name, node, labels in (
            ("in-1", "near", {}),
            ("in-2", "near", {}),
            ("in-3", "gone", {}),
            ("in-4", "plain", {}),
            ("in-5", "near", {"istio-locality": "x.y"}),
        )
    ]
    nodes = [
        obj("v1", "Node", "near", "", labels=zone),
        obj("v1", "Node", "plain", "", labels={}),
    ]
    ends = [ready(f"10.0.0.{n}", f"in-{n}")[0] | {"zone": "eu-1a"} for n in range(1, 6)]
    ports = [port("http", 80)]
    part = endpoint_slice("in", ports, ends)
    found = amounts(service("in", "b", ports=ports), *pods, *nodes, part)

    assert found.eds["locality"] == 4
    assert found.eds["named_locality"] == 3
    assert found.eds["locality_byte"] == len("r" + "zone" + "eu-1" + "eu-1a" + "x" + "y")


def everything(policy: str) -> SizeAmounts:
    """Count in a mesh that has all that adds to the size under an outboundTrafficPolicy."""
    version = "telemetry.istio.io/v1"
    logs = [{"providers": [{"name": "text"}, {"name": "json"}]}]
    spec = {"accessLogging": logs, "tracing": [{"providers": [{"name": "otel"}]}]}
    mesh = """
        extensionProviders:
        - {name: text, envoyFileAccessLog: {path: /dev/stdout}}
        - {name: json, envoyFileAccessLog: {path: /dev/stdout, logFormat: {labels: {}}}}
        - {name: otel, opentelemetry: {service: otel.b.svc.cluster.local, port: 4317}}
    """
    to = {"host": "web.b.svc.cluster.local"}
    plain = {"uri": {"exact": "/x"}, "headers": {"x-user": {"exact": "a"}}}
    both = [
        {"destination": to, "weight": 50},
        {"destination": {**to, "subset": "v1"}, "weight": 50},
    ]
    retries = {"attempts": 2, "retryOn": "connect-failure"}
    settings = {
        "fault": {"abort": {"httpStatus": 503}},
        "corsPolicy": {"allowOrigins": [{"exact": "https://a.example"}]},
        "headers": {"request": {"remove": ["x-a"]}},
        "rewrite": {"uri": "/y"},
    }
    moved = {"match": [{"uri": {"exact": "/old"}}], "redirect": {"uri": "/new"}}
    made = proxy_config(
        *endpoint_mesh(),
        pod(
            "in-0",
            namespace="b",
            labels={"app": "in", "istio-locality": "r.z", **INJECTED},
            status={"podIP": "10.0.0.7"},
        ),
        service("in", "b", selector={"app": "in"}),
        service("tls", "b"),
        destination_rule("tls", tls={"mode": "SIMPLE"}),
        virtual_service(
            "vs",
            "b",
            ["web.b.svc.cluster.local"],
            http=[
                {"match": [plain], "route": both, "retries": retries, **settings},
                moved,
                {"match": [{"uri": {"exact": "/once"}}], "route": both, "retries": {"attempts": 0}},
                {"route": [{"destination": to}], "mirror": to},
            ],
        ),
        destination_rule("in", outlierDetection={"consecutive5xxErrors": 7}),
        obj(version, "Telemetry", "all", "istio-system", spec=spec),
        obj("v1", "ConfigMap", "istio", "istio-system", data={"mesh": mesh}),
        policy=policy,
    )
    return size_amounts(made, OutboundResources.of(made))


def test_each_coefficient_has_its_amount_in_one_type() -> None:
    each: dict[str, set[str]] = {"cds": set(), "eds": set(), "lds": set(), "rds": set()}
    for policy in ("ALLOW_ANY", "REGISTRY_ONLY", DYNAMIC_DNS):
        amounts = everything(policy)
        for xds, names in each.items():
            names |= {name for name, often in getattr(amounts, xds).items() if often}

    assert set().union(*each.values()) == {field.name for field in fields(SizeCoefficients)}
    assert sum(map(len, each.values())) == len(fields(SizeCoefficients))
