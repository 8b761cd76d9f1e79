"""Which workload a pod belongs to, and the workloads that have no pods now.

A workload is what a pod template belongs to for good: a Deployment rather than the ReplicaSets it
makes, a CronJob rather than its Jobs. Owners above that (an operator's resource that owns several
Deployments) are not followed, since their pods share nothing that a selector could name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from recommender.mesh import fields
from recommender.mesh.capture import capture_of
from recommender.mesh.fields import Fields
from recommender.mesh.istio_version import VersionEvidence, version_evidence
from recommender.mesh.objects import (
    Capture,
    Labels,
    ObjectMeta,
    Pod,
    ProxyKind,
    Workload,
    WorkloadId,
)
from recommender.mesh.proxies import injection, proxy_kind
from recommender.mesh.revisions import istiod_revision, proxy_revision

CONTROLLER_KINDS: Final = frozenset(
    (
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("apps", "ReplicaSet"),
        ("extensions", "Deployment"),
        ("extensions", "DaemonSet"),
        ("extensions", "ReplicaSet"),
        ("", "ReplicationController"),
        ("batch", "Job"),
        ("batch", "CronJob"),
        ("argoproj.io", "Rollout"),
        ("apps.openshift.io", "DeploymentConfig"),
    )
)
_BETWEEN: Final = frozenset(("ReplicaSet", "ReplicationController", "Job"))
_JOB_OF_CRON_JOB: Final = re.compile(r"(.+)-[0-9]{6,10}")
_HASH_LABELS: Final = (
    ("pod-template-hash", "Deployment"),
    ("rollouts-pod-template-hash", "Rollout"),
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Name the controller that an object's ownerReferences tell."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """Hold what a pod template says of the pods to come."""

    labels: Labels
    annotations: Labels
    proxy: ProxyKind | None
    host_network: bool
    service_account: str
    versions: VersionEvidence
    capture: Capture
    istiod_revision: str | None


@dataclass(frozen=True, slots=True)
class Controller:
    """Hold a controller object: a workload, or what stands between one and its pods."""

    meta: ObjectMeta
    kind: str
    owner: Owner | None
    selector: Labels
    template: PodTemplate

    @property
    def id(self) -> WorkloadId:
        """Name it as if it were the workload itself."""
        return WorkloadId(self.meta.namespace, self.kind, self.meta.name)


@dataclass(frozen=True, slots=True)
class PodObject:
    """Hold a pod whose workload is still to be found."""

    meta: ObjectMeta
    owner: Owner | None
    ips: tuple[str, ...]
    phase: str
    node: str
    template: PodTemplate


def controller(meta: ObjectMeta, document: Fields, kind: str) -> Controller:
    """Convert a controller object of one of the `CONTROLLER_KINDS`.

    Raises:
        FieldError: A field has a type that Kubernetes refuses.
    """
    spec = fields.mapping(document, "spec")
    holder = spec
    if kind == "CronJob":
        holder = fields.mapping(fields.mapping(spec, "jobTemplate"), "spec")
    template = fields.mapping(holder, "template")
    metadata = fields.mapping(template, "metadata")
    if kind in ("ReplicationController", "DeploymentConfig"):
        selector = fields.labels(spec, "selector")
    else:
        selector = fields.labels(fields.mapping(spec, "selector"), "matchLabels")
    return Controller(
        meta=meta,
        kind=kind,
        owner=_owner(document),
        selector=selector,
        template=_template(
            fields.labels(metadata, "labels"),
            fields.labels(metadata, "annotations"),
            fields.mapping(template, "spec"),
        ),
    )


def pod(meta: ObjectMeta, document: Fields) -> PodObject:
    """Convert a Pod.

    Raises:
        FieldError: A field has a type that Kubernetes refuses.
    """
    spec = fields.mapping(document, "spec")
    status = fields.mapping(document, "status")
    several = fields.mappings(status, "podIPs")
    addresses = [fields.text(entry, "ip") for entry in several] or [fields.text(status, "podIP")]
    return PodObject(
        meta=meta,
        owner=_owner(document),
        ips=fields.addresses({"podIPs": [a for a in addresses if a]}, "podIPs"),
        phase=fields.text(status, "phase"),
        node=fields.text(spec, "nodeName"),
        template=_template(meta.labels, meta.annotations, spec),
    )


def resolve_workloads(
    pods: Sequence[PodObject], controllers: Sequence[Controller], clusters: Sequence[str] = ("",)
) -> tuple[list[Pod], list[Workload]]:
    """Find the workload of each pod, and list every workload with or without pods.

    A workload of several Kubernetes clusters is listed for each of them, in their order.
    """
    resolved: list[Pod] = []
    workloads: list[Workload] = []
    for name in clusters:
        found = _resolved(
            [p for p in pods if p.meta.kubernetes_cluster == name],
            [c for c in controllers if c.meta.kubernetes_cluster == name],
        )
        resolved += found[0]
        workloads += found[1]
    resolved.sort(key=lambda p: (p.meta.namespace, p.meta.name))
    return resolved, sorted(workloads, key=lambda workload: workload.id)


def _resolved(
    pods: Sequence[PodObject], controllers: Sequence[Controller]
) -> tuple[list[Pod], list[Workload]]:
    """Find the workload of each pod of one Kubernetes cluster, and list its workloads."""
    known = {c.id: c for c in controllers}
    placed = [(_workload_of(p, known), p) for p in pods]
    placed.sort(key=lambda pair: (pair[1].meta.namespace, pair[1].meta.name))
    first_pods = dict(reversed(placed))
    workloads = {id_: _workload_of_pods(id_, p) for id_, p in first_pods.items()}
    for candidate in controllers:
        if not (candidate.kind in _BETWEEN and candidate.owner):
            workloads[candidate.id] = _workload(candidate)
    resolved = [_pod(workload, p) for workload, p in placed]
    return resolved, [workloads[id_] for id_ in sorted(workloads)]


def _workload_of(p: PodObject, known: Mapping[WorkloadId, Controller]) -> WorkloadId:
    """Follow the owners of a pod up to its workload."""
    namespace = p.meta.namespace
    # A static pod is owned by its Node and made by the kubelet from a file: nothing controls it.
    if p.owner is None or p.owner.kind == "Node":
        return WorkloadId(namespace, "Pod", p.meta.name)
    id_ = WorkloadId(namespace, p.owner.kind, p.owner.name)
    if p.owner.kind not in _BETWEEN:
        return id_
    if id_ in known:
        above = known[id_].owner
        return id_ if above is None else WorkloadId(namespace, above.kind, above.name)
    return _guessed(id_, p.meta.labels, known)


def _guessed(id_: WorkloadId, labels: Labels, known: Mapping[WorkloadId, Controller]) -> WorkloadId:
    """Name the workload of a ReplicaSet or Job that is not in the dump, by how it is named.

    Source: istio pkg/kube/util.go `GetDeployMetaFromPod`; but a Job counts as a CronJob's only
    where that CronJob is known.
    """
    if id_.kind == "ReplicaSet":
        for label, kind in _HASH_LABELS:
            name = id_.name.removesuffix(f"-{labels.get(label, '')}")
            if labels.get(label) and name and name != id_.name:
                return WorkloadId(id_.namespace, kind, name)
    if id_.kind == "Job" and (match := _JOB_OF_CRON_JOB.fullmatch(id_.name)):
        cron_job = WorkloadId(id_.namespace, "CronJob", match[1])
        return cron_job if cron_job in known else id_
    if id_.kind == "ReplicationController" and labels.get("deploymentconfig"):
        return WorkloadId(id_.namespace, "DeploymentConfig", labels["deploymentconfig"])
    return id_


def _owner(document: Fields) -> Owner | None:
    metadata = fields.mapping(document, "metadata")
    for reference in fields.mappings(metadata, "ownerReferences"):
        if fields.flag(reference, "controller"):
            kind = fields.required_text(reference, "kind")
            return Owner(kind, fields.required_text(reference, "name"))
    return None


def _template(labels: Labels, annotations: Labels, spec: Fields) -> PodTemplate:
    return PodTemplate(
        labels=labels,
        annotations=annotations,
        proxy=proxy_kind(labels, annotations, spec),
        host_network=fields.flag(spec, "hostNetwork") or False,
        service_account=fields.text(spec, "serviceAccountName") or "default",
        versions=version_evidence(labels, spec),
        capture=capture_of(annotations, spec),
        istiod_revision=istiod_revision(labels, spec),
    )


def _pod(workload: WorkloadId, p: PodObject) -> Pod:
    return Pod(
        meta=p.meta,
        workload=workload,
        ips=p.ips,
        proxy=p.template.proxy,
        phase=p.phase,
        service_account=p.template.service_account,
        host_network=p.template.host_network,
        node=p.node,
        capture=p.template.capture,
    )


def _workload(c: Controller) -> Workload:
    return Workload(
        id=c.id,
        meta=c.meta,
        selector=c.selector,
        template_labels=c.template.labels,
        template_annotations=c.template.annotations,
        proxy=c.template.proxy,
        injection=injection(c.template.labels, c.template.annotations),
        host_network=c.template.host_network,
        service_account=c.template.service_account,
        capture=c.template.capture,
    )


def _workload_of_pods(id_: WorkloadId, p: PodObject) -> Workload:
    """Describe a workload that only its pods tell of, by the first of them."""
    return Workload(
        id=id_,
        meta=ObjectMeta(
            id_.namespace,
            id_.name,
            origin=p.meta.origin,
            kubernetes_cluster=p.meta.kubernetes_cluster,
        ),
        injection=injection(p.meta.labels, p.meta.annotations),
        host_network=p.template.host_network,
        service_account=p.template.service_account,
    )


def versions_seen(
    pods: Iterable[PodObject], controllers: Iterable[Controller]
) -> list[VersionEvidence]:
    """Collect what pods and controllers tell of Istio's version."""
    return [*(p.template.versions for p in pods), *(c.template.versions for c in controllers)]


def revisions_seen(
    pods: Iterable[PodObject], controllers: Iterable[Controller]
) -> tuple[set[str], set[str]]:
    """Collect the revisions of the proxies that were injected, and those of istiods."""
    each = list(pods)
    proxies = {proxy_revision(p.meta.annotations) for p in each if p.template.proxy is not None}
    templates = [*(p.template for p in each), *(c.template for c in controllers)]
    istiods = {t.istiod_revision for t in templates if t.istiod_revision is not None}
    return proxies - {""}, istiods
