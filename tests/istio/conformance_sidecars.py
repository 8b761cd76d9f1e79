"""What the recommended Sidecars do in istiod to the calls they were recommended for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from recommender.istio.call import VIRTUAL_OUTBOUND, looks_for_http, resolve_call
from recommender.istio.proxy import outbound_traffic_policy
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.registry import ServiceKey
from recommender.istio.sidecar_scope import (
    ScopeRules,
    select_sidecar,
    sidecar_scope,
)
from recommender.mesh import EgressListener, Mesh
from recommender.recommendation import Recommendation, Recommendations
from recommender.settings import Settings
from recommender.sidecars import render_sidecar
from tests.istio.conformance_case import RUNS, Case, ask_istiod
from tests.istio.conformance_compare import (
    config_of,
    is_left_to_chance,
    outbound_call,
    proxy_of,
    resolve_flow,
)
from tests.istio.judge import JudgedCall
from tests.istio.verdicts import PASSTHROUGH, EnvoyCluster, Resolution, Verdict
from tests.mesh.helpers import Object
from tests.recommendation.helpers import NOON, Flow, decide_for, received

GUARDS = frozenset(
    {
        "own service",
        "provider",
        "egress proxy",
        "peer authentication",
        "pinned",
        "possible",
        "looked up",
        "nothing called",
    }
)
"""The reasons to keep a host that no observed call asks for."""


@dataclass(frozen=True, slots=True)
class Scoped:
    """Hold a case, what was recommended for it, and the case with that applied.

    `logged` are its calls as the access logs tell them: a rewrite replaces the authority.
    """

    case: Case
    logged: tuple[JudgedCall, ...]
    rules: ScopeRules
    answer: Recommendations
    sidecars: tuple[Object, ...]
    after: Case

    def of(self, call: JudgedCall) -> Recommendation | None:
        """Return the recommendation for a call's workload."""
        return self.of_pod(call.namespace, call.pod)

    def of_pod(self, namespace: str, pod: str) -> Recommendation | None:
        """Return the recommendation for a pod's workload.

        Pods bear its name, with one part more in a mesh of several Kubernetes clusters.
        """
        workload = pod.rpartition("-")[0] if self.case.home else pod
        for found in self.answer.recommended:
            if (found.workload.namespace, found.workload.name) == (namespace, workload):
                return found
        return None

    def is_left_to_chance(self, call: JudgedCall) -> bool:
        """Tell whether istiod itself, today, keeps one of several objects for a call's workload."""
        found = self.of(call)
        if is_left_to_chance(self.rules, call):
            return True
        return found is not None and any(note.name == "left to chance" for note in found.notes)


def recommend_for(case: Case, mesh: Mesh, rules: ScopeRules, before: Sequence[Verdict]) -> Scoped:
    """Recommend from what the access logs of a case would say, and apply it.

    `mesh` has what istiod does not see, too: pods of a namespace that is hidden in one cluster.
    """
    answer = decide_for(mesh, flows_of_case(case, rules, before), adopt=True)
    logged = tuple(_logged(case, rules, before))
    sidecars = tuple(yaml.safe_load(render_sidecar(r, Settings())) for r in answer.recommended)
    return Scoped(case, logged, rules, answer, sidecars, with_sidecars(case, sidecars))


def with_sidecars(case: Case, sidecars: Iterable[Object]) -> Case:
    """Apply Sidecars as kubectl would: one that is there keeps its age, a new one is youngest."""
    objects = tuple(_applied(case.objects, sidecars))
    return replace(case, name=f"{case.name} with Sidecars", objects=objects)


def changed_calls(
    scoped: Scoped, before: Sequence[Verdict], after: Sequence[Verdict]
) -> list[tuple[str, str]]:
    """List each observed call that goes elsewhere: whether it was captured, and what happened.

    The fake server may answer while endpoints still arrive, so that two runs of one mesh differ:
    what seems changed is asked again.
    """
    found = list(_changed(scoped, [before], [after]))
    if not found:
        return []
    again = ask_istiod([scoped.case] * RUNS + [scoped.after] * RUNS)
    return list(_changed(scoped, [before, *again[:RUNS]], [after, *again[RUNS:]]))


