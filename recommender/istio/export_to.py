"""`exportTo`: the namespaces that an object is there for."""

from __future__ import annotations

from recommender.mesh.objects import Service

EXPORT_TO_ANNOTATION = "networking.istio.io/exportTo"
PUBLIC, PRIVATE, NOBODY = "*", ".", "~"


def declared_export_to(service: Service) -> frozenset[str] | None:
    """Return what a Kubernetes Service declares, None where it leaves it to the mesh."""
    annotation = service.meta.annotations.get(EXPORT_TO_ANNOTATION)
    return frozenset(part.strip() for part in annotation.split(",")) if annotation else None
