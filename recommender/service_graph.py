"""Flows and mesh -> the service graph: which workload calls which host, with the evidence.

The graph is a `networkx.DiGraph`. Its nodes are

- a `WorkloadId` for each workload whose proxies logged, with the attributes
  ``kind="workload"``, ``pods`` (the names of those that logged) and ``requests``,
  ``first_seen``, ``last_seen`` over all its lines, received requests too; those of a workload
  that logged nothing, and is there by what others received from it, are (), 0 and None;
- a `str`, the host name called, with ``kind`` "service" (the registry has it, or an Envoy
  cluster of the log names it) or "unknown".

An edge runs from a workload to a host and has ``requests``, ``errors``, ``first_seen``,
``last_seen`` (UTC), ``days`` (distinct UTC days with a request) and ``calls``, a tuple of `Call`,
the distinct ways in which the host was called, and ``received``: True if only others tell of it,
by the requests that they received from a workload which logged no call at all. Then ``calls`` is
empty, and where several hosts may have been called there is an edge to each.

The graph's own attributes are ``unknown_pods``, a tuple of `UnknownPod`: writers that no workload
of the mesh can be found for; ``unknown_calls``, which maps a namespace to the tuple of `Call` that
these made there; ``received``, which maps a workload to a tuple of `Received`, what
others received from it and its own log does not show; and ``blind_spots``, a tuple of `BlindSpot`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeAlias

import networkx as nx
import polars as pl

from recommender.flows import Flows
from recommender.istio.registry import build_registry
from recommender.mesh import (
    Mesh,
    MeshIndex,
    WorkloadId,
    index_mesh,
    kubernetes_cluster_of_pod,
    workload_of_pod,
)
from recommender.received import Called, ReceivedRequests, at_own_address, received_requests

Graph: TypeAlias = "nx.DiGraph[Any]"

_CALL_COLUMNS = (
    "direction",
    "protocol",
    "cluster",
    "destination_host",
    "destination_port",
    "destination_subset",
    "authority",
    "server_name",
    "address",
    "address_port",
    "route",
    "kubernetes_cluster",
)
_EVIDENCE_COLUMNS = ("requests", "errors", "first_seen", "last_seen", "days")
_HOST_OF_ADDRESS = r"^\[?(.*?)\]?:[0-9]+$"
_SOURCE_SCHEMA = {
    "source_namespace": pl.String,
    "source_pod": pl.String,
    "workload": pl.Int64,
    "kubernetes_cluster": pl.String,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Sum up the requests behind a statement; times are UTC, `days` counts distinct UTC days."""

    requests: int
    errors: int
    first_seen: datetime
    last_seen: datetime
    days: int


@dataclass(frozen=True, slots=True)
class Call:
    """Describe one way in which a workload called a host, as its proxies logged it.

    `address` and `address_port` are where the caller connected to; `kubernetes_cluster` is that of
    its pod, None if the pod may be of several; the other fields are those of the flow. None means
    that the log had no value.
    """

    direction: str
    protocol: str
    cluster: str | None
    destination_host: str | None
    destination_port: int | None
    destination_subset: str | None
    authority: str | None
    server_name: str | None
    address: str | None
    address_port: int | None
    route: str | None
    evidence: Evidence
    kubernetes_cluster: str | None = ""


@dataclass(frozen=True, slots=True)
class Received:
    """Describe requests that others received from a workload, and what they may have called."""

    called: Called
    evidence: Evidence


@dataclass(frozen=True, slots=True, order=True)
class UnknownPod:
    """Name a pod that logged requests but belongs to no workload of the mesh."""

    namespace: str
    name: str
    requests: int


def build_service_graph(flows: Flows, mesh: Mesh) -> Graph:
    """Build the service graph of some flows over a mesh.

    Lines of a proxy about requests that it received are evidence of logging, never a call of its
    own workload. They are evidence of calls of those that sent them, marked as received.
    """
    index = index_mesh(mesh)
    hostnames = build_registry(mesh).by_hostname
    writers = flows.writers
    workloads, unknown = _attribute(writers, index)
    ids = sorted({*index.workloads, *workloads.values()})
    places = {workload: place for place, workload in enumerate(ids)}
    calls = _calls(flows.frame, index, workloads, places)
    received = received_requests(flows.frame, index, workloads, places)
    graph: Graph = nx.DiGraph(unknown_pods=unknown, blind_spots=received.blind_spots)
    _add_workloads(graph, writers, workloads)
    by_edge: dict[tuple[int, str], list[Call]] = defaultdict(list)
    for row in _evidence(calls, ["workload", "host", *_CALL_COLUMNS]).iter_rows(named=True):
        by_edge[row["workload"], row["host"]].append(_call(row))
    for row in _evidence(calls, ["workload", "host"]).iter_rows(named=True):
        host, found = row["host"], tuple(by_edge[row["workload"], row["host"]])
        known = host in hostnames or any(c.destination_host for c in found)
        graph.add_node(host, kind="service" if known else "unknown")
        evidence = {name: row[name] for name in _EVIDENCE_COLUMNS}
        graph.add_edge(ids[row["workload"]], host, calls=found, received=False, **evidence)
    _add_received(graph, received, calls, ids)
    graph.graph["unknown_calls"] = _calls_of_unknown(flows.frame, index, unknown)
    return graph


