"""Received requests -> who sent them, and which services they may have called.

A line about a received request names neither. Its sender is the pod that has the peer's address,
or the workload that runs under the peer's identity. What was called is a service that selects the
pod that wrote the line, at a port that leads to the one it was received on: several may, and the
server name by which a proxy asked for the pod tells which. Whoever speaks TLS can send such a name,
so it only chooses among these services.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, NamedTuple, TypeAlias

import polars as pl

from recommender.mesh import (
    EndpointSlice,
    Labels,
    Mesh,
    MeshIndex,
    Pod,
    Service,
    ServicePort,
    WorkloadId,
)
from recommender.mesh.label_index import SelectorIndex, selectors_by

NO_PEER: Final = "no peer: forwarded, from outside, or of a format that does not tell it"
NO_POD: Final = "the peer's address is of no pod in the mesh dump"
SEVERAL_PODS: Final = "the peer's address is of several pods in the mesh dump"
HOST_NETWORK: Final = "the peer's address is of a node"
YOUNGER_POD: Final = "the peer's address is of a pod that is younger than the request"
FOREIGN: Final = "the peer's identity is of another trust domain"
NO_ACCOUNT: Final = "no workload runs under the peer's identity"
SEVERAL_WORKLOADS: Final = "several workloads run under the peer's identity"
CONTRADICTION: Final = "the peer's address and identity are not of one pod"
NO_PORT: Final = "the port that received it is not known"
NO_SERVICE: Final = "no service leads to the port that received it"

_IDENTITY: Final = re.compile(r"spiffe://([^/]+)/ns/([^/]+)/sa/([^/]+)")
_INBOUND: Final = re.compile(r"inbound(?:-vip)?(?:\||_\.)([0-9]{1,5})(?:\||_\.).*?(?:\||_\.)(.*)")
_SERVER_NAME: Final = re.compile(r"outbound_\.([0-9]{1,5})_\..*?_\.(.+)")
_PASSTHROUGH: Final = "InboundPassthroughCluster"
_PEER: Final = ["peer_address", "peer_identity"]
_RECEIVER: Final = ["source_namespace", "source_pod", "cluster", "server_name"]
_SUMMED: Final = ("day", "requests", "errors", "first_seen", "last_seen")
_POD_ADDRESS: Final = ["source_namespace", "source_pod", "address"]
_ADDRESS: Final = r"^\[?(.*?)\]?:[0-9]+$"

_Attribution: TypeAlias = Mapping[tuple[str, str], WorkloadId]


class CalledPort(NamedTuple):
    """Name a service and one of its ports."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Called:
    """Hold what a received request may have called: one of some services.

    `receiver` is the workload that it reached, `port` where, None if that is not known.
    `asked_for` is the host that the server name tells, though no such service selects the pod.
    """

    receiver: WorkloadId
    port: int | None
    services: tuple[CalledPort, ...]
    asked_for: str | None = None

    @property
    def order(self) -> tuple[object, ...]:
        """Return what puts several in order."""
        return self.services, self.receiver, self.port or 0, self.asked_for or ""

    @property
    def hosts(self) -> frozenset[str]:
        """Name the services, and what the server name asked for."""
        asked_for = () if self.asked_for is None else (self.asked_for,)
        return frozenset((*(service.host for service in self.services), *asked_for))


@dataclass(frozen=True, slots=True, order=True)
class BlindSpot:
    """Say why some received requests do not tell who called what."""

    reason: str
    requests: int


@dataclass(frozen=True, slots=True)
class ReceivedRequests:
    """Hold the received requests of some flows.

    `frame` has those that tell a caller and what it called: `caller` is a place in the list of
    workloads, `called` one in that of the same name; `address`, `address_port` (null where it is
    not known) is where they arrived; `day`, `requests`, `errors`, `first_seen`, `last_seen` are
    those of the flows. The others are counted as blind spots.
    """

    frame: pl.DataFrame
    called: tuple[Called, ...]
    blind_spots: tuple[BlindSpot, ...]


