"""What the recommended discoverySelectors do in istiod to the calls that were logged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import yaml

from recommender.discovery import DiscoveryAnswer, recommend_discovery_selectors
from recommender.discovery.proof import is_unchanged
from recommender.istio.sidecar_scope import ScopeRules, build_scope_rules
from recommender.mesh import Mesh
from recommender.service_graph import build_service_graph
from tests.istio.conformance_case import RUNS, Case, ask_istiod, random_case, settled
from tests.istio.conformance_compare import config_of, is_left_to_chance, outbound_call
from tests.istio.conformance_sidecars import flows_of_case, outcome, unsure_clusters
from tests.istio.hidden_namespaces import hiding, with_selectors
from tests.istio.random_clusters import spread_case
from tests.istio.random_draw import HOMES, ROOT_NAMESPACE
from tests.istio.verdicts import Verdict
from tests.mesh.helpers import Object
from tests.recommendation.helpers import flows_of

MOST_CALLS = 2
_NAMING = ("Sidecar", "VirtualService", "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute")


@dataclass(slots=True)
class Hidden:
    """Collect what was hidden in random meshes, and the calls that this changed in istiod."""

    counted: Counter[str] = field(default_factory=Counter)
    changed: list[str] = field(default_factory=list)


def quiet_case(seed: int) -> Case:
    """Make a mesh in which proxies of one or two namespaces make few calls.

    Others have none, so that nothing may need them. In half of the meshes nothing in the busy
    namespaces but calls can need them either. Every fifth has two Kubernetes clusters, and in every
    third istiod ignores the selectors in force, since it cannot use one of them.
    """
    random = Random(f"{seed} quiet")  # noqa: S311 - nothing here is secret
    case = spread_case(seed) if seed % 5 == 0 else random_case(seed)
    busy = random.sample(HOMES, random.randint(1, 2))
    callers = tuple(
        (proxy, tuple(random.sample(calls, min(MOST_CALLS, len(calls)))))
        for proxy, calls in case.callers
        if proxy.namespace in busy
    )
    is_plain = random.random() < 0.5

    def quiet(objects: Iterable[Object]) -> tuple[Object, ...]:
        return tuple(
            _asking_for_proxies(each, busy)
            if seed % 3
            else _spoilt(_asking_for_proxies(each, busy))
            for each in objects
            if not _has_proxy(each, busy)
            and not (is_plain and _names_others(each, (*busy, ROOT_NAMESPACE)))
        )

    return replace(
        case,
        name=f"{case.name}, quiet",
        objects=quiet(case.objects),
        remotes=tuple((name, quiet(objects)) for name, objects in case.remotes),
        callers=callers,
    )


def _asking_for_proxies(each: Object, busy: Sequence[str]) -> Object:
    """Label namespaces with proxies: without, proxies might be to come in every other one too."""
    metadata: Any = each["metadata"]
    if each["kind"] != "Namespace" or metadata["name"] not in busy:
        return each
    labels = {**metadata.get("labels", {}), "istio-injection": "enabled"}
    return {**each, "metadata": {**metadata, "labels": labels}}


def _spoilt(each: Object) -> Object:
    """Add a selector to a MeshConfig that istiod cannot use."""
    if each["kind"] != "ConfigMap":
        return each
    config = yaml.safe_load(each["data"]["mesh"])
    wrong = {"matchExpressions": [{"key": "discover", "operator": "In"}]}
    selectors = [*config.get("discoverySelectors", ()), wrong]
    return {**each, "data": {"mesh": json.dumps({**config, "discoverySelectors": selectors})}}


def _has_proxy(each: Object, busy: Sequence[str]) -> bool:
    metadata: Any = each["metadata"]
    spec: Any = each.get("spec", {})
    containers = spec.get("containers", ()) if each["kind"] == "Pod" else ()
    return metadata["namespace"] not in busy and any(c["name"] == "istio-proxy" for c in containers)


def _names_others(each: Object, busy: Sequence[str]) -> bool:
    metadata: Any = each["metadata"]
    spec: Any = each.get("spec", {})
    is_alias = each["kind"] == "Service" and "externalName" in spec
    return metadata["namespace"] in busy and (is_alias or each["kind"] in _NAMING)


def hide_idle(seeds: Sequence[int]) -> Hidden:
    """Hide what is idle in the quiet meshes of some seeds, and ask istiod before and after."""
    cases = [case for case in map(quiet_case, seeds) if case.callers]
    meshes = [case.mesh() for case in cases]
    rules = list(map(build_scope_rules, meshes))
    before = [
        settled(case, known, first)
        for case, known, first in zip(cases, rules, ask_istiod(cases), strict=True)
    ]
    answers = list(map(_answer, cases, meshes, rules, before))
    after = list(map(with_selectors, cases, answers))
    found = Hidden()
    found.counted["meshes"] = len(cases)
    again = ask_istiod(after)
    for case, known, answer, was, hidden, is_now in zip(
        cases, rules, answers, before, after, again, strict=True
    ):
        found.counted["idle namespaces"] += len(answer.idle)
        found.counted["calls"] += len(case.calls())
        for namespace in answer.kept:
            found.counted.update(f"kept, {need.kind}" for need in namespace.needs)
        found.counted[answer.selectors.by] += 1
        found.counted["ignored selectors"] += answer.selectors.ignored is not None
        found.changed += _changed(case, hidden, known, was, is_now)
    return found


def hide_anything(seeds: Sequence[int]) -> Hidden:
    """Hide every namespace without a proxy, and compare istiod with the proof of each call.

    What the proof takes for unchanged must be so in istiod.
    """
    cases = [case for case in map(quiet_case, seeds) if case.callers]
    rules = [build_scope_rules(case.mesh()) for case in cases]
    before = [
        settled(case, known, first)
        for case, known, first in zip(cases, rules, ask_istiod(cases), strict=True)
    ]
    after = list(map(_hiding_all, cases))
    found = Hidden()
    found.counted["meshes"] = len(cases)
    for case, known, was, hidden, is_now in zip(
        cases, rules, before, after, ask_istiod(after), strict=True
    ):
        then = build_scope_rules(hidden.mesh())
        changed = _changed(case, hidden, known, was, is_now)
        for call in case.calls():
            proved = is_unchanged(
                outbound_call(call), config_of(known, call), config_of(then, call)
            )
            told = [each for each in changed if str(call) in each]
            found.counted[_VERDICTS[proved, not told]] += 1
            found.changed += told if proved else []
    return found


_VERDICTS = {
    (True, True): "calls that stay",
    (True, False): "calls that change, against the proof",
    (False, True): "calls that stay, without proof",
    (False, False): "calls that change",
}


def _hiding_all(case: Case) -> Case:
    """Hide every namespace that no caller is in, but the root."""
    return hiding(case, set(HOMES) - {proxy.namespace for proxy, _ in case.callers})


def _answer(
    case: Case, mesh: Mesh, rules: ScopeRules, before: Sequence[Verdict]
) -> DiscoveryAnswer:
    flows = flows_of(flows_of_case(case, rules, before))
    return recommend_discovery_selectors(build_service_graph(flows, mesh), mesh)


def _changed(
    case: Case,
    hidden: Case,
    rules: ScopeRules,
    before: Sequence[Verdict],
    after: Sequence[Verdict],
) -> list[str]:
    """List the calls that go elsewhere; what seems to is asked again, as `changed_calls` does."""
    found = list(_different(case, rules, [before], [after]))
    if not found:
        return []
    again = ask_istiod([case] * RUNS + [hidden] * RUNS)
    return list(_different(case, rules, [before, *again[:RUNS]], [after, *again[RUNS:]]))


def _different(
    case: Case,
    rules: ScopeRules,
    before: Sequence[Sequence[Verdict]],
    after: Sequence[Sequence[Verdict]],
) -> Iterator[str]:
    for place, (_, calls) in enumerate(case.callers):
        for number, call in enumerate(calls):
            unsure = unsure_clusters(rules, call)
            was = [run[place].calls[number] for run in before]
            is_now = [run[place].calls[number] for run in after]
            if {outcome(each, unsure) for each in was} & {outcome(each, unsure) for each in is_now}:
                continue
            if not is_left_to_chance(rules, call):
                yield f"{case.name}, {call}\n    {was[0]}\n    {is_now[0]}"
