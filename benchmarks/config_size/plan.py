"""The mesh of the benchmark as data: who runs where, who serves what, and who truly calls whom.

Everything is drawn from one seed. `objects.py` and `logs.py` write it out.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from benchmarks.config_size.blueprint import GRPC, Part, callees, give_owners, parts
from benchmarks.config_size.shape import CENTRAL, CUSTOMERS, TENANTS, Shape
from benchmarks.plan import DOMAIN, Placed
from fixtures.shop.shop import Pod, Port, Service, Workload, generated_name, template_hash

BOTH = (CENTRAL, TENANTS)
TENANT_NAMES = tuple(f"tenant-{number:02d}" for number in range(1, 13))
"""Those whose requests a service of the routing `tenants` sends to pods of their own."""
_HOME = {"store": "data", "python": "models"}  # the namespace of a customer by language
_PLATFORM = ("auth", "config", "flags", "identity", "audit", "metering", "notification", "files")
_EXCHANGE = ("rates", "partners", "registry", "templates", "geo", "calendar")
_LEGACY = (("mainframe", Port(1414, "tcp-mq")), ("reports", Port(8080, "http")))
_COLLECTOR = "observability/otel-collector"
# How often a workload calls each of these; everybody calls the first two.
_COMMON = {
    "platform/auth": 1.0,
    "platform/config": 1.0,
    "platform/flags": 0.3,
    "exchange/rates": 0.08,
    "exchange/registry": 0.08,
    "legacy/reports": 0.02,
    "legacy/mainframe": 0.02,
}
_POD_NETWORKS = {CENTRAL: "10.128.0.0", TENANTS: "10.160.0.0"}
_SERVICE_NETWORKS = {CENTRAL: "10.64.0.0", TENANTS: "10.96.0.0"}


@dataclass(frozen=True, slots=True)
class Application:
    """A service of the mesh.

    `clusters` are the Kubernetes clusters that have the Service, `runs_in` those with its pods.
    """

    service: Service
    part: Part
    clusters: tuple[str, ...]
    runs_in: tuple[str, ...]
    addresses: Mapping[str, str]
    proxied: bool = True
    idle: bool = False

    @property
    def host(self) -> str:
        """The host name that the registry has."""
        return f"{self.service.name}.{self.service.namespace}.{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Runner:
    """A workload in one Kubernetes cluster, with its pods; `serves` is the service it is behind."""

    kubernetes_cluster: str
    workload: Workload
    pods: tuple[Placed, ...]
    serves: str


@dataclass(frozen=True, slots=True)
class Call:
    """A way in which every pod of a workload calls a service.

    `caller` and `service` are `namespace/name`. `authority` is empty for TCP, `tenant` is the value
    of the request header x-tenant, and `envoy_clusters` are those where requests end.
    """

    kubernetes_cluster: str
    caller: str
    service: str
    port: int
    protocol: str
    address: str
    authority: str
    tenant: str
    envoy_clusters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole mesh, in a fixed order. `idle` are namespaces that nobody uses."""

    shape: Shape
    applications: tuple[Application, ...]
    runners: tuple[Runner, ...]
    calls: tuple[Call, ...]
    idle: tuple[str, ...]

    def namespaces(self) -> dict[str, bool]:
        """Every namespace of an application, and whether proxies are injected there."""
        found = {a.service.namespace: a.proxied for a in self.applications}
        return dict(sorted(found.items()))


def plan_mesh(shape: Shape) -> Plan:
    """Draw a mesh of some shape."""
    rng = random.Random(shape.seed)
    sets = [*_customer_sets(shape, rng), _shared_set(shape, rng)]
    common = [*_common()]
    in_use = [*(each.application for each in itertools.chain(*sets)), *common]
    idle = tuple(f"archive-{n:02d}" for n in range(1, _idle_count(shape, in_use) + 1))
    applications = tuple(_addressed([*in_use, *_idle_applications(idle)]))
    by_key = {a.service.key: a for a in applications}
    callers = [*_callers(sets, by_key), *_common_callers(common)]
    runners = _runners(shape, applications, callers)
    calls = tuple(_calls(runners, {c.key: c.callees for c in callers}, by_key, rng))
    return Plan(shape, applications, runners, calls, idle)


@dataclass(frozen=True, slots=True)
class _Member:
    """A service of a set, and the keys of those it calls."""

    application: Application
    callees: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Caller:
    """What runs behind a service, or a worker that only calls."""

    workloads: tuple[Workload, ...]
    key: str
    clusters: tuple[str, ...]
    callees: tuple[str, ...]


