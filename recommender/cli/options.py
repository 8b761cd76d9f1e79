"""Options that several commands share."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Final, Protocol, TypeVar

import click

from recommender.access_logs import FORMAT_NAMES_HINT, ObjectStorage, oss_access
from recommender.files import shown
from recommender.pipeline import Sources
from recommender.settings import GRANULARITIES, load_settings

Command = Callable[..., int]
Option = Callable[[Command], Command]
Report = TypeVar("Report", contravariant=True)


class RenderTable(Protocol[Report]):
    """Render a report for people."""

    def __call__(self, report: Report, /, *, width: int | None, colour: bool) -> str:
        """Fit it to a width, in characters."""
        ...


_EMPTY: Final = "the name is empty; is a variable not set?"
_LOGS: Final = click.option(
    "--logs",
    "logs",
    multiple=True,
    required=True,
    metavar="SRC",
    callback=lambda _context, _parameter, value: parse_sources(value),
    help="Access logs, also gz and zstd: a file, a folder, a glob, s3://BUCKET/KEY, "
    "oss://BUCKET/KEY, or - for standard input. Repeat for more.",
)
_MESH: Final = (
    "Kubernetes and Istio objects: a YAML or JSON file, a folder, or a glob. Repeat for more. "
    "With NAME, those of one of several Kubernetes clusters; the first configures istiod."
)
_SOURCE_POD: Final = click.option(
    "--source-pod",
    metavar="NAMESPACE[/POD]",
    callback=lambda _context, _parameter, value: parse_pod(value),
    help="Whose log it is where neither a file name nor the lines tell; the namespace alone where "
    "they tell the pod.",
)
_SETTINGS: Final[Mapping[str, Option]] = {
    "adopt": click.option(
        "--adopt",
        is_flag=True,
        default=None,
        help="Take over Sidecars made by hand that select one workload.",
    ),
    "granularity": click.option(
        "--granularity",
        type=click.Choice(GRANULARITIES),
        default=None,
        help="One Sidecar per workload, one per namespace where that is proved, or in each "
        "namespace what costs istiod less.  [default: workload]",
    ),
    "istio_version": click.option(
        "--istio-version",
        metavar="VERSION",
        help="The version of istiod, such as 1.30; without it what the mesh dump shows, "
        "else the newest.",
    ),
    "log_format": click.option(
        "--log-format",
        metavar="NAME|STRING|@FILE",
        callback=lambda _context, _parameter, value: read_format(value),
        help="The only accessLogFormat of the lines: its name (istio-text, istio-1.9, istio-json, "
        "asm-json, asm-text, envoy), itself, or the file that holds it; without it those of the "
        "mesh dump and the known defaults.",
    ),
    "strict": click.option(
        "--strict",
        is_flag=True,
        default=None,
        help="Fail when an access log line or an object cannot be used.",
    ),
}
_SETTINGS_FILE: Final = click.option(
    "--settings",
    "settings_file",
    callback=lambda _context, _parameter, value: parse_file(value),
    metavar="FILE",
    help="A recommender.toml; options given here win.",
)


def takes_sources(*, needs_mesh: bool = True) -> Option:
    """Add the options that say what to read; the command gets it as `sources`."""
    mesh_option = click.option(
        "--mesh",
        "mesh",
        multiple=True,
        required=needs_mesh,
        metavar="[NAME=]SRC",
        callback=lambda _context, _parameter, value: parse_sources(value),
        help=_MESH,
    )

    def with_options(command: Command) -> Command:
        @wraps(command)
        def with_sources(
            logs: tuple[str, ...],
            mesh: tuple[str, ...],
            source_pod: tuple[str, str | None] | None,
            **others: object,
        ) -> int:
            stdin = sys.stdin.buffer if "-" in logs else None
            storage = ObjectStorage(oss_access(os.environ))
            return command(sources=Sources(logs, mesh, stdin, source_pod, storage), **others)

        return _LOGS(mesh_option(_SOURCE_POD(with_sources)))

    return with_options


def takes_settings(*names: str) -> Option:
    """Add the options of some settings and `--settings`; the command gets all as `settings`."""

    def with_options(command: Command) -> Command:
        @wraps(command)
        def with_settings(settings_file: Path | None, **others: object) -> int:
            flags = {name: others.pop(name) for name in names}
            return command(settings=load_settings(settings_file, **flags), **others)

        found: Command = _SETTINGS_FILE(with_settings)
        for name in reversed(names):
            found = _SETTINGS[name](found)
        return found

    return with_options


def output_option(*formats: str) -> Option:
    """Make the option `--output`; the first format is the default."""
    return click.option(
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to print the result.",
    )


def print_report(
    report: Report,
    output: str,
    table: RenderTable[Report],
    **others: Callable[[Report], str | bytes],
) -> None:
    """Print a report as `--output` says: the table, or what else has that name."""
    if output in others:
        click.echo(others[output](report), nl=False)
    else:
        width, colour = terminal()
        click.echo(table(report, width=width, colour=colour), nl=False)


def terminal() -> tuple[int | None, bool]:
    """Return the width of the terminal, None for a pipe, and whether colours are wanted."""
    if not sys.stdout.isatty():
        return None, False
    return shutil.get_terminal_size().columns, "NO_COLOR" not in os.environ


def parse_sources(values: tuple[str, ...]) -> tuple[str, ...]:
    """Take the names of sources.

    Raises:
        click.BadParameter: One is empty, which would be the current folder.
    """
    if "" in values:
        raise click.BadParameter(_EMPTY)
    return values


def parse_file(value: str | None) -> Path | None:
    """Take the name of a file.

    Raises:
        click.BadParameter: It is empty, which would be the current folder.
    """
    if value == "":
        raise click.BadParameter(_EMPTY)
    return None if value is None else Path(value)


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
        click.BadParameter: It is empty, or the file cannot be read.
    """
    if value is None:
        return None
    found = _format_in(Path(value[1:])) if value.startswith("@") else value
    if not found.strip():
        raise click.BadParameter(f"the log format is empty; leave it out, or: {FORMAT_NAMES_HINT}")
    return found


def _format_in(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").removesuffix("\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise click.BadParameter(f"{shown(path)} cannot be read: {reason}") from error
