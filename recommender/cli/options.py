"""Options that several commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click

logs_option = click.option(
    "--logs",
    "logs",
    multiple=True,
    required=True,
    metavar="SRC",
    help="Access logs, also gz and zstd: a file, a folder, a glob, or - for standard input. "
    "Repeat for more.",
)
mesh_option = click.option(
    "--mesh",
    "mesh",
    multiple=True,
    required=True,
    metavar="SRC",
    help="Kubernetes and Istio objects: a YAML or JSON file, a folder, or a glob. Repeat for more.",
)
source_pod_option = click.option(
    "--source-pod",
    metavar="NAMESPACE/POD",
    callback=lambda _context, _parameter, value: parse_pod(value),
    help="Whose log it is where no file name tells.",
)
istio_version_option = click.option(
    "--istio-version",
    metavar="VERSION",
    help="The version of istiod, such as 1.30; without it what the mesh dump shows, "
    "else the newest.",
)
strict_option = click.option(
    "--strict",
    is_flag=True,
    default=None,
    help="Fail when an access log line or an object cannot be used.",
)
settings_option = click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A recommender.toml; options given here win.",
)
output_option = click.option(
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print the result.",
)


def standard_input(sources: tuple[str, ...]) -> BinaryIO | None:
    """Return the standard input if a source asks for it."""
    return sys.stdin.buffer if "-" in sources else None


def parse_pod(value: str | None) -> tuple[str, str] | None:
    """Read `namespace/pod`.

    Raises:
        click.BadParameter: It is something else.
    """
    if value is None:
        return None
    namespace, _, pod = value.partition("/")
    if not namespace or not pod or "/" in pod:
        raise click.BadParameter(f"{value!r} is not NAMESPACE/POD")
    return namespace, pod
