"""Laws of the whole: what holds for any log of the shop, and for any small mesh."""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.access_logs import read_access_logs
from recommender.flows import Flows, summarise_flows
from recommender.mesh import Mesh, load_mesh
from recommender.pipeline import Sources, recommend_sidecars
from recommender.recommendation import Recommendations, recommend
from recommender.service_graph import build_service_graph
from tests.mesh.helpers import Object, mesh_of_objects
from tests.recommendation.helpers import (
    Flow,
    decide_for,
    deployment,
    fqdn,
    http_call,
    pod_name,
    received,
    route_to,
    service,
    virtual_service,
)

SHOP = Path(__file__).parents[1] / "fixtures" / "shop"
LOGS = sorted((SHOP / "logs").rglob("*.log"))
NAMESPACES, NAMES = ("a", "b", "c"), ("one", "two", "three")
HOSTS = [f"{name}.{ns}" for ns in NAMESPACES for name in NAMES]
SOURCE = f"a/{pod_name('web')}"


def shop_files(logs: Path) -> dict[str, bytes]:
    """Run the main job over a folder of logs and return the files it writes."""
    with TemporaryDirectory() as folder:
        recommend_sidecars(Sources((logs,), (SHOP / "mesh",)), Path(folder))
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(Path(folder).rglob("*.yaml"))
        }


def test_line_order_and_file_split_do_not_change_a_byte() -> None:
    expected = shop_files(SHOP / "logs")
    assert expected

    @settings(max_examples=8)
    @given(st.randoms(use_true_random=False), st.integers(1, 3), st.booleans())
    def same(random: Random, parts: int, packed: bool) -> None:
        with TemporaryDirectory() as folder:
            for path in LOGS:
                lines = path.read_bytes().splitlines(keepends=True)
                random.shuffle(lines)
                for part in range(parts):
                    content = b"".join(lines[part::parts])
                    name = f"{path.name}.{part}.gz" if packed else f"{path.name}.{part}"
                    target = Path(folder, name)
                    target.write_bytes(gzip.compress(content) if packed else content)
            assert shop_files(Path(folder)) == expected

    same()


def hosts_of(answer: Recommendations) -> dict[object, set[str]]:
    return {r.workload: {entry.host for entry in r.hosts} - {"~/*"} for r in answer.recommended}


def asked_for(answer: Recommendations) -> dict[object, set[str]]:
    """Collect hosts without those that are there only since the own log lacks a call.

    More of the own log may show by which name that was made.
    """
    return {
        r.workload: {e.host for e in r.hosts if {x.kind for x in e.reasons} != {"received"}}
        - {"~/*"}
        for r in answer.recommended
    }


def only_received(answer: Recommendations) -> set[object]:
    return {x.workload for x in answer.left_out if x.reason == "calls only received"}


def part_of(flows: Flows, kept: list[bool]) -> Flows:
    return Flows(flows.frame.filter(pl.Series(kept, dtype=pl.Boolean)), flows.lines)


@settings(max_examples=25)
@given(st.data())
def test_more_log_of_the_shop_never_removes_a_host(data: st.DataObject) -> None:
    flows, mesh = SHOP_FLOWS, SHOP_MESH
    size = flows.frame.height
    more = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    fewer = [keep and data.draw(st.booleans()) for keep in more]

    def decided(kept: list[bool]) -> Recommendations:
        return recommend(build_service_graph(part_of(flows, kept), mesh), mesh)

    answer = decided(more)
    after = hosts_of(answer)
    for workload, found in asked_for(decided(fewer)).items():
        assert workload in only_received(answer) or found <= after[workload]


SHOP_FLOWS = summarise_flows(read_access_logs([SHOP / "logs"]))
SHOP_MESH = load_mesh([SHOP / "mesh"])


