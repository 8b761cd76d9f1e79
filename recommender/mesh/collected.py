"""Converted objects of all sources: one of each name, and what could not be used."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from recommender.errors import InputError
from recommender.mesh import kubernetes
from recommender.mesh.documents import Document
from recommender.mesh.fields import FieldError
from recommender.mesh.kinds import (
    CLUSTER_SCOPED,
    CLUSTER_SET_KINDS,
    GATEWAY_API_GATEWAY,
    OF_EACH_CLUSTER,
    OF_MANY,
    OF_ONE_REVISION,
    Kinds,
    NamedObject,
)
from recommender.mesh.kubernetes_clusters import DIFFERS, ELSEWHERE, is_same_configuration, placed
from recommender.mesh.objects import NO_TIME, MeshNote, ObjectMeta
from recommender.mesh.revisions import REVISION, in_revision

T = TypeVar("T", bound=NamedObject)
_Identity = tuple[str, str, str, str]
"""The kind, the namespace, the name and the Kubernetes cluster."""

_NUMBER: Final = re.compile(r"[0-9]{1,20}")
_LEFT_OUT: Final = "left out, since Kubernetes or istiod would refuse it"
_TARGETED: Final = "attached by targetRefs, so it never acts in a sidecar"
_EMPTY: Final = "nothing in it, as a command that fails leaves a file"
_STATUS: Final = "no objects, but why the API server gave none"
_NOT_AN_OBJECT: Final = "documents without apiVersion and kind"
_NO_PART: Final = "objects of a kind that plays no part"
_DIFFERING: Final = "different objects of one name, the newest was used"
_CLUSTER_SET: Final = "may make hosts of clusterset.local, which are not modelled"
_OTHER_GATEWAY: Final = "Gateway API Gateway"


@dataclass(slots=True)
class Collected:
    """Collect the converted objects of all sources and what there is to note."""

    kinds: Kinds
    clusters: tuple[str, ...]
    objects: dict[_Identity, list[tuple[NamedObject, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)
    elsewhere: list[tuple[str, ObjectMeta]] = field(default_factory=list)

    def take(self, document: Document, cluster: str) -> None:
        """Convert a document of a Kubernetes cluster, or note why it is not used."""
        version, kind = document.object.get("apiVersion"), document.object.get("kind")
        if not isinstance(version, str) or not isinstance(kind, str):
            self.notes[_NOT_AN_OBJECT if document.object else _EMPTY, document.file] += 1
            return
        if (version, kind) == ("v1", "Status"):
            self.notes[_STATUS, document.file] += 1
            return
        group = version.rpartition("/")[0]
        convert = self.kinds.get((group, kind))
        if convert is None:
            makes_hosts = len(self.clusters) > 1 and kind in CLUSTER_SET_KINDS
            reason = _CLUSTER_SET if makes_hosts else _NO_PART
            self.notes[reason, f"{kind} ({group})" if group else kind] += 1
            return
        where = _place_of(document, kind)
        try:
            origin, namespaced = document.origin, kind not in CLUSTER_SCOPED
            meta = kubernetes.object_meta(
                document.object, origin, namespaced=namespaced, kubernetes_cluster=cluster
            )
            found = convert(meta, document.object)
        except FieldError as error:
            self.notes[f"{_LEFT_OUT}: {error}", where] += 1
            return
        if found is not None:
            same_kind = _OTHER_GATEWAY if (group, kind) == GATEWAY_API_GATEWAY else kind
            key = (same_kind, found.meta.namespace, found.meta.name, cluster)
            self.objects[key].append((found, _resource_version(document)))
        elif kind not in OF_MANY:
            self.notes[_TARGETED, where] += 1

    def chosen(self) -> list[NamedObject]:
        """Choose one object of each name, by namespace and name; copies of it are no matter."""
        chosen: dict[_Identity, NamedObject] = {}
        for key, copies in self.objects.items():
            newest = max(copies, key=_newness)[0] if len(copies) > 1 else copies[0][0]
            if others := sum(copy != newest for copy, _ in copies):
                self.notes[_DIFFERING, _named(key)] += others
            chosen[key] = newest
        for key in [key for key in chosen if key[3] != self.clusters[0]]:
            if not isinstance(chosen[key], OF_EACH_CLUSTER):
                self._leave_out(key, chosen.pop(key), chosen.get((*key[:3], self.clusters[0])))
        ranks = {name: rank for rank, name in enumerate(self.clusters)}
        return sorted(chosen.values(), key=lambda o: (*place(o), ranks[o.meta.kubernetes_cluster]))

    def _leave_out(self, key: _Identity, found: NamedObject, counts: NamedObject | None) -> None:
        """Note an object of a Kubernetes cluster that does not configure istiod, unless a copy."""
        if counts is not None and is_same_configuration(found, counts):
            return
        self.notes[ELSEWHERE if counts is None else DIFFERS, _named(key)] += 1
        self.elsewhere.append((key[0], found.meta))

    def noted(self) -> list[MeshNote]:
        """List the notes, equal ones counted together."""
        losses = (_LEFT_OUT, _NOT_AN_OBJECT, _EMPTY, _STATUS)
        return [
            MeshNote(reason, where, count, is_loss=reason.startswith(losses))
            for (reason, where), count in self.notes.items()
        ]


@dataclass(frozen=True, slots=True)
class Objects:
    """Hold objects of every kind in order."""

    objects: Sequence[NamedObject]

    def of(self, kind: type[T]) -> list[T]:
        """List the objects of one kind."""
        return [item for item in self.objects if isinstance(item, kind)]

    def seen_by(self, revision: str) -> Objects:
        """Leave out what the istiod of a revision does not see."""
        unseen = {id(each) for each in self.unseen_by(revision)}
        return Objects([each for each in self.objects if id(each) not in unseen])

    def unseen_by(self, revision: str) -> list[NamedObject]:
        """List what the istiod of a revision does not see."""
        labelled = (each for each in self.objects if isinstance(each, OF_ONE_REVISION))
        return [each for each in labelled if not in_revision(each.meta.labels, revision)]

    def revisions_named(self) -> tuple[str, ...]:
        """List the revisions that labels name for which objects count."""
        labelled = (each for each in self.objects if isinstance(each, OF_ONE_REVISION))
        named = (each.meta.labels.get(REVISION) for each in labelled)
        return tuple(sorted({name for name in named if name is not None}))


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


def _newness(copy: tuple[NamedObject, int]) -> tuple[datetime, int, str]:
    """Order copies of an object by age; by content, if that does not tell them apart."""
    found, version = copy
    return (found.meta.created or NO_TIME, version, repr(found))


def _named(key: _Identity) -> str:
    kind, namespace, name, cluster = key
    return placed(f"{kind} {namespace}/{name}", cluster)


def place(found: NamedObject) -> tuple[str, str]:
    """Order objects by namespace and name."""
    return (found.meta.namespace, found.meta.name)