def received_requests(
    flows: pl.DataFrame,
    index: MeshIndex,
    workloads: _Attribution,
    places: Mapping[WorkloadId, int],
) -> ReceivedRequests:
    """Tell the callers of the requests that some workloads received.

    `workloads` are those of the pods that logged; `places` numbers every workload of the mesh.
    """
    inbound = flows.filter(pl.col("direction") == "inbound")
    called, receivers = _receivers(inbound, index, workloads)
    address = pl.col("destination_address")
    rows = (
        with_callers(inbound, index, places)
        .join(receivers, on=_RECEIVER, nulls_equal=True)
        .with_columns(
            address.str.extract(_ADDRESS).alias("address"),
            address.str.extract(r":([1-9][0-9]*)$").cast(pl.Int32).alias("address_port"),
        )
        .with_columns(pl.coalesce("unknown_caller", "unknown_called").alias("reason"))
    )
    untold = rows.filter(pl.col("reason").is_not_null())
    counted = untold.group_by("reason").agg(pl.col("requests").sum()).sort("reason")
    return ReceivedRequests(
        rows.filter(pl.col("reason").is_null()).select(
            "caller", "called", "address", "address_port", *_SUMMED
        ),
        called,
        tuple(BlindSpot(reason, requests) for reason, requests in counted.iter_rows()),
    )


def with_callers(
    inbound: pl.DataFrame, index: MeshIndex, places: Mapping[WorkloadId, int]
) -> pl.DataFrame:
    """Add to received requests the place of the workload that sent them, or why it is not known.

    The columns are `caller` and `unknown_caller`.
    """
    peers = _peers(inbound, index, places)
    return (
        inbound.join(peers, on=_PEER, how="left", nulls_equal=True)
        .with_columns(_of_its_time("caller"), _of_its_time("unknown_caller"))
        .drop("since", "caller_before", "unknown_caller_before")
    )


def at_own_address(flows: pl.DataFrame, index: MeshIndex | None) -> pl.Series:
    """Tell flows to an address of the pod that logged them: from the dump, or as it received there.

    A line without a cluster, or with the pass-through cluster of received requests as
    `%UPSTREAM_CLUSTER%` prints it, is told from a call by this alone.
    """
    pods = index.mesh.pods if index else ()
    known = pl.DataFrame(
        [(p.meta.namespace, p.meta.name, ip) for p in pods for ip in p.ips],
        schema=dict.fromkeys(_POD_ADDRESS, pl.String),
        orient="row",
    )
    address = pl.col("destination_address").str.extract(_ADDRESS).alias("address")
    called = flows.select("source_namespace", "source_pod", address)
    received = called.filter(flows["direction"] == "inbound").drop_nulls()
    own = pl.concat([known, received]).unique().with_columns(pl.lit(value=True).alias("own"))
    found = called.join(own, on=_POD_ADDRESS, how="left", maintain_order="left", nulls_equal=True)
    return found["own"].fill_null(value=False)


def _of_its_time(column: str) -> pl.Expr:
    """Choose what a peer's address tells: nothing of requests older than the pod that has it."""
    is_older = (pl.col("first_seen") < pl.col("since")).fill_null(value=False)
    return pl.when(is_older).then(f"{column}_before").otherwise(column).alias(column)


