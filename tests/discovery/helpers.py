"""A small mesh with a caller and a namespace that may be idle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from recommender.discovery import (
    DiscoveryAnswer,
    FoundNamespace,
    recommend_discovery_selectors,
)
from recommender.mesh import Mesh
from recommender.service_graph import build_service_graph
from recommender.settings import Settings
from tests.mesh.helpers import Object, mesh_of_objects, obj
from tests.recommendation.helpers import (
    Flow,
    deployment,
    flows_of,
    http_call,
    pod_name,
    service,
)

WEB = f"shop/{pod_name('web')}"
CALL = http_call(WEB, "cart", "cart.shop.svc.cluster.local")


def namespace(name: str, **labels: str) -> Object:
    """Make a Namespace; a label's key may have `_` for a dash. In `shop` proxies are injected."""
    given = {"istio_injection": "enabled", **labels} if name == "shop" else labels
    return obj("v1", "Namespace", name, labels={k.replace("_", "-"): v for k, v in given.items()})


def mesh_objects(*more: Object) -> list[Object]:
    """Make a mesh whose workload `web` calls `cart`; in `attic` a service and pods without use."""
    named = {each["metadata"]["name"] for each in more if each["kind"] == "Namespace"}
    namespaces = [namespace(n) for n in ("shop", "attic", "istio-system") if n not in named]
    return [
        *namespaces,
        *deployment("web"),
        service("cart"),
        service("old", "attic", ip="10.96.7.7"),
        *deployment("old", "attic", proxy=False, ip="10.244.7"),
        *more,
    ]


def decide_for(mesh: Mesh, flows: Iterable[Flow] = (CALL,), **settings: Any) -> DiscoveryAnswer:
    """Decide for a mesh from some flows."""
    graph = build_service_graph(flows_of(flows), mesh)
    return recommend_discovery_selectors(graph, mesh, Settings(**settings))


def decide(*more: Object, flows: Iterable[Flow] = (CALL,), **settings: Any) -> DiscoveryAnswer:
    """Decide for the small mesh with some objects more."""
    return decide_for(mesh_of_objects(*mesh_objects(*more)), flows, **settings)


def idle(answer: DiscoveryAnswer) -> list[str]:
    """Name the idle namespaces."""
    return [namespace.name for namespace in answer.idle]


def kept(answer: DiscoveryAnswer, name: str = "attic") -> FoundNamespace:
    """Return a namespace that is kept."""
    found = [each for each in answer.kept if each.name == name]
    assert len(found) == 1, f"{name} is idle"
    return found[0]


def needs(answer: DiscoveryAnswer, name: str = "attic") -> set[str]:
    """Return why a namespace is kept, nothing if it is not."""
    found = [each for each in (*answer.kept, *answer.idle) if each.name == name]
    return {need.kind for each in found for need in each.needs}
