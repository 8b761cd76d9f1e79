"""Where a call goes by the model, and by istiod's own simulation of Envoy, on random meshes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from recommender.istio.call import Fate, OutboundCall, ProxyConfig, resolve_call
from recommender.istio.call import Resolution as Resolved
from recommender.istio.proxy import Proxy, outbound_traffic_policy
from recommender.istio.sidecar_scope import (
    ScopeRules,
    build_scope_rules,
    select_sidecar,
    sidecar_scope,
)
from recommender.mesh import load_mesh
from tests.istio.judge import JudgedCall, resolutions
from tests.istio.random_calls import random_calls
from tests.istio.random_meshes import proxies, random_mesh, write_mesh
from tests.istio.verdicts import Resolution
from tests.mesh.helpers import Object

# Every fourth mesh has ties that istiod leaves to chance.
SEEDS = tuple(seed for seed in range(200, 320) if seed % 4)
CALLS = 24
STATIC = {"PassthroughCluster": Fate.PASSTHROUGH, "BlackHoleCluster": Fate.BLACKHOLE}

Case = tuple[int, ScopeRules, list[JudgedCall], list[Resolution]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """Let istiod judge random calls in random meshes."""
    folders: list[Path] = []
    rules: list[ScopeRules] = []
    calls: list[list[JudgedCall]] = []
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp(f"mesh{seed}-")
        write_mesh(folder, with_policy(random_mesh(seed), seed))
        folders.append(folder)
        rules.append(build_scope_rules(load_mesh([folder])))
        calls.append(random_calls(seed, rules[-1], proxies(), CALLS))
    found = resolutions(list(zip(folders, calls, strict=True)))
    return list(zip(SEEDS, rules, calls, found, strict=True))


def test_calls_go_where_istiod_sends_them(judged: list[Case]) -> None:
    differences = []
    for seed, rules, calls, found in judged:
        for call, istiod in zip(calls, found, strict=True):
            ours = model(rules, call)
            difference = difference_of(ours, istiod)
            if difference:
                differences.append(f"mesh {seed}, {call}:\n  {difference}\n  {ours}\n  {istiod}")
    assert not differences, f"{len(differences)} differ:\n" + "\n".join(differences[:12])


def test_the_calls_exercise_every_fate(judged: list[Case]) -> None:
    fates = Counter(model(rules, c).fate for _, rules, calls, _ in judged for c in calls)

    assert set(fates) >= {Fate.ROUTED, Fate.PASSTHROUGH, Fate.BLACKHOLE}, fates


def with_policy(objects: list[Object], seed: int) -> list[Object]:
    """Let every third mesh refuse unknown destinations."""
    for made in objects:
        data = made.get("data")
        if made["kind"] == "ConfigMap" and isinstance(data, dict) and seed % 3 == 0:
            policy = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}
            data["mesh"] = json.dumps({**json.loads(data["mesh"]), **policy})
    return objects


def model(rules: ScopeRules, call: JudgedCall) -> Resolved:
    """Resolve a call by the model."""
    sidecar = select_sidecar(rules, call.namespace, call.labels)
    scope = sidecar_scope(rules, call.namespace, sidecar.egress if sidecar else ())
    mode, _ = outbound_traffic_policy(rules.mesh.config, sidecar)
    proxy = Proxy(call.namespace, call.labels, call.ips)
    config = ProxyConfig(rules, scope, proxy, mode)
    outbound = OutboundCall(
        address=call.address,
        port=call.port,
        http=call.protocol == "http",
        authority=call.host or None,
        server_name=call.sni or None,
    )
    return resolve_call(config, outbound)


def difference_of(ours: Resolved, istiod: Resolution) -> str:
    """Say how the two answers differ, nothing where they agree."""
    if ours.fate is Fate.NOT_MODELLED:
        return ""
    fate = fate_of(istiod)
    if ours.fate is not fate:
        return f"{ours.fate}, istiod {fate}"
    if fate not in (Fate.ROUTED, Fate.ANSWERED):
        return ""
    if (ours.virtual_host or "") != istiod.virtual_host:
        return f"virtual host {ours.virtual_host}, istiod {istiod.virtual_host}"
    return clusters_difference(ours, istiod)


def fate_of(istiod: Resolution) -> Fate:
    """Read the fate from istiod's answer."""
    names = [cluster.name for cluster in istiod.clusters]
    if names and names[0] in STATIC:
        return STATIC[names[0]]
    if istiod.virtual_host == "block_all":
        return Fate.BLACKHOLE
    if names:
        return Fate.ROUTED
    if istiod.error == "protocol error":
        return Fate.NO_HTTP
    return Fate.ANSWERED if istiod.virtual_host else Fate.NO_ROUTE


def clusters_difference(ours: Resolved, istiod: Resolution) -> str:
    """Compare clusters: the model's are those of every route, istiod's of the one that matched."""
    model = {name: service is not None for name, service in ours.clusters}
    for cluster in (*istiod.clusters, *istiod.mirrors):
        if model.get(cluster.name) is not cluster.exists:
            return f"{cluster} is not among {model}"
    return ""
