"""One Sidecar for a whole namespace: whether it leaves every call of its workloads as it is.

Without a workloadSelector a Sidecar applies to every proxy of its namespace that no other selects
(istio model/push_context.go `getSidecarScope`): also to those of workloads that logged nothing, and
of workloads to come. So it is an option only where each workload is proved, or has a Sidecar of its
own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace

from recommender.istio.registry import RegistryService
from recommender.mesh import Sidecar, WorkloadId
from recommender.recommendation.entries import recommended_hosts, without_covered
from recommender.recommendation.host_needs import HostNeed
from recommender.recommendation.hosts import Prover
from recommender.recommendation.model import (
    NamespaceOption,
    NamespaceSidecar,
    Note,
    Recommendation,
    Recommendations,
    RecommendedHost,
    earlier_sidecar,
)
from recommender.recommendation.needs import CallNeeds
from recommender.recommendation.views import View, is_own
from recommender.service_graph import merge_evidence
from recommender.settings import ADOPTED_ANNOTATION

_NAMES = ("default", "namespace-default", "recommend-sidecars-default")
_LEAST_MEMBERS = 2
_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Member:
    """Hold what was proved for a workload: its recommendation, hosts, and calls by view."""

    recommendation: Recommendation
    hosts: tuple[HostNeed, ...]
    proved: tuple[tuple[View, list[CallNeeds]], ...]

    @property
    def id(self) -> WorkloadId:
        """Return the workload."""
        return self.recommendation.workload


@dataclass(frozen=True, slots=True)
class Namespace:
    """Describe a namespace: all Sidecars of the mesh, and which names are taken in it."""

    name: str
    sidecars: tuple[Sidecar, ...]
    is_root: bool
    taken: Container[str]

    def wide(self) -> list[Sidecar]:
        """List the Sidecars for the whole namespace, the oldest first."""
        found = (
            sidecar
            for sidecar in self.sidecars
            if sidecar.meta.namespace == self.name and not sidecar.workload_selector
        )
        return sorted(found, key=lambda sidecar: sidecar.meta.age)

    def selects(self, names: Iterable[str]) -> bool:
        """Tell whether a Sidecar of one of these names chooses pods by label."""
        known = {s.meta.name for s in self.sidecars if s.meta.namespace == self.name}
        wide = {sidecar.meta.name for sidecar in self.wide()}
        return bool(known.intersection(names) - wide)


def namespace_option(
    members: Sequence[Member],
    unproved: Sequence[str],
    namespace: Namespace,
    prover: Prover,
    aliased: Iterable[RegistryService],
) -> NamespaceOption:
    """Prove one Sidecar for as many workloads of a namespace as it leaves every call as it is.

    `unproved` names what it would apply to as well, of which nothing is proved.
    """
    decided = tuple(sorted(member.id for member in members))
    obstacle = _obstacle(namespace, unproved)
    sharing = [member for member in members if _may_share(member)]
    if not obstacle and len(sharing) < _LEAST_MEMBERS:
        obstacle = "fewer than two workloads could share it"
    if not obstacle and _differ(sharing):
        obstacle = "its workloads keep different settings of existing Sidecars"
    if not obstacle and "ingress" in sharing[0].recommendation.other_spec:
        obstacle = "ingress listeners of its workloads' Sidecars would be those of new ones too"
    if not obstacle and not any(member.hosts for member in sharing):
        obstacle = "a new workload would have nothing in scope: none of these calls anybody"
    if obstacle:
        return NamespaceOption(namespace.name, decided, None, obstacle)
    sharing, hosts = _proved_together(sharing, prover, tuple(aliased))
    if len(sharing) < _LEAST_MEMBERS:
        obstacle = "no two workloads' calls would all stay with the hosts of both"
        return NamespaceOption(namespace.name, decided, None, obstacle)
    name = _name(namespace)
    if name is None:
        obstacle = f"the names {', '.join(_NAMES)} are taken"
        return NamespaceOption(namespace.name, decided, None, obstacle)
    sidecar = _sidecar(namespace, name, sharing, hosts, prover)
    return NamespaceOption(namespace.name, decided, sidecar)


def choose_namespaces(
    recommendations: Recommendations, namespaces: Container[str]
) -> Recommendations:
    """Let one Sidecar stand for many in some namespaces, as far as that is an option there.

    It is none where a workload has lost its recommendation since.
    """
    recommended = {each.workload: each for each in recommendations.recommended}
    chosen = [
        option.sidecar
        for option in recommendations.options
        if option.sidecar is not None
        and option.namespace in namespaces
        and all(id_ in recommended for id_ in option.decided)
    ]
    for sidecar in chosen:
        for id_ in sidecar.workloads:
            recommended[id_] = _shared(recommended[id_], sidecar)
    return replace(
        recommendations,
        recommended=tuple(recommended[id_] for id_ in sorted(recommended)),
        namespace_sidecars=tuple(chosen),
    )


def _shared(recommendation: Recommendation, sidecar: NamespaceSidecar) -> Recommendation:
    """Return the recommendation for a workload that shares the namespace's Sidecar."""
    others = len(sidecar.workloads) - 1
    more = f"{others} other{'s' if others > 1 else ''}"
    detail = (
        f"{sidecar.namespace}/{sidecar.name} scopes it with {more}, and every new workload of the "
        "namespace"
    )
    notes = {*recommendation.notes, Note("namespace-wide", detail)}
    for earlier in sidecar.earlier.get(recommendation.workload, ()):
        notes.add(earlier_sidecar(earlier))
    return replace(
        recommendation,
        name=sidecar.name,
        selector={},
        hosts=sidecar.hosts,
        services_after=sidecar.services[recommendation.workload],
        origin=sidecar.origin,
        labels=sidecar.labels,
        annotations=sidecar.annotations,
        notes=tuple(sorted(notes)),
    )


