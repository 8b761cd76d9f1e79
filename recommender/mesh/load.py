"""Read the objects of a mesh from files into a `Mesh`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recommender.mesh import edge
from recommender.mesh.collected import Collected, Objects, place
from recommender.mesh.documents import read_documents
from recommender.mesh.gateway_api import GatewayRoute, virtual_services_of_routes
from recommender.mesh.istio_version import Version, istio_version
from recommender.mesh.kinds import EXPECTED, NamedObject, kinds_that_count
from recommender.mesh.kubernetes_clusters import mesh_config_of, placed, sources_by_cluster
from recommender.mesh.mesh_config import MeshConfigMap, candidate_maps
from recommender.mesh.objects import (
    AuthorizationPolicy,
    DestinationRule,
    EdgeObject,
    EndpointSlice,
    EnvoyFilter,
    Extension,
    InjectionWebhooks,
    Mesh,
    MeshConfig,
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
    WorkloadGroup,
)
from recommender.mesh.revisions import DEFAULT_REVISION, modelled_revision, revision_notes
from recommender.mesh.workloads import (
    Controller,
    PodObject,
    resolve_workloads,
    revisions_seen,
    versions_seen,
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
    found = Collected(kinds_that_count(cluster_domain), clusters)
    for name, named in by_cluster.items():
        for document in read_documents(named):
            found.take(document, name)
    return _mesh(found, clusters, cluster_domain, root_namespace, version)


def _mesh(
    found: Collected,
    clusters: tuple[str, ...],
    cluster_domain: str,
    root_namespace: str,
    version: Version | None,
) -> Mesh:
    """Make a mesh of what was found in Kubernetes clusters, of which the first is istiod's own."""
    every = Objects(found.chosen())
    known = _revision(every, clusters[0], root_namespace)
    revision = DEFAULT_REVISION if known is None else known
    objects, unseen = every.seen_by(revision), list(map(_kind_and_meta, every.unseen_by(revision)))
    config, config_notes = mesh_config_of(
        objects.of(MeshConfigMap), clusters, root_namespace, revision
    )
    pods, controllers = objects.of(PodObject), objects.of(Controller)
    version_notes: list[MeshNote] = []
    if version is None:
        version, version_notes = istio_version(versions_seen(pods, controllers))
    resolved, workloads = resolve_workloads(pods, controllers, clusters)
    notes = [*found.noted(), *config_notes, *version_notes, *_lacking(objects, clusters)]
    notes += revision_notes(unseen, revision, assumed=known is None)
    return Mesh(
        config=config,
        cluster_domain=cluster_domain,
        istio_version=version,
        namespaces=tuple(objects.of(Namespace)),
        workloads=tuple(workloads),
        pods=tuple(resolved),
        services=tuple(objects.of(Service)),
        endpoint_slices=tuple(objects.of(EndpointSlice)),
        service_entries=tuple(objects.of(ServiceEntry)),
        workload_entries=tuple(objects.of(WorkloadEntry)),
        virtual_services=_virtual_services(objects, clusters[0], cluster_domain),
        destination_rules=tuple(objects.of(DestinationRule)),
        sidecars=tuple(objects.of(Sidecar)),
        telemetries=tuple(objects.of(Telemetry)),
        authorization_policies=tuple(objects.of(AuthorizationPolicy)),
        envoy_filters=tuple(objects.of(EnvoyFilter)),
        extensions=tuple(objects.of(Extension)),
        peer_authentications=tuple(objects.of(PeerAuthentication)),
        request_authentications=tuple(objects.of(RequestAuthentication)),
        edge_objects=_edge_objects(objects, config),
        workload_groups=tuple(objects.of(WorkloadGroup)),
        injection_webhooks=tuple(objects.of(InjectionWebhooks)),
        elsewhere=tuple(sorted(found.elsewhere, key=_place_elsewhere)),
        notes=tuple(sorted(notes)),
        kubernetes_clusters=clusters,
        nodes=tuple(objects.of(Node)),
        revision=revision,
        revisions_named=every.revisions_named(),
        unseen=tuple(sorted(unseen, key=_place_elsewhere)),
    )


def _revision(objects: Objects, home: str, root_namespace: str) -> str | None:
    """Find the revision of istiod, None if nothing tells."""
    maps = [m for m in objects.of(MeshConfigMap) if m.meta.kubernetes_cluster == home]
    used = next(iter(candidate_maps(maps, root_namespace)), None)
    proxies, istiods = revisions_seen(objects.of(PodObject), objects.of(Controller))
    return modelled_revision(proxies, istiods, None if used is None else used.meta.name)


def _kind_and_meta(each: NamedObject) -> tuple[str, ObjectMeta]:
    if isinstance(each, GatewayRoute | Extension):
        return each.kind, each.meta
    return type(each).__name__, each.meta


def _virtual_services(objects: Objects, home: str, domain: str) -> tuple[VirtualService, ...]:
    """List VirtualServices, and what istiod makes of the Gateway API's routes.

    A route finds its parents in the Kubernetes cluster where istiod is configured.
    """
    near = [each for each in objects.of(Service) if each.meta.kubernetes_cluster == home]
    routes, entries = objects.of(GatewayRoute), objects.of(ServiceEntry)
    made = virtual_services_of_routes(routes, near, entries, domain)
    return tuple(sorted((*objects.of(VirtualService), *made), key=place))


def _edge_objects(objects: Objects, config: MeshConfig) -> tuple[EdgeObject, ...]:
    """List what brings calls into the mesh from outside."""
    classes = objects.of(edge.IngressClass)
    return (
        *objects.of(EdgeObject),
        *edge.ingresses_of_istio(objects.of(edge.Ingress), classes, config.ingress_class),
        *edge.routes_of_gateways(objects.of(GatewayRoute)),
    )


def _place_elsewhere(placed: tuple[str, ObjectMeta]) -> tuple[str, ...]:
    kind, meta = placed
    return (meta.kubernetes_cluster, meta.namespace, kind, meta.name)


def _lacking(objects: Objects, clusters: Sequence[str]) -> list[MeshNote]:
    """Note the kinds without which a dump of a Kubernetes cluster is hardly whole."""
    names = {Namespace: "Namespace", Service: "Service", PodObject: "Pod"}
    there = {(kind, o.meta.kubernetes_cluster) for kind in EXPECTED for o in objects.of(kind)}
    missing = [
        placed(names[kind], cluster)
        for kind in EXPECTED
        for cluster in clusters
        if (kind, cluster) not in there
    ]
    return [MeshNote("the sources hold no object of this kind", name) for name in missing]
