"""Calls that pods of a random mesh might make: to what is there, and to what is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_network
from itertools import chain
from random import Random

from recommender.istio.registry import RegistryService, Resolution
from recommender.istio.sidecar_scope import ScopeRules, select_sidecar, sidecar_scope
from recommender.mesh.request_match import ANY_REQUEST
from tests.istio.conformance_compare import proxy_of
from tests.istio.judge import JudgedCall, JudgedProxy
from tests.istio.random_requests import aim, asked_of, send_otherwise

NOWHERE = ("203.0.113.7", "10.0.0.250")
UNKNOWN_HOSTS = ("nobody.example", "www.ext.example", "s9.a", "x.s0.a.svc.cluster.local")
PATHS = ("/", "/", "/x", "/x/1", "/y", "/?v=1", "/x.Y/Z")
HEADERS: tuple[dict[str, str], ...] = ({}, {}, {"x-user": "a"}, {"x-user": "b1"})


def random_calls(
    seed: int,
    rules: ScopeRules,
    proxies: Sequence[JudgedProxy],
    count: int,
    addresses: Sequence[str] = (),
) -> list[JudgedCall]:
    """Make calls of some proxies, most of them to what is in scope; equal seeds, equal calls.

    `addresses` are called too, whatever the model makes of them.
    """
    random, aside = Random(seed), Random(f"{seed} calls")  # noqa: S311 - nothing here is secret
    anything = [s for s in rules.registry.services if s.ports]
    calls = []
    for _ in range(count):
        proxy = random.choice(proxies)
        sidecar = select_sidecar(rules, proxy.namespace, proxy_of(proxy).labels)
        scope = sidecar_scope(rules, proxy.namespace, sidecar.egress if sidecar else ())
        scoped = [s for listener in scope.listeners for s in listener.services if s.ports]
        among = scoped if scoped and random.random() < 0.8 else anything
        if among:
            routed = [host for vs in scope.virtual_services() for host in vs.hosts]
            call = _call(random, proxy, among, routed)
            if addresses and random.random() < 0.1:
                call = replace(call, address=random.choice(addresses))
            calls.append(send_otherwise(aside, call))
    return calls + list(_aimed_calls(aside, rules, proxies, count // 2))


def _aimed_calls(
    random: Random, rules: ScopeRules, proxies: Sequence[JudgedProxy], count: int
) -> Iterator[JudgedCall]:
    """Make calls to what VirtualServices decide for, whose routes ask something of a request."""
    roots = [v.meta for v in rules.mesh.virtual_services if any(r.delegate for r in v.routes)]
    for _ in range(count):
        proxy = random.choice(proxies)
        sidecar = select_sidecar(rules, proxy.namespace, proxy_of(proxy).labels)
        scope = sidecar_scope(rules, proxy.namespace, sidecar.egress if sidecar else ())
        asking = [vs for vs in scope.virtual_services() if asked_of(vs) or vs.meta in roots]
        services = [s for listener in scope.listeners for s in listener.services if s.ports]
        if not asking or not services:
            continue
        of_gateway_api = [vs for vs in asking if vs.gateway_api]
        delegating = [vs for vs in asking if vs.meta in roots]
        vs = random.choice(random.choice((of_gateway_api, delegating, asking)) or asking)
        host = random.choice(vs.hosts)
        same = [s for s in services if s.hostname == host and s.resolution is not Resolution.ALIAS]
        port = random.choice([p.number for s in same for p in s.ports] or [80])
        call = JudgedCall(
            namespace=proxy.namespace,
            pod=proxy.name,
            labels=proxy.labels,
            ips=proxy.ips,
            address=_address(random, proxy, random.choice(same or services)),
            port=port,
            protocol=random.choice(("http", "http", "http2")),
            host=_written(random, _covered(host), port),
            kubernetes_cluster=proxy.kubernetes_cluster,
        )
        yield aim(random, call, random.choice(asked_of(vs) or [ANY_REQUEST]))


def _call(
    random: Random,
    proxy: JudgedProxy,
    services: Sequence[RegistryService],
    routed: Sequence[str],
) -> JudgedCall:
    service = random.choice(services)
    other = random.choice(services)
    port = random.choice(service.ports).number
    names = [*_names(service), *_names(service), *_names(other), random.choice(UNKNOWN_HOSTS)]
    if routed and random.random() < 0.5:
        chosen = random.choice(routed)
        names = [_covered(chosen)]
        same = [each for each in services if each.hostname == chosen]
        service = random.choice(same or services)
        port = random.choice((80, 80, random.choice(service.ports).number))
    host = _written(random, random.choice(names), port)
    protocol = random.choice(("http", "http", "http2", "tcp", "tls"))
    http = protocol.startswith("http")
    return JudgedCall(
        namespace=proxy.namespace,
        pod=proxy.name,
        labels=proxy.labels,
        ips=proxy.ips,
        address=_address(random, proxy, service),
        port=random.choice((port, port, port, port, 80, 8080)),
        protocol=protocol,
        host=host if http else "",
        sni=random.choice((host.partition(":")[0], host.partition(":")[0], ""))
        if protocol == "tls"
        else "",
        path=random.choice(PATHS) if http else "/",
        method=random.choice(("GET", "GET", "POST")) if http else "GET",
        headers=random.choice(HEADERS) if http else {},
        kubernetes_cluster=proxy.kubernetes_cluster,
    )


def _address(random: Random, proxy: JudgedProxy, service: RegistryService) -> str:
    """Choose a virtual IP, an endpoint, or an address that nothing has.

    Not the caller's own: iptables lets a pod's calls to itself pass before any listener, which
    the model knows and Istio's simulation of Envoy does not.
    """
    endpoints = sorted({a for found in service.endpoints.values() for a in found})
    known = [*_addresses(service), *(a for a in endpoints if a[0].isdigit())]
    known = [a for a in known if a not in proxy.ips]
    return random.choice(known if known and random.random() < 0.8 else NOWHERE)


def _written(random: Random, host: str, port: int) -> str:
    """Write a host as some callers do: in capitals, or with the port."""
    return random.choice((host, host, host, host, host.upper(), f"{host}:{port}"))


def _names(service: RegistryService) -> list[str]:
    """List names a caller may use for a service: of a wildcard, one that it covers."""
    names = [service.hostname, *(alias.hostname for alias in service.aliases)]
    names += [name.removesuffix(".svc.cluster.local") for name in names]
    names += [name.removesuffix(".cluster.local") for name in names[:1]]
    names += [name.split(".")[0] for name in names[:1] if service.kubernetes]
    names += [f"{service.name}-0.{service.hostname}"] if service.headless else []
    return [_covered(name) for name in names]


def _covered(name: str) -> str:
    return (
        name.replace("*", "any", 1) if name.startswith("*.") else name.replace("*", "any.example")
    )


def _addresses(service: RegistryService) -> list[str]:
    found = dict.fromkeys(chain(service.addresses, *service.addresses_in.values()))
    return [str(ip_network(a, strict=False)[-1]) for a in found if ":" not in a]
