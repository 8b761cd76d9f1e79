"""Which revision of istiod a dump is read for, and which objects only another one sees.

An object of Istio or a route of the Gateway API with the label `istio.io/rev` counts for the istiod
of that revision alone; an istiod without one sees all. Revision tags are no revisions here. Source:
istio pkg/config/model.go `LabelsInRevision`, pilot/pkg/config/kube/crdclient/client.go
(`inRevision`) and gateway/controller.go (`buildClient`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Final

from recommender.mesh import fields
from recommender.mesh.fields import Fields
from recommender.mesh.objects import Labels, MeshNote, ObjectMeta

REVISION: Final = "istio.io/rev"
DEFAULT_REVISION: Final = "default"
_STATUS: Final = "sidecar.istio.io/status"
_CONTAINER, _VARIABLE = "discovery", "REVISION"
_UNSEEN: Final = "of another revision than istiod's, {}, and was not used"
_ASSUMED: Final = "nothing tells the revision of istiod, so this one is assumed"


def in_revision(labels: Labels, revision: str) -> bool:
    """Tell whether an istiod sees an object with these labels."""
    return not revision or labels.get(REVISION, revision) == revision


def proxy_revision(annotations: Labels) -> str:
    """Read which revision injected a pod's proxy, empty if nothing tells.

    Source: istio pkg/kube/inject/webhook.go (`injectionStatus`) and the injection template.
    """
    if annotations.get(REVISION):
        return annotations[REVISION]
    try:
        status = json.loads(annotations.get(_STATUS) or "{}")
    except (ValueError, RecursionError):
        return ""
    found = status.get("revision") if isinstance(status, dict) else None
    return found if isinstance(found, str) else ""


def istiod_revision(labels: Labels, spec: Fields) -> str | None:
    """Read the revision of an istiod from its pod or template, None if it is none.

    Raises:
        FieldError: A field has a type that Kubernetes refuses.
    """
    if labels.get("app") != "istiod":
        return None
    for container in fields.mappings(spec, "containers"):
        if container.get("name") == _CONTAINER:
            told = [e for e in fields.mappings(container, "env") if e.get("name") == _VARIABLE]
            return fields.text(told[-1], "value") if told else labels.get(REVISION, "")
    return None


def modelled_revision(
    proxies: Collection[str], istiods: Collection[str], config_map: str | None
) -> str | None:
    """Choose the revision of the istiod that a dump is read for, None if nothing tells.

    Where proxies are of one revision it is theirs, else that of the only istiod, else that of the
    MeshConfig in use, by the name of its ConfigMap (bootstrap/mesh.go `getMeshConfigMapName`).
    An istiod without a revision injects as `default`.
    """
    for known in (proxies, istiods):
        if len(known) == 1:
            (found,) = known
            is_nameless = found == DEFAULT_REVISION and DEFAULT_REVISION not in istiods
            return "" if is_nameless and "" in istiods else found
    if config_map is None:
        return None
    return config_map.partition("-")[2] or DEFAULT_REVISION


def revision_notes(
    unseen: Iterable[tuple[str, ObjectMeta]], revision: str, *, assumed: bool
) -> list[MeshNote]:
    """Name the objects that istiod does not see; say so if its revision is only assumed."""
    reason = _UNSEEN.format(revision[:60])
    notes = [
        MeshNote(reason, f"{kind} {meta.namespace}/{meta.name} of {meta.labels[REVISION]}"[:300])
        for kind, meta in unseen
    ]
    return [*notes, MeshNote(_ASSUMED, DEFAULT_REVISION)] if notes and assumed else notes
