"""What Sidecars save: bytes of every proxy, pushes of every change, and what is not known."""

from __future__ import annotations

from typing import Any

from recommender.istio.pushes import ENDPOINTS, SERVICE, VIRTUAL_SERVICE, ConfigKey
from recommender.recommendation import Recommendations
from recommender.savings import (
    ChangeReach,
    Savings,
    WorkloadSavings,
    measure_savings,
    trade_offs,
)
from recommender.savings.model import NotEstimated
from tests.mesh.helpers import Object, mesh_of_objects, obj, pod
from tests.recommendation.helpers import (
    decide,
    decide_for,
    deployment,
    fqdn,
    http_call,
    pod_name,
    route_to,
    service,
    sidecar,
    virtual_service,
)

BUSY = http_call("shop/" + pod_name("web"), fqdn("api.shop"), fqdn("api.shop"))
ISTIO_PROXY: Any = {"containers": [{"name": "istio-proxy", "args": ["proxy", "router"]}]}


def shop(*more: Object, pods: int = 2, idle: int = 5) -> list[Object]:
    """Make a mesh in which `web` calls `api`, and nobody the idle services."""
    objects = [*deployment("web", pods=pods), *deployment("api", ip="10.244.1")]
    objects += [service("web", ip="10.96.0.2"), service("api")]
    objects += [service(f"idle{n}", ip=f"10.96.1.{n}") for n in range(idle)]
    return [*objects, *more]


def measured(*objects: Object) -> Savings:
    """Recommend from what `web` called, and measure."""
    return measure_savings(mesh_of_objects(*objects), decide(objects, [BUSY]))


def of(savings: Savings, name: str) -> WorkloadSavings:
    (found,) = [each for each in savings.workloads if each.workload.name == name]
    return found


def reach(savings: Savings, kind: str, name: str) -> ChangeReach:
    (found,) = [each for each in savings.reach if each.change == ConfigKey(kind, name, "shop")]
    return found


def test_all_proxies_of_a_workload_count() -> None:
    one, three = (of(measured(*shop(pods=pods)), "web") for pods in (1, 3))

    assert (one.proxies, three.proxies) == (1, 3)
    assert three.after.lds_bytes == 3 * one.after.lds_bytes
    assert three.after.clusters == 3 * one.after.clusters
    assert three.saved_bytes > 2 * one.saved_bytes > 0


def test_counts_are_those_of_the_hosts_that_are_recommended() -> None:
    web = of(measured(*shop(pods=1)), "web")

    assert (web.before.clusters, web.after.clusters) == (7, 2)
    assert web.unscoped == web.before
    assert web.left_out == ""


def test_the_biggest_win_comes_first() -> None:
    objects = [*shop(pods=1), *deployment("big", pods=4, ip="10.244.2")]
    calls = [BUSY, http_call("shop/" + pod_name("big"), fqdn("api.shop"), fqdn("api.shop"))]
    savings = measure_savings(mesh_of_objects(*objects), decide(objects, calls))

    assert [each.workload.name for each in savings.workloads] == ["big", "web", "api"]


def test_a_workload_that_is_left_out_keeps_what_it_has() -> None:
    api = of(measured(*shop()), "api")

    assert api.left_out == "logged nothing"
    assert api.before == api.after
    assert api.saved_bytes == 0


def test_totals_are_the_sums_of_the_workloads() -> None:
    savings = measured(*shop())

    assert savings.proxies == 3
    assert savings.before.bytes == sum(each.before.bytes for each in savings.workloads)
    assert savings.after.bytes == sum(each.after.bytes for each in savings.workloads)


def test_what_a_sidecar_saves_already_is_told_apart() -> None:
    """Before is what istiod sends today: with a Sidecar of an earlier run all is won."""
    hosts = ["shop/api.shop.svc.cluster.local", "shop/web.shop.svc.cluster.local"]
    own = sidecar("web", hosts=hosts, selector={"app": "web"}, own=True)
    web = of(measured(*shop(own)), "web")

    assert web.before == web.after
    assert web.unscoped.bytes > web.before.bytes


def test_a_change_reaches_those_that_have_it_in_scope() -> None:
    savings = measured(*shop(pods=2))

    for kind in (SERVICE, ENDPOINTS):
        idle, api = (reach(savings, kind, fqdn(f"{name}.shop")) for name in ("idle0", "api"))
        assert (idle.before, idle.after) == (3, 1)
        assert (api.before, api.after) == (3, 3)


def test_a_change_of_a_service_reaches_its_own_pods_whatever_their_scope() -> None:
    nothing = sidecar("api", hosts=["~/*"], selector={"app": "api"})
    savings = measured(*shop(nothing))

    own, endpoints = (reach(savings, kind, fqdn("api.shop")) for kind in (SERVICE, ENDPOINTS))
    assert own.before == own.after == 3
    assert endpoints.before == endpoints.after == 2


def test_a_virtual_service_reaches_those_that_import_it() -> None:
    other = virtual_service("other", hosts=[fqdn("idle0.shop")], http=[route_to(fqdn("api.shop"))])
    savings = measured(*shop(other))

    found = reach(savings, VIRTUAL_SERVICE, "other")
    assert (found.before, found.after) == (3, 1)


def test_a_gateway_is_counted_but_not_estimated() -> None:
    gateway = pod("gate", namespace="shop", labels={"app": "gate"}, **ISTIO_PROXY)
    savings = measured(*shop(gateway))

    assert savings.not_estimated == (NotEstimated("gateway", 1, 1),)
    assert savings.proxies == 3


def test_where_endpoints_are_from_is_known() -> None:
    sliced = obj("discovery.k8s.io/v1", "EndpointSlice", "api", "shop", endpoints=[], ports=[])
    without_pods = [each for each in shop() if each["kind"] != "Pod"]

    assert measured(*shop(sliced)).endpoints == "EndpointSlices"
    assert measured(*shop()).endpoints == "pods"
    assert measured(*without_pods).endpoints == "none"


def test_pods_that_are_gone_count_as_often_as_they_logged() -> None:
    objects = [each for each in shop() if each["kind"] != "Pod"]
    (web,) = measured(*objects).workloads

    assert (web.workload.name, web.proxies) == ("web", 1)
    assert web.before.bytes > web.after.bytes > 0


def test_a_workload_of_which_no_pod_runs_counts_as_one_however_many_logged() -> None:
    """Pods of a CronJob log one after another."""
    objects = [
        each for each in shop() if "web" not in each["metadata"]["name"] or each["kind"] != "Pod"
    ]
    calls = [{**BUSY, "source_pod": pod_name("web", number)} for number in range(5)]
    found = measure_savings(mesh_of_objects(*objects), decide(objects, calls))

    assert of(found, "web").proxies == 1
    mesh = mesh_of_objects(*objects)
    (compared,) = trade_offs(mesh, decide_for(mesh, calls, with_options=True))
    assert compared.proxies == 1


def test_a_mesh_without_proxies_saves_nothing() -> None:
    mesh = mesh_of_objects(service("api"))
    savings = measure_savings(mesh, Recommendations())

    assert (savings.proxies, savings.before.bytes, savings.after.bytes) == (0, 0, 0)
