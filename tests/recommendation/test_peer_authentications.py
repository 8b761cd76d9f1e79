"""PeerAuthentications of namespaces in which a Service of another one has endpoints."""

from __future__ import annotations

from dataclasses import replace

from recommender.recommendation import Recommendations
from tests.mesh.helpers import Object, mesh_of_objects, obj
from tests.recommendation.helpers import (
    Flow,
    decide_for,
    deployment,
    fqdn,
    hosts,
    http_call,
    of,
    pod_name,
    route_to,
    service,
    virtual_service,
)

DB, BACKEND = fqdn("db.facade"), fqdn("own.backend")
CALL = http_call(f"shop/{pod_name('web')}", "db.facade", DB)
ALONE, BOTH = [f"facade/{DB}"], [f"backend/{BACKEND}", f"facade/{DB}"]


def policy(namespace: str, name: str = "default") -> Object:
    spec = {"mtls": {"mode": "DISABLE"}}
    return obj("security.istio.io/v1", "PeerAuthentication", name, namespace, spec=spec)


def endpoints_in(namespace: str, name: str = "db") -> Object:
    target = {"kind": "Pod", "name": "db-0", "namespace": namespace}
    return obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        f"{name}-1",
        "facade",
        labels={"kubernetes.io/service-name": name},
        endpoints=[{"addresses": ["10.2.0.1"], "targetRef": target}],
        ports=[{"name": "http", "port": 8080}],
    )


MESH = [
    *deployment("web"),
    service("db", "facade", spec={"selector": None}),
    service("own", "backend", ip="10.96.0.2"),
    service("other", "backend", ip="10.96.0.3"),
    service("istiod", "istio-system", ip="10.96.0.5"),
]


def decided(
    *objects: Object, calls: tuple[Flow, ...] = (CALL,), version: tuple[int, int] = (1, 31)
) -> Recommendations:
    mesh = mesh_of_objects(*MESH, *objects)
    return decide_for(replace(mesh, istio_version=version), calls)


def test_a_service_of_the_endpoints_namespace_keeps_its_policies() -> None:
    answer = decided(endpoints_in("backend"), policy("backend"))

    assert hosts(answer, "web") == [f"backend/{fqdn('other.backend')}", *ALONE]
    (kept, _) = of(answer, "web").hosts
    assert [reason.kind for reason in kept.reasons] == ["peer authentication"]
    assert not of(answer, "web").notes


def test_a_service_that_is_needed_anyway_is_enough() -> None:
    call = http_call(f"shop/{pod_name('web')}", "own.backend", BACKEND, address="10.96.0.2")
    answer = decided(endpoints_in("backend"), policy("backend"), calls=(CALL, call))

    assert hosts(answer, "web") == BOTH


def test_a_route_of_the_endpoints_namespace_is_no_service_of_it() -> None:
    route = virtual_service("db", "backend", hosts=[DB], http=[route_to(DB)])
    answer = decided(endpoints_in("backend"), policy("backend"), route)

    assert f"backend/{fqdn('other.backend')}" in hosts(answer, "web")


def test_endpoints_that_a_route_leads_to_count() -> None:
    front = service("front", "pages", ip="10.96.0.4")
    route = virtual_service("f", "pages", hosts=[fqdn("front.pages")], http=[route_to(DB)])
    call = http_call(f"shop/{pod_name('web')}", "front.pages", DB, address="10.96.0.4")
    answer = decided(endpoints_in("backend"), policy("backend"), front, route, calls=(call,))

    assert hosts(answer, "web") == [
        f"backend/{fqdn('other.backend')}",
        f"pages/{fqdn('front.pages')}",
    ]


def test_nothing_is_kept_without_a_policy_of_a_namespace_of_endpoints() -> None:
    for objects in (
        (endpoints_in("backend"),),
        (endpoints_in("backend"), policy("elsewhere")),
        (endpoints_in("istio-system"), policy("istio-system")),
        (endpoints_in("facade"), policy("facade"), policy("backend")),
        (endpoints_in("shop"), policy("shop")),
        (endpoints_in("backend", "another"), policy("backend")),
    ):
        assert hosts(decided(*objects), "web") == ALONE


def test_before_1_30_every_policy_counts() -> None:
    objects = (endpoints_in("backend"), policy("backend"))
    assert hosts(decided(*objects, version=(1, 29)), "web") == ALONE


def test_a_namespace_without_a_service_in_scope_has_no_say_today_either() -> None:
    answer = decided(endpoints_in("none"), policy("none"))
    assert hosts(answer, "web") == ALONE
