"""Flows and mesh -> the service graph: which workload calls which host, with the evidence.

The graph is a `networkx.DiGraph`. Its nodes are

- a `WorkloadId` for each workload whose proxies logged, with the attributes
  ``kind="workload"``, ``pods`` (the names of those that logged) and ``requests``,
  ``first_seen``, ``last_seen`` over all its lines, received requests too;
- a `str`, the host name called, with ``kind`` "service" (the registry has it, or an Envoy
  cluster of the log names it) or "unknown".

An edge runs from a workload to a host and has ``requests``, ``errors``, ``first_seen``,
``last_seen`` (UTC), ``days`` (distinct UTC days with a request) and ``calls``, a tuple of `Call`,
the distinct ways in which the host was called. The graph's own attribute ``unknown_pods`` is a
tuple of `UnknownPod`: writers that no workload of the mesh can be found for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
_POD_ADDRESS = ["source_namespace", "source_pod", "address"]
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


@dataclass(frozen=True, slots=True, order=True)
class UnknownPod:
    """Name a pod that logged requests but belongs to no workload of the mesh."""

    namespace: str
    name: str
    requests: int


def build_service_graph(flows: Flows, mesh: Mesh) -> Graph:
    """Build the service graph of some flows over a mesh.

    Lines of a proxy about requests that it received are evidence of logging, never a call.
    """
    index = index_mesh(mesh)
    hostnames = build_registry(mesh).by_hostname
    writers = flows.writers
    workloads, unknown = _attribute(writers, index)
    graph: Graph = nx.DiGraph(unknown_pods=unknown)
    _add_workloads(graph, writers, workloads)
    ids = sorted(set(workloads.values()))
    calls = _calls(flows.frame, index, workloads, ids)
    by_edge: dict[tuple[int, str], list[Call]] = defaultdict(list)
    for row in _evidence(calls, ["workload", "host", *_CALL_COLUMNS]).iter_rows(named=True):
        by_edge[row["workload"], row["host"]].append(_call(row))
    for row in _evidence(calls, ["workload", "host"]).iter_rows(named=True):
        host, found = row["host"], tuple(by_edge[row["workload"], row["host"]])
        known = host in hostnames or any(c.destination_host for c in found)
        graph.add_node(host, kind="service" if known else "unknown")
        evidence = {name: row[name] for name in _EVIDENCE_COLUMNS}
        graph.add_edge(ids[row["workload"]], host, calls=found, **evidence)
    return graph


def calls_of(graph: Graph, workload: WorkloadId) -> tuple[Call, ...]:
    """List the calls of a workload in the order of their hosts."""
    if workload not in graph:
        return ()
    hosts = sorted(graph.successors(workload))
    return tuple(call for host in hosts for call in graph.edges[workload, host]["calls"])


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
    flows: pl.DataFrame, index: MeshIndex, workloads: _Attribution, ids: list[WorkloadId]
) -> pl.DataFrame:
    """Keep the flows that a known workload sent, with its place in `ids` and the host called.

    The Kubernetes cluster of the pod is that of the dump, since a log does not tell it.
    """
    position = {workload: place for place, workload in enumerate(ids)}
    sources = pl.DataFrame(
        [
            (ns, pod, position[workload], kubernetes_cluster_of_pod(index, ns, pod))
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
        .join(_own_addresses(flows, index), on=_POD_ADDRESS, how="left", nulls_equal=True)
        .filter(
            (pl.col("direction") != "inbound")
            & ~(pl.col("own").fill_null(value=False) & pl.col("destination_host").is_null())
        )
        .join(sources, on=["source_namespace", "source_pod"])
        .with_columns(
            pl.coalesce(
                "destination_host", "authority", "server_name", "address", pl.lit("unknown")
            ).alias("host")
        )
    )


def _own_addresses(flows: pl.DataFrame, index: MeshIndex) -> pl.DataFrame:
    """List each pod's own addresses: from the dump, and from what its proxy received.

    A line without a cluster, or with the pass-through cluster of received requests as
    `%UPSTREAM_CLUSTER%` prints it, is told from a call by this alone.
    """
    known = pl.DataFrame(
        [(p.meta.namespace, p.meta.name, ip) for p in index.mesh.pods for ip in p.ips],
        schema=dict.fromkeys(_POD_ADDRESS, pl.String),
        orient="row",
    )
    received = flows.filter(pl.col("direction") == "inbound").select(
        "source_namespace",
        "source_pod",
        pl.col("destination_address").str.extract(_HOST_OF_ADDRESS).alias("address"),
    )
    return (
        pl.concat([known, received.drop_nulls()]).unique().with_columns(pl.lit(True).alias("own"))
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
