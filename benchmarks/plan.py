"""A synthetic mesh as data: who runs where, who serves what, and who calls whom.

Everything is drawn from one seed. `kubernetes.py` and `access_logs.py` write it out.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from fixtures.shop.shop import SERVICES, Pod, Port, Service, Workload

DOMAIN = "svc.cluster.local"
_SHORTEST, _LONGEST = 3, 12  # services a workload calls
_OUTSIDE_SHARE, _UNKNOWN_SHARE = 0.25, 0.08
_WORDS = (
    *("orders", "stock", "price", "search", "mail", "image", "basket", "refund", "ledger"),
    *("quote", "route", "fleet", "menu", "badge", "ticket", "seat", "claim", "policy"),
    *("lease", "audit", "photo", "score", "alert", "batch", "draft", "label", "parcel"),
)
_POD_NETWORK, _SERVICE_NETWORK = (int(IPv4Address(text)) for text in ("10.128.0.0", "10.64.0.0"))
_OUTSIDE_NETWORK = int(IPv4Address("198.18.0.0"))

# What services are like, over and over; the first ten are one of each kind.
_KINDS = (
    *("http", "grpc", "tcp", "moved", "sniffed", "subsets", "headless", "web", "http", "http"),
    *("http", "http", "grpc", "tcp", "http", "web", "http", "grpc", "http", "web"),
)
_PORTS = {
    "grpc": Port(9000, "grpc"),
    "tcp": Port(5432, "tcp-postgres"),
    "sniffed": Port(8080, "main"),
    "headless": Port(9092, "tcp-kafka"),
    "web": Port(80, "http", 8080),
}
PLATFORM = ("default/kubernetes", "istio-system/istiod", "observability/otel-collector")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Say how large a mesh is; `workloads` beyond those behind services call but serve nothing."""

    services: int = 900
    pods: int = 2500
    lines: int = 1_000_000
    namespaces: int = 60
    workloads: int = 0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Application:
    """One service with its kind; `moved_to` is where a VirtualService sends its calls."""

    service: Service
    kind: str
    address: str
    popularity: float
    moved_to: Application | None = None

    @property
    def port(self) -> Port:
        """The only port of the service."""
        return self.service.ports[0]

    @property
    def host(self) -> str:
        """The host name that the registry has."""
        return f"{self.service.name}.{self.service.namespace}.{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Outside:
    """A host outside of the mesh, `known` if a ServiceEntry has it."""

    host: str
    address: str
    known: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """A pod, its address and the node it runs on."""

    pod: Pod
    address: str
    node: int


@dataclass(frozen=True, slots=True)
class Edge:
    """A workload's calls to one service or outside host."""

    target: Application | Outside
    weight: float


@dataclass(frozen=True, slots=True)
class MeshPlan:
    """The whole mesh, in a fixed order."""

    sizes: Sizes
    namespaces: tuple[str, ...]
    applications: tuple[Application, ...]
    workloads: tuple[Workload, ...]
    pods: Mapping[str, tuple[Placed, ...]]  # by the key of the workload
    edges: Mapping[str, tuple[Edge, ...]]
    outside: tuple[Outside, ...]

    def logs_json(self, namespace: str) -> bool:
        """Whether the proxies of a namespace log JSON: half of the namespaces do."""
        return self.namespaces.index(namespace) % 2 == 1

    def endpoints(self, application: Application) -> tuple[Placed, ...]:
        """The pods behind a service."""
        namespace, name = application.service.namespace, application.service.name
        keys = workload_keys(namespace, name, application.kind)
        return tuple(placed for key in keys for placed in self.pods[key])


def plan_mesh(sizes: Sizes) -> MeshPlan:
    """Draw a mesh of some size."""
    rng = random.Random(sizes.seed)
    namespaces = tuple(f"team-{number:03d}" for number in range(max(1, sizes.namespaces)))
    applications = tuple(_applications(sizes, namespaces, rng))
    workloads = tuple(_with_replicas(list(_workloads(sizes, applications, namespaces, rng)), sizes))
    outside = tuple(_outside(sizes))
    caller = _Caller.of(applications, outside, rng)
    return MeshPlan(
        sizes,
        namespaces,
        applications,
        workloads,
        _placed(workloads),
        {workload.key: caller.edges(workload) for workload in workloads},
        outside,
    )


def platform_services() -> Iterator[Service]:
    """The services of the platform, as in the shop."""
    return (service for service in SERVICES if service.key in PLATFORM)


def workload_keys(namespace: str, name: str, kind: str) -> list[str]:
    """The workloads behind a service: one, or one for each subset."""
    return [f"{namespace}/{name}{version}" for version in _versions(kind)]


def _versions(kind: str) -> tuple[str, ...]:
    return ("-v1", "-v2") if kind == "subsets" else ("",)


