"""Measure what Sidecars save: `python -m benchmarks.config_size`.

A mesh is made with its access logs, Sidecars are recommended for it as a user would have them, and
istiod's own code and real Envoys are measured without them, with them, and with Sidecars written
from the true graph. The status is 1 if a promise is broken. Times are those of this machine at this
time.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.config_size.envoys import Observed, check_memory, check_ports, observe
from benchmarks.config_size.errors import BenchmarkError
from benchmarks.config_size.hand_written import write_sidecars
from benchmarks.config_size.istiod import Measured, Work, asked_of, build_programs, measure
from benchmarks.config_size.mesh import (
    LOGS,
    MESH,
    BenchmarkMesh,
    add_shape,
    build_mesh,
    read_shape,
)
from benchmarks.config_size.picture import picture
from benchmarks.config_size.report import broken, facts, notes, table
from benchmarks.config_size.requirements import find_requirements
from benchmarks.config_size.result import (
    AFTER,
    BEFORE,
    TRUE_GRAPH,
    VARIANTS,
    WITHOUT_OWN,
    Run,
    document,
)
from benchmarks.config_size.sample import changes, stratified
from benchmarks.stages import working_folder

ENVOYS = 16
_TOOL = [sys.executable, "-m", "recommender.cli.main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate, recommend, measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.config_size", description=__doc__)
    add_shape(parser)
    keep = "where to keep what is made; a mesh of an earlier run there is removed"
    parser.add_argument("--keep", type=Path, metavar="DIR", help=keep)
    parser.add_argument("--envoys", type=int, default=ENVOYS, metavar="N", help="real Envoys")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="where to write what is shown")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="where to write the picture")
    options = parser.parse_args(arguments)
    shape = read_shape(parser, options)
    # An ended terminal or `kill` shall end the proxies too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        with working_folder(options.keep) as folder:
            found = document(run(build_mesh(shape), folder.resolve(), options.envoys))
    except BenchmarkError as error:
        print(f"benchmarks.config_size: {error}", file=sys.stderr)
        return 2
    shown = {"schema": found["schema"], "summary": found["summary"]}
    for file, text in (
        (options.json, as_json(found)),
        (options.summary, as_json(shown)),
        (options.svg, picture(found["summary"])),
    ):
        if file:
            file.write_text(text, encoding="utf-8")
    return _show(found["summary"])


def run(mesh: BenchmarkMesh, folder: Path, envoys: int) -> Run:
    """Measure a mesh.

    Raises:
        BenchmarkError: Something is missing, or a proxy refused configuration.
    """
    begin = time.monotonic()
    envoy = find_requirements()
    check_ports()
    say("building the programs around istiod's code (minutes, the first time)")
    build_programs()
    say("writing the mesh and its logs")
    sidecars = write_all(mesh, folder)
    say("recommending Sidecars")
    recommended = ask_tool("recommend", mesh, folder, "--out", str(sidecars[AFTER]))
    say("estimating what they save")
    estimated = ask_tool("size", mesh, folder)
    asked = asked_of(mesh)
    measured: dict[str, Measured] = {}
    for name in VARIANTS:
        say(f"asking istiod what it sends: {name}")
        measured[name] = measure(mesh, folder, asked, sidecars[name])
    sample = stratified(asked, measured[AFTER], envoys)
    real = [asked.proxies[place] for place in sample]
    changed = list(changes(mesh, real))
    check_memory(sum(map(measured[BEFORE].bytes_of, sample)))
    observed: dict[str, Observed] = {}
    for name in (BEFORE, AFTER):
        say(f"running {len(real)} Envoys: {name}")
        dump = folder / f"config_dump-{name}.json"
        observed[name] = observe(mesh, folder, envoy, real, changed, sidecars[name], dump)
    took = Work(time.monotonic() - begin, _cpu_seconds())
    return Run(mesh, asked, recommended, estimated, measured, sample, observed, took)


def _cpu_seconds() -> float:
    """Those of this process and of all that it started."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def write_all(mesh: BenchmarkMesh, folder: Path) -> Mapping[str, Path | None]:
    """Write the mesh and the Sidecars from its true graph; tell where those of a variant are."""
    places = {name: folder / "sidecars" / name for name in (AFTER, TRUE_GRAPH, WITHOUT_OWN)}
    for stale in (folder / MESH, folder / LOGS, folder / "sidecars"):
        shutil.rmtree(stale, ignore_errors=True)
    mesh.write(folder)
    write_sidecars(mesh.plan, places[TRUE_GRAPH], own_services=True)
    write_sidecars(mesh.plan, places[WITHOUT_OWN], own_services=False)
    return {BEFORE: None, **places}


def ask_tool(name: str, mesh: BenchmarkMesh, folder: Path, *options: str) -> Mapping[str, Any]:
    """Run a command of the tool as a user would, and read its report."""
    sources = [part for source in mesh.mesh_sources(folder) for part in ("--mesh", source)]
    command = [*_TOOL, name, "--logs", str(folder / LOGS), *sources, *options]
    done = subprocess.run([*command, "--output", "json"], stdout=subprocess.PIPE, check=True)
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report


def say(progress: str) -> None:
    """Tell what happens next, and when."""
    print(f"{time.strftime('%H:%M:%S')} {progress} ...", file=sys.stderr, flush=True)


def as_json(found: dict[str, Any]) -> str:
    """The text of a file."""
    return json.dumps(found, indent=1) + "\n"


def _show(summary: dict[str, Any]) -> int:
    print(f"{facts(summary)}\n\n{table(summary)}\n\n{notes(summary)}")
    promises = broken(summary)
    for promise in promises:
        print(f"broken: {promise}")
    return 1 if promises else 0


if __name__ == "__main__":
    sys.exit(main())
