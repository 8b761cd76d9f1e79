"""The command `discovery-selectors`: which namespaces istiod need not see."""

from __future__ import annotations

from pathlib import Path

import click

from recommender.cli import options
from recommender.cli.progress import ProgressLine
from recommender.pipeline import Sources, report_discovery
from recommender.report import render_discovery_json, render_discovery_table
from recommender.settings import Settings


@click.command("discovery-selectors")
@options.takes_sources()
@click.option(
    "--out",
    callback=lambda _context, _parameter, value: options.parse_file(value),
    metavar="FILE",
    help="Where to write the part of the MeshConfig, as YAML.",
)
@options.takes_settings("istio_version", "log_format", "strict")
@options.output_option("table", "json")
def discovery_selectors(sources: Sources, out: Path | None, settings: Settings, output: str) -> int:
    """Find namespaces that nothing needs, and discoverySelectors that hide them from istiod.

    It is proved that every logged call stays as it was. A namespace with proxies, there or to
    come, is never hidden.

    \b
    Example:
      recommend-sidecars discovery-selectors --logs /var/log/containers --mesh dump/
    """  # noqa: D301 - click wants the character
    with ProgressLine() as progress:
        report = report_discovery(sources, out, settings, progress)
    options.print_report(report, output, render_discovery_table, json=render_discovery_json)
    return 0
