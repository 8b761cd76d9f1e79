"""One Sidecar for a whole namespace changes no call in istiod, and applies to whom it is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest
import yaml

from recommender.istio.sidecar_scope import build_scope_rules
from recommender.recommendation import Recommendations, choose_namespaces
from recommender.settings import Settings
from recommender.sidecars import render_namespace_sidecar, render_sidecar
from tests.istio.conformance_case import Case, ask_istiod, settled, with_calls
from tests.istio.conformance_sidecars import (
    Scoped,
    changed_calls,
    flows_of_case,
    with_sidecars,
)
from tests.istio.judge import require_go, validations
from tests.istio.random_meshes import proxies, random_mesh
from tests.istio.verdicts import Verdict
from tests.mesh.helpers import Object
from tests.recommendation.helpers import decide_for

SEEDS = range(50_000, 50_016)
CALLS = 120
"""How often all proxies of a mesh call together: few calls would ask for few hosts."""


@dataclass(slots=True)
class Found:
    """Count what was tried, and list what is wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    changed: list[tuple[str, str]] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    sidecars: list[Object] = field(default_factory=list)


def case_of(seed: int) -> Case:
    """Make a mesh in which every proxy calls: one that logged nothing leaves no option."""
    objects = tuple(map(_without_silent_proxy, random_mesh(seed)))
    objects = tuple(_without_wide(objects)) if seed % 4 else objects
    callers = tuple((proxy, ()) for proxy in proxies())
    return with_calls(Case(f"seed {seed}", objects, callers), seed, CALLS)


def _without_silent_proxy(found: Object) -> Object:
    """Take the proxy away from a pod that does not call."""
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    if found["kind"] != "Pod" or str(metadata["name"]).startswith("app-"):
        return found
    return {**found, "spec": {"containers": [{"name": "app"}]}}


def _without_wide(objects: Iterable[Object]) -> Iterator[Object]:
    """Leave out the Sidecars for whole namespaces, which leave no option."""
    for each in objects:
        spec = each.get("spec", {})
        assert isinstance(spec, dict)
        if each["kind"] != "Sidecar" or "workloadSelector" in spec:
            yield each


def manifests(answer: Recommendations) -> list[Object]:
    """Write all Sidecars, those of namespaces once."""
    settings = Settings()
    texts = [render_sidecar(each, settings) for each in answer.recommended if each.selector]
    texts += [render_namespace_sidecar(each, settings) for each in answer.namespace_sidecars]
    return [yaml.safe_load(text) for text in texts]


@pytest.fixture(scope="module")
def found() -> Found:
    """Let every namespace of random meshes that can have one Sidecar, and ask istiod."""
    require_go()
    result = Found()
    cases = [case_of(seed) for seed in SEEDS]
    meshes = [case.mesh() for case in cases]
    rules = list(map(build_scope_rules, meshes))
    befores = [
        settled(case, known, first)
        for case, known, first in zip(cases, rules, ask_istiod(cases), strict=True)
    ]
    scoped = []
    for case, mesh, known, before in zip(cases, meshes, rules, befores, strict=True):
        answer = decide_for(mesh, flows_of_case(case, known, before), with_options=True, adopt=True)
        wide = {option.namespace for option in answer.options if option.sidecar}
        answer = choose_namespaces(answer, wide)
        sidecars = tuple(manifests(answer))
        after = with_sidecars(case, sidecars)
        scoped.append(Scoped(case, (), known, answer, sidecars, after))
        result.sidecars += sidecars
        result.counts["namespaces with options"] += len(answer.options)
        result.counts["namespace Sidecars"] += len(answer.namespace_sidecars)
        result.counts["workloads"] += sum(len(s.workloads) for s in answer.namespace_sidecars)
        for option in answer.options:
            result.counts[option.obstacle.partition(" for ")[0]] += 1
    afters = ask_istiod([each.after for each in scoped])
    for each, before, verdicts in zip(scoped, befores, afters, strict=True):
        result.changed += changed_calls(each, before, verdicts)
        result.elsewhere += misplaced(each, verdicts)
    return result


def misplaced(scoped: Scoped, after: list[Verdict]) -> Iterator[str]:
    """Yield each workload of a namespace's Sidecar to which istiod applies another one."""
    meant = {
        id_: f"{sidecar.namespace}/{sidecar.name}"
        for sidecar in scoped.answer.namespace_sidecars
        for id_ in sidecar.workloads
    }
    by_pod = {(id_.namespace, id_.name): name for id_, name in meant.items()}
    for (proxy, _), verdict in zip(scoped.case.callers, after, strict=True):
        expected = by_pod.get((proxy.namespace, proxy.name))
        if expected is not None and verdict.sidecar != expected:
            yield f"{scoped.case.name}, {proxy.namespace}/{proxy.name}: {verdict.sidecar}"


def test_no_observed_call_changes(found: Found) -> None:
    assert found.changed == []


def test_the_sidecar_of_the_namespace_applies_to_the_workloads_it_is_proved_for(
    found: Found,
) -> None:
    assert found.elsewhere == []


def test_istiod_takes_every_sidecar(found: Found) -> None:
    assert [each.error for each in validations(found.sidecars) if each.error] == []


def test_enough_namespaces_share_a_sidecar(found: Found) -> None:
    assert found.counts["namespace Sidecars"] >= 10, found.counts
    assert found.counts["workloads"] > 2 * found.counts["namespace Sidecars"], found.counts
