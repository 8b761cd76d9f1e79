"""Print how scope and proof grow with a mesh: `python -m benchmarks.scale`.

Only the deciding is measured, from mesh and service graph to recommendations, on one core: what it
takes to load a mesh and to read its logs, `python -m benchmarks.stages` tells. Times are those of
one run on this machine, and nothing is asserted. CPU seconds are those of all threads; what else
the machine does lengthens them less than it lengthens seconds. Python looks for garbage as rarely
as in the command.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import cycle, islice
from pathlib import Path

from benchmarks.measure import Measured, Stopwatch
from benchmarks.plan import Sizes
from benchmarks.stages import print_machine, working_folder
from benchmarks.synthetic import LOGS, MESH, size_options
from recommender.cli.main import collect_rarely
from recommender.mesh import Mesh, Service, load_mesh
from recommender.pipeline import Sources, read_flows, read_mesh, write_recommendations
from recommender.recommendation import Recommendations, recommend
from recommender.service_graph import Graph, build_service_graph
from recommender.settings import Settings

_IDLE_NETWORK = int(IPv4Address("10.72.0.0"))


@dataclass(frozen=True, slots=True)
class Scale:
    """What is measured: a mesh of some size, with services beside that nobody calls.

    `again` is for a second run, where the Sidecars of the first one are in force.
    """

    name: str
    sizes: Sizes
    idle: int = 0
    again: bool = False


_FEW = Sizes(services=900, pods=2500, lines=300_000, namespaces=60)
_MANY = Sizes(services=5000, pods=12_000, lines=400_000, namespaces=200, workloads=10_000)
_GROWING = Sizes(services=1000, pods=3000, lines=100_000, namespaces=100, workloads=2500)
_TWICE = replace(_GROWING, pods=6000, lines=200_000, workloads=5000)
_FOUR_TIMES = replace(_GROWING, pods=12_000, lines=400_000, workloads=10_000)

SCALES = (
    Scale("900 services, 2,500 pods", _FEW),
    Scale("900 services, 2,500 pods, again", _FEW, again=True),
    Scale("5,000 services, 10,000 workloads", _MANY),
    Scale("5,000 services, 10,000 workloads, again", _MANY, again=True),
    Scale("more workloads", _GROWING),
    Scale("more workloads", _TWICE),
    Scale("more workloads", _FOUR_TIMES),
    Scale("more services that nobody calls", _GROWING, idle=4000),
    Scale("more services that nobody calls", _GROWING, idle=9000),
    Scale("more services that nobody calls", _GROWING, idle=19_000),
)


def main(arguments: Sequence[str] | None = None, scales: Sequence[Scale] = SCALES) -> None:
    """Generate, measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.scale", description=__doc__)
    keep = "where to keep what is generated; what is there already is used"
    parser.add_argument("--keep", type=Path, metavar="DIR", help=keep)
    options = parser.parse_args(arguments)
    collect_rarely()
    with working_folder(options.keep) as folder:
        print_machine()
        _print_header()
        measure(folder, scales)


def measure(folder: Path, scales: Sequence[Scale]) -> None:
    """Measure one scale after the other, and print a row for each."""
    for scale in scales:
        mesh, graph = _read(_generated(folder, scale.sizes))
        mesh = with_idle_services(mesh, scale.idle)
        if scale.again:
            mesh = with_sidecars(mesh, recommend(graph, mesh))
        watch = Stopwatch()
        found = watch.run(scale.name, lambda: recommend(graph, mesh))  # noqa: B023 - run at once
        _print_row(mesh, graph, found, watch.measured[0])


def with_idle_services(mesh: Mesh, count: int) -> Mesh:
    """Add services that nobody calls, like those of the mesh but without pods."""
    alike = islice(cycle(mesh.services), count)
    idle = tuple(_idle(service, number) for number, service in enumerate(alike))
    services = sorted(mesh.services + idle, key=lambda s: (s.meta.namespace, s.meta.name))
    return replace(mesh, services=tuple(services))


def with_sidecars(mesh: Mesh, found: Recommendations) -> Mesh:
    """Apply recommended Sidecars."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        write_recommendations(found, Path(name), Settings())
        return replace(mesh, sidecars=load_mesh([name]).sidecars)


def _idle(service: Service, number: int) -> Service:
    address = str(IPv4Address(_IDLE_NETWORK + number // 250 * 256 + number % 250 + 1))
    return replace(
        service,
        meta=replace(service.meta, name=f"idle-{number}"),
        cluster_ips=(address,) if service.cluster_ips else (),
        selector={},
    )


def _generated(folder: Path, sizes: Sizes) -> Path:
    """Generate a mesh if it is not there yet."""
    place = folder / "-".join(option.lstrip("-") for option in size_options(sizes))
    if not (place / MESH).exists():
        # In a process of its own, so that its memory does not count.
        generator = [sys.executable, "-m", "benchmarks.synthetic", str(place)]
        subprocess.run([*generator, *size_options(sizes)], check=True)
    return place


def _read(place: Path) -> tuple[Mesh, Graph]:
    sources = Sources((str(place / LOGS),), (str(place / MESH),))
    mesh = read_mesh(sources, Settings(), lambda _: None)
    flows = read_flows(sources, Settings(), lambda _: None)
    return mesh, build_service_graph(flows, mesh)


_COLUMNS = ("services", "workloads", "calls", "hosts", "seconds", "CPU s", "ms/workload", "peak MB")


def _print_header() -> None:
    print(f"\n{'Scope and proof':<42}{''.join(f'{column:>12}' for column in _COLUMNS)}")


def _print_row(mesh: Mesh, graph: Graph, found: Recommendations, took: Measured) -> None:
    cells = "".join(f"{cell:>12}" for cell in _cells(mesh, graph, found, took))
    print(f"{took.name:<42}{cells}", flush=True)


def _cells(mesh: Mesh, graph: Graph, found: Recommendations, took: Measured) -> Iterator[str]:
    yield f"{len(mesh.services):,}"
    yield f"{len(mesh.workloads):,}"
    yield f"{graph.number_of_edges():,}"
    yield f"{sum(len(each.hosts) for each in found.recommended):,}"
    yield f"{took.seconds:.1f}"
    yield f"{took.processor_seconds:.1f}"
    yield f"{took.processor_seconds / len(mesh.workloads) * 1000:.2f}"
    yield f"{took.memory_peak / 1e6:,.0f}"


if __name__ == "__main__":
    main()
