"""What the judge answers, as dataclasses that mirror the Go types of `tests/istiod`.

The JSON comes from our own program: a wrong shape is a bug and may raise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PASSTHROUGH = "PassthroughCluster"


@dataclass(frozen=True, slots=True)
class EnvoyCluster:
    """Name an Envoy cluster of a route; `digest` covers its configuration and endpoints."""

    name: str
    weight: int
    exists: bool
    digest: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """Tell which way a call takes; `status` is that of a direct response.

    `route_number` counts the routes of the virtual host from 1, and is 0 where none matched.
    """

    listener: str
    filter_chain: str
    route_config: str
    virtual_host: str
    domains: tuple[str, ...]
    route: str
    route_number: int
    route_digest: str
    status: int
    redirect: bool
    clusters: tuple[EnvoyCluster, ...]
    mirrors: tuple[EnvoyCluster, ...]
    error: str
    filters: str = ""

    @property
    def outcome(self) -> tuple[object, ...]:
        """Return what must stay the same for the caller not to notice a new Sidecar.

        Calls that pass through are alike, whether the proxy saw a request or only bytes.
        """
        if {cluster.name for cluster in self.clusters} == {PASSTHROUGH}:
            return (PASSTHROUGH,)
        route = (self.route_digest, self.status, self.redirect)
        filters = "" if self.error else self.filters
        return (self.clusters, self.mirrors, *route, filters, self.error)


@dataclass(frozen=True, slots=True)
class JudgedPort:
    """Describe a port; `protocol` is istiod's word."""

    number: int
    name: str
    protocol: str


@dataclass(frozen=True, slots=True)
class JudgedService:
    """Describe a registry service as a scope holds it; `aliases` are `namespace/hostname`."""

    namespace: str
    name: str
    hostname: str
    kubernetes: bool
    ports: tuple[JudgedPort, ...]
    addresses: tuple[str, ...]
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JudgedListener:
    """Describe an egress listener; VirtualServices are `namespace/name`, the winners first."""

    port: int
    services: tuple[JudgedService, ...]
    virtual_services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangedKey:
    """Name what changed; for kinds ServiceEntry and Endpoints the name is the host."""

    kind: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Push:
    """Tell whether a proxy is sent anything after a change, and for which of its keys."""

    needed: bool
    keys: frozenset[ChangedKey]


@dataclass(frozen=True, slots=True)
class Validation:
    """Hold what istiod's webhook says of a Sidecar; empty means nothing."""

    error: str
    warning: str


@dataclass(frozen=True, slots=True)
class Resource:
    """Hold the size of one resource; `parts` and `routes` are those of the Go type `Resource`."""

    name: str
    bytes: int
    parts: int
    routes: int


@dataclass(frozen=True, slots=True)
class Size:
    """Hold what a proxy is sent, by xDS type and in the order of the names."""

    clusters: tuple[Resource, ...]
    endpoints: tuple[Resource, ...]
    listeners: tuple[Resource, ...]
    routes: tuple[Resource, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """Hold what a push of everything takes istiod, in seconds of CPU, and how much it sends."""

    scope_seconds: float
    push_seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Hold istiod's answer about one proxy.

    `sidecar` is `namespace/name`, empty for the implicit default. `clusters` are all Envoy clusters
    and `named` those that the listeners name; `addresses` what the proxy answers for each name if
    it captures DNS; `targets` the services, `namespace/host`, that select the proxy; `inbound` is a
    digest of how it takes calls. `config_dump` is what its Envoy would print, `cost` that of all
    proxies of a case, in the first verdict. What was not asked for is empty, `size`, `config_dump`
    and `cost` None.
    """

    sidecar: str
    listeners: tuple[JudgedListener, ...]
    services: tuple[JudgedService, ...]
    clusters: tuple[str, ...]
    named: tuple[str, ...]
    addresses: Mapping[str, tuple[str, ...]]
    calls: tuple[Resolution, ...]
    pushes: tuple[Push, ...]
    targets: tuple[str, ...]
    size: Size | None
    config_dump: dict[str, Any] | None
    cost: Cost | None
    inbound: str = ""


def verdict(raw: dict[str, Any]) -> Verdict:
    """Read the answer about one proxy."""
    return Verdict(
        sidecar=raw["sidecar"],
        listeners=tuple(map(_listener, raw["listeners"])),
        services=tuple(map(_service, raw["services"])),
        clusters=tuple(raw["clusters"] or ()),
        named=tuple(raw["named"] or ()),
        addresses={name: tuple(ips) for name, ips in (raw.get("addresses") or {}).items()},
        calls=tuple(map(_resolution, raw["calls"] or ())),
        pushes=tuple(map(_push, raw["pushes"] or ())),
        targets=tuple(raw["targets"] or ()),
        size=None if raw["size"] is None else _size(raw["size"]),
        # What was recorded is older than these.
        config_dump=raw.get("config_dump"),
        cost=Cost(**raw["cost"]) if raw.get("cost") else None,
        inbound=raw.get("inbound", ""),
    )


def _size(raw: dict[str, Any]) -> Size:
    return Size(**{name: tuple(Resource(**each) for each in found) for name, found in raw.items()})


def _push(raw: dict[str, Any]) -> Push:
    return Push(raw["needed"], frozenset(ChangedKey(**key) for key in raw["keys"]))


def _listener(raw: dict[str, Any]) -> JudgedListener:
    services = tuple(map(_service, raw["services"]))
    return JudgedListener(raw["port"], services, tuple(raw["virtual_services"]))


def _service(raw: dict[str, Any]) -> JudgedService:
    ports = tuple(JudgedPort(**port) for port in raw["ports"])
    lists = {name: tuple(raw[name]) for name in ("addresses", "aliases")}
    return JudgedService(**{**raw, **lists, "ports": ports})


def _resolution(raw: dict[str, Any]) -> Resolution:
    clusters = {
        name: tuple(EnvoyCluster(**cluster) for cluster in raw[name] or ())
        for name in ("clusters", "mirrors")
    }
    return Resolution(**{**raw, **clusters, "domains": tuple(raw["domains"] or ())})
