"""Apply what `discovery-selectors` recommends to a mesh, and ask istiod about the logged calls."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from recommender.discovery import DiscoveryAnswer, recommend_discovery_selectors
from recommender.discovery.calls import SeenCalls, callers, seen_calls
from recommender.istio.sidecar_scope import build_scope_rules
from recommender.mesh import Mesh, Pod, index_mesh, load_mesh
from recommender.mesh.documents import read_documents
from recommender.recommendation.views import build_view_rules
from recommender.report.discovery_report import selector_objects
from recommender.service_graph import Graph
from tests.istio.judge import Difference, JudgedCall, resolutions
from tests.istio.random_meshes import write_mesh
from tests.mesh.helpers import Object, obj

ANY_ADDRESS = "192.0.2.200"


def objects_of(folder: Path) -> list[Object]:
    """Read the objects of a mesh dump."""
    return [dict(document.object) for document in read_documents([folder])]


def with_selectors(objects: Iterable[Object], answer: DiscoveryAnswer) -> list[Object]:
    """Label idle namespaces as the answer asks for, and set its selectors in the MeshConfig."""
    selectors = answer.selectors
    idle = {namespace.name for namespace in answer.idle}
    labels = dict([selectors.added_label]) if selectors.added_label else {}
    return _set(objects, idle, labels, selector_objects(selectors.selectors))


def hiding(objects: Iterable[Object], hidden: set[str]) -> list[Object]:
    """Hide some namespaces whatever that does."""
    each = list(objects)
    (config,) = [yaml.safe_load(o["data"]["mesh"]) for o in each if o["kind"] == "ConfigMap"]
    only = {"key": "hide", "operator": "DoesNotExist"}
    selectors = [
        {**selector, "matchExpressions": [*selector.get("matchExpressions", ()), only]}
        for selector in config.get("discoverySelectors", [{}])
    ]
    return _set(each, hidden, {"hide": "yes"}, selectors)


def _set(
    objects: Iterable[Object], names: set[str], labels: Object, selectors: list[Object]
) -> list[Object]:
    """Label some namespaces, and put selectors into the MeshConfig, which is made if need be."""
    made: list[Object] = []
    for each in map(copy.deepcopy, objects):
        metadata: Any = each["metadata"]
        if each["kind"] == "Namespace" and metadata["name"] in names:
            metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
        if each["kind"] == "ConfigMap" and metadata["name"] == "istio":
            config = yaml.safe_load(each["data"]["mesh"]) or {}
            each["data"]["mesh"] = json.dumps({**config, "discoverySelectors": selectors})
        made.append(each)
    if not any(each["kind"] == "ConfigMap" for each in made):
        data = {"mesh": json.dumps({"discoverySelectors": selectors})}
        made.append(obj("v1", "ConfigMap", "istio", "istio-system", data=data))
    return made


def logged_calls(graph: Graph, mesh: Mesh) -> list[JudgedCall]:
    """List every call of the logs, made by a pod of each kind that its workload has."""
    index = index_mesh(mesh)
    found: list[JudgedCall] = []
    every = seen_calls(callers(graph, index), build_view_rules(build_scope_rules(mesh)))
    for number, (_, seen) in enumerate(every):
        if not seen.caller.is_gateway:
            pods = index.pods_by_workload.get(seen.caller.id, ())
            found += _judged(seen, number, next(iter(pods), None))
    return found


def _judged(seen: SeenCalls, number: int, pod: Pod | None) -> Iterator[JudgedCall]:
    cluster, labels = seen.proxy
    for call in dict.fromkeys(need.outbound for need in seen.needs):
        yield JudgedCall(
            namespace=seen.caller.id.namespace,
            pod=f"{seen.caller.id.name}-{number}",
            labels=labels,
            ips=pod.ips[:1] if pod and pod.ips else ("192.0.2.1",),
            address=call.address or ANY_ADDRESS,
            port=call.port,
            protocol="http" if call.http else "tls" if call.server_name else "tcp",
            host=call.authority or "",
            sni=call.server_name or "",
            kubernetes_cluster=cluster,
        )


def differences(
    before: Sequence[Object], after: Sequence[Object], calls: Sequence[JudgedCall], folder: Path
) -> list[Difference]:
    """List the calls that go elsewhere in istiod in another mesh."""
    for name, objects in (("before", before), ("after", after)):
        write_mesh(folder / name, list(objects))
    was, is_now = resolutions([(folder / "before", calls), (folder / "after", calls)])
    return [
        Difference(call, one, other)
        for call, one, other in zip(calls, was, is_now, strict=True)
        if one.outcome != other.outcome
    ]


def decided(graph: Graph, folder: Path) -> DiscoveryAnswer:
    """Decide for a mesh dump."""
    return recommend_discovery_selectors(graph, load_mesh([folder]))