def calls_of(graph: Graph, workload: WorkloadId) -> tuple[Call, ...]:
    """List the calls of a workload in the order of their hosts."""
    if workload not in graph:
        return ()
    hosts = sorted(graph.successors(workload))
    return tuple(call for host in hosts for call in graph.edges[workload, host]["calls"])


def has_logged(graph: Graph, workload: WorkloadId) -> bool:
    """Tell whether a pod of a workload logged anything."""
    return workload in graph and bool(graph.nodes[workload]["pods"])


def received_from(graph: Graph, workload: WorkloadId) -> tuple[Received, ...]:
    """List what others received from a workload and its own log does not show."""
    found: Mapping[WorkloadId, tuple[Received, ...]] = graph.graph["received"]
    return found.get(workload, ())


def merge_evidence(parts: Iterable[Evidence]) -> Evidence | None:
    """Sum up the evidence of different calls; `days` is the most that any one of them has."""
    found = list(parts)
    if not found:
        return None
    return Evidence(
        sum(e.requests for e in found),
        sum(e.errors for e in found),
        min(e.first_seen for e in found),
        max(e.last_seen for e in found),
        max(e.days for e in found),
    )


def calls_of_unknown_pods(graph: Graph, namespace: str) -> tuple[Call, ...]:
    """List the calls of a namespace's pods that no workload of the mesh can be found for."""
    found: Mapping[str, tuple[Call, ...]] = graph.graph["unknown_calls"]
    return found.get(namespace, ())


_Attribution = dict[tuple[str, str], WorkloadId]


def _attribute(
    writers: pl.DataFrame, index: MeshIndex
) -> tuple[_Attribution, tuple[UnknownPod, ...]]:
    """Find the workload of every pod that logged."""
    workloads: _Attribution = {}
    unknown: list[UnknownPod] = []
    columns = ("source_namespace", "source_pod", "requests")
    for namespace, pod, requests in writers.select(columns).iter_rows():
        found = workload_of_pod(index, namespace, pod)
        if found is None:
            unknown.append(UnknownPod(namespace, pod, requests))
        else:
            workloads[namespace, pod] = found
    return workloads, tuple(sorted(unknown))


def _add_workloads(graph: Graph, writers: pl.DataFrame, workloads: _Attribution) -> None:
    columns = ("source_namespace", "source_pod", "requests", "first_seen", "last_seen")
    logged: dict[WorkloadId, list[tuple[str, int, datetime, datetime]]] = defaultdict(list)
    for namespace, pod, *seen in writers.select(columns).iter_rows():
        if (namespace, pod) in workloads:
            logged[workloads[namespace, pod]].append((pod, *seen))
    for workload, rows in sorted(logged.items()):
        graph.add_node(
            workload,
            kind="workload",
            pods=tuple(sorted(row[0] for row in rows)),
            requests=sum(row[1] for row in rows),
            first_seen=min(row[2] for row in rows),
            last_seen=max(row[3] for row in rows),
        )


def _calls(
    flows: pl.DataFrame,
    index: MeshIndex,
    workloads: _Attribution,
    places: Mapping[WorkloadId, int],
) -> pl.DataFrame:
    """Keep the flows that a known workload sent, with its place and the host called.

    The Kubernetes cluster of the pod is that of the dump, since a log does not tell it.
    """
    sources = pl.DataFrame(
        [
            (ns, pod, places[workload], kubernetes_cluster_of_pod(index, ns, pod))
            for (ns, pod), workload in workloads.items()
        ],
        schema=_SOURCE_SCHEMA,
        orient="row",
    )
    address = pl.col("destination_address")
    return (
        flows.with_columns(
            address.str.extract(_HOST_OF_ADDRESS).alias("address"),
            address.str.extract(r":([0-9]{1,5})$").cast(pl.Int32).alias("address_port"),
        )
        .filter(
            (pl.col("direction") != "inbound")
            & ~(at_own_address(flows, index) & pl.col("destination_host").is_null())
        )
        .join(sources, on=["source_namespace", "source_pod"])
        .with_columns(
            pl.coalesce(
                "destination_host", "authority", "server_name", "address", pl.lit("unknown")
            ).alias("host")
        )
    )


