"""Read the objects of a mesh from files into a `Mesh`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from recommender.errors import InputError
from recommender.mesh import edge, kubernetes, networking, policies, webhooks
from recommender.mesh.documents import Document, read_documents
from recommender.mesh.fields import FieldError, Fields
from recommender.mesh.gateway_api import GatewayRoute, gateway_route, virtual_services_of_routes
from recommender.mesh.istio_version import Version, istio_version
from recommender.mesh.kubernetes_clusters import (
    DIFFERS,
    ELSEWHERE,
    is_same_configuration,
    mesh_config_of,
    placed,
    sources_by_cluster,
)
from recommender.mesh.mesh_config import MeshConfigMap, mesh_config_map
from recommender.mesh.objects import (
    NO_TIME,
    AuthorizationPolicy,
    DestinationRule,
    EdgeObject,
    EndpointSlice,
    EnvoyFilter,
    InjectionWebhooks,
    Mesh,
    MeshNote,
    Namespace,
    Node,
    ObjectMeta,
    PeerAuthentication,
    RequestAuthentication,
    Service,
    ServiceEntry,
    Sidecar,
    Telemetry,
    VirtualService,
    WorkloadEntry,
)
from recommender.mesh.workloads import (
    CONTROLLER_KINDS,
    Controller,
    PodObject,
    controller,
    pod,
    resolve_workloads,
    versions_seen,
)


class _Named(Protocol):
    """Stand for any of the frozen dataclasses with a `meta`."""

    @property
    def meta(self) -> ObjectMeta: ...


T = TypeVar("T", bound=_Named)
Converter = Callable[[ObjectMeta, Fields], _Named | None]
_Kinds = Mapping[tuple[str, str], Converter]
_Identity = tuple[str, str, str, str]
"""The kind, the namespace, the name and the Kubernetes cluster."""

_NUMBER: Final = re.compile(r"[0-9]{1,20}")
_LEFT_OUT: Final = "left out, since Kubernetes or istiod would refuse it"
_TARGETED: Final = "attached by targetRefs, so it never acts in a sidecar"
_NOT_AN_OBJECT: Final = "documents without apiVersion and kind"
_NO_PART: Final = "objects of a kind that plays no part"
_DIFFERING: Final = "different objects of one name, the newest was used"
_CLUSTER_SET: Final = "may make hosts of clusterset.local, which are not modelled"
_CLUSTER_SET_KINDS: Final = ("ServiceExport", "ServiceImport")
# Two kinds bear one name; other groups are old names of the same kinds.
_GATEWAY_API_GATEWAY: Final = ("gateway.networking.k8s.io", "Gateway")
_OTHER_GATEWAY: Final = "Gateway API Gateway"
_CLUSTER_SCOPED: Final = (
    "Namespace",
    "Node",
    "IngressClass",
    "MutatingWebhookConfiguration",
)
# One of these that is of no use is one of other programs.
_OF_MANY: Final = ("ConfigMap", "MutatingWebhookConfiguration")
_EXPECTED: Final = (Namespace, Service, PodObject)
_OF_EACH_CLUSTER: Final = (
    *_EXPECTED,
    Node,
    EndpointSlice,
    WorkloadEntry,
    Controller,
    MeshConfigMap,
    InjectionWebhooks,
    edge.IngressClass,
)


def load_mesh(
    sources: Sequence[str | Path],
    *,
    cluster_domain: str = "cluster.local",
    root_namespace: str = "",
    version: Version | None = None,
) -> Mesh:
    """Load a mesh from YAML and JSON files, folders and globs.

    The result does not depend on the order of the sources or on how objects are spread over
    files. Two copies of one object count once; of differing ones the newest is used, by
    creationTimestamp and resourceVersion. What is not used is told in `Mesh.notes`.

    Sources may be of several Kubernetes clusters, `NAME=SRC` each. Then the order of the names
    counts: what configures istiod is taken from the first.

    Args:
        sources: Paths and globs, as `read_documents` takes them, as they are or as `NAME=SRC`.
        cluster_domain: The DNS domain of the Kubernetes cluster.
        root_namespace: Istio's root namespace; empty to take it from the MeshConfig.
        version: istiod's version as (major, minor); None to read it from the objects.

    Raises:
        InputError: A source cannot be read, an object of a kind that counts has no name, or only
            some sources name their Kubernetes cluster.
    """
    by_cluster = sources_by_cluster(sources)
    clusters = tuple(by_cluster)
    found = _Found(_kinds(cluster_domain), clusters)
    for name, named in by_cluster.items():
        for document in read_documents(named):
            found.take(document, name)
    objects = _Objects(found.chosen())
    config, config_notes = mesh_config_of(objects.of(MeshConfigMap), clusters, root_namespace)
    pods, controllers = objects.of(PodObject), objects.of(Controller)
    version_notes: list[MeshNote] = []
    if version is None:
        version, version_notes = istio_version(versions_seen(pods, controllers))
    resolved, workloads = resolve_workloads(pods, controllers, clusters)
    entries = objects.of(ServiceEntry)
    services = objects.of(Service)
    # A route of the Gateway API finds its parents where istiod is configured.
    near = [service for service in services if service.meta.kubernetes_cluster == clusters[0]]
    routes = objects.of(GatewayRoute)
    made = virtual_services_of_routes(routes, near, entries, cluster_domain)
    notes = [*found.noted(), *config_notes, *version_notes, *_lacking(objects, clusters)]
    return Mesh(
        config=config,
        cluster_domain=cluster_domain,
        istio_version=version,
        namespaces=tuple(objects.of(Namespace)),
        workloads=tuple(workloads),
        pods=tuple(resolved),
        services=tuple(services),
        endpoint_slices=tuple(objects.of(EndpointSlice)),
        service_entries=tuple(entries),
        workload_entries=tuple(objects.of(WorkloadEntry)),
        virtual_services=tuple(sorted((*objects.of(VirtualService), *made), key=_place)),
        destination_rules=tuple(objects.of(DestinationRule)),
        sidecars=tuple(objects.of(Sidecar)),
        telemetries=tuple(objects.of(Telemetry)),
        authorization_policies=tuple(objects.of(AuthorizationPolicy)),
        envoy_filters=tuple(objects.of(EnvoyFilter)),
        peer_authentications=tuple(objects.of(PeerAuthentication)),
        request_authentications=tuple(objects.of(RequestAuthentication)),
        edge_objects=(
            *objects.of(EdgeObject),
            *edge.ingresses_of_istio(
                objects.of(edge.Ingress), objects.of(edge.IngressClass), config.ingress_class
            ),
            *edge.routes_of_gateways(routes),
        ),
        injection_webhooks=tuple(objects.of(InjectionWebhooks)),
        elsewhere=tuple(sorted(found.elsewhere, key=_place_elsewhere)),
        notes=tuple(sorted(notes)),
        kubernetes_clusters=clusters,
        nodes=tuple(objects.of(Node)),
    )


def _kinds(cluster_domain: str) -> _Kinds:
    """List the kinds that count by API group; every version of a kind has the same fields."""
    istio = "networking.istio.io"
    kinds: dict[tuple[str, str], Converter] = {
        ("", "Namespace"): kubernetes.namespace,
        ("", "Node"): kubernetes.node,
        ("", "Service"): kubernetes.service,
        ("", "Pod"): pod,
        ("", "ConfigMap"): mesh_config_map,
        ("discovery.k8s.io", "EndpointSlice"): kubernetes.endpoint_slice,
        (istio, "VirtualService"): networking.virtual_service,
        (istio, "DestinationRule"): networking.destination_rule,
        (istio, "ServiceEntry"): networking.service_entry,
        (istio, "WorkloadEntry"): networking.workload_entry,
        (istio, "Sidecar"): networking.sidecar,
        (istio, "EnvoyFilter"): policies.envoy_filter,
        ("telemetry.istio.io", "Telemetry"): policies.telemetry,
        ("security.istio.io", "AuthorizationPolicy"): policies.authorization_policy,
        ("security.istio.io", "PeerAuthentication"): policies.peer_authentication,
        ("security.istio.io", "RequestAuthentication"): policies.request_authentication,
        (istio, "Gateway"): partial(edge.edge_object, kind="Gateway"),
        (istio, "WorkloadGroup"): partial(edge.edge_object, kind="WorkloadGroup"),
        _GATEWAY_API_GATEWAY: partial(edge.gateway, kind="Gateway"),
        ("gateway.networking.k8s.io", "ListenerSet"): partial(edge.gateway, kind="ListenerSet"),
        ("gateway.networking.x-k8s.io", "XListenerSet"): partial(edge.gateway, kind="ListenerSet"),
        ("networking.k8s.io", "Ingress"): edge.ingress,
        ("networking.k8s.io", "IngressClass"): edge.ingress_class,
        (
            "admissionregistration.k8s.io",
            "MutatingWebhookConfiguration",
        ): webhooks.injection_webhooks,
    }
    for group, kind in CONTROLLER_KINDS:
        kinds[group, kind] = partial(controller, kind=kind)
    for kind in ("HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"):
        convert = partial(gateway_route, kind=kind, cluster_domain=cluster_domain)
        kinds["gateway.networking.k8s.io", kind] = convert
    return kinds


@dataclass(slots=True)
class _Found:
    """Collect the converted objects of all sources and what there is to note."""

    kinds: _Kinds
    clusters: tuple[str, ...]
    objects: dict[_Identity, list[tuple[_Named, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)
    elsewhere: list[tuple[str, ObjectMeta]] = field(default_factory=list)

    def take(self, document: Document, cluster: str) -> None:
        """Convert a document of a Kubernetes cluster, or note why it is not used."""
        version, kind = document.object.get("apiVersion"), document.object.get("kind")
        if not isinstance(version, str) or not isinstance(kind, str):
            self.notes[_NOT_AN_OBJECT, document.file] += 1
            return
        group = version.rpartition("/")[0]
        convert = self.kinds.get((group, kind))
        if convert is None:
            makes_hosts = len(self.clusters) > 1 and kind in _CLUSTER_SET_KINDS
            reason = _CLUSTER_SET if makes_hosts else _NO_PART
            self.notes[reason, f"{kind} ({group})" if group else kind] += 1
            return
        where = _place_of(document, kind)
        try:
            origin, namespaced = document.origin, kind not in _CLUSTER_SCOPED
            meta = kubernetes.object_meta(
                document.object, origin, namespaced=namespaced, kubernetes_cluster=cluster
            )
            found = convert(meta, document.object)
        except FieldError as error:
            self.notes[f"{_LEFT_OUT}: {error}", where] += 1
            return
        if found is not None:
            same_kind = _OTHER_GATEWAY if (group, kind) == _GATEWAY_API_GATEWAY else kind
            key = (same_kind, found.meta.namespace, found.meta.name, cluster)
            self.objects[key].append((found, _resource_version(document)))
        elif kind not in _OF_MANY:
            self.notes[_TARGETED, where] += 1

    def chosen(self) -> list[_Named]:
        """Choose one object of each name, by namespace and name; copies of it are no matter."""
        chosen: dict[_Identity, _Named] = {}
        for key, copies in self.objects.items():
            newest = max(copies, key=_newness)[0] if len(copies) > 1 else copies[0][0]
            if others := sum(copy != newest for copy, _ in copies):
                self.notes[_DIFFERING, _named(key)] += others
            chosen[key] = newest
        for key in [key for key in chosen if key[3] != self.clusters[0]]:
            if not isinstance(chosen[key], _OF_EACH_CLUSTER):
                self._leave_out(key, chosen.pop(key), chosen.get((*key[:3], self.clusters[0])))
        ranks = {name: rank for rank, name in enumerate(self.clusters)}
        return sorted(chosen.values(), key=lambda o: (*_place(o), ranks[o.meta.kubernetes_cluster]))

    def _leave_out(self, key: _Identity, found: _Named, counts: _Named | None) -> None:
        """Note an object of a Kubernetes cluster that does not configure istiod, unless a copy."""
        if counts is not None and is_same_configuration(found, counts):
            return
        self.notes[ELSEWHERE if counts is None else DIFFERS, _named(key)] += 1
        self.elsewhere.append((key[0], found.meta))

    def noted(self) -> list[MeshNote]:
        """List the notes, equal ones counted together."""
        return [
            MeshNote(reason, where, count, is_loss=reason.startswith((_LEFT_OUT, _NOT_AN_OBJECT)))
            for (reason, where), count in self.notes.items()
        ]


@dataclass(frozen=True, slots=True)
class _Objects:
    """Hold objects of every kind in order."""

    objects: Sequence[_Named]

    def of(self, kind: type[T]) -> list[T]:
        """List the objects of one kind."""
        return [item for item in self.objects if isinstance(item, kind)]


def _place_of(document: Document, kind: str) -> str:
    """Name an object for messages.

    Raises:
        InputError: It has no name.
    """
    metadata = document.object.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = metadata.get("name") or metadata.get("generateName")
    if not name:
        what = f"a {kind} without metadata.name"
        raise InputError(what, where=document.origin, hint="every object needs a name")
    namespace = metadata.get("namespace")
    place = f"{kind} {namespace}/{name}" if isinstance(namespace, str) else f"{kind} {name}"
    return f"{place[:300]} ({document.origin})"


def _resource_version(document: Document) -> int:
    metadata = document.object.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return int(version) if isinstance(version, str) and _NUMBER.fullmatch(version) else 0


def _newness(copy: tuple[_Named, int]) -> tuple[datetime, int, str]:
    """Order copies of an object by age; by content, if that does not tell them apart."""
    found, version = copy
    return (found.meta.created or NO_TIME, version, repr(found))


def _named(key: _Identity) -> str:
    kind, namespace, name, cluster = key
    return placed(f"{kind} {namespace}/{name}", cluster)


def _place(found: _Named) -> tuple[str, str]:
    return (found.meta.namespace, found.meta.name)


def _place_elsewhere(placed: tuple[str, ObjectMeta]) -> tuple[str, ...]:
    kind, meta = placed
    return (meta.kubernetes_cluster, meta.namespace, kind, meta.name)


def _lacking(objects: _Objects, clusters: Sequence[str]) -> list[MeshNote]:
    """Note the kinds without which a dump of a Kubernetes cluster is hardly whole."""
    names = {Namespace: "Namespace", Service: "Service", PodObject: "Pod"}
    there = {(kind, o.meta.kubernetes_cluster) for kind in _EXPECTED for o in objects.of(kind)}
    missing = [
        placed(names[kind], cluster)
        for kind in _EXPECTED
        for cluster in clusters
        if (kind, cluster) not in there
    ]
    return [MeshNote("the sources hold no object of this kind", name) for name in missing]
