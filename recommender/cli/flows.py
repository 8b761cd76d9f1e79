"""The command `flows`: what logs say, before anything is made of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from recommender.cli import options
from recommender.cli.progress import ProgressLine
from recommender.errors import UsageError
from recommender.pipeline import Sources, report_flows
from recommender.report import (
    render_flows_csv,
    render_flows_json,
    render_flows_parquet,
    render_flows_table,
)
from recommender.settings import load_settings


@click.command()
@options.logs_option
@options.mesh_option(required=False)
@options.log_format_option
@options.source_pod_option
@options.strict_option
@options.settings_option
@options.output_option("table", "json", "csv", "parquet")
def flows(
    logs: tuple[str, ...],
    mesh: tuple[str, ...],
    log_format: str | None,
    source_pod: tuple[str, str | None] | None,
    strict: bool | None,
    settings_file: Path | None,
    output: str,
) -> int:
    """Print who called whom, how often and when, and which log lines were of use.

    With a mesh dump, pods become their workloads.

    \b
    Example:
      recommend-sidecars flows --logs /var/log/containers --output csv > flows.csv
    """  # noqa: D301 - click wants the character
    if output == "parquet" and sys.stdout.isatty():
        raise UsageError(
            "Parquet is not for a terminal", hint="write it to a file: > flows.parquet"
        )
    settings = load_settings(settings_file, strict=strict, log_format=log_format)
    storage = options.object_storage(os.environ)
    sources = Sources(logs, mesh, options.standard_input(logs), source_pod, storage)
    with ProgressLine() as progress:
        report = report_flows(sources, settings, progress)
    if output == "table":
        width, colour = options.terminal()
        click.echo(render_flows_table(report, width=width, colour=colour), nl=False)
    elif output == "json":
        click.echo(render_flows_json(report), nl=False)
    elif output == "csv":
        click.echo(render_flows_csv(report), nl=False)
    else:
        click.echo(render_flows_parquet(report), nl=False)
    return 0
