"""Measure what Sidecars cost istiod, and fit `trade_off`: `python -m tests.istio.scope_cost`.

Needs Go and some minutes. Prints the seconds of CPU that a push of everything takes istiod with one
Sidecar per workload, with one per namespace and as `auto` chooses, next to what the formula says:
on synthetic meshes whose workloads call alike to a different degree, and on the benchmark's, small
or in full (`--benchmark full`). On a busy machine measured times differ by a fifth and more: the
fewest of several runs count.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.config_size.shape import FULL, SMALL
from benchmarks.plan import Sizes
from benchmarks.synthetic import LOGS, MESH, generate
from recommender.mesh import Mesh, load_mesh
from recommender.pipeline import Sources, recommend_sidecars, size_sidecars
from recommender.savings import Price, chosen_namespaces, total
from recommender.savings.trade_off import (
    SECONDS_PER_BYTE,
    SECONDS_PER_SERVICE,
    SECONDS_PER_SIDECAR,
)
from recommender.settings import GRANULARITIES, Settings
from tests.istio.benchmark_mesh import sidecar_pods, write_benchmark_mesh
from tests.istio.config_size_fit import least_squares
from tests.istio.judge import JudgedProxy, run_judge
from tests.istio.verdicts import Cost, Verdict

SIZES = Sizes(services=150, pods=400, lines=20_000, namespaces=12)
SHAPES = {"small": SMALL, "full": FULL}
RUNS = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """Hold what one choice costs, by the formula's amounts and by istiod."""

    mesh: str
    choice: str
    proxies: int
    price: Price
    cost: Cost

    @property
    def seconds(self) -> float:
        """Return the CPU time of istiod."""
        return self.cost.scope_seconds + self.cost.push_seconds


def measure(sizes: Sizes, runs: int = RUNS) -> list[Measured]:
    """Measure each choice on a synthetic mesh."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, sizes)
        mesh = folder / MESH
        proxies = [asdict(each) for each in _proxies(load_mesh([mesh]))]
        title = f"{sizes.services} services, {sizes.namespaces} namespaces"
        return _measured(
            title,
            Sources((folder / LOGS,), (mesh,)),
            folder,
            lambda out: {"mesh_dir": str(mesh), "sidecar_dir": str(out), "proxies": proxies},
            runs,
        )


def measure_benchmark(size: str = "small", runs: int = RUNS) -> list[Measured]:
    """Measure each choice on the mesh of the benchmark."""
    with TemporaryDirectory() as name:
        written = write_benchmark_mesh(Path(name), SHAPES[size])
        proxies = _proxies(written.load())
        return _measured(
            f"benchmark, {size}",
            written.sources,
            Path(name),
            lambda out: written.case(proxies, out),
            runs,
        )


def _measured(
    title: str,
    sources: Sources,
    folder: Path,
    case_of: Callable[[Path], Mapping[str, object]],
    runs: int,
) -> list[Measured]:
    found = size_sidecars(sources).trade_offs
    cases = []
    for choice in GRANULARITIES:
        recommend_sidecars(sources, folder / choice, Settings(granularity=choice))
        cases.append({**case_of(folder / choice), "cost": True})
    answers = [list(map(_cost, run_judge(cases))) for _ in range(runs)]
    return [
        Measured(
            title,
            choice,
            sum(each.proxies for each in found),
            total(found, chosen_namespaces(found, choice)),
            min(costs, key=lambda cost: cost.scope_seconds + cost.push_seconds),
        )
        for choice, costs in zip(GRANULARITIES, zip(*answers, strict=True), strict=True)
    ]


def _cost(verdicts: Sequence[Verdict]) -> Cost:
    assert verdicts[0].cost is not None
    return verdicts[0].cost


def _proxies(mesh: Mesh) -> list[JudgedProxy]:
    metas = [(pod.meta, pod.ips) for pod in sidecar_pods(mesh)]
    return [
        JudgedProxy(m.namespace, m.labels, m.name, ips, kubernetes_cluster=m.kubernetes_cluster)
        for m, ips in metas
    ]


def fit(found: Sequence[Measured]) -> tuple[float, float, float]:
    """Fit seconds per Sidecar, per service in its scope, and per byte.

    What a proxy costs whatever its scope is fitted too and left out: no choice changes it.
    """
    scopes = least_squares(
        [[each.price.objects, each.price.services] for each in found],
        [each.cost.scope_seconds for each in found],
        [1 / each.cost.scope_seconds for each in found],
    )
    _, per_byte = least_squares(
        [[each.proxies, each.price.bytes] for each in found],
        [each.cost.push_seconds for each in found],
        [1 / each.cost.push_seconds for each in found],
    )
    return scopes[0], scopes[1], per_byte


def report(found: Sequence[Measured]) -> Iterator[str]:
    """Yield the lines of the report."""
    in_use = (SECONDS_PER_SIDECAR, SECONDS_PER_SERVICE, SECONDS_PER_BYTE)
    names = ("seconds per Sidecar", "seconds per service", "seconds per byte")
    for name, used, fitted in zip(names, in_use, fit(found), strict=True):
        yield f"{name:<22}in use {used:.2e}  fitted {fitted:.2e}"
    columns = ("objects", "services", "MB", "MB of istiod", "scopes ms", "push ms", "formula ms")
    yield f"\n{'':<46}" + "".join(f"{column:>14}" for column in columns)
    for each in found:
        cells = (
            f"{each.price.objects:,}",
            f"{each.price.services:,}",
            f"{each.price.bytes / 1e6:.1f}",
            f"{each.cost.bytes / 1e6:.1f}",
            f"{1000 * each.cost.scope_seconds:.1f}",
            f"{1000 * each.cost.push_seconds:.1f}",
            f"{1000 * each.price.seconds:.1f}",
        )
        yield f"{each.mesh}, {each.choice}".ljust(46) + "".join(f"{cell:>14}" for cell in cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, fit and print."""
    parser = argparse.ArgumentParser(prog="tests.istio.scope_cost", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N")
    parser.add_argument("--benchmark", choices=SHAPES, default="small", help="size of that mesh")
    chosen = parser.parse_args(arguments)
    meshes = (SIZES, replace(SIZES, namespaces=75), replace(SIZES, services=300, pods=600))
    found = [each for sizes in meshes for each in measure(sizes, chosen.runs)]
    found += measure_benchmark(chosen.benchmark, chosen.runs)
    for line in report(found):
        print(line)  # noqa: T201 - this is a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
