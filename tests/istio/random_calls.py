"""Calls that pods of a random mesh might make: to what is there, and to what is not."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from random import Random

from recommender.istio.registry import RegistryService
from recommender.istio.sidecar_scope import ScopeRules, select_sidecar, sidecar_scope
from tests.istio.judge import JudgedCall, JudgedProxy

NOWHERE = ("203.0.113.7", "10.0.0.250")
UNKNOWN_HOSTS = ("nobody.example", "www.ext.example", "s9.a", "x.s0.a.svc.cluster.local")


def random_calls(
    seed: int, rules: ScopeRules, proxies: Sequence[JudgedProxy], count: int
) -> list[JudgedCall]:
    """Make calls of some proxies, most of them to what is in scope; equal seeds, equal calls."""
    random = Random(seed)  # noqa: S311 - nothing here is secret
    anything = [s for s in rules.registry.services if s.ports]
    calls = []
    for _ in range(count):
        proxy = random.choice(proxies)
        sidecar = select_sidecar(rules, proxy.namespace, proxy.labels)
        scope = sidecar_scope(rules, proxy.namespace, sidecar.egress if sidecar else ())
        scoped = [s for listener in scope.listeners for s in listener.services if s.ports]
        calls.append(_call(random, proxy, scoped if scoped and random.random() < 0.8 else anything))
    return calls


def _call(random: Random, proxy: JudgedProxy, services: Sequence[RegistryService]) -> JudgedCall:
    service = random.choice(services)
    other = random.choice(services)
    port = random.choice(service.ports).number
    host = random.choice(
        (*_names(service), *_names(service), *_names(other), random.choice(UNKNOWN_HOSTS))
    )
    protocol = random.choice(("http", "http", "tcp", "tls"))
    return JudgedCall(
        namespace=proxy.namespace,
        pod="-".join((proxy.name, *proxy.labels.values())),
        labels=proxy.labels,
        ips=proxy.ips,
        address=random.choice((*_addresses(service), *_addresses(service), random.choice(NOWHERE))),
        port=random.choice((port, port, port, 80, 8080)),
        protocol=protocol,
        host=host if protocol == "http" else "",
        sni=host if protocol == "tls" else "",
    )


def _names(service: RegistryService) -> list[str]:
    """List names a caller may use for a service: of a wildcard, one that it covers."""
    names = [service.hostname, *(alias.hostname for alias in service.aliases)]
    names += [name.removesuffix(".svc.cluster.local") for name in names]
    names += [name.split(".")[0] for name in names[:1] if service.kubernetes]
    return [name.replace("*", "any", 1) if name.startswith("*.") else name for name in names]


def _addresses(service: RegistryService) -> list[str]:
    found = [str(ip_network(a, strict=False)[-1]) for a in service.addresses if ":" not in a]
    return found or [NOWHERE[0]]
