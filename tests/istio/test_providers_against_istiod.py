"""The services that providers make a proxy call are those its listeners name, by istiod."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from recommender.istio.extension_providers import provider_services
from recommender.istio.sidecar_scope import build_scope_rules
from recommender.mesh import load_mesh
from tests.istio.judge import JudgedProxy, scopes
from tests.istio.random_meshes import write_mesh
from tests.mesh.helpers import Object, obj

MESHES = 120
ROOT_NAMESPACE = "istio-system"
NAMESPACES = ("a", "b", ROOT_NAMESPACE)
LABELS = ({"app": "x"}, {"app": "y"})
KINDS = {
    "trace": ("opentelemetry", "zipkin", "skywalking"),
    "log": ("envoyOtelAls", "envoyHttpAls"),
    "authz": ("envoyExtAuthzGrpc", "envoyExtAuthzHttp"),
}
PORT = 4317
SAMPLER = "sampler.b.svc.cluster.local"


def test_the_model_finds_every_service_that_the_listeners_name(tmp_path: Path) -> None:
    proxies = [
        JudgedProxy(namespace, labels, clusters=True)
        for namespace in NAMESPACES
        for labels in LABELS
    ]
    folders = [tmp_path / str(seed) for seed in range(MESHES)]
    for seed, folder in enumerate(folders):
        write_mesh(folder, _mesh(Random(seed)))  # noqa: S311 - nothing here is secret
    differences = []
    seen: set[str] = set()
    judged = scopes([(folder, proxies) for folder in folders])
    for folder, verdicts in zip(folders, judged, strict=True):
        rules = build_scope_rules(load_mesh([folder]))
        for proxy, verdict in zip(proxies, verdicts, strict=True):
            ours = provider_services(rules, proxy.namespace, proxy.labels)
            names = _as_by_default({f"outbound|{PORT}||{key.hostname}" for key in ours})
            theirs = {name for name in verdict.named if name.startswith("outbound|")}
            seen |= theirs
            if names != theirs:
                where = f"{folder.name} {proxy.namespace} {dict(proxy.labels)}"
                differences.append(f"{where}: {sorted(names)}, istiod {sorted(theirs)}")
    assert not differences, f"{len(differences)}\n" + "\n".join(differences[:10])
    assert len(seen) == len(_provider_names()) + 1


def _as_by_default(names: set[str]) -> set[str]:
    """Leave out several authorizers of one proxy: istiod takes them only where a flag is set."""
    authorizers = {name for name in names if "||authz-" in name}
    return names - authorizers if len(authorizers) > 1 else names


def _provider_names() -> list[str]:
    return [f"{use}-{number}" for use in KINDS for number in range(3)]


def _mesh(random: Random) -> list[Object]:
    """Make a mesh with a service for each provider, and policies that use some of them."""
    ports = [{"name": "grpc", "port": PORT}]
    made = [
        obj("v1", "Service", name, "b", spec={"clusterIP": f"10.0.0.{i + 1}", "ports": ports})
        for i, name in enumerate([*_provider_names(), "sampler"])
    ]
    config: dict[str, object] = {
        "extensionProviders": [_provider(n, random) for n in _provider_names()]
    }
    defaults = {}
    for field, use in (("tracing", "trace"), ("accessLogging", "log")):
        if random.randrange(2):
            defaults[field] = [f"{use}-{random.randrange(3)}"]
    config["defaultProviders"] = defaults
    made.append(obj("v1", "ConfigMap", "istio", ROOT_NAMESPACE, data={"mesh": json.dumps(config)}))
    made += [_telemetry(random, number) for number in range(random.randrange(5))]
    made += [_policy(random, number) for number in range(random.randrange(3))]
    return made


def _provider(name: str, random: Random) -> dict[str, object]:
    kind = random.choice(KINDS[name.partition("-")[0]])
    qualified = random.choice(("", "b/"))
    host = f"{qualified}{name}.b.svc.cluster.local"
    found: dict[str, object] = {"service": host, "port": PORT}
    if kind == "opentelemetry" and random.randrange(2):
        asked = {"service": SAMPLER, "port": PORT, "http": {"path": "/sampling", "timeout": "1s"}}
        found["dynatraceSampler"] = {"tenant": "t", "clusterId": 1, "httpService": asked}
    return {"name": name, kind: found}


def _telemetry(random: Random, number: int) -> Object:
    spec: dict[str, object] = {}
    if random.randrange(2):
        spec["selector"] = {"matchLabels": random.choice(LABELS)}
    if random.randrange(2):
        spec["tracing"] = [_use(random, "trace", "disableSpanReporting")]
    if random.randrange(3):
        entries = random.randint(1, 2)
        spec["accessLogging"] = [_use(random, "log", "disabled") for _ in range(entries)]
    return _aged(random, "telemetry.istio.io/v1", "Telemetry", f"t{number}", spec)


def _use(random: Random, use: str, disabled: str) -> dict[str, object]:
    entry: dict[str, object] = {}
    if random.randrange(3):
        entry["providers"] = [{"name": f"{use}-{random.randrange(3)}"}]
    if random.randrange(2):
        entry["match"] = {"mode": random.choice(("CLIENT", "SERVER", "CLIENT_AND_SERVER"))}
    if random.randrange(2):
        entry[disabled] = bool(random.randrange(2))
    return entry


def _policy(random: Random, number: int) -> Object:
    spec: dict[str, object] = {
        "action": "CUSTOM",
        "provider": {"name": f"authz-{random.randrange(3)}"},
        "rules": [{}],
    }
    if random.randrange(2):
        spec["selector"] = {"matchLabels": random.choice(LABELS)}
    return _aged(random, "security.istio.io/v1", "AuthorizationPolicy", f"p{number}", spec)


def _aged(random: Random, version: str, kind: str, name: str, spec: Object) -> Object:
    created = f"2026-01-01T00:00:0{random.randrange(3)}Z"
    return obj(version, kind, name, random.choice(NAMESPACES), created=created, spec=spec)
