"""Print what each stage of a run takes on a large synthetic mesh: `python -m benchmarks.stages`.

Times are those of one run on this machine, and nothing is asserted. CPU seconds are those of all
threads; what else the machine does lengthens them less than it lengthens seconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.alternatives import count_in_python, load_with_pyyaml
from benchmarks.measure import Measured, Stopwatch, reset_peak
from benchmarks.plan import Sizes
from benchmarks.synthetic import LOGS, MESH, add_sizes, read_sizes, size_options
from recommender.istio.sidecar_scope import NEWEST_VERSION
from recommender.mesh.documents import read_documents
from recommender.pipeline import Sources, read_flows, read_mesh, write_recommendations
from recommender.recommendation import recommend
from recommender.report import Report, render_json, render_table
from recommender.service_graph import build_service_graph
from recommender.settings import Settings
from recommender.sidecars import without_refused, without_unusable_names


def main(arguments: Sequence[str] | None = None) -> None:
    """Generate, measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.stages", description=__doc__)
    add_sizes(parser)
    keep = "where to keep what is generated; what is there already is used, whatever its sizes"
    parser.add_argument("--keep", type=Path, metavar="DIR", help=keep)
    options = parser.parse_args(arguments)
    sizes = read_sizes(options)
    with working_folder(options.keep) as folder:
        print_machine()
        measure(folder, sizes)


@contextmanager
def working_folder(keep: Path | None) -> Iterator[Path]:
    """Yield a folder to keep, else one that goes in the end."""
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        yield Path(name)


def measure(folder: Path, sizes: Sizes) -> None:
    """Generate a mesh in a folder if it has none yet, and print what its stages take."""
    if (folder / MESH).exists():
        print(f"Measured is what {folder} holds already.")
    else:
        # In a process of its own, so that its memory does not count below.
        generator = [sys.executable, "-m", "benchmarks.synthetic", str(folder)]
        subprocess.run([*generator, *size_options(sizes)], check=True)
    print_input(folder)
    watch = Stopwatch()
    out = folder / "out"
    logs, mesh = str(folder / LOGS), str(folder / MESH)
    command = ["recommend", "--logs", logs, "--mesh", mesh, "--out", str(out / "command")]
    watch.run_program("the whole command", "recommender.cli.main", command)
    print_table("Program", watch.measured)
    print_table("Stage", run_stages(Sources((logs,), (mesh,)), out / "stages"))
    print_alternatives(folder)


def run_stages(sources: Sources, out: Path) -> list[Measured]:
    """Run the stages of the command one by one."""
    watch, settings = Stopwatch(), Settings()
    mesh = watch.run("load the mesh", lambda: read_mesh(sources, settings, lambda _: None))
    flows = watch.run("read the logs", lambda: read_flows(sources, settings, lambda _: None))
    graph = watch.run("build the service graph", lambda: build_service_graph(flows, mesh))
    found = watch.run(
        "decide and prove",
        lambda: without_refused(without_unusable_names(recommend(graph, mesh, settings)), settings),
    )
    written = watch.run(
        "write the Sidecars", lambda: write_recommendations(found, out, settings, mesh)
    )
    report = Report(
        recommendations=found,
        lines=flows.lines,
        mesh_notes=mesh.notes,
        istio_version=mesh.istio_version or NEWEST_VERSION,
        istio_version_known=mesh.istio_version is not None,
        out=str(out),
        written=written,
    )
    watch.run("report as a table", lambda: render_table(report))
    watch.run("report as JSON", lambda: render_json(report))
    print(
        f"{len(mesh.workloads):,} workloads, {flows.lines.used:,} of {flows.lines.read:,} lines "
        f"used, {flows.frame.height:,} flows, {graph.number_of_edges():,} edges, "
        f"{len(found.recommended):,} Sidecars, {len(found.left_out):,} left out\n"
    )
    return watch.measured


def print_alternatives(folder: Path) -> None:
    """Measure the simplest way to do a part of the work, next to this tool's."""
    watch, settings = Stopwatch(), Settings()
    logs, files = folder / LOGS, sorted((folder / MESH).glob("*.yaml"))
    sources = Sources((logs,), ())
    watch.run("logs: read and sum up", lambda: read_flows(sources, settings, lambda _: None))
    watch.run("logs: a loop with re and json", lambda: count_in_python(logs))
    watch.run("YAML: read the objects", lambda: sum(1 for _ in read_documents(files)))
    watch.run("YAML: PyYAML's CSafeLoader", lambda: load_with_pyyaml(files))
    print_table("Alternative", watch.measured)
    for ours, other in zip(watch.measured[::2], watch.measured[1::2], strict=True):
        wall = other.seconds / ours.seconds
        processor = other.processor_seconds / ours.processor_seconds
        print(f"{other.name}: {wall:.1f} times our seconds, {processor:.1f} times our CPU seconds")


def print_machine() -> None:
    """Say what the figures are from."""
    cores = len(os.sched_getaffinity(0))
    print(f"Python {platform.python_version()}, {cores} processor cores, {platform.machine()}")
    if not reset_peak():
        print("The peak cannot be reset here: it is the most since the start.")


def print_input(folder: Path) -> None:
    """Say how large the input is."""
    for name in (MESH, LOGS):
        files = [path for path in (folder / name).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        print(f"{name}: {len(files):,} files, {size / 1e6:,.0f} MB")
    print()


def print_table(title: str, measured: Sequence[Measured]) -> None:
    """Print one row for each piece of work."""
    print(f"{title:<32}{'seconds':>10}{'CPU s':>10}{'peak MB':>10}{'grown MB':>10}")
    for row in measured:
        times = f"{row.seconds:>10.2f}{row.processor_seconds:>10.2f}"
        grown = max(0, row.memory_peak - row.memory_before) / 1e6
        print(f"{row.name:<32}{times}{row.memory_peak / 1e6:>10,.0f}{grown:>10,.0f}")
    print()


if __name__ == "__main__":
    main()