def _applications(
    sizes: Sizes, namespaces: Sequence[str], rng: random.Random
) -> Iterator[Application]:
    """Draw services: most namespaces are small, and few services have most of the callers."""
    ranks = list(range(1, sizes.services + 1))
    rng.shuffle(ranks)
    crowding = [1 / (place + 3) for place in range(len(namespaces))]
    drawn: list[Application] = []
    for number, rank in enumerate(ranks):
        kind = _KINDS[number % len(_KINDS)]
        (namespace,) = rng.choices(namespaces, crowding)
        service = Service(
            namespace,
            f"{_WORDS[number % len(_WORDS)]}-{number}",
            (_PORTS.get(kind, Port(8080, "http")),),
            headless=kind == "headless",
        )
        address = "None" if service.headless else _address(_SERVICE_NETWORK, number)
        drawn.append(Application(service, kind, address, rank**-0.9))
    plain = [a for a in drawn if a.kind == "http"]
    for application in drawn:
        moved = application.kind == "moved"
        yield replace(application, moved_to=rng.choice(plain)) if moved else application


def _workloads(
    sizes: Sizes,
    applications: Sequence[Application],
    namespaces: Sequence[str],
    rng: random.Random,
) -> Iterator[Workload]:
    """What runs behind the services, and workers that only call."""
    number = 0
    for application in applications:
        service, port = application.service, application.port
        for version in _versions(application.kind):
            number += 1
            yield Workload(
                service.namespace,
                service.name + version,
                kind="StatefulSet" if service.headless else "Deployment",
                app=service.name,
                version=version.removeprefix("-") or "v1",
                serves={port.target or port.number: "http" if "tcp" not in port.name else "tcp"},
            )
    for worker in range(sizes.workloads - number):
        yield Workload(rng.choice(namespaces), f"worker-{worker}")


def _with_replicas(workloads: list[Workload], sizes: Sizes) -> Iterator[Workload]:
    """Spread the pods: one for each workload as far as they go, the rest mostly in threes."""
    replicas = [1 if place < sizes.pods else 0 for place in range(len(workloads))]
    rest = sizes.pods - sum(replicas)
    places = list(range(len(workloads)))
    random.Random(sizes.seed + 1).shuffle(places)
    for place in itertools.cycle(places):
        if rest <= 0:
            break
        more = min(rest, 1 + place % 4)
        replicas[place] += more
        rest -= more
    for workload, count in zip(workloads, replicas, strict=True):
        yield replace(workload, replicas=count)


def _placed(workloads: Sequence[Workload]) -> dict[str, tuple[Placed, ...]]:
    numbers = itertools.count()
    placed: dict[str, tuple[Placed, ...]] = {}
    for workload in workloads:
        pods = zip(workload.pods, numbers, strict=False)
        placed[workload.key] = tuple(
            Placed(pod, _address(_POD_NETWORK, number), number // 60) for pod, number in pods
        )
    return placed


def _outside(sizes: Sizes) -> Iterator[Outside]:
    """One outside host for thirty services; every third has no ServiceEntry."""
    for number in range(max(3, sizes.services // 30)):
        known = number % 3 != 2
        host = f"api-{number}.{'partner' if known else 'unknown'}.example"
        yield Outside(host, _address(_OUTSIDE_NETWORK, number), known)


def _address(network: int, number: int) -> str:
    """An address of a network; none ends with 0 or 255."""
    return str(IPv4Address(network + number // 250 * 256 + number % 250 + 1))


@dataclass(slots=True)
class _Caller:
    """Draw whom workloads call: services of their own namespace more often, popular ones too."""

    applications: Sequence[Application]
    heights: Sequence[float]
    by_namespace: Mapping[str, Sequence[Application]]
    outside: Sequence[Outside]
    rng: random.Random

    @classmethod
    def of(
        cls, applications: Sequence[Application], outside: Sequence[Outside], rng: random.Random
    ) -> _Caller:
        by_namespace: dict[str, list[Application]] = defaultdict(list)
        for application in applications:
            by_namespace[application.service.namespace].append(application)
        heights = list(itertools.accumulate(a.popularity for a in applications))
        return cls(applications, heights, by_namespace, outside, rng)

    def edges(self, workload: Workload) -> tuple[Edge, ...]:
        """Draw the calls of a workload; few of them make most of its requests."""
        targets = list(self._services(workload))
        for known, share in ((True, _OUTSIDE_SHARE), (False, _UNKNOWN_SHARE)):
            if self.rng.random() < share:
                hosts = [o for o in self.outside if o.known is known]
                targets.append(self.rng.choice(hosts))
        self.rng.shuffle(targets)
        return tuple(Edge(target, 1 / (place + 1)) for place, target in enumerate(targets))

    def _services(self, workload: Workload) -> Iterator[Application | Outside]:
        wanted = min(self.rng.randint(_SHORTEST, _LONGEST), len(self.applications) // 2)
        near = self.by_namespace.get(workload.namespace, ())
        called: set[str] = set()
        for _ in range(50):
            if len(called) == wanted:
                return
            target = self._draw(near)
            itself = target.service.key == f"{workload.namespace}/{workload.app}"
            if target.service.key not in called and not itself:
                called.add(target.service.key)
                yield target

    def _draw(self, near: Sequence[Application]) -> Application:
        if near and self.rng.random() < 0.4:
            return self.rng.choice(near)
        place = bisect(self.heights, self.rng.random() * self.heights[-1])
        return self.applications[min(place, len(self.applications) - 1)]
