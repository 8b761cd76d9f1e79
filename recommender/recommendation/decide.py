"""Graph and mesh -> one answer per workload: a Sidecar, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, groupby, product
from operator import attrgetter

from recommender.errors import UsageError
from recommender.istio.discovery import hidden_namespaces
from recommender.istio.extension_providers import MeshExtensions
from recommender.istio.registry import RegistryService
from recommender.istio.sidecar_scope import ScopeRules, build_scope_rules
from recommender.istio.telemetry import OutboundLogging
from recommender.istio.validation import egress_host_problem
from recommender.mesh import Labels, Mesh, MeshIndex, Workload, WorkloadId, index_mesh
from recommender.recommendation.entries import recommended_hosts
from recommender.recommendation.existing import (
    Plan,
    earlier_in_force,
    names_for,
    names_in_use,
    plan,
    shadowed,
)
from recommender.recommendation.guards import Guards, build_guards
from recommender.recommendation.host_needs import HostNeed
from recommender.recommendation.hosts import Proof, Prover
from recommender.recommendation.injection import virtual_machines
from recommender.recommendation.joint_proof import JointProof, NeedsByView
from recommender.recommendation.kubernetes_clusters import can_be_made, readings
from recommender.recommendation.left_out import (
    left_alone,
    of_another_dns_capture,
    of_another_revision,
    silent,
    unscoped,
)
from recommender.recommendation.model import (
    LeftOut,
    NamespaceOption,
    Note,
    Recommendation,
    Recommendations,
    earlier_sidecar,
)
from recommender.recommendation.namespace_wide import Member, Namespace, namespace_option
from recommender.recommendation.needs import CallNeeds, needs_of
from recommender.recommendation.pod_notes import notes_of_pods
from recommender.recommendation.received import needs_of_received, unexplained
from recommender.recommendation.selectors import Selection, select_pods
from recommender.recommendation.unproved import at_refused_listener, not_proved
from recommender.recommendation.views import (
    View,
    Views,
    build_view_rules,
    ipv6_only,
    is_own,
    proxy_labels,
)
from recommender.service_graph import (
    Call,
    Graph,
    Received,
    calls_of,
    has_logged,
    merge_evidence,
    received_from,
)
from recommender.settings import Settings


def recommend(
    graph: Graph, mesh: Mesh, settings: Settings | None = None, *, with_options: bool = False
) -> Recommendations:
    """Decide for every workload of a mesh.

    Each recommended Sidecar is proved: every call in the graph that the mesh explains goes where it
    goes today, by the rules of istiod (`recommender.istio`), for every kind of pod the workload
    has. What the mesh does not explain is noted, and kept in scope. With `with_options` it is also
    tried for each namespace whether one Sidecar may stand for those of its workloads.

    Raises:
        UsageError: A pinned host is one that istiod would refuse.
    """
    settings = settings or Settings()
    _check_pinned(settings)
    rules, index = build_scope_rules(mesh), index_mesh(mesh)
    decider_of = partial(
        _Decider,
        graph,
        index,
        rules,
        settings,
        build_guards(MeshExtensions(rules), index, settings),
        any(not edge["received"] for _, _, edge in graph.edges(data=True)),
    )
    view_rules, taken = build_view_rules(rules), names_in_use(mesh)
    hidden = hidden_namespaces(mesh)
    answers: list[Recommendation | LeftOut] = []
    options: list[NamespaceOption] = []
    for namespace, ids in groupby(sorted(index.workloads), key=attrgetter("namespace")):
        decider = decider_of(Views(view_rules, namespace), taken.get(namespace, set()))
        decider.members = [] if with_options else None
        found = [
            LeftOut(id_, "not discovered", "discoverySelectors hide its namespace from istiod")
            if namespace in hidden
            else decider.decide(index.workloads[id_])
            for id_ in ids
        ]
        written = {answer.name for answer in found if isinstance(answer, Recommendation)}
        answers += (decider.told_of_earlier(answer, written) for answer in found)
        if decider.members:
            silent_ones = [answer for answer in found if isinstance(answer, LeftOut)]
            options.append(decider.namespace_option(silent_ones))
    return Recommendations(
        tuple(a for a in answers if isinstance(a, Recommendation)),
        tuple(sorted(a for a in answers if isinstance(a, LeftOut))),
        graph.graph["unknown_pods"],
        graph.graph["blind_spots"],
        tuple(options),
    )


def _check_pinned(settings: Settings) -> None:
    for host in settings.pinned_hosts:
        problem = egress_host_problem(host)
        if host.startswith("~"):
            problem = f"{host} leaves hosts out, and keeps none"
        if problem:
            hint = "pinned hosts are namespace/host, as in a Sidecar's egress.hosts"
            raise UsageError(f"pinned_hosts: {problem[:100]}", where=host[:100], hint=hint)


@dataclass(slots=True)
class _Decider:
    """Decide for the workloads of one namespace; `taken` are the names of its Sidecars so far.

    `members` collects what was proved for each, None if that is not asked for. What is worked out
    for one workload and counts for others is forgotten with the namespace.
    """

    graph: Graph
    index: MeshIndex
    rules: ScopeRules
    settings: Settings
    guards: Guards
    any_calls: bool
    views: Views
    taken: set[str]
    members: list[Member] | None = None
    prover: Prover = field(init=False)
    aliased: list[RegistryService] = field(init=False)

    def __post_init__(self) -> None:
        self.prover = Prover(self.views, self.rules.registry)
        self.aliased = [each for each in self.rules.registry.services if each.aliases]

    def decide(self, workload: Workload) -> Recommendation | LeftOut:
        """Recommend a Sidecar for a workload, or say why not."""
        answer = self._decided(workload)
        if isinstance(answer, LeftOut):
            keeps = answer.reason in _WITHOUT_EVIDENCE
            return replace(
                answer,
                keeps=self._names_in_force(workload.id) if keeps else (),
                received=self._only_received(workload.id),
            )
        return answer

    def told_of_earlier(
        self, answer: Recommendation | LeftOut, written: set[str]
    ) -> Recommendation | LeftOut:
        """Note the Sidecars of earlier runs that stay in force before one recommended now."""
        if isinstance(answer, LeftOut):
            return answer
        found = earlier_in_force(self.rules, answer, self._labels(answer.workload), written)
        notes = {earlier_sidecar(f"{answer.namespace}/{sidecar.meta.name}") for sidecar in found}
        return replace(answer, notes=tuple(sorted({*answer.notes, *notes})))

    def namespace_option(self, left_out: list[LeftOut]) -> NamespaceOption:
        """Try one Sidecar for the workloads of the namespace, of which some are left out."""
        namespace = self.views.namespace
        unproved = [
            str(each.workload)
            for each in left_out
            if each.reason not in _UNAFFECTED and not self._is_selected(each.workload)
        ]
        unproved += (
            f"the unknown pod {pod.namespace}/{pod.name}"
            for pod in self.graph.graph["unknown_pods"]
            if pod.namespace == namespace
        )
        unproved += virtual_machines(self.index.mesh, namespace)
        return namespace_option(
            self.members or [],
            unproved,
            Namespace(
                namespace,
                self.rules.mesh.sidecars,
                namespace == self.rules.root_namespace,
                self.taken,
            ),
            self.prover,
            self.aliased,
        )

    def _is_selected(self, id_: WorkloadId) -> bool:
        """Tell whether a Sidecar made by somebody else applies to every pod of a workload.

        One of this tool's own may be gone where only the files of this run are applied.
        """
        each = (labels for _, labels in proxy_labels(self.index, id_))
        found = [self.rules.sidecars.selected(id_.namespace, labels) for labels in each]
        return bool(found) and all(
            s is not None and s.workload_selector and not is_own(s) for s in found
        )

    def _only_received(self, id_: WorkloadId) -> tuple[Received, ...]:
        """List what others received from a workload that logged no call."""
        if calls_of(self.graph, id_):
            return ()
        labels = [labels for _, labels in proxy_labels(self.index, id_)]
        by_proxies = self.guards.called_by_proxies(id_.namespace, labels)
        return tuple(unexplained(received_from(self.graph, id_), (), by_proxies))

    def _names_in_force(self, id_: WorkloadId) -> tuple[str, ...]:
        """List the names that a Sidecar of this tool for a workload bears, or may bear."""
        each = proxy_labels(self.index, id_)
        selected = (self.rules.sidecars.selected(id_.namespace, labels) for _, labels in each)
        own = {s.meta.name for s in selected if s is not None and is_own(s)}
        return tuple(sorted(own.union(names_for(id_))))

    def _decided(self, workload: Workload) -> Recommendation | LeftOut:
        id_ = workload.id
        pods = self.index.pods_by_workload.get(id_, ())
        logged, received = has_logged(self.graph, id_), self._only_received(id_)
        reason = unscoped(id_, pods, self.index, logged=logged)
        if reason is not None:
            return reason
        if not logged:
            return silent(id_, pods, received)
        reason = of_another_revision(id_, pods, self.index.mesh)
        reason = reason or of_another_dns_capture(id_, pods, self.index)
        if reason is not None:
            return reason
        proxies = proxy_labels(self.index, id_)
        reason = self._unlogged(id_, [labels for _, labels in proxies])
        if reason is not None:
            return reason
        views = self.views.of_pods(proxies, ipv6_only(pods))
        planned = plan(self.index, id_, views, self.taken, adopt=self.settings.adopt)
        if planned.hand_made is not None:
            return left_alone(id_, planned)
        selection = select_pods(self.index, id_)
        if selection.problem:
            return LeftOut(id_, "no selector of its own", selection.problem)
        if received:
            return silent(id_, pods, received, "no call")
        answer = self._recommend(id_, views, planned, selection)
        if isinstance(answer, Recommendation):
            self.taken.add(planned.name)
        return answer

    def _unlogged(self, id_: WorkloadId, labels: list[Labels]) -> LeftOut | None:
        """Refuse logs or a dump that by the mesh's own configuration cannot tell everything."""
        each = [self.guards.extensions.of(id_.namespace, one) for one in labels]
        found = {extensions.logging for extensions in each}
        if OutboundLogging.NONE in found:
            return LeftOut(id_, "calls not logged", "Telemetry switches its client logs off")
        if OutboundLogging.FILTERED in found and not self.settings.accept_filtered_logs:
            detail = "Telemetry filters its logs; the setting accept_filtered_logs takes them whole"
            return LeftOut(id_, "logs filtered", detail)
        unknown = {provider for extensions in each for provider in extensions.gaps.unknown}
        if unknown:
            detail = f"no MeshConfig in the dump defines the {', '.join(sorted(unknown))}"
            return LeftOut(id_, "provider unknown", detail)
        return None

    def _recommend(
        self, id_: WorkloadId, views: list[View], planned: Plan, selection: Selection
    ) -> Recommendation | LeftOut:
        """Choose hosts that leave every call as it is for every kind of pod."""
        calls = calls_of(self.graph, id_)
        read = [reading for call in calls for reading in self._read(call, views)]
        by_view = [(view, self._needs(read, view)) for view in views]
        refused = at_refused_listener(id_, chain.from_iterable(needs for _, needs in by_view))
        if refused is not None:
            return refused
        together = JointProof(self.prover, by_view, self.aliased)
        found = self._view_by_view(id_, by_view)
        hosts, unproved = together.of(found)
        if unproved:
            return not_proved(id_, unproved)
        notes = [
            *selection.notes,
            *self._shadowed(id_, views),
            *found.notes,
            *together.brought_along(hosts),
        ]
        answer = self._answer(id_, views[0], planned, selection, hosts, notes, together.count())
        if self.members is not None:
            self.members.append(Member(answer, tuple(hosts), tuple(by_view)))
        return answer

    def _view_by_view(self, id_: WorkloadId, by_view: NeedsByView) -> Proof:
        """Prove the calls of each view by itself, beside what guards keep."""
        labels = self._labels(id_)
        received = received_from(self.graph, id_)
        by_proxies = self.guards.called_by_proxies(id_.namespace, labels)
        unlogged = unexplained(received, by_view, by_proxies)
        hosts: list[HostNeed] = []
        unproved: list[CallNeeds] = []
        notes: list[Note] = []
        for view, needs in by_view:
            kept, doubts = self.guards.of(id_, labels, view)
            more, unseen = needs_of_received(unlogged, view)
            kept += self.guards.policies.needs(view, needs, [*kept, *more])
            proof = self.prover.prove(view, needs, [*kept, *more])
            hosts += proof.hosts
            unproved += proof.unproved
            seen = (note for need in needs for note in need.notes)
            notes += [*doubts, *unseen, *proof.notes, *seen]
        return Proof(tuple(hosts), tuple(unproved), tuple(notes))

    def _answer(
        self,
        id_: WorkloadId,
        view: View,
        planned: Plan,
        selection: Selection,
        hosts: list[HostNeed],
        notes: list[Note],
        calls: int,
    ) -> Recommendation:
        pods = self.index.pods_by_workload.get(id_, ())
        live = [p for p in pods if p.proxy == "sidecar" and not p.has_ended]
        logged = set(self.graph.nodes[id_]["pods"])
        notes += notes_of_pods(pods, live, logged)
        if not self.any_calls:
            detail = "no proxy in these logs logged a call: is the client side logged?"
            notes.append(Note("calls unseen", detail))
        scoped = self.views.with_hosts(view, {need.host for need in hosts})
        return Recommendation(
            workload=id_,
            name=planned.name,
            selector=selection.labels,
            hosts=recommended_hosts(hosts),
            evidence=merge_evidence(call.evidence for call in calls_of(self.graph, id_)),
            calls=calls,
            services_before=view.today.service_count,
            services_after=scoped.service_count,
            pods=len(live) or len(logged),
            pods_logged=sum(pod.meta.name in logged for pod in live) if live else len(logged),
            origin=planned.origin,
            other_spec=planned.keeps.other_spec if planned.keeps else {},
            labels=planned.labels,
            annotations=planned.annotations,
            notes=tuple(sorted(set(notes))),
        )

    def _labels(self, id_: WorkloadId) -> list[Labels]:
        return [labels for _, labels in proxy_labels(self.index, id_)]

    def _shadowed(self, id_: WorkloadId, views: list[View]) -> Iterator[Note]:
        """Name the Sidecars that select the workload too and come to nothing."""
        each = (self.rules.sidecars.selecting(id_.namespace, one) for one in self._labels(id_))
        for sidecar in shadowed(chain.from_iterable(each), views):
            name = f"{sidecar.meta.namespace}/{sidecar.meta.name}"
            detail = f"{name} selects it too; istiod ignores it while an older one does"
            yield Note("shadowed Sidecar", detail)

    def _needs(self, calls: Iterable[Call], view: View) -> list[CallNeeds]:
        """Work out what those calls need in a view that can be made there."""
        return [
            needs_of(call, view, self.rules)
            for call in calls
            if can_be_made(call, view.proxy, self.rules.registry)
        ]

    def _read(self, call: Call, views: list[View]) -> list[Call]:
        """List a call as made in each Kubernetes cluster where that explains where it went."""
        clusters = [view.proxy.kubernetes_cluster for view in views]
        found = readings(call, self.rules.registry, clusters)
        if len(found) == 1:
            return found
        explained = [
            reading
            for reading, view in product(found, views)
            if reading.kubernetes_cluster == view.proxy.kubernetes_cluster
            and needs_of(reading, view, self.rules).is_proved
        ]
        return list(dict.fromkeys(explained)) or found[:1]


_WITHOUT_EVIDENCE = (
    "logged nothing",
    "calls only received",
    "calls not logged",
    "logs filtered",
    "provider unknown",
)
_UNAFFECTED = ("no proxy", "gateway", "waypoint", "ztunnel")
"""Why a workload is left out to whose proxies, if it has any, no Sidecar applies."""
