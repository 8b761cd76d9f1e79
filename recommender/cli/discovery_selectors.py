"""The command `discovery-selectors`: which namespaces istiod need not see."""

from __future__ import annotations

import os
from pathlib import Path

import click

from recommender.cli import options
from recommender.cli.progress import ProgressLine
from recommender.pipeline import Sources, report_discovery
from recommender.report import render_discovery_json, render_discovery_table
from recommender.settings import load_settings


@click.command("discovery-selectors")
@options.logs_option
@options.mesh_option()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write the part of the MeshConfig, as YAML.",
)
@options.istio_version_option
@options.log_format_option
@options.source_pod_option
@options.strict_option
@options.settings_option
@options.output_option("table", "json")
def discovery_selectors(
    logs: tuple[str, ...],
    mesh: tuple[str, ...],
    out: Path | None,
    istio_version: str | None,
    log_format: str | None,
    source_pod: tuple[str, str | None] | None,
    strict: bool | None,
    settings_file: Path | None,
    output: str,
) -> int:
    """Find namespaces that nothing needs, and discoverySelectors that hide them from istiod.

    It is proved that every logged call stays as it was. A namespace with proxies, there or to
    come, is never hidden.

    \b
    Example:
      recommend-sidecars discovery-selectors --logs /var/log/containers --mesh dump/
    """  # noqa: D301 - click wants the character
    settings = load_settings(
        settings_file, strict=strict, istio_version=istio_version, log_format=log_format
    )
    storage = options.object_storage(os.environ)
    sources = Sources(logs, mesh, options.standard_input(logs), source_pod, storage)
    with ProgressLine() as progress:
        report = report_discovery(sources, out, settings, progress)
    if output == "json":
        click.echo(render_discovery_json(report), nl=False)
    else:
        width, colour = options.terminal()
        click.echo(render_discovery_table(report, width=width, colour=colour), nl=False)
    return 0
