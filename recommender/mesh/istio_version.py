"""Which version of istiod a dump shows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from recommender.mesh import fields
from recommender.mesh.fields import Fields
from recommender.mesh.objects import Labels, MeshNote
from recommender.mesh.proxies import proxy_container

Version = tuple[int, int]

_TAG: Final = re.compile(r"v?([0-9]{1,3})\.([0-9]{1,3})(?![0-9])")
_VERSION_LABELS: Final = ("operator.istio.io/version", "app.kubernetes.io/version")


@dataclass(frozen=True, slots=True)
class VersionEvidence:
    """Say what a pod or template shows: istiod's own version, or that of its proxy."""

    istiod: Version | None = None
    proxy: Version | None = None


def version_evidence(labels: Labels, spec: Fields) -> VersionEvidence:
    """Read the versions that a pod (or template) shows by its images, else by its labels.

    Raises:
        FieldError: A field has a type that Kubernetes refuses.
    """
    if labels.get("app") == "istiod":
        images = [fields.text(c, "image") for c in fields.mappings(spec, "containers")]
        pilot = [image for image in images if _base_name(image).startswith("pilot")]
        told = [*map(_tag, pilot), *(labels.get(name, "") for name in _VERSION_LABELS)]
        return VersionEvidence(istiod=next(filter(None, map(_version, told)), None))
    container = proxy_container(spec)
    image = "" if container is None else fields.text(container, "image")
    return VersionEvidence(proxy=_version(_tag(image)))


def istio_version(evidence: Iterable[VersionEvidence]) -> tuple[Version | None, list[MeshNote]]:
    """Take istiod's version, or the proxies' where istiod is not in the dump.

    Of several the lowest counts, with a note: what an older istiod cannot do is not recommended.
    """
    evidence = list(evidence)
    istiod = sorted({e.istiod for e in evidence if e.istiod})
    proxies = sorted({e.proxy for e in evidence if e.proxy})
    where = "istiod" if istiod else "proxies"
    versions = istiod or proxies
    if not versions:
        return None, [MeshNote("nothing tells the version of istiod", "istiod")]
    notes = []
    if not istiod:
        notes.append(MeshNote("istiod's version is taken from the proxies' images", where))
    if len(versions) > 1:
        listed = ", ".join(f"{major}.{minor}" for major, minor in versions)
        notes.append(MeshNote(f"several Istio versions, the lowest counts: {listed}", where))
    return versions[0], notes


def _base_name(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2]


def _tag(image: str) -> str:
    return _base_name(image).partition(":")[2]


def _version(tag: str) -> Version | None:
    match = _TAG.match(tag)
    return (int(match[1]), int(match[2])) if match else None
