"""Write the benchmark's mesh: `python -m benchmarks.config_size.mesh DIR`.

The same shape gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from benchmarks.config_size.logs import write_logs
from benchmarks.config_size.objects import objects
from benchmarks.config_size.plan import Call, Plan, plan_mesh
from benchmarks.config_size.shape import SHAPES, Shape
from fixtures.shop.kubernetes import Object

MESH, LOGS = "mesh", "logs"


@dataclass(frozen=True, slots=True)
class BenchmarkMesh:
    """A mesh with its true calls.

    `objects` are by Kubernetes cluster, then by the name of a file; the first of the Kubernetes
    clusters configures istiod. `calls` is the true graph, and `idle` are the namespaces that nobody
    uses.
    """

    plan: Plan
    objects: Mapping[str, Mapping[str, tuple[Object, ...]]]

    @property
    def calls(self) -> tuple[Call, ...]:
        """The ways in which the pods of workloads call services."""
        return self.plan.calls

    @property
    def idle(self) -> tuple[str, ...]:
        """The namespaces with services and pods that nobody calls."""
        return self.plan.idle

    def write(self, folder: Path) -> None:
        """Write `mesh/KUBERNETES_CLUSTER/*.json` and `logs/` into a folder.

        Raises:
            FileExistsError: The folder has them already.
        """
        for cluster, files in self.objects.items():
            place = folder / MESH / cluster
            place.mkdir(parents=True)
            for name, items in files.items():
                document = {"apiVersion": "v1", "items": items, "kind": "List"}
                text = json.dumps(document, separators=(",", ":"), sort_keys=True)
                (place / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        write_logs(self.plan, folder / LOGS / "var" / "log" / "containers")

    def mesh_sources(self, folder: Path) -> list[str]:
        """What `--mesh` is given, once written."""
        return [f"{cluster}={folder / MESH / cluster}" for cluster in self.objects]


def build_mesh(shape: Shape) -> BenchmarkMesh:
    """Make a mesh of some shape."""
    plan = plan_mesh(shape)
    return BenchmarkMesh(plan, objects(plan))


def add_shape(parser: argparse.ArgumentParser) -> None:
    """Add an option for the shape, and one for each of its numbers."""
    parser.add_argument("--shape", choices=SHAPES, default="full", help="what to start from")
    for field in fields(Shape):
        option = f"--{field.name.replace('_', '-')}"
        if field.name == "discovery_label":
            parser.add_argument(option, action="store_true", default=None)
        else:
            parser.add_argument(option, type=float if field.name == "idle" else int, metavar="N")


def read_shape(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Shape:
    """The shape that the options ask for; one that cannot be ends the program."""
    given = {f.name: getattr(arguments, f.name) for f in fields(Shape)}
    changes = {name: value for name, value in given.items() if value is not None}
    try:
        return replace(SHAPES[arguments.shape], **changes)
    except ValueError as error:
        parser.error(str(error))


def main() -> None:
    """Write into the folder that is named."""
    parser = argparse.ArgumentParser(prog="benchmarks.config_size.mesh", description=__doc__)
    parser.add_argument("folder", type=Path)
    add_shape(parser)
    arguments = parser.parse_args()
    build_mesh(read_shape(parser, arguments)).write(arguments.folder)


if __name__ == "__main__":
    main()
