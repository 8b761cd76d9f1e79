"""The command `recommend`: the main job."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from recommender.cli import options
from recommender.cli.progress import ProgressLine
from recommender.pipeline import Sources, recommend_sidecars
from recommender.report import render_json, render_table
from recommender.settings import load_settings


@click.command()
@options.logs_option
@options.mesh_option
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    help="Where to write DIR/<namespace>/<name>.yaml; files of this tool that no longer hold go, "
    "those without new evidence stay.",
)
@click.option(
    "--adopt",
    is_flag=True,
    default=None,
    help="Take over Sidecars made by hand that select one workload.",
)
@options.istio_version_option
@options.source_pod_option
@options.strict_option
@options.settings_option
@options.output_option
def recommend(
    logs: tuple[str, ...],
    mesh: tuple[str, ...],
    out: str,
    adopt: bool | None,
    istio_version: str | None,
    source_pod: tuple[str, str] | None,
    strict: bool | None,
    settings_file: Path | None,
    output: str,
) -> int:
    """Write a minimal Sidecar per workload, proved to leave every logged call as it was.

    \b
    Example:
      recommend-sidecars recommend --logs /var/log/containers --mesh dump/ --out sidecars/
    """  # noqa: D301 - click wants the character
    if not out.strip():
        raise click.BadParameter("name a folder; it is made if need be", param_hint="--out")
    settings = load_settings(settings_file, adopt=adopt, strict=strict, istio_version=istio_version)
    sources = Sources(logs, mesh, options.standard_input(logs), source_pod)
    with ProgressLine() as progress:
        report = recommend_sidecars(sources, Path(out), settings, progress)
    if output == "json":
        click.echo(render_json(report), nl=False)
    else:
        terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if terminal else None
        colour = terminal and "NO_COLOR" not in os.environ
        click.echo(render_table(report, width=width, colour=colour), nl=False)
    return 0
