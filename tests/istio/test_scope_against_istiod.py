"""The scope model agrees with istiod on random meshes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from recommender.istio.protocols import Protocol
from recommender.istio.registry import RegistryService, ServiceKey
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

MESHES = 300
PROTOCOLS = {
    "HTTP": Protocol.HTTP,
    "HTTP2": Protocol.HTTP,
    "GRPC": Protocol.HTTP,
    "HTTPS": Protocol.TLS,
    "GRPC-Web": Protocol.HTTP,
    "HTTP_PROXY": Protocol.HTTP_PROXY,
    "TLS": Protocol.TLS,
    "TCP": Protocol.TCP,
    "Redis": Protocol.TCP,
    "Mongo": Protocol.MONGO,
    "MySQL": Protocol.MYSQL,
    "UDP": Protocol.UDP,
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
    comparison = _Comparison(rules)
    lines = []
    for model, istiod in zip(scope.listeners, verdict.listeners, strict=True):
        lines += comparison.of_listeners(model, istiod)
    return lines + comparison.of_services(
        "scope services", tuple(scope.services.values()), verdict.services
    )


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Compare services of model and istiod by everything that decides their configuration.

    Addresses only count where a host has one object in its namespace: of several, with exact
    hosts, istiod keeps one by chance.
    """

    rules: ScopeRules

    def of_listeners(self, model: ListenerScope, istiod: JudgedListener) -> list[str]:
        ours = [f"{v.meta.namespace}/{v.meta.name}" for v in model.virtual_services]
        if ours != list(istiod.virtual_services):
            return [f"VirtualServices {ours}, istiod {istiod.virtual_services}"]
        return self.of_services("listener services", model.services, istiod.services) or (
            self.of_order(model.services, istiod.services)
        )

    def of_services(
        self, what: str, model: Sequence[RegistryService], istiod: Sequence[JudgedService]
    ) -> list[str]:
        ours, theirs = Counter(map(self.ours, model)), Counter(map(self.theirs, istiod))
        more, fewer = ours - theirs, theirs - ours
        return [f"{what}: too many {list(more)}, missing {list(fewer)}"] if more or fewer else []

    def of_order(
        self, model: Sequence[RegistryService], istiod: Sequence[JudgedService]
    ) -> list[str]:
        """Compare the order; that of several objects of one host, age and namespace is chance."""
        theirs = [(service.namespace, service.name) for service in istiod]
        ours = [(service.namespace, service.name) for service in model]
        return [] if ours == theirs else [f"order of services {ours}, istiod {theirs}"]

    def ours(self, service: RegistryService) -> Identity:
        ports = tuple((p.number, p.name, p.protocol) for p in service.ports)
        aliases = tuple(sorted(map(str, service.aliases)))
        addresses = self.addresses(service.key, service.addresses)
        return (*service.key, service.kubernetes, ports, aliases, addresses)

    def theirs(self, service: JudgedService) -> Identity:
        ports = tuple((p.number, p.name, PROTOCOLS[p.protocol]) for p in service.ports)
        aliases = tuple(sorted(service.aliases))
        key = ServiceKey(service.namespace, service.hostname)
        return (*key, service.kubernetes, ports, aliases, self.addresses(key, service.addresses))

    def addresses(self, key: ServiceKey, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return addresses if len(self.rules.registry.objects.get(key, ())) == 1 else ()