def _peers(
    inbound: pl.DataFrame, index: MeshIndex, places: Mapping[WorkloadId, int]
) -> pl.DataFrame:
    """Tell the workload of each peer, or why it is not known, since and before its pod was made."""
    peers = _Peers.of(index.mesh)
    rows: list[tuple[object, ...]] = []
    for address, identity in inbound.select(_PEER).unique().iter_rows():
        pod = peers.pod_at(address)
        since = pod.meta.created if isinstance(pod, Pod) else None
        found = [peers.workload(pod, identity), peers.workload(YOUNGER_POD, identity)]
        told = [None if isinstance(each, str) else places[each] for each in found]
        reasons = [each if isinstance(each, str) else None for each in found]
        rows.append((address, identity, since, *told, *reasons))
    schema: dict[str, Any] = {
        **dict.fromkeys(_PEER, pl.String),
        "since": pl.Datetime("ms", "UTC"),
        **dict.fromkeys(("caller", "caller_before"), pl.Int64),
        **dict.fromkeys(("unknown_caller", "unknown_caller_before"), pl.String),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


@dataclass(frozen=True, slots=True)
class _Peers:
    """Tell whose an address and an identity are; what cannot be told is a reason in words."""

    trust_domain: str
    by_address: Mapping[str, Sequence[Pod]]
    by_account: Mapping[tuple[str, str], set[WorkloadId]]

    @classmethod
    def of(cls, mesh: Mesh) -> _Peers:
        by_address: dict[str, list[Pod]] = defaultdict(list)
        by_account: dict[tuple[str, str], set[WorkloadId]] = defaultdict(set)
        for pod in mesh.pods:
            for address in {str(ip_address(ip)) for ip in pod.ips}:
                by_address[address].append(pod)
            by_account[pod.meta.namespace, pod.service_account].add(pod.workload)
        for workload in mesh.workloads:
            by_account[workload.id.namespace, workload.service_account].add(workload.id)
        return cls(mesh.config.trust_domain, dict(by_address), dict(by_account))

    def pod_at(self, address: str | None) -> Pod | str:
        """Find the one pod that has an address.

        A pod that has ended had it, so another one that has it now makes it ambiguous.
        """
        if address is None:
            return NO_PEER
        found = self.by_address.get(_normal(address), ())
        if any(pod.host_network for pod in found):
            return HOST_NETWORK
        if len(found) == 1:
            return found[0]
        return SEVERAL_PODS if found else NO_POD

    def workload(self, pod: Pod | str, identity: str | None) -> WorkloadId | str:
        """Tell the workload of a peer; a pod that it is known to be must have its identity."""
        if identity is None:
            return pod.workload if isinstance(pod, Pod) else pod
        account = self._account(identity)
        if isinstance(pod, Pod):
            agrees = account == (pod.meta.namespace, pod.service_account)
            return pod.workload if agrees else CONTRADICTION
        if account is None:
            return FOREIGN
        found = self.by_account.get(account, set())
        if len(found) == 1:
            return next(iter(found))
        return SEVERAL_WORKLOADS if found else NO_ACCOUNT

    def _account(self, identity: str) -> tuple[str, str] | None:
        found = _IDENTITY.fullmatch(identity)
        if found is None or found[1] != self.trust_domain:
            return None
        return found[2], found[3]


def _normal(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def _receivers(
    inbound: pl.DataFrame, index: MeshIndex, workloads: _Attribution
) -> tuple[tuple[Called, ...], pl.DataFrame]:
    """Tell what requests called that a pod of a known workload received in one way, or why not."""
    services = _Services.of(index)
    places: dict[Called, int] = {}
    rows: list[tuple[object, ...]] = []
    ways = inbound.select(_RECEIVER).unique().sort(_RECEIVER)
    for namespace, pod, cluster, server_name in ways.iter_rows():
        workload = workloads.get((namespace, pod))
        if workload is None:
            continue
        found = services.called(pod, workload, cluster, server_name)
        known = isinstance(found, Called)
        place = places.setdefault(found, len(places)) if isinstance(found, Called) else None
        rows.append((namespace, pod, cluster, server_name, place, None if known else found))
    schema: dict[str, Any] = {
        **dict.fromkeys(_RECEIVER, pl.String),
        "called": pl.Int64,
        "unknown_called": pl.String,
    }
    return tuple(places), pl.DataFrame(rows, schema=schema, orient="row")


@dataclass(frozen=True, slots=True)
class _Backed:
    """Describe a service whose endpoints are chosen by labels.

    `target_ports` are those of its EndpointSlices by port name, None where there are none.
    """

    host: str
    ports: tuple[ServicePort, ...]
    headless: bool = False
    kubernetes_cluster: str | None = None
    target_ports: frozenset[tuple[str, int]] | None = None

    def leading_to(self, port: int) -> Iterator[int]:
        """Yield the service's ports that may lead to a port of its pods."""
        for each in self.ports:
            target = each.target_port
            if each.protocol == "UDP":
                continue
            if isinstance(target, str):
                known = self.target_ports
                leads = known is None or (each.name, port) in known
            else:
                leads = port == (target or each.number)
            if leads or (self.headless and port == each.number):
                yield each.number


@dataclass(frozen=True, slots=True)
class _Services:
    """Find the services that a request to a pod may have called."""

    index: MeshIndex
    selectors: Mapping[str, SelectorIndex[_Backed]]
    hosts: frozenset[str]

    @classmethod
    def of(cls, index: MeshIndex) -> _Services:
        each = list(_selectors(index.mesh))
        hosts = frozenset(backed.host for _, _, backed in each)
        return cls(index, selectors_by(each), hosts)

    def called(
        self, pod: str, workload: WorkloadId, cluster: str | None, server_name: str | None
    ) -> Called | str:
        """Tell what a request may have called, or why that is not known."""
        inbound = _INBOUND.fullmatch(cluster or "")
        port = int(inbound[1]) if inbound else None
        if inbound and inbound[2]:
            # Istio before 1.8, and waypoints: istiod named the service, and its own port.
            named = (CalledPort(inbound[2], int(inbound[1])),)
            return Called(workload, None, named) if inbound[2] in self.hosts else NO_SERVICE
        backing = list(self._selecting(pod, workload))
        asked = _SERVER_NAME.fullmatch(server_name or "")
        name = asked[2] if asked else None
        if asked and name:
            exact = CalledPort(name, int(asked[1]))
            if any(exact in _ports(backed, port) for backed in backing):
                return Called(workload, port, (exact,))
        if port is None:
            return NO_SERVICE if (cluster or "").startswith(_PASSTHROUGH) else NO_PORT
        found = {each for backed in backing for each in _ports(backed, port)}
        return Called(workload, port, tuple(sorted(found)), name) if found else NO_SERVICE

    def _selecting(self, pod: str, workload: WorkloadId) -> Iterator[_Backed]:
        """Yield the services that select a pod; of one that is gone, those of pods to come."""
        selectors = self.selectors.get(workload.namespace)
        pods = self.index.pods.get((workload.namespace, pod), ())
        copies = () if pods else self.index.copies.get(workload, ())
        labelled: list[tuple[str, Labels]] = [
            *((each.meta.kubernetes_cluster, each.meta.labels) for each in pods),
            *((each.meta.kubernetes_cluster, each.template_labels or {}) for each in copies),
        ]
        for home, labels in labelled if selectors else ():
            for backed in selectors.selecting(labels) if selectors else ():
                if backed.kubernetes_cluster in (None, home):
                    yield backed


def _ports(backed: _Backed, port: int | None) -> Iterable[CalledPort]:
    """List a service's ports that may lead to a pod's port: all if that is not known."""
    numbers = (each.number for each in backed.ports) if port is None else backed.leading_to(port)
    return [CalledPort(backed.host, number) for number in numbers]


def _selectors(mesh: Mesh) -> Iterator[tuple[str, Labels, _Backed]]:
    """Yield every service whose endpoints are chosen by labels: namespace, selector, service."""
    slices: dict[tuple[str, str, str], list[EndpointSlice]] = defaultdict(list)
    for part in mesh.endpoint_slices:
        slices[part.meta.kubernetes_cluster, part.meta.namespace, part.service].append(part)
    for service in mesh.services:
        if service.selector:
            yield service.meta.namespace, service.selector, _backed(service, slices, mesh)
    for entry in mesh.service_entries:
        if entry.workload_selector is not None:
            for host in entry.hosts:
                yield entry.meta.namespace, entry.workload_selector, _Backed(host, entry.ports)


def _backed(
    service: Service, slices: Mapping[tuple[str, str, str], list[EndpointSlice]], mesh: Mesh
) -> _Backed:
    namespace, name = service.meta.namespace, service.meta.name
    home = service.meta.kubernetes_cluster
    own = slices.get((home, namespace, name))
    return _Backed(
        host=f"{name}.{namespace}.svc.{mesh.cluster_domain}",
        ports=service.ports,
        headless=service.headless,
        kubernetes_cluster=home,
        target_ports=None
        if own is None
        else frozenset((port.name, port.number) for part in own for port in part.ports),
    )
