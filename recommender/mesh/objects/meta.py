"""What names any object, and when it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

Labels = Mapping[str, str]


LabelSelector = tuple[tuple[str, str, tuple[str, ...]], ...]
"""The requirements of a selector: a key, an operator and values each."""


NO_TIME = datetime.min.replace(tzinfo=UTC)
"""Stands for the creation of an object whose source does not tell it."""


@dataclass(frozen=True, slots=True)
class ObjectMeta:
    """Name one object and say where it was read.

    `created` is the creationTimestamp (UTC), None where the source has none (a GitOps folder).
    `origin` is the file the object came from, for messages only; `kubernetes_cluster` the name of
    the Kubernetes cluster it is of, empty where its source has none.
    """

    namespace: str
    name: str
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)
    created: datetime | None = None
    origin: str = field(default="", compare=False, repr=False)
    kubernetes_cluster: str = field(default="", repr=False)

    @property
    def age(self) -> tuple[datetime, str, str]:
        """Return what orders objects from old to young, those of one second by name, as istiod."""
        return (self.created or NO_TIME, self.name, self.namespace)