def _calls_of_unknown(
    flows: pl.DataFrame, index: MeshIndex, unknown: Iterable[UnknownPod]
) -> dict[str, tuple[Call, ...]]:
    """Collect by namespace the calls of pods that no workload is known for."""
    pods = {(pod.namespace, pod.name): WorkloadId(pod.namespace, "Pod", "") for pod in unknown}
    ids = sorted(set(pods.values()))
    calls = _calls(flows, index, pods, {id_: place for place, id_ in enumerate(ids)})
    found: dict[str, list[Call]] = defaultdict(list)
    for row in _evidence(calls, ["workload", *_CALL_COLUMNS]).iter_rows(named=True):
        found[ids[row["workload"]].namespace].append(_call(row))
    return {namespace: tuple(each) for namespace, each in found.items()}


def _add_received(
    graph: Graph, received: ReceivedRequests, calls: pl.DataFrame, ids: list[WorkloadId]
) -> None:
    """Add what others received, as edges where the caller logged no call of its own."""
    frame = _not_logged(received, calls)
    found: dict[WorkloadId, list[Received]] = defaultdict(list)
    for row in _evidence(frame, ["caller", "called"]).iter_rows(named=True):
        evidence = Evidence(**{name: row[name] for name in _EVIDENCE_COLUMNS})
        found[ids[row["caller"]]].append(Received(received.called[row["called"]], evidence))
    graph.graph["received"] = {
        id_: tuple(sorted(found[id_], key=lambda each: each.called.order)) for id_ in sorted(found)
    }
    silent = sorted(found.keys() - {ids[place] for place in calls["workload"].unique()})
    for workload in silent:
        if workload not in graph:
            unseen = {"requests": 0, "first_seen": None, "last_seen": None}
            graph.add_node(workload, kind="workload", pods=(), **unseen)
        by_host: dict[str, list[Evidence]] = defaultdict(list)
        for each in found[workload]:
            for host in sorted({service.host for service in each.called.services}):
                by_host[host].append(each.evidence)
        for host, parts in sorted(by_host.items()):
            graph.add_node(host, kind="service")
            if (merged := merge_evidence(parts)) is not None:
                graph.add_edge(workload, host, calls=(), received=True, **asdict(merged))


def _not_logged(received: ReceivedRequests, calls: pl.DataFrame) -> pl.DataFrame:
    """Keep what was received and the callers' own logs do not show.

    They show it where they name one of the services that may have been called, or the one that the
    server name asked for, or where the caller connected to the address of the pod itself.
    """
    own: dict[int, set[str]] = defaultdict(set)
    named = calls.select("workload", "destination_host").drop_nulls().unique()
    for workload, host in named.iter_rows():
        own[workload].add(host)
    logged = [
        (caller, called)
        for caller, called in received.frame.select("caller", "called").unique().iter_rows()
        if not own[caller].isdisjoint(received.called[called].hosts)
    ]
    schema = dict.fromkeys(("caller", "called"), pl.Int64)
    connected = (
        calls.select(pl.col("workload").alias("caller"), "address", "address_port")
        .filter(pl.col("address").is_not_null())
        .unique()
    )
    at_port = received.frame.join(
        pl.DataFrame(logged, schema=schema, orient="row"), on=["caller", "called"], how="anti"
    ).join(connected, on=["caller", "address", "address_port"], how="anti")
    return at_port.join(
        connected.with_columns(pl.lit(None, pl.Int32).alias("address_port")),
        on=["caller", "address", "address_port"],
        how="anti",
        nulls_equal=True,
    )


def _evidence(calls: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return (
        calls.group_by(keys)
        .agg(
            pl.col("requests").sum(),
            pl.col("errors").sum(),
            pl.col("first_seen").min(),
            pl.col("last_seen").max(),
            pl.col("day").n_unique().alias("days"),
        )
        .sort(keys)
    )


def _call(row: Mapping[str, Any]) -> Call:
    evidence = Evidence(**{name: row[name] for name in _EVIDENCE_COLUMNS})
    return Call(**{name: row[name] for name in _CALL_COLUMNS}, evidence=evidence)
