"""Options that several commands share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import click

from recommender.access_logs import ObjectStorage, oss_access
from recommender.settings import GRANULARITIES

logs_option = click.option(
    "--logs",
    "logs",
    multiple=True,
    required=True,
    metavar="SRC",
    help="Access logs, also gz and zstd: a file, a folder, a glob, s3://BUCKET/KEY, "
    "oss://BUCKET/KEY, or - for standard input. Repeat for more.",
)
source_pod_option = click.option(
    "--source-pod",
    metavar="NAMESPACE[/POD]",
    callback=lambda _context, _parameter, value: parse_pod(value),
    help="Whose log it is where neither a file name nor the lines tell; the namespace alone where "
    "they tell the pod.",
)
log_format_option = click.option(
    "--log-format",
    metavar="NAME|STRING|@FILE",
    callback=lambda _context, _parameter, value: read_format(value),
    help="The only accessLogFormat of the lines: its name (istio-text, istio-1.9, istio-json, "
    "asm-json, asm-text, envoy), itself, or the file that holds it; without it those of the mesh "
    "dump and the known defaults.",
)
adopt_option = click.option(
    "--adopt",
    is_flag=True,
    default=None,
    help="Take over Sidecars made by hand that select one workload.",
)
granularity_option = click.option(
    "--granularity",
    type=click.Choice(GRANULARITIES),
    default=None,
    help="One Sidecar per workload, one per namespace where that is proved, or in each namespace "
    "what costs istiod less.  [default: workload]",
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
_Decorator = Callable[[Callable[..., int]], Callable[..., int]]


def mesh_option(*, required: bool = True) -> _Decorator:
    """Make the option `--mesh`."""
    return click.option(
        "--mesh",
        "mesh",
        multiple=True,
        required=required,
        metavar="[NAME=]SRC",
        help="Kubernetes and Istio objects: a YAML or JSON file, a folder, or a glob. Repeat for "
        "more. With NAME, those of one of several Kubernetes clusters; the first configures "
        "istiod.",
    )


def output_option(*formats: str) -> _Decorator:
    """Make the option `--output`; the first format is the default."""
    return click.option(
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to print the result.",
    )


def terminal() -> tuple[int | None, bool]:
    """Return the width of the terminal, None for a pipe, and whether colours are wanted."""
    if not sys.stdout.isatty():
        return None, False
    return shutil.get_terminal_size().columns, "NO_COLOR" not in os.environ


def object_storage(environment: Mapping[str, str]) -> ObjectStorage:
    """Make what reads object storage, as the environment says; nothing is reached yet."""
    return ObjectStorage(oss_access(environment))


def standard_input(sources: tuple[str, ...]) -> BinaryIO | None:
    """Return the standard input if a source asks for it."""
    return sys.stdin.buffer if "-" in sources else None


def parse_pod(value: str | None) -> tuple[str, str | None] | None:
    """Read `namespace/pod` or `namespace`.

    Raises:
        click.BadParameter: It is something else.
    """
    if value is None:
        return None
    namespace, slash, pod = value.partition("/")
    if not namespace or "/" in pod or (slash and not pod):
        raise click.BadParameter(f"{value!r} is not NAMESPACE or NAMESPACE/POD")
    return namespace, pod or None


def read_format(value: str | None) -> str | None:
    """Read a log format from the file that `@FILE` names; anything else is itself.

    Raises:
        click.BadParameter: The file cannot be read.
    """
    if value is None or not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{value[1:]} cannot be read: {error}") from error
