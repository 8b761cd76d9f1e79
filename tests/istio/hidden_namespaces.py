"""Apply what `discovery-selectors` recommends to a mesh, and ask istiod about the logged calls."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from recommender.discovery import DiscoveryAnswer
from recommender.discovery.calls import SeenCalls, callers, seen_calls
from recommender.istio.discovery import selectors_in_force
from recommender.istio.sidecar_scope import build_scope_rules
from recommender.mesh import Mesh, Pod, index_mesh
from recommender.mesh.documents import read_documents
from recommender.mesh.mesh_config import Requirement
from recommender.recommendation.views import build_view_rules
from recommender.report.discovery_report import selector_objects
from recommender.service_graph import Graph
from tests.istio.conformance_case import Case, ask_istiod
from tests.istio.judge import Difference, JudgedCall, JudgedProxy
from tests.mesh.helpers import Object, obj

_UNKNOWN_ADDRESS, _UNKNOWN_POD = "192.0.2.200", "192.0.2.1"


def logged_case(graph: Graph, mesh: Mesh, folders: Mapping[str, Path]) -> Case:
    """Let a pod of each kind that a workload has make every call that its workload logged.

    `folders` are the dumps by Kubernetes cluster, the one that configures istiod first; its name
    is empty in a mesh of one. Gateways are left out: their routes are not those of sidecars.
    """
    (home, folder), *others = folders.items()
    return Case(
        "logged",
        tuple(_objects(folder)),
        tuple(_callers(graph, mesh)),
        home,
        tuple((name, tuple(_objects(other))) for name, other in others),
    )


def _objects(folder: Path) -> list[Object]:
    return [dict(document.object) for document in read_documents([folder])]


def _callers(graph: Graph, mesh: Mesh) -> Iterator[tuple[JudgedProxy, tuple[JudgedCall, ...]]]:
    index = index_mesh(mesh)
    every = seen_calls(callers(graph, index), build_view_rules(build_scope_rules(mesh)))
    for number, (_, seen) in enumerate(every):
        if not seen.caller.is_gateway:
            pods = index.pods_by_workload.get(seen.caller.id, ())
            proxy = _proxy(seen, number, next(iter(pods), None))
            yield proxy, tuple(_judged(seen, proxy))


def _proxy(seen: SeenCalls, number: int, pod: Pod | None) -> JudgedProxy:
    cluster, labels = seen.proxy
    return JudgedProxy(
        namespace=seen.caller.id.namespace,
        labels=labels,
        name=f"{seen.caller.id.name}-{number}",
        ips=pod.ips[:1] if pod and pod.ips else (_UNKNOWN_POD,),
        kubernetes_cluster=cluster,
    )


def _judged(seen: SeenCalls, proxy: JudgedProxy) -> Iterator[JudgedCall]:
    for call in dict.fromkeys(need.outbound for need in seen.needs):
        yield JudgedCall(
            namespace=proxy.namespace,
            pod=proxy.name,
            labels=proxy.labels,
            ips=proxy.ips,
            address=call.address or _UNKNOWN_ADDRESS,
            port=call.port,
            protocol="http" if call.http else "tls" if call.server_name else "tcp",
            host=call.authority or "",
            sni=call.server_name or "",
            kubernetes_cluster=proxy.kubernetes_cluster,
        )


def with_selectors(case: Case, answer: DiscoveryAnswer) -> Case:
    """Label idle namespaces as an answer asks for, and set its selectors in the MeshConfig."""
    selectors = answer.selectors
    idle = {namespace.name for namespace in answer.idle}
    labels = dict([selectors.added_label]) if selectors.added_label else {}
    return _with(case, idle, labels, selector_objects(selectors.selectors))


def hiding(case: Case, hidden: set[str]) -> Case:
    """Hide some namespaces, whatever that does."""
    in_force = selectors_in_force(case.mesh().config) or ((),)
    only: Requirement = ("hide", "DoesNotExist", ())
    selectors = selector_objects((*selector, only) for selector in in_force)
    return _with(case, hidden, {"hide": "yes"}, selectors)


def _with(case: Case, names: set[str], labels: Object, selectors: list[Object]) -> Case:
    """Label some namespaces, and put selectors into the MeshConfig."""

    def labelled(objects: Iterable[Object]) -> tuple[Object, ...]:
        return tuple(_labelled(each, names, labels) for each in objects)

    home = [_configured(each, selectors) for each in labelled(case.objects)]
    if not any(each["kind"] == "ConfigMap" for each in home):
        data = {"mesh": json.dumps({"discoverySelectors": selectors})}
        home.append(obj("v1", "ConfigMap", "istio", "istio-system", data=data))
    remotes = tuple((name, labelled(objects)) for name, objects in case.remotes)
    return replace(case, name=f"{case.name}, hidden", objects=tuple(home), remotes=remotes)


def _labelled(each: Object, names: set[str], labels: Object) -> Object:
    metadata: Any = each["metadata"]
    if each["kind"] != "Namespace" or metadata["name"] not in names:
        return each
    return {
        **each,
        "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **labels}},
    }


def _configured(each: Object, selectors: list[Object]) -> Object:
    if each["kind"] != "ConfigMap" or each["metadata"]["name"] != "istio":
        return each
    made = copy.deepcopy(each)
    config = yaml.safe_load(each["data"]["mesh"]) or {}
    made["data"]["mesh"] = json.dumps({**config, "discoverySelectors": selectors})
    return made


def differences(before: Case, after: Case) -> list[Difference]:
    """List the calls that go elsewhere in istiod, of the same callers in another mesh."""
    was, is_now = ask_istiod([before, after])
    return [
        Difference(call, one, other)
        for (_, calls), verdict, verdict_now in zip(before.callers, was, is_now, strict=True)
        for call, one, other in zip(calls, verdict.calls, verdict_now.calls, strict=True)
        if one.outcome != other.outcome
    ]