@st.composite
def small_meshes(draw: st.DrawFn) -> tuple[Mesh, list[Flow]]:
    """Draw services in three namespaces, VirtualServices between them, and calls of one pod."""
    hosts = HOSTS
    objects: list[Object] = [*deployment("web", "a")]
    for number, host in enumerate(hosts):
        name, namespace = host.split(".")
        port = draw(st.sampled_from([80, 8080]))
        port_name = draw(st.sampled_from(["http", "tcp", "x"]))
        ip = f"10.96.1.{number}"
        objects.append(service(name, namespace, port=port, port_name=port_name, ip=ip))
    for number in range(draw(st.integers(0, 3))):
        target = draw(st.sampled_from([*hosts, "alone.example"]))
        there = [fqdn(host) for host in draw(st.lists(st.sampled_from(hosts), min_size=1))]
        name = fqdn(target) if target in hosts else target
        home = draw(st.sampled_from(NAMESPACES))
        routes = [route_to(*dict.fromkeys(there))]
        objects.append(virtual_service(f"vs{number}", home, hosts=[name], http=routes))
    for number, host in enumerate(hosts):
        objects += deployment(*host.split("."), ip=f"10.244.{number + 1}")
    calls = []
    for _ in range(draw(st.integers(0, 6))):
        number = draw(st.integers(0, len(hosts) - 1))
        to = draw(st.sampled_from([None, *hosts]))
        calls.append(
            http_call(
                SOURCE,
                draw(st.sampled_from([hosts[number], fqdn(hosts[number]), "alone.example"])),
                fqdn(to) if to else None,
                port=draw(st.sampled_from([80, 8080])),
                address=draw(st.sampled_from([f"10.96.1.{number}", "9.9.9.9"])),
                protocol=draw(st.sampled_from(["http", "tcp"])),
            )
        )
    return mesh_of_objects(*objects), [received(SOURCE), *calls]


def received_at(host: str, port: int, asked: str | None) -> Flow:
    """Make the flow of a request that a pod of a service received from the one that calls."""
    name, namespace = host.split(".")
    pod, number = f"{namespace}/{pod_name(name)}", HOSTS.index(host) + 1
    return received(
        pod,
        port,
        peer="10.244.0.1",
        destination_address=f"10.244.{number}.1:{port}",
        server_name=asked and f"outbound_.{port}_._.{fqdn(asked)}",
    )


requests_received = st.builds(
    received_at,
    st.sampled_from(HOSTS),
    st.sampled_from([80, 8080]),
    st.sampled_from([None, *HOSTS]),
)


@settings(max_examples=80)
@given(small_meshes(), st.data())
def test_more_log_never_removes_a_host(case: tuple[Mesh, list[Flow]], data: st.DataObject) -> None:
    mesh, flows = case
    fewer = [flow for flow in flows if data.draw(st.booleans())]
    after = hosts_of(decide_for(mesh, flows))

    for workload, found in hosts_of(decide_for(mesh, fewer)).items():
        assert found <= after[workload]


@settings(max_examples=80)
@given(small_meshes(), st.lists(requests_received, max_size=5), st.integers(0, 5))
def test_what_others_received_never_removes_a_host(
    case: tuple[Mesh, list[Flow]], found: list[Flow], fewer: int
) -> None:
    mesh, flows = case
    answer = decide_for(mesh, [*flows, *found])
    after = hosts_of(answer)

    for workload, before in hosts_of(decide_for(mesh, [*flows, *found[:fewer]])).items():
        assert workload in only_received(answer) or before <= after[workload]


@settings(max_examples=80)
@given(small_meshes(), st.data())
def test_what_the_own_log_shows_is_not_changed_by_what_others_received(
    case: tuple[Mesh, list[Flow]], data: st.DataObject
) -> None:
    mesh, flows = case
    logged = {fqdn(host) for host in HOSTS} & {flow.get("destination_host") for flow in flows}
    known = [host for host in HOSTS if fqdn(host) in logged]
    asked = st.sampled_from([None, *HOSTS])
    own = st.builds(received_at, st.sampled_from(known), st.sampled_from([80, 8080]), asked)
    found = data.draw(st.lists(own, max_size=5)) if known else []
    before, after = (decide_for(mesh, each) for each in (flows, [*flows, *found]))

    def of_caller(answer: Recommendations) -> list[object]:
        return [r for r in answer.recommended if r.workload.name == "web"]

    assert of_caller(before) == of_caller(after)


@settings(max_examples=80)
@given(small_meshes())
def test_every_destination_in_the_mesh_is_in_scope_or_named(case: tuple[Mesh, list[Flow]]) -> None:
    """Each host that the log names is brought by an entry, or a note or reason names it."""
    mesh, flows = case
    called = {str(flow["destination_host"]) for flow in flows if flow.get("destination_host")}

    for answer in decide_for(mesh, flows).recommended:
        said = [reason.detail for entry in answer.hosts for reason in entry.reasons]
        said += [note.detail for note in answer.notes]
        entries = {entry.host.split("/")[1] for entry in answer.hosts}
        for host in called:
            assert host in entries or any(host in text for text in said)
