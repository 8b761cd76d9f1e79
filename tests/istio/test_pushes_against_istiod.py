"""The model pushes a change to the proxies that istiod pushes it to, on random meshes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from recommender.istio.pushes import (
    ConfigKey,
    PushTarget,
    needs_push,
    push_dependencies,
    relevant_changes,
)
from recommender.istio.registry import ServiceKey
from recommender.istio.sidecar_scope import (
    ScopeRules,
    build_scope_rules,
    select_sidecar,
    sidecar_scope,
)
from recommender.mesh import load_mesh
from tests.istio.judge import JudgedProxy, pushes
from tests.istio.random_meshes import proxies, random_mesh, write_mesh
from tests.istio.verdicts import ChangedKey, Push, Verdict
from tests.mesh.helpers import Object, obj

MESHES = 60
NAMESPACES = ("a", "b", "c", "d", "istio-system")
OTHER_KINDS = (
    "Address",
    "AuthorizationPolicy",
    "ConfigMap",
    "DNSName",
    "EnvoyFilter",
    "Gateway",
    "Ingress",
    "MeshConfig",
    "ProxyConfig",
    "RequestAuthentication",
    "Secret",
    "Telemetry",
    "TrafficExtension",
    "WasmPlugin",
)

Case = tuple[Path, Path, list[JudgedProxy], list[Verdict]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """Let istiod judge random changes for every proxy of random meshes that just changed."""
    asked = []
    for seed in range(MESHES):
        random = Random(seed)  # noqa: S311 - nothing here is secret
        objects = [*map(_discovered, random_mesh(seed)), *_more_objects(random)]
        now, before = (tmp_path_factory.mktemp(f"mesh{seed}-{when}-") for when in ("now", "before"))
        write_mesh(now, _without_some(random, objects))
        write_mesh(before, _without_some(random, objects))
        changes = _changes(random, objects)
        asked.append((now, before, [replace(p, changes=changes) for p in proxies()]))
    answers = pushes(asked)
    return [(*case, verdicts) for case, verdicts in zip(asked, answers, strict=True)]


def test_changes_are_pushed_to_the_proxies_that_istiod_pushes_them_to(judged: list[Case]) -> None:
    differences = []
    for now, before, asked, verdicts in judged:
        rules, earlier = (build_scope_rules(load_mesh([folder])) for folder in (now, before))
        for proxy, verdict in zip(asked, verdicts, strict=True):
            target = _target(rules, earlier, proxy, verdict)
            for changed, istiod in zip(proxy.changes, verdict.pushes, strict=True):
                ours = _push(target, changed, rules.root_namespace)
                if ours != istiod:
                    more, fewer = ours.keys - istiod.keys, istiod.keys - ours.keys
                    where = f"{now}, {before}: {proxy.namespace} {dict(proxy.labels)}"
                    differences.append(f"{where}: too many {set(more)}, missing {set(fewer)}")
    assert not differences, f"{len(differences)} differ:\n" + "\n".join(differences[:12])


def test_changes_of_every_kind_are_pushed_to_some_proxies_only(judged: list[Case]) -> None:
    pushed: Counter[tuple[str, bool]] = Counter()
    for _, _, asked, verdicts in judged:
        for proxy, verdict in zip(asked, verdicts, strict=True):
            for changed, push in zip(proxy.changes, verdict.pushes, strict=True):
                pushed.update((key.kind, key in push.keys) for key in changed)
    scoped = ("ServiceEntry", "Endpoints", "VirtualService", "DestinationRule", "Sidecar")
    for kind in (*scoped, "PeerAuthentication", "EnvoyFilter", "Telemetry", "WasmPlugin"):
        assert min(pushed[kind, True], pushed[kind, False]) > 100, (kind, pushed)


def _target(
    rules: ScopeRules, earlier: ScopeRules, proxy: JudgedProxy, verdict: Verdict
) -> PushTarget:
    own = (target.split("/") for target in verdict.targets)
    return PushTarget(
        proxy.namespace,
        _dependencies(rules, proxy),
        _dependencies(earlier, proxy),
        frozenset(ServiceKey(namespace, host) for namespace, host in own),
    )


def _dependencies(rules: ScopeRules, proxy: JudgedProxy) -> frozenset[ConfigKey]:
    sidecar = select_sidecar(rules, proxy.namespace, proxy.labels)
    scope = sidecar_scope(rules, proxy.namespace, sidecar.egress if sidecar else ())
    return push_dependencies(rules, scope, sidecar)


def _push(target: PushTarget, changed: tuple[ChangedKey, ...], root_namespace: str) -> Push:
    keys = [ConfigKey(key.kind, key.name, key.namespace) for key in changed]
    found = relevant_changes(target, keys, root_namespace)
    needed = needs_push(target, keys, root_namespace)
    return Push(needed, frozenset(ChangedKey(*key) for key in found))


def _more_objects(random: Random) -> Iterator[Object]:
    """Make what random meshes lack: PeerAuthentications, and Services that select the proxies."""
    for number in range(random.randint(0, 8)):
        spec: Object = {"mtls": {"mode": random.choice(("STRICT", "PERMISSIVE", "DISABLE"))}}
        if random.random() < 0.4:
            spec["selector"] = random.choice(({"matchLabels": {"app": "x"}}, {}))
        created = f"2026-01-01T00:00:0{random.randrange(3)}Z"
        name = f"pa{random.randrange(4)}-{number}"
        namespace = random.choice(NAMESPACES)
        version = "security.istio.io/v1"
        yield obj(version, "PeerAuthentication", name, namespace, created=created, spec=spec)
    for namespace in ("a", "b", "c", "istio-system"):
        if random.random() < 0.5:
            port = {"name": "http", "port": 80, "targetPort": 8080}
            selector = {"app": random.choice(("x", "y"))}
            spec = {"clusterIP": "10.9.0.1", "selector": selector, "ports": [port]}
            yield obj("v1", "Service", "own", namespace, spec=spec)


def _discovered(found: Object) -> Object:
    """Let discovery selectors choose every namespace: the fake istiod hides no configuration."""
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    hidden = found["kind"] == "Namespace"
    return {**found, "metadata": {**metadata, "labels": {"discover": "yes"}}} if hidden else found


def _without_some(random: Random, objects: list[Object]) -> list[Object]:
    """Leave out some objects, as if they did not exist yet or any more."""
    kept = ("Namespace", "ConfigMap", "Pod", "CustomResourceDefinition")
    return [o for o in objects if o["kind"] in kept or random.random() < 0.85]


def _changes(random: Random, objects: list[Object]) -> tuple[tuple[ChangedKey, ...], ...]:
    """List every object by itself, other kinds, what does not exist, and some at once."""
    known = [key for found in objects for key in _keys(found)]
    other = [ChangedKey(kind, "x", ns) for kind in OTHER_KINDS for ns in NAMESPACES]
    absent = [
        ChangedKey(key.kind, *random.choice(((key.name, "d"), ("gone", key.namespace))))
        for key in random.sample(known, min(5, len(known)))
    ]
    single = list(dict.fromkeys([*known, *other, *absent]))
    several = [tuple(random.sample(single, random.randint(2, 4))) for _ in range(20)]
    return ((), *((key,) for key in single), *several)


def _keys(found: Object) -> Iterator[ChangedKey]:
    """Yield the keys of the events about an object."""
    metadata, spec, kind = found["metadata"], found.get("spec"), str(found["kind"])
    assert isinstance(metadata, dict)
    name, namespace = metadata["name"], metadata["namespace"]
    hosts = [f"{name}.{namespace}.svc.cluster.local"] if kind == "Service" else []
    if kind == "ServiceEntry":
        assert isinstance(spec, dict)
        hosts = spec["hosts"]
    for host in hosts:
        yield ChangedKey("ServiceEntry", host, namespace)
        yield ChangedKey("Endpoints", host, namespace)
    if kind in ("VirtualService", "DestinationRule", "Sidecar", "PeerAuthentication"):
        yield ChangedKey(kind, name, namespace)
