"""After the recommended Sidecars are applied, istiod sends every observed call as before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from recommender.istio.sidecar_scope import build_scope_rules
from recommender.mesh import load_mesh
from recommender.pipeline import write_recommendations
from recommender.recommendation import Recommendations
from recommender.settings import Settings
from tests.istio.judge import JudgedCall, before_and_after_each, resolutions
from tests.istio.random_calls import random_calls
from tests.istio.random_meshes import proxies, random_mesh, write_mesh
from tests.istio.test_calls_against_istiod import with_policy
from tests.istio.verdicts import Resolution
from tests.mesh.helpers import Object, pod
from tests.recommendation.helpers import NOON, Flow, decide_for, received

SEEDS = tuple(seed for seed in range(400, 480) if seed % 4)
CALLS = 16

Answer = tuple[int, Recommendations, list[JudgedCall], list[tuple[Resolution, Resolution]]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """Recommend for what istiod does with random calls, apply, and let istiod judge again."""
    root = tmp_path_factory.mktemp("meshes")
    asked: list[tuple[Path, list[JudgedCall]]] = []
    for seed in SEEDS:
        folder = root / f"mesh{seed}"
        write_mesh(folder, [*with_policy(random_mesh(seed), seed), *pods()])
        rules = build_scope_rules(load_mesh([folder]))
        asked.append((folder, random_calls(seed, rules, proxies(), CALLS)))
    cases: list[tuple[Path, Path, Sequence[JudgedCall]]] = []
    recommended = []
    for (folder, calls), found in zip(asked, resolutions(asked), strict=True):
        answer = decide_for(load_mesh([folder]), observed(calls, found), adopt=True)
        recommended.append(answer)
        sidecars = root / f"{folder.name}-sidecars"
        write_recommendations(answer, sidecars, Settings())
        cases.append((folder, sidecars, calls))
    pairs = before_and_after_each(cases)
    return [
        (seed, answer, list(calls), found)
        for seed, answer, (_, _, calls), found in zip(SEEDS, recommended, cases, pairs, strict=True)
    ]


def test_no_observed_call_changes(answers: list[Answer]) -> None:
    changed = []
    for seed, answer, calls, pairs in answers:
        chance = left_to_chance(answer, calls)
        scoped = {(r.workload.namespace, r.workload.name): r for r in answer.recommended}
        for call, (before, after) in zip(calls, pairs, strict=True):
            if call in chance:
                continue
            if outcome(before) != outcome(after):
                found = scoped.get((call.namespace, call.pod))
                hosts = [entry.host for entry in found.hosts] if found else "no Sidecar"
                changed.append(f"mesh {seed}, {call}\n  {before}\n  {after}\n  {hosts}")
    assert not changed, f"{len(changed)} changed:\n" + "\n".join(changed[:10])


def test_most_workloads_get_a_sidecar(answers: list[Answer]) -> None:
    """What cannot be proved is left out, but that is the exception."""
    reasons = Counter(item.reason for _, a, _, _ in answers for item in a.left_out)
    recommended = sum(len(a.recommended) for _, a, _, _ in answers)

    assert reasons["not proved"] * 20 < recommended, (recommended, reasons)


def left_to_chance(answer: Recommendations, calls: Sequence[JudgedCall]) -> list[JudgedCall]:
    """List the calls of workloads for which istiod keeps today one of several addresses."""
    noted = {
        (r.workload.namespace, r.workload.name)
        for r in answer.recommended
        if any(note.name == "left to chance" for note in r.notes)
    }
    return [call for call in calls if (call.namespace, call.pod) in noted]


def outcome(found: Resolution) -> tuple[object, ...]:
    """Return what must stay; a call that is refused may be so by a route or by a listener."""
    if found.virtual_host == "block_all" or [c.name for c in found.clusters] == [
        "BlackHoleCluster"
    ]:
        return ("refused",)
    if [c.name for c in found.clusters] == ["PassthroughCluster"]:
        return ("passes through",)
    return found.outcome


def pods() -> list[Object]:
    """Make a pod for each proxy that calls."""
    return [
        pod(
            name_of(proxy.labels, proxy.name),
            namespace=proxy.namespace,
            labels=dict(proxy.labels),
            status={"podIP": "192.0.2.1", "phase": "Running"},
        )
        for proxy in proxies()
    ]


def name_of(labels: object, name: str) -> str:
    """Name a pod as `random_calls` does."""
    assert isinstance(labels, dict)
    return "-".join((name, *labels.values()))


def observed(calls: Sequence[JudgedCall], found: Sequence[Resolution]) -> list[Flow]:
    """Write down calls as the access logs of their proxies would."""
    pods_seen = {f"{proxy.namespace}/{name_of(proxy.labels, proxy.name)}" for proxy in proxies()}
    flows = [received(name) for name in sorted(pods_seen)]
    return [*flows, *(_flow(call, answer) for call, answer in zip(calls, found, strict=True))]


def _flow(call: JudgedCall, found: Resolution) -> Flow:
    cluster = found.clusters[0].name if found.clusters and found.clusters[0].exists else None
    flow: Flow = {
        "day": NOON.date(),
        "source_namespace": call.namespace,
        "source_pod": call.pod,
        "direction": "outbound" if cluster else "unrouted",
        "protocol": "http" if call.protocol == "http" and found.route_config else "tcp",
        "cluster": cluster,
        "authority": call.host if call.protocol == "http" and found.route_config else None,
        "server_name": call.sni or None,
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
