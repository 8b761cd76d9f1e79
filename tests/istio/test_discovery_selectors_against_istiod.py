"""With idle namespaces hidden by the recommended selectors, istiod sends every call as before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.config_size.mesh import MESH, build_mesh
from benchmarks.config_size.shape import SMALL
from benchmarks.plan import Sizes
from benchmarks.synthetic import generate
from fixtures.shop import shop
from recommender.access_logs import read_access_logs
from recommender.discovery import (
    NAME_LABEL,
    DiscoveryAnswer,
    recommend_discovery_selectors,
)
from recommender.flows import summarise_flows
from recommender.mesh import load_mesh
from recommender.service_graph import build_service_graph
from tests.discovery.helpers import CALL, WEB, mesh_objects, namespace
from tests.istio.conformance_case import Case
from tests.istio.conformance_discovery import hide_anything, hide_idle
from tests.istio.hidden_namespaces import differences, hiding, logged_case, with_selectors
from tests.istio.judge import require_go
from tests.istio.random_meshes import write_mesh
from tests.mesh.helpers import Object, obj
from tests.recommendation.helpers import (
    deployment,
    flows_of,
    http_call,
    mesh_config,
    pod_name,
    route_to,
    service,
    virtual_service,
)

SHOP = Path(shop.__file__).parent
SIZES = Sizes(services=24, pods=40, lines=600, namespaces=7)
IDLE = ("attic", "barn", "cellar")
SEEDS = range(20_000, 20_024)
USED = "partners"


def answer_for(logs: Path, mesh: Path) -> tuple[DiscoveryAnswer, Case]:
    """Decide for a dump and its logs, and let its pods make the logged calls."""
    loaded = load_mesh([mesh])
    graph = build_service_graph(summarise_flows(read_access_logs([str(logs)])), loaded)
    return recommend_discovery_selectors(graph, loaded), logged_case(graph, loaded, {"": mesh})


def idle_objects() -> Iterator[Object]:
    """Yield namespaces with Services, pods and routes that concern nobody else."""
    for number, name in enumerate(IDLE):
        yield obj("v1", "Namespace", name, "")
        for position, app in enumerate(("hay", "old")):
            yield service(app, name, port=8080 + 10 * position, ip=f"10.99.{number}.{position + 1}")
            yield from deployment(app, name, proxy=False, ip=f"10.98.{number}{position}")
        yield virtual_service("old", name, hosts=["old"], http=[route_to("hay")])


def test_no_call_of_the_shop_changes() -> None:
    require_go()
    answer, case = answer_for(SHOP / "logs", SHOP / "mesh")

    assert [namespace.name for namespace in answer.idle] == ["backoffice"]
    assert len(case.calls()) > 30
    assert differences(case, with_selectors(case, answer)) == []


def test_a_namespace_that_is_used_would_be_missed() -> None:
    """The comparison sees it: a Service outside the mesh would have no route any more."""
    require_go()
    answer, case = answer_for(SHOP / "logs", SHOP / "mesh")
    used = [namespace for namespace in answer.kept if namespace.name == USED]
    changed = differences(case, with_selectors(case, replace(answer, idle=tuple(used))))

    assert {each.call.host or each.call.sni for each in changed} == {"api.bank.example"}


def test_without_a_namespace_whose_pods_are_endpoints_elsewhere_istiod_has_no_endpoint(
    tmp_path: Path,
) -> None:
    require_go()
    part = obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "cart-1",
        labels={"kubernetes.io/service-name": "cart"},
        addressType="IPv4",
        endpoints=[
            {
                "addresses": ["10.244.7.1"],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": pod_name("old"), "namespace": "attic"},
            }
        ],
        ports=[{"name": "http", "port": 8080}],
    )
    write_mesh(tmp_path, mesh_objects(part, mesh_config("{}")))
    mesh = load_mesh([tmp_path])
    graph = build_service_graph(flows_of([CALL]), mesh)
    case = logged_case(graph, mesh, {"": tmp_path})

    assert recommend_discovery_selectors(graph, mesh).idle == ()
    assert len(differences(case, hiding(case, {"attic"}))) == 1


def test_a_namespace_that_the_dump_lacks_but_a_route_names_stays_seen_by_its_name(
    tmp_path: Path,
) -> None:
    """It has the label by which the idle one is hidden, which nobody could know."""
    require_go()
    house = ("default", "kube-node-lease", "kube-public", "kube-system")
    vs = virtual_service("v", hosts=["bank"], http=[route_to("bank.pay.svc.cluster.local")])
    bank = service("bank", ip="10.96.0.9")
    attic = obj("v1", "Namespace", "attic", "", labels={"team": "gone"})
    write_mesh(tmp_path, mesh_objects(*map(namespace, house), attic, vs, bank, mesh_config("{}")))
    mesh = load_mesh([tmp_path])
    graph = build_service_graph(flows_of([CALL, http_call(WEB, "bank", address="10.96.0.9")]), mesh)
    answer = recommend_discovery_selectors(graph, mesh)
    labels = {"team": "gone", NAME_LABEL: "pay"}
    unknown = (obj("v1", "Namespace", "pay", "", labels=labels), service("bank", "pay"))
    case = logged_case(graph, mesh, {"": tmp_path})
    case = replace(case, objects=(*case.objects, *unknown))
    without = replace(answer.selectors, selectors=answer.selectors.selectors[:1])

    assert (answer.selectors.by, answer.selectors.seen_by_name) == ("existing labels", ("pay",))
    assert differences(case, with_selectors(case, answer)) == []
    assert len(differences(case, with_selectors(case, replace(answer, selectors=without)))) == 1


def test_idle_namespaces_of_a_synthetic_mesh_are_found_and_no_call_changes(tmp_path: Path) -> None:
    require_go()
    generate(tmp_path, SIZES)
    write_mesh(tmp_path / "mesh" / "idle", list(idle_objects()))
    mesh = load_mesh([tmp_path / "mesh"])
    graph = build_service_graph(summarise_flows(read_access_logs([str(tmp_path / "logs")])), mesh)
    answer = recommend_discovery_selectors(graph, mesh)
    case = logged_case(graph, mesh, {"": tmp_path / "mesh"})

    assert [namespace.name for namespace in answer.idle] == list(IDLE)
    assert len(case.calls()) > len(case.callers) > 10
    assert differences(case, with_selectors(case, answer)) == []


@pytest.mark.parametrize("labelled", [False, True])
def test_idle_namespaces_of_the_benchmark_are_found_and_no_call_changes(
    tmp_path: Path, labelled: bool
) -> None:
    """Three namespaces in ten are idle, and may lack a label that those in use have."""
    require_go()
    made = build_mesh(replace(SMALL, idle=0.3, discovery_label=labelled))
    made.write(tmp_path)
    mesh = load_mesh(made.mesh_sources(tmp_path))
    graph = build_service_graph(summarise_flows(read_access_logs([str(tmp_path / "logs")])), mesh)
    answer = recommend_discovery_selectors(graph, mesh)
    case = logged_case(graph, mesh, {name: tmp_path / MESH / name for name in made.objects})

    assert [namespace.name for namespace in answer.idle] == list(made.idle)
    assert answer.selectors.by == ("existing labels" if labelled else "labels to add")
    assert len(case.calls()) > len(case.callers) > 10
    assert differences(case, with_selectors(case, answer)) == []


def test_no_logged_call_of_random_meshes_changes() -> None:
    require_go()
    found = hide_idle(SEEDS)

    assert found.changed == []
    assert found.counted["idle namespaces"] > 0
    assert found.counted["ignored selectors"] > 0
    assert found.counted["calls"] > len(SEEDS)


def test_calls_that_the_proof_takes_for_unchanged_are_so_whatever_is_hidden() -> None:
    require_go()
    found = hide_anything(SEEDS)

    assert found.changed == []
    assert found.counted["calls that change"] > 0
    assert found.counted["calls that stay"] > 3 * found.counted["calls that stay, without proof"]
