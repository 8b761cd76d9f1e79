"""What logs say about who called whom, for every renderer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from recommender.access_logs import LineCounts
from recommender.flows import Flows
from recommender.istio.proxy import PASSTHROUGH_CLUSTERS
from recommender.mesh import Mesh, MeshIndex, MeshNote, index_mesh, workload_of_pod
from recommender.received import at_own_address, with_callers

FLOW_ROW_SCHEMA: Final = pl.Schema(
    {
        # who called: a workload, or a pod where no mesh tells its workload; null in received
        # requests, whose lines do not name the caller
        "source_namespace": pl.String(),
        "source_kind": pl.String(),
        "source_name": pl.String(),
        # who sent a received request, as far as a mesh tells it by the peer
        "peer_namespace": pl.String(),
        "peer_kind": pl.String(),
        "peer_name": pl.String(),
        # the host of the Envoy cluster; without one the authority, server name or address; in
        # received requests `namespace/kind/name` of who received them
        "destination": pl.String(),
        # of the Envoy cluster; without one, that to which the caller connected
        "port": pl.Int32(),
        # "service", "passthrough", "black hole", "unrouted" (no Envoy cluster), "other" (an Envoy
        # cluster that names no host) or "received"
        "kind": pl.String(),
        # "http" or "tcp"
        "protocol": pl.String(),
        "requests": pl.Int64(),
        "errors": pl.Int64(),
        "first_seen": pl.Datetime("ms", "UTC"),
        "last_seen": pl.Datetime("ms", "UTC"),
    }
)
_SUMS: Final = ("requests", "errors", "first_seen", "last_seen")
_KEYS: Final = tuple(name for name in FLOW_ROW_SCHEMA if name not in _SUMS)
_WRITER: Final = ["source_namespace", "source_pod"]
_SOURCE: Final = ("source_namespace", "source_kind", "source_name")
_PEER: Final = ("peer_namespace", "peer_kind", "peer_name")
_POD: Final = "Pod"


@dataclass(frozen=True, slots=True)
class FlowReport:
    """Hold the flows of some logs.

    Attributes:
        rows: The flows, with FLOW_ROW_SCHEMA, sorted by what tells them apart.
        lines: How many lines were read and used.
        has_mesh: A mesh told the workloads of pods.
        unknown_pods: How many pods the mesh has no workload for.
        mesh_notes: What was not used of the mesh.
    """

    rows: pl.DataFrame
    lines: LineCounts
    has_mesh: bool
    unknown_pods: int
    mesh_notes: tuple[MeshNote, ...] = ()


def flow_report(flows: Flows, mesh: Mesh | None = None) -> FlowReport:
    """Sum flows up by source and destination; with a mesh, pods become their workloads."""
    index = index_mesh(mesh) if mesh else None
    writers = _writers(flows, index)
    frame = _with_received(flows.frame, index)
    received = pl.col("direction") == "inbound"
    writer = pl.concat_str(*_SOURCE, separator="/")
    rows = (
        _with_peers(frame, index)
        .lazy()
        .join(writers.lazy(), on=_WRITER, how="left")
        .with_columns(
            _kind().alias("kind"),
            pl.when(received).then(writer).otherwise(_destination()).alias("destination"),
            pl.coalesce("destination_port", _port_of_address()).alias("port"),
            *(pl.when(~received).then(name).alias(name) for name in _SOURCE),
        )
        .group_by(_KEYS)
        .agg(
            pl.col("requests").sum(),
            pl.col("errors").sum(),
            pl.col("first_seen").min(),
            pl.col("last_seen").max(),
        )
        .select(*FLOW_ROW_SCHEMA)
        .sort(_KEYS, nulls_last=True)
        .collect()
    )
    unknown = writers["source_kind"].eq(_POD).sum() if mesh else 0
    notes = mesh.notes if mesh else ()
    return FlowReport(rows, flows.lines, mesh is not None, int(unknown), notes)


def _with_received(flows: pl.DataFrame, index: MeshIndex | None) -> pl.DataFrame:
    """Tell what proxies answered themselves from calls: no inbound cluster shows it.

    Gateways log nothing with such clusters; what they find no route for is listed by its host.
    """
    receives = (pl.col("direction") == "inbound").any().over(_WRITER)
    is_answered = at_own_address(flows, index) & pl.col("destination_host").is_null() & receives
    return flows.with_columns(
        pl.when(is_answered).then(pl.lit("inbound")).otherwise("direction").alias("direction")
    )


def _with_peers(flows: pl.DataFrame, index: MeshIndex | None) -> pl.DataFrame:
    """Name the workload that sent each received request, where a mesh tells it."""
    none = [pl.lit(None, pl.String).alias(name) for name in _PEER]
    if index is None:
        return flows.with_columns(none)
    ids = sorted(index.workloads)
    names = pl.DataFrame(
        [(place, id_.namespace, id_.kind, id_.name) for place, id_ in enumerate(ids)],
        schema={"caller": pl.Int64, **dict.fromkeys(_PEER, pl.String)},
        orient="row",
    )
    is_received = pl.col("direction") == "inbound"
    places = {id_: place for place, id_ in enumerate(ids)}
    received = with_callers(flows.filter(is_received), index, places)
    named = received.join(names, on="caller", how="left").drop("caller", "unknown_caller")
    return pl.concat([flows.filter(~is_received).with_columns(none), named])


def _writers(flows: Flows, index: MeshIndex | None) -> pl.DataFrame:
    """Name the workload of each pod that logged, or the pod."""
    named = []
    for namespace, pod in flows.writers.select(_WRITER).iter_rows():
        workload = workload_of_pod(index, namespace, pod) if index else None
        kind, name = (workload.kind, workload.name) if workload else (_POD, pod)
        named.append((namespace, pod, kind, name))
    schema = dict.fromkeys((*_WRITER, "source_kind", "source_name"), pl.String)
    return pl.DataFrame(named, schema=schema, orient="row")


def _kind() -> pl.Expr:
    cluster = pl.col("cluster")
    return (
        pl.when(pl.col("direction") == "inbound")
        .then(pl.lit("received"))
        .when(pl.col("destination_host").is_not_null())
        .then(pl.lit("service"))
        .when(cluster.is_null())
        .then(pl.lit("unrouted"))
        .when(cluster.is_in(PASSTHROUGH_CLUSTERS))
        .then(pl.lit("passthrough"))
        .when(cluster == "BlackHoleCluster")
        .then(pl.lit("black hole"))
        .otherwise(pl.lit("other"))
    )


def _destination() -> pl.Expr:
    address = pl.col("destination_address").str.extract(r"^\[?(.*?)\]?:[0-9]+$")
    opaque = pl.when(_kind() == "other").then("cluster")
    return pl.coalesce(
        "destination_host", opaque, "authority", "server_name", address, pl.lit("unknown")
    )


def _port_of_address() -> pl.Expr:
    port = pl.col("destination_address").str.extract(r":([0-9]{1,5})$").cast(pl.Int32)
    return pl.when(port > 0).then(port)