def _customer_sets(shape: Shape, rng: random.Random) -> Iterator[list[_Member]]:
    """The same services for each customer; who calls whom differs for every tenth."""
    blueprint = [_single_tenant(part) for part in parts(shape.customer_services)]
    graph = callees(blueprint, (shape.hub_services,), rng)
    for customer in CUSTOMERS[: shape.customers]:
        other = callees(blueprint, (shape.hub_services,), rng)
        chosen = [[*(b if rng.random() < 0.1 else a)] for a, b in zip(graph, other, strict=True)]
        give_owners(blueprint, chosen, rng)
        homes = [f"{customer}-{_HOME.get(part.language, 'apps')}" for part in blueprint]
        yield _members(blueprint, homes, (TENANTS,), chosen)


def _single_tenant(part: Part) -> Part:
    return replace(part, routing="canary") if part.routing == "tenants" else part


def _shared_set(shape: Shape, rng: random.Random) -> list[_Member]:
    """The services that all customers share, in the namespaces of teams."""
    blueprint = list(parts(shape.shared_services))
    hubs = (shape.hub_services * 3 // 2, shape.hub_services * 4 // 3, shape.hub_services)
    homes = [f"team-{place % shape.teams + 1:02d}" for place in range(len(blueprint))]
    graph = callees(blueprint, hubs, rng)
    give_owners(blueprint, graph, rng)
    return _members(blueprint, homes, (CENTRAL,), graph)


def _members(
    blueprint: Sequence[Part],
    homes: Sequence[str],
    clusters: tuple[str, ...],
    graph: Sequence[Sequence[int]],
) -> list[_Member]:
    services = [Service(home, p.name, p.ports) for p, home in zip(blueprint, homes, strict=True)]
    return [
        _Member(
            Application(service, part, clusters, clusters, {}),
            tuple(services[other].key for other in others),
        )
        for service, part, others in zip(services, blueprint, graph, strict=True)
    ]


def _common() -> Iterator[Application]:
    """What everybody may call: in both Kubernetes clusters, or in both but with pods in one."""
    for name in _PLATFORM:
        part = Part(name, "go", (GRPC, Port(9090, "http-metrics")), "limits")
        yield Application(Service("platform", name, part.ports), part, BOTH, BOTH, {})
    for name in _EXCHANGE:
        part = Part(name, "java", (GRPC, Port(9404, "http-metrics")))
        yield Application(Service("exchange", name, part.ports), part, BOTH, (CENTRAL,), {})
    collector = _COLLECTOR.partition("/")[2]
    unproxied = [("legacy", name, port) for name, port in _LEGACY]
    unproxied.append(("observability", collector, Port(4317, "grpc-otlp")))
    for namespace, name, port in unproxied:
        part = Part(name, "http", (port,))
        yield Application(Service(namespace, name, (port,)), part, BOTH, BOTH, {}, proxied=False)


def _idle_count(shape: Shape, in_use: Iterable[Application]) -> int:
    used = len({a.service.namespace for a in in_use})
    return round(used * shape.idle / (1 - shape.idle))


def _idle_applications(namespaces: Iterable[str]) -> Iterator[Application]:
    for place, namespace in enumerate(namespaces):
        where = (BOTH[place % 2],)
        for part in parts(6):
            service = Service(namespace, part.name, part.ports)
            yield Application(service, part, where, where, {}, proxied=False, idle=True)


def _addressed(applications: Iterable[Application]) -> Iterator[Application]:
    numbers = {cluster: itertools.count() for cluster in BOTH}
    for application in applications:
        addresses = {
            cluster: _address(_SERVICE_NETWORKS[cluster], next(numbers[cluster]))
            for cluster in application.clusters
        }
        yield replace(application, addresses=addresses)


def _callers(
    sets: Iterable[Sequence[_Member]], by_key: Mapping[str, Application]
) -> Iterator[_Caller]:
    for members in sets:
        for member in members:
            application = by_key[member.application.service.key]
            yield _Caller(
                _workloads(application),
                application.service.key,
                application.runs_in,
                member.callees,
            )
        yield from _workers(members)


def _workers(members: Sequence[_Member]) -> Iterator[_Caller]:
    """Workloads without a service: one for each namespace, calling what its last service calls."""
    last = {m.application.service.namespace: m for m in members if len(m.callees) > 1}
    for namespace, member in last.items():
        workload = Workload(namespace, "nightly-worker", replicas=1)
        yield _Caller((workload,), workload.key, member.application.runs_in, member.callees)


def _common_callers(common: Iterable[Application]) -> Iterator[_Caller]:
    for application in common:
        key = application.service.key
        yield _Caller(_workloads(application), key, application.runs_in, ())


def _workloads(application: Application) -> tuple[Workload, ...]:
    """What runs behind a service: a workload for each version."""
    service, part = application.service, application.part
    serves = {port.target or port.number: port.name for port in service.ports}
    return tuple(
        Workload(
            service.namespace,
            service.name + ("" if version == "v1" else f"-{version}"),
            replicas=part.replicas if version == "v1" else 1,
            app=service.name,
            version=version,
            proxy="native" if application.proxied else None,
            image=f"registry.example/{part.language}/{service.name}:{version}",
            serves=serves,
        )
        for version in part.versions
    )


def _runners(
    shape: Shape, applications: Iterable[Application], callers: Sequence[_Caller]
) -> tuple[Runner, ...]:
    idle = [_Caller(_workloads(a), a.service.key, a.runs_in, ()) for a in applications if a.idle]
    placed = [
        (cluster, workload, caller.key)
        for caller in (*_with_replicas(shape, callers), *idle)
        for workload in caller.workloads
        for cluster in caller.clusters
    ]
    totals = {c: sum(w.replicas for where, w, _ in placed if where == c) for c in BOTH}
    per_node = -(-sum(totals.values()) // (shape.nodes - 1))  # the last one may not be full
    first_node = {CENTRAL: 0, TENANTS: -(-totals[CENTRAL] // per_node)}
    numbers = {cluster: itertools.count() for cluster in BOTH}
    return tuple(
        Runner(
            cluster,
            workload,
            tuple(
                _place(cluster, workload, i, next(numbers[cluster]), per_node, first_node[cluster])
                for i in range(workload.replicas)
            ),
            "" if workload.name == "nightly-worker" else key,
        )
        for cluster, workload, key in placed
    )


def _with_replicas(shape: Shape, callers: Sequence[_Caller]) -> list[_Caller]:
    """Give the pods that are left to the Python services, one after the other."""
    found = list(callers)
    made = sum(w.replicas * len(c.clusters) for c in found for w in c.workloads)
    growing = [i for i, c in enumerate(found) if "/python/" in c.workloads[0].image]
    for place in itertools.islice(itertools.cycle(growing), max(0, shape.pods - made)):
        first, *rest = found[place].workloads
        more = replace(first, replicas=first.replicas + 1)
        found[place] = replace(found[place], workloads=(more, *rest))
    return found


def _place(
    cluster: str, workload: Workload, index: int, number: int, per_node: int, first_node: int
) -> Placed:
    suffix = generated_name(5, "pod", cluster, workload.key, str(index))
    pod = Pod(workload, f"{workload.name}-{template_hash(workload)}-{suffix}")
    address = _address(_POD_NETWORKS[cluster], number)
    return Placed(pod, address, first_node + number // per_node)


def _address(network: str, number: int) -> str:
    """An address of a network; none ends with 0 or 255."""
    return str(IPv4Address(int(IPv4Address(network)) + number // 250 * 256 + number % 250 + 1))


def _calls(
    runners: Iterable[Runner],
    callees_of: Mapping[str, Sequence[str]],
    by_key: Mapping[str, Application],
    rng: random.Random,
) -> Iterator[Call]:
    """Every pod of a version calls the same; a store and what has no proxy calls nobody."""
    for runner in runners:
        application = by_key.get(runner.serves)
        is_store = application is not None and application.part.language == "store"
        if runner.workload.proxy is None or is_store:
            continue
        key = runner.serves or runner.workload.key
        common = [each for each, share in _COMMON.items() if rng.random() < share]
        for called in (*callees_of[key], *common):
            if called != runner.serves:
                yield _call(runner, by_key[called], rng)


def _call(runner: Runner, called: Application, rng: random.Random) -> Call:
    service = called.service
    port = service.ports[0]
    tenant = ""
    if called.part.routing == "tenants" and rng.random() < 0.5:
        tenant = rng.choice(TENANT_NAMES)
    subsets: tuple[str, ...] = ("",)
    if called.part.routing == "canary":
        subsets = ("v1", "v2")
    elif called.part.routing == "tenants":
        subsets = ("dedicated",) if tenant else ("v1",)
    return Call(
        kubernetes_cluster=runner.kubernetes_cluster,
        caller=runner.workload.key,
        service=service.key,
        port=port.number,
        protocol=protocol(port),
        address=called.addresses[runner.kubernetes_cluster],
        authority="" if protocol(port) == "tcp" else _authority(runner.workload, called, port, rng),
        tenant=tenant,
        envoy_clusters=tuple(
            f"outbound|{port.number}|{subset}|{called.host}" for subset in subsets
        ),
    )


def protocol(port: Port) -> str:
    """What a port speaks: grpc, http or tcp."""
    return port.name.partition("-")[0]


def _authority(workload: Workload, called: Application, port: Port, rng: random.Random) -> str:
    """What a workload calls a service: never the same way everywhere."""
    service = called.service
    names = [f"{service.name}.{service.namespace}", called.host]
    if service.namespace == workload.namespace:
        names.append(service.name)
    name = rng.choice(names)
    return name if port.number == 80 else f"{name}:{port.number}"
