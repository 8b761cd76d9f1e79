"""The scope model agrees with istiod on random meshes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from recommender.istio.protocols import Protocol
from recommender.istio.registry import RegistryService
from recommender.istio.sidecar_scope import (
    ListenerScope,
    ScopeRules,
    build_scope_rules,
    select_sidecar,
    sidecar_scope,
)
from recommender.mesh import load_mesh
from tests.istio.judge import JudgedProxy, scopes
from tests.istio.random_meshes import proxies, random_mesh, write_mesh
from tests.istio.verdicts import JudgedListener, JudgedService, Verdict

MESHES = 400
PROTOCOLS = {
    "HTTP": Protocol.HTTP,
    "HTTP2": Protocol.HTTP,
    "GRPC": Protocol.HTTP,
    "HTTPS": Protocol.TLS,
    "TCP": Protocol.TCP,
    "UnsupportedProtocol": Protocol.SNIFFED,
}

Identity = tuple[object, ...]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, list[Verdict]]]:
    """Let istiod judge every proxy of every random mesh."""
    folders = [tmp_path_factory.mktemp(f"mesh{seed}-") for seed in range(MESHES)]
    for seed, folder in enumerate(folders):
        write_mesh(folder, random_mesh(seed))
    verdicts = scopes([(folder, proxies()) for folder in folders])
    return list(zip(folders, verdicts, strict=True))


def test_scopes_are_those_of_istiod(judged: list[tuple[Path, list[Verdict]]]) -> None:
    differences: list[str] = []
    for folder, verdicts in judged:
        rules = build_scope_rules(load_mesh([folder]))
        for proxy, verdict in zip(proxies(), verdicts, strict=True):
            found = differences_of(rules, proxy, verdict)
            where = f"{folder}: {proxy.namespace} {dict(proxy.labels)} {verdict.sidecar or 'none'}"
            differences += [f"{where}: {line}" for line in found]
    assert not differences, "\n".join(differences[:20])


def differences_of(rules: ScopeRules, proxy: JudgedProxy, verdict: Verdict) -> list[str]:
    """Say what the model and istiod see differently for one proxy."""
    chosen = select_sidecar(rules, proxy.namespace, proxy.labels)
    name = f"{chosen.meta.namespace}/{chosen.meta.name}" if chosen else ""
    if name != verdict.sidecar:
        return [f"Sidecar {name}, istiod {verdict.sidecar}"]
    scope = sidecar_scope(rules, proxy.namespace, chosen.egress if chosen else ())
    lines = []
    for model, istiod in zip(scope.listeners, verdict.listeners, strict=True):
        lines += _listener_differences(model, istiod)
    ours = Counter(map(_ours, scope.services.values()))
    return lines + _unequal("scope services", ours, Counter(map(_theirs, verdict.services)))


def _listener_differences(model: ListenerScope, istiod: JudgedListener) -> list[str]:
    ours = [f"{v.meta.namespace}/{v.meta.name}" for v in model.virtual_services]
    lines = []
    if ours != list(istiod.virtual_services):
        lines.append(f"VirtualServices {ours}, istiod {istiod.virtual_services}")
    services = Counter(map(_ours, model.services))
    lines += _unequal("listener services", services, Counter(map(_theirs, istiod.services)))
    if not lines and _ages(model.services) != _ages_of(istiod.services, model.services):
        lines.append("listener services are in another order")
    return lines


def _ours(service: RegistryService) -> Identity:
    ports = tuple((p.number, p.name, p.protocol) for p in service.ports)
    aliases = tuple(sorted(map(str, service.aliases)))
    return (service.namespace, service.hostname, service.kubernetes, ports, aliases)


def _theirs(service: JudgedService) -> Identity:
    ports = tuple((p.number, p.name, PROTOCOLS[p.protocol]) for p in service.ports)
    aliases = tuple(sorted(service.aliases))
    return (service.namespace, service.hostname, service.kubernetes, ports, aliases)


def _unequal(what: str, ours: Counter[Identity], theirs: Counter[Identity]) -> list[str]:
    more, fewer = ours - theirs, theirs - ours
    return [f"{what}: too many {dict(more)}, missing {dict(fewer)}"] if more or fewer else []


def _ages(services: Iterable[RegistryService]) -> list[Identity]:
    """List what orders services; istiod leaves the order of equal ones to chance."""
    return [(s.created, s.namespace, s.hostname if s.kubernetes else "") for s in services]


def _ages_of(
    judged: Iterable[JudgedService], services: Iterable[RegistryService]
) -> list[Identity]:
    created: dict[Identity, list[RegistryService]] = {}
    for service in services:
        created.setdefault(_ours(service), []).append(service)
    return _ages(created[_theirs(service)].pop(0) for service in judged)
