"""The command `recommend`: the main job."""

from __future__ import annotations

import os
from pathlib import Path

import click

from recommender.cli import options
from recommender.cli.progress import ProgressLine
from recommender.pipeline import Sources, recommend_sidecars
from recommender.report import render_json, render_table
from recommender.settings import load_settings


@click.command()
@options.logs_option
@options.mesh_option()
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    help="Where to write DIR/<namespace>/<name>.yaml; files of this tool that no longer hold go, "
    "those without new evidence stay.",
)
@options.adopt_option
@options.granularity_option
@options.istio_version_option
@options.log_format_option
@options.source_pod_option
@options.strict_option
@options.settings_option
@options.output_option("table", "json")
def recommend(
    logs: tuple[str, ...],
    mesh: tuple[str, ...],
    out: str,
    adopt: bool | None,
    granularity: str | None,
    istio_version: str | None,
    log_format: str | None,
    source_pod: tuple[str, str | None] | None,
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
    settings = load_settings(
        settings_file,
        adopt=adopt,
        granularity=granularity,
        strict=strict,
        istio_version=istio_version,
        log_format=log_format,
    )
    storage = options.object_storage(os.environ)
    sources = Sources(logs, mesh, options.standard_input(logs), source_pod, storage)
    with ProgressLine() as progress:
        report = recommend_sidecars(sources, Path(out), settings, progress)
    if output == "json":
        click.echo(render_json(report), nl=False)
    else:
        width, colour = options.terminal()
        click.echo(render_table(report, width=width, colour=colour), nl=False)
    return 0
