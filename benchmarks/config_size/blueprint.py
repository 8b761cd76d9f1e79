"""What a set of services is made of: names, languages, ports, versions, and who calls whom.

A blueprint has no namespaces: every large customer gets a copy of the same one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fixtures.shop.shop import Port

_DOMAINS = (
    *("order", "invoice", "stock", "price", "shipment", "payment", "catalog", "contract"),
    *("quote", "refund", "profile", "session", "ledger", "coupon", "supplier", "warehouse"),
    *("route", "fleet", "claim", "policy", "survey", "message", "document", "calendar"),
)
_ROLES = {
    "go": ("api", "service", "resolver", "sync"),
    "java": ("engine", "processor", "rules", "batch"),
    "python": ("ranking", "forecast", "features", "matching"),
    "store": ("db", "cache", "queue"),
}
# What services are like, over and over; some of each are in any ten.
_LANGUAGES = ("go", "java", "python", "go", "store", "go", "python", "java", "go", "python")
_ROUTINGS = ("plain", "canary", "plain", "limits", "plain", "tenants", "limits", "plain")
_REPLICAS = {"go": 2, "java": 1, "python": 3, "store": 1, "http": 2}
_STORES = {
    "db": (Port(5432, "tcp-postgres"), Port(9187, "http-metrics")),
    "cache": (Port(6379, "tcp-redis"), Port(9121, "http-metrics")),
    "queue": (Port(9092, "tcp-kafka"), Port(9308, "http-metrics")),
}
GRPC = Port(9000, "grpc")
_PORTS = {
    "go": (GRPC, Port(9001, "grpc-admin"), Port(9090, "http-metrics")),
    "java": (
        GRPC,
        Port(9001, "grpc-admin"),
        Port(8081, "http-actuator"),
        Port(9404, "http-metrics"),
    ),
    "python": (GRPC, Port(8081, "http-health"), Port(9090, "http-metrics")),
}
# One HTTP service at port 80 makes every proxy carry the routes of all VirtualServices.
GATEWAY_PORTS = (Port(80, "http", 8080), GRPC, Port(9090, "http-metrics"))
# How many services of its own set a service calls, and how often that is so. Few call many.
_FAN_OUT = {0: 18, 1: 28, 2: 22, 3: 13, 4: 7, 5: 4, 7: 3, 10: 2, 16: 2, 24: 1}
_POPULARITY = 0.8  # the power of Zipf's law


@dataclass(frozen=True, slots=True)
class Part:
    """A service of a blueprint, and how calls to it are routed.

    `language` is go, java, python, http or store; `routing` is plain, limits (a DestinationRule),
    canary (two versions by weight) or tenants (a version for some tenants, by a header).
    """

    name: str
    language: str
    ports: tuple[Port, ...]
    routing: str = "plain"

    @property
    def replicas(self) -> int:
        """How many pods it has at least."""
        return _REPLICAS[self.language]

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that run."""
        return {"canary": ("v1", "v2"), "tenants": ("v1", "dedicated")}.get(self.routing, ("v1",))


def gateway(name: str) -> Part:
    """A service that takes HTTP and calls gRPC services."""
    return Part(name, "http", GATEWAY_PORTS, "limits")


def parts(count: int) -> Iterator[Part]:
    """The services of a blueprint; the first one is the gateway."""
    yield gateway("api-gateway")
    taken: set[str] = set()
    for number in range(count - 1):
        language = _LANGUAGES[number % len(_LANGUAGES)]
        roles = _ROLES[language]
        place = number
        while (name := _name(place, roles)) in taken:
            place += 1
        taken.add(name)
        if language == "store":
            yield Part(name, language, _STORES[name.rpartition("-")[2]])
        else:
            yield Part(name, language, _PORTS[language], _ROUTINGS[number % len(_ROUTINGS)])


def _name(place: int, roles: Sequence[str]) -> str:
    rounds, domain = divmod(place, len(_DOMAINS))
    series = rounds // len(roles)
    suffix = f"-{series + 1}" if series else ""
    return f"{_DOMAINS[domain]}{suffix}-{roles[(rounds + domain) % len(roles)]}"


def callees(blueprint: Sequence[Part], hubs: Sequence[int], rng: random.Random) -> list[list[int]]:
    """Draw whom each part calls, by place; the first parts are hubs that call so many services."""
    ranks = list(range(1, len(blueprint) + 1))
    rng.shuffle(ranks)
    weights = [rank**-_POPULARITY for rank in ranks]
    weights[0] = 0  # nothing behind the gateway calls it
    behind = [i for i, part in enumerate(blueprint) if part.ports[0] is GRPC]
    found = []
    for place, part in enumerate(blueprint):
        if place < len(hubs):
            found.append(sorted(rng.sample(behind, min(hubs[place], len(behind)))))
            continue
        (wanted,) = rng.choices(list(_FAN_OUT), list(_FAN_OUT.values()))
        wanted = 0 if part.language == "store" else min(wanted, len(blueprint) // 2)
        found.append(_draw(wanted, weights, rng))
    return [[other for other in others if other != place] for place, others in enumerate(found)]


def give_owners(blueprint: Sequence[Part], found: list[list[int]], rng: random.Random) -> None:
    """Let somebody call each store: nobody runs a database for no one."""
    called = {other for others in found for other in others}
    owners = [i for i, part in enumerate(blueprint) if part.ports[0] is GRPC]
    for place, part in enumerate(blueprint):
        if part.language == "store" and place not in called:
            found[rng.choice(owners)].append(place)


def _draw(wanted: int, weights: Sequence[float], rng: random.Random) -> list[int]:
    chosen: set[int] = set()
    while len(chosen) < wanted:
        chosen.update(rng.choices(range(len(weights)), weights))
    return sorted(chosen)