def _changed(
    scoped: Scoped, before: Sequence[Sequence[Verdict]], after: Sequence[Sequence[Verdict]]
) -> Iterator[tuple[str, str]]:
    """Yield the calls for which no answer from before is among those from after.

    So are proxies yielded that no longer take calls as they did.
    """
    for place, (proxy, calls) in enumerate(scoped.case.callers):
        taken, now_taken = ({run[place].inbound for run in runs} for runs in (before, after))
        if not taken & now_taken:
            yield "changed", f"{scoped.case.name}, what {proxy.namespace}/{proxy.name} receives"
        for number, call in enumerate(calls):
            unsure = unsure_clusters(scoped.rules, call)
            was = [run[place].calls[number] for run in before]
            is_now = [run[place].calls[number] for run in after]
            then = {outcome(each, unsure) for each in was}
            if then & {outcome(each, unsure) for each in is_now}:
                continue
            if scoped.is_left_to_chance(call):
                continue
            kind = "captured" if (PASSTHROUGH,) in then else "changed"
            found = scoped.of(call)
            hosts = [entry.host for entry in found.hosts] if found else "no Sidecar"
            yield kind, f"{scoped.case.name}, {call}\n    {was[0]}\n    {is_now[0]}\n    {hosts}"


def overlapping(scoped: Scoped, after: Sequence[Verdict]) -> Iterator[str]:
    """Yield each pod that is not given the one Sidecar that was recommended for it."""
    for (proxy, calls), verdict in zip(scoped.case.callers, after, strict=True):
        selecting = [
            f"{proxy.namespace}/{r.name}"
            for r in scoped.answer.recommended
            if r.workload.namespace == proxy.namespace
            and r.selector.items() <= dict(proxy.labels).items()
        ]
        own = scoped.of_pod(proxy.namespace, proxy.name)
        expected = [f"{proxy.namespace}/{own.name}"] if own else []
        if selecting != expected or (expected and [verdict.sidecar] != expected):
            where = f"{scoped.case.name}, {proxy.namespace}/{proxy.name}, {len(calls)} calls"
            yield f"{where}: {selecting} select it, {verdict.sidecar} applies, {expected} meant"


def redundant_hosts(scoped: Scoped) -> Iterator[tuple[Recommendation, str, str]]:
    """Yield each host without which, by the model, every observed call would go on as it does.

    Not meant are hosts that a guard keeps, and those of which a note says that others bring the
    same along: a call alone needs them, and more log never removes a host.
    """
    for found in scoped.answer.recommended:
        both = (*scoped.case.calls(), *scoped.logged)
        calls = [call for call in both if scoped.of(call) is found]
        calls += [other for call in calls for other in _elsewhere(scoped, call)]
        if any(map(scoped.is_left_to_chance, calls)):
            continue
        hosts = [entry.host for entry in found.hosts]
        named = [note for note in found.notes if note.name == "also by itself"]
        for entry in found.hosts:
            kinds = {reason.kind for reason in entry.reasons}
            if kinds & GUARDS or any(note.detail.startswith(f"{entry.host} ") for note in named):
                continue
            others = [host for host in hosts if host != entry.host]
            if all(_stays(scoped.rules, call, others) for call in calls):
                yield found, entry.host, ", ".join(sorted(kinds))


def _elsewhere(scoped: Scoped, call: JudgedCall) -> Iterator[JudgedCall]:
    """Yield a call as the pods of other Kubernetes clusters would make it."""
    service = scoped.rules.registry.virtual_ips.get((call.kubernetes_cluster, call.address))
    for name in scoped.rules.mesh.kubernetes_clusters:
        if name != call.kubernetes_cluster:
            known = service.addresses_in.get(name, service.addresses) if service else ()
            address = known[0] if known else call.address
            yield replace(call, kubernetes_cluster=name, address=address)


def _stays(rules: ScopeRules, call: JudgedCall, hosts: Sequence[str]) -> bool:
    """Tell whether a call goes where it went, with some hosts, and not by chance.

    What no listener looked into is no HTTP to the log: no listener may come to look.
    """
    proxy = proxy_of(call)
    sidecar = select_sidecar(rules, proxy.namespace, proxy.labels)
    mode, _ = outbound_traffic_policy(rules.mesh.config, sidecar)
    listener = EgressListener(hosts=tuple(hosts) or ("~/*",))
    scope = sidecar_scope(rules, call.namespace, (listener,))
    config, outbound = ProxyConfig(rules, scope, proxy, mode), outbound_call(call)
    is_opaque = not (outbound.server_name or looks_for_http(config_of(rules, call), outbound))
    if is_opaque and looks_for_http(config, outbound):
        return False
    found = resolve_call(config, outbound)
    services: set[ServiceKey | None] = {service for _, service in found.clusters}
    chance = (services | {found.service}) & scope.by_chance
    return found.same_outcome(resolve_flow(rules, call)) and not chance


