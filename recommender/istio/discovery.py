"""Which namespaces istiod looks at at all: MeshConfig discoverySelectors.

They are asked in each Kubernetes cluster about its own namespaces. Of one that istiod cannot use it
ignores the whole list, which its MeshConfig's validation lets pass. Source: istio
pkg/kube/namespace/filter.go (`selectorsChanged`), pkg/kube/multicluster/cluster.go (`Cluster.Run`),
pkg/config/validation/agent (`ValidateMeshConfig`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final, Protocol, TypeVar

from recommender.istio.label_selectors import selector_error, selector_matches
from recommender.mesh.objects import (
    LabelSelector,
    Mesh,
    MeshConfig,
    MeshNote,
    ObjectMeta,
    VirtualService,
)

IGNORED: Final = "an istiod that starts ignores all discoverySelectors and sees every namespace"


class _Placed(Protocol):
    """Stand for any object with a namespace."""

    @property
    def meta(self) -> ObjectMeta: ...


T = TypeVar("T", bound=_Placed)
PlacedNamespace = tuple[str, str]
"""The name of a Kubernetes cluster and of a namespace of it."""


def selectors_in_force(config: MeshConfig) -> tuple[LabelSelector, ...]:
    """Return the selectors that an istiod would use which starts with a MeshConfig."""
    return () if selectors_error(config) else config.discovery_selectors


def selectors_error(config: MeshConfig) -> str | None:
    """Say why istiod ignores every one of the selectors, None if it does not."""
    for position, selector in enumerate(config.discovery_selectors):
        error = selector_error(selector)
        if error is not None:
            return f"discoverySelectors[{position}]: {error}"
    return None


def discovery_notes(mesh: Mesh) -> list[MeshNote]:
    """Note selectors that are ignored."""
    error = selectors_error(mesh.config)
    return [MeshNote(f"{IGNORED}: {error}", "MeshConfig")] if error else []


def hidden_namespaces(mesh: Mesh) -> frozenset[str]:
    """List the namespaces whose configuration no selector chooses.

    One that the dump lacks is not hidden.
    """
    home = mesh.kubernetes_clusters[0]
    return frozenset(name for cluster, name in placed_hidden_namespaces(mesh) if cluster == home)


def placed_hidden_namespaces(mesh: Mesh) -> frozenset[PlacedNamespace]:
    """List the hidden namespaces of every Kubernetes cluster."""
    selectors = selectors_in_force(mesh.config)
    if not selectors:
        return frozenset()
    return frozenset(
        (namespace.meta.kubernetes_cluster, namespace.meta.name)
        for namespace in mesh.namespaces
        if not any(selector_matches(selector, namespace.meta.labels) for selector in selectors)
    )


def discovered(mesh: Mesh) -> Mesh:
    """Return the mesh as istiod sees it, without the objects of hidden namespaces."""
    return without_namespaces(mesh, placed_hidden_namespaces(mesh))


def without_namespaces(mesh: Mesh, hidden: Collection[PlacedNamespace]) -> Mesh:
    """Return the mesh as istiod would see it if no selector chose some namespaces."""
    if not hidden:
        return mesh
    home = mesh.kubernetes_clusters[0]
    unconfigured = frozenset(name for cluster, name in hidden if cluster == home)

    def seen(objects: Iterable[T]) -> tuple[T, ...]:
        return tuple(
            item
            for item in objects
            if (item.meta.kubernetes_cluster, item.meta.namespace) not in hidden
        )

    return replace(
        mesh,
        pods=seen(mesh.pods),
        services=seen(mesh.services),
        endpoint_slices=seen(mesh.endpoint_slices),
        service_entries=seen(mesh.service_entries),
        workload_entries=seen(mesh.workload_entries),
        virtual_services=tuple(
            vs
            for vs in seen(mesh.virtual_services)
            if not _has_hidden_parent(vs, mesh, unconfigured)
        ),
        destination_rules=seen(mesh.destination_rules),
        sidecars=seen(mesh.sidecars),
        telemetries=seen(mesh.telemetries),
        authorization_policies=seen(mesh.authorization_policies),
        envoy_filters=seen(mesh.envoy_filters),
        extensions=seen(mesh.extensions),
        peer_authentications=seen(mesh.peer_authentications),
        request_authentications=seen(mesh.request_authentications),
    )


def _has_hidden_parent(vs: VirtualService, mesh: Mesh, hidden: Collection[str]) -> bool:
    """Tell whether a Gateway API route is attached to a Service that istiod does not see."""
    if not vs.gateway_api:
        return False
    suffix = f".svc.{mesh.cluster_domain}"
    names = (host.removesuffix(suffix) for host in vs.hosts if host.endswith(suffix))
    return any(name.rpartition(".")[2] in hidden for name in names)
