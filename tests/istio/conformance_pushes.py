"""Random changes of random meshes, and where model and istiod differ about who is sent them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

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

PUSHED_KINDS = (
    "ServiceEntry",
    "Endpoints",
    "VirtualService",
    "DestinationRule",
    "Sidecar",
    "PeerAuthentication",
    "EnvoyFilter",
    "Telemetry",
    "WasmPlugin",
)
"""The kinds whose changes are sent to some proxies and not to others."""
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
NAMESPACES = ("a", "b", "c", "d", "istio-system")


@dataclass(slots=True)
class PushFindings:
    """Count the decisions by kind of what changed and whether it is sent; list what differs."""

    decisions: Counter[tuple[str, bool]] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def compare_pushes(seeds: Sequence[int]) -> PushFindings:
    """Compare the model with istiod: who is sent each change of meshes that just changed."""
    found = PushFindings()
    with TemporaryDirectory() as folder:
        asked = [_question(seed, Path(folder)) for seed in seeds]
        for seed, (now, before, judged), verdicts in zip(seeds, asked, pushes(asked), strict=True):
            rules, earlier = (build_scope_rules(load_mesh([each])) for each in (now, before))
            for proxy, verdict in zip(judged, verdicts, strict=True):
                target = _target(rules, earlier, proxy, verdict)
                where = f"seed {seed}, {proxy.namespace}/{proxy.name}"
                _compare(found, target, proxy, verdict, rules.root_namespace, where)
    return found


def _compare(
    found: PushFindings,
    target: PushTarget,
    proxy: JudgedProxy,
    verdict: Verdict,
    root_namespace: str,
    where: str,
) -> None:
    for changed, istiod in zip(proxy.changes, verdict.pushes, strict=True):
        found.decisions.update((key.kind, key in istiod.keys) for key in changed)
        ours = _push(target, changed, root_namespace)
        if ours != istiod:
            more, fewer = ours.keys - istiod.keys, istiod.keys - ours.keys
            found.differences.append(f"{where}: too many {set(more)}, missing {set(fewer)}")


def _question(seed: int, folder: Path) -> tuple[Path, Path, list[JudgedProxy]]:
    """Make a mesh, what it was before, and its proxies with the changes to ask about."""
    random = Random(seed)  # noqa: S311 - nothing here is secret
    objects = [*map(_discovered, random_mesh(seed)), *_more_objects(random)]
    now, before = (folder / f"{seed}-{when}" for when in ("now", "before"))
    write_mesh(now, _without_some(random, objects))
    write_mesh(before, _without_some(random, objects))
    changes = _changes(random, objects)
    return now, before, [replace(proxy, changes=changes) for proxy in proxies()]


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
    kept = ("Namespace", "ConfigMap", "Pod")
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
