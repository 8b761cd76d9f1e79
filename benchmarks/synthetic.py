"""Write a synthetic mesh dump and its access logs: `python -m benchmarks.synthetic DIR`.

The same sizes and seed give the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from benchmarks import kubernetes
from benchmarks.access_logs import write_access_logs
from benchmarks.kubectl_yaml import kubectl_yaml
from benchmarks.plan import MeshPlan, Sizes, plan_mesh
from fixtures.shop.dump import as_json, as_yaml, listing
from fixtures.shop.kubernetes import Object

MESH, LOGS = "mesh", "logs"

# File -> what it lists. kubectl prints either; pods, the most of a dump, come in the slower one.
_FILES: dict[str, Callable[[MeshPlan], list[Object]]] = {
    "namespaces.yaml": lambda plan: list(kubernetes.namespaces(plan)),
    "services.yaml": lambda plan: list(kubernetes.services(plan)),
    "pods.yaml": lambda plan: list(kubernetes.pods(plan)),
    "workloads.json": lambda plan: list(kubernetes.controllers(plan)),
    "endpointslices.json": lambda plan: list(kubernetes.endpoint_slices(plan)),
    "istio-networking.yaml": lambda plan: list(kubernetes.istio_objects(plan)),
    "istio-policy.yaml": lambda plan: list(kubernetes.policies(plan)),
}


def generate(folder: Path, sizes: Sizes) -> None:
    """Write `mesh/` and `logs/` into a folder.

    Raises:
        FileExistsError: The folder has them already.
    """
    plan = plan_mesh(sizes)
    mesh = folder / MESH
    mesh.mkdir(parents=True)
    for name, objects in _FILES.items():
        write = as_json if name.endswith(".json") else kubectl_yaml
        (mesh / name).write_text(write(listing(objects(plan))), encoding="utf-8")
    (mesh / "configmap-istio.yaml").write_text(as_yaml(kubernetes.mesh_configuration()), "utf-8")
    write_access_logs(plan, folder / LOGS / "var" / "log" / "containers")


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Add an option for each size."""
    for field in fields(Sizes):
        parser.add_argument(f"--{field.name}", type=int, default=field.default, metavar="N")


def read_sizes(arguments: argparse.Namespace) -> Sizes:
    """The sizes that the options ask for."""
    return Sizes(**{field.name: getattr(arguments, field.name) for field in fields(Sizes)})


def size_options(sizes: Sizes) -> list[str]:
    """The options that ask for some sizes."""
    return [f"--{field.name}={getattr(sizes, field.name)}" for field in fields(Sizes)]


def main() -> None:
    """Write into the folder that is named."""
    parser = argparse.ArgumentParser(prog="benchmarks.synthetic", description=generate.__doc__)
    parser.add_argument("folder", type=Path)
    add_sizes(parser)
    arguments = parser.parse_args()
    generate(arguments.folder, read_sizes(arguments))


if __name__ == "__main__":
    main()