def _applied(objects: Iterable[Object], sidecars: Iterable[Object]) -> Iterator[Object]:
    new = {_place(sidecar): sidecar for sidecar in sidecars}
    for each in objects:
        metadata: Any = each["metadata"]
        updated = new.pop(_place(each), None) if each["kind"] == "Sidecar" else None
        yield _aged(updated, metadata["creationTimestamp"]) if updated else each
    for sidecar in new.values():
        yield _aged(sidecar, "2026-01-02T00:00:00Z")


def _aged(sidecar: Object, created: str) -> Object:
    metadata: Any = sidecar["metadata"]
    return {**sidecar, "metadata": {**metadata, "creationTimestamp": created}}


def _place(each: Object) -> tuple[str, str]:
    metadata: Any = each["metadata"]
    return metadata["namespace"], metadata["name"]


def unsure_clusters(rules: ScopeRules, call: JudgedCall) -> frozenset[str]:
    """Name the clusters of hosts with several objects in one namespace.

    Their endpoints come from Kubernetes and from ServiceEntries, and the fake server does not
    wait for both: two runs of one mesh may differ.
    """
    clusters = resolve_flow(rules, call).clusters
    objects = rules.registry.objects
    return frozenset(name for name, service in clusters if service and len(objects[service]) > 1)


def outcome(found: Resolution, unsure: frozenset[str]) -> tuple[object, ...]:
    """Return what must stay; a call that is refused may be so by a route or by a listener."""
    refused = [c.name for c in found.clusters] == ["BlackHoleCluster"]
    if refused or found.virtual_host == "block_all":
        return ("refused",)

    def sure(clusters: tuple[EnvoyCluster, ...]) -> tuple[EnvoyCluster, ...]:
        return tuple(replace(c, digest="") if c.name in unsure else c for c in clusters)

    return replace(found, clusters=sure(found.clusters), mirrors=sure(found.mirrors)).outcome


def flows_of_case(case: Case, rules: ScopeRules, before: Sequence[Verdict]) -> list[Flow]:
    """Write down calls as the access logs of their proxies would."""
    flows = []
    for (proxy, calls), verdict in zip(case.callers, before, strict=True):
        flows.append(received(f"{proxy.namespace}/{proxy.name}"))
        for call, found in zip(calls, verdict.calls, strict=True):
            flows.append(_flow(call, found, _rewritten(rules, call, found)))
    return flows


def _rewritten(rules: ScopeRules, call: JudgedCall, found: Resolution) -> str | None:
    """Return the authority that the matched route put in place of the caller's.

    Envoy does so once it has found the cluster. A route that rewrites has a name of its own in
    random meshes, perhaps followed by that of its match.
    """
    vs = resolve_flow(rules, call).virtual_service
    is_sent = any(cluster.exists for cluster in found.clusters[:1])
    for route in vs.routes if vs and is_sent else ():
        if route.authorities and found.route.partition(".")[0] == route.name:
            return route.authorities[0]
    return None


def _logged(case: Case, rules: ScopeRules, before: Sequence[Verdict]) -> Iterator[JudgedCall]:
    for (_, calls), verdict in zip(case.callers, before, strict=True):
        for call, found in zip(calls, verdict.calls, strict=True):
            yield replace(call, host=_rewritten(rules, call, found) or call.host)


def _flow(call: JudgedCall, found: Resolution, rewritten: str | None) -> Flow:
    cluster = found.clusters[0].name if found.clusters and found.clusters[0].exists else None
    http = call.protocol.startswith("http") and bool(found.route_config)
    flow: Flow = {
        "day": NOON.date(),
        "source_namespace": call.namespace,
        "source_pod": call.pod,
        "direction": "outbound" if cluster else "unrouted",
        "protocol": "http" if http else "tcp",
        "cluster": cluster,
        "authority": (rewritten or outbound_call(call).authority) if http else None,
        # The listener of what nobody else takes looks into nothing.
        "server_name": call.sni.lower() or None if found.listener != VIRTUAL_OUTBOUND else None,
        "destination_address": f"{call.address}:{call.port}",
        "requests": 1,
        "errors": 0,
        "first_seen": NOON,
        "last_seen": NOON,
    }
    if cluster and cluster.startswith("outbound|"):
        _, port, subset, host = cluster.split("|", 3)
        flow |= {
            "destination_host": host,
            "destination_port": int(port),
            "destination_subset": subset,
        }
    return flow
