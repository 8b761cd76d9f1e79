"""The command `size`: what the recommended Sidecars save."""

from __future__ import annotations

import os
from pathlib import Path

import click

from recommender.cli import options
from recommender.cli.progress import ProgressLine
from recommender.pipeline import Sources, size_sidecars
from recommender.report import render_size_json, render_size_table
from recommender.settings import load_settings


@click.command()
@options.logs_option
@options.mesh_option()
@click.option(
    "--config-dump",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What a real proxy of the mesh holds (its /config_dump?include_eds, also gz and zstd): "
    "corrects the estimates, and tells how far off they were.",
)
@options.adopt_option
@options.granularity_option
@options.istio_version_option
@options.log_format_option
@options.source_pod_option
@options.strict_option
@options.settings_option
@options.output_option("table", "json")
def size(
    logs: tuple[str, ...],
    mesh: tuple[str, ...],
    config_dump: Path | None,
    adopt: bool | None,
    granularity: str | None,
    istio_version: str | None,
    log_format: str | None,
    source_pod: tuple[str, str | None] | None,
    strict: bool | None,
    settings_file: Path | None,
    output: str,
) -> int:
    """Estimate what the recommended Sidecars save: bytes by xDS type, and pushes of changes.

    Decides as `recommend` does, and writes no files.

    \b
    Example:
      recommend-sidecars size --logs /var/log/containers --mesh dump/
    """  # noqa: D301 - click wants the character
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
        report = size_sidecars(sources, settings, progress, config_dump)
    if output == "json":
        click.echo(render_size_json(report), nl=False)
    else:
        width, colour = options.terminal()
        click.echo(render_size_table(report, width=width, colour=colour), nl=False)
    return 0
