"""The command `flows`: what logs say, before anything is made of it."""

from __future__ import annotations

import sys

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
from recommender.settings import Settings


@click.command()
@options.takes_sources(needs_mesh=False)
@options.takes_settings("log_format", "strict")
@options.output_option("table", "json", "csv", "parquet")
def flows(sources: Sources, settings: Settings, output: str) -> int:
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
    with ProgressLine() as progress:
        report = report_flows(sources, settings, progress)
    options.print_report(
        report,
        output,
        render_flows_table,
        json=render_flows_json,
        csv=render_flows_csv,
        parquet=render_flows_parquet,
    )
    return 0