def _obstacle(namespace: Namespace, unproved: Sequence[str]) -> str:
    """Say why no Sidecar may be made for the whole namespace, whatever its workloads call."""
    if namespace.is_root:
        return "the root namespace's would be that of the whole mesh"
    hand_made = [sidecar for sidecar in namespace.wide() if not is_own(sidecar)]
    if hand_made:
        return f"{namespace.name}/{hand_made[0].meta.name} is for the whole namespace already"
    if unproved:
        more = f" and {len(unproved) - _MOST_NAMES} more" if len(unproved) > _MOST_NAMES else ""
        names = ", ".join(unproved[:_MOST_NAMES])
        return f"nothing is proved for {names}{more}"
    return ""


def _may_share(member: Member) -> bool:
    """Tell whether a workload's Sidecar is one of this tool's own making, from end to end."""
    made = member.recommendation
    return made.origin != "adopted" and ADOPTED_ANNOTATION not in made.annotations


def _differ(members: Sequence[Member]) -> bool:
    first = members[0].recommendation.other_spec
    return any(member.recommendation.other_spec != first for member in members)


def _proved_together(
    members: list[Member], prover: Prover, aliased: tuple[RegistryService, ...]
) -> tuple[list[Member], list[HostNeed]]:
    """Take workloads away until the hosts of the others leave every call of these as it is."""
    while len(members) >= _LEAST_MEMBERS:
        hosts = [need for member in members for need in member.hosts]
        fewer = without_covered(hosts, aliased)
        staying: list[Member] = []
        for tried in (fewer, hosts):
            staying = [member for member in members if _stays(prover, member, tried)]
            if len(staying) == len(members):
                return members, tried
        members = staying
    return members, []


def _stays(prover: Prover, member: Member, hosts: list[HostNeed]) -> bool:
    return not any(prover.changed(view, needs, hosts) for view, needs in member.proved)


def _name(namespace: Namespace) -> str | None:
    """Name the Sidecar: as the one it replaces, else `default`."""
    own = (sidecar.meta.name for sidecar in namespace.wide() if is_own(sidecar))
    free = (
        name
        for name in (*own, *_NAMES)
        if name not in namespace.taken and not namespace.selects([name])
    )
    return next(free, None)


def _sidecar(
    namespace: Namespace,
    name: str,
    members: Sequence[Member],
    hosts: list[HostNeed],
    prover: Prover,
) -> NamespaceSidecar:
    before = next((s for s in namespace.wide() if s.meta.name == name), None)
    names = {need.host for need in hosts}
    return NamespaceSidecar(
        namespace.name,
        name,
        _hosts(members, hosts),
        tuple(sorted(member.id for member in members)),
        {m.id: prover.views.with_hosts(m.proved[0][0], names).service_count for m in members},
        merge_evidence(
            m.recommendation.evidence for m in members if m.recommendation.evidence is not None
        ),
        sum(member.recommendation.calls for member in members),
        "own" if before else "new",
        members[0].recommendation.other_spec,
        before.meta.labels if before else {},
        before.meta.annotations if before else {},
        tuple(
            sorted(
                Note(note.name, f"{member.id.name}, {note.detail}")
                for member in members
                for note in member.recommendation.notes
            )
        ),
        {member.id: earlier for member in members if (earlier := _earlier(member))},
    )


def _earlier(member: Member) -> tuple[str, ...]:
    """List the Sidecars in the mesh that choose a workload by label; they are all of this tool."""
    applied = (view.sidecar for view, _ in member.proved)
    chosen = {s.meta.name for s in applied if s is not None and s.workload_selector is not None}
    return tuple(f"{member.id.namespace}/{name}" for name in sorted(chosen))


def _hosts(members: Sequence[Member], hosts: list[HostNeed]) -> tuple[RecommendedHost, ...]:
    """Put the hosts together, each with the workloads that ask for it."""
    asking: dict[str, set[str]] = defaultdict(set)
    for member in members:
        for need in member.hosts:
            asking[need.host].add(member.id.name)
    return tuple(
        replace(entry, workloads=tuple(sorted(asking.get(entry.host, ()))))
        for entry in recommended_hosts(hosts)
    )
