"""The command `size`: what the recommended Sidecars save."""

from __future__ import annotations

from pathlib import Path

import click

from recommender.cli import options
from recommender.cli.progress import ProgressLine
from recommender.pipeline import Sources, size_sidecars
from recommender.report import render_size_json, render_size_table
from recommender.settings import Settings


@click.command()
@options.takes_sources()
@click.option(
    "--config-dump",
    callback=lambda _context, _parameter, value: options.parse_file(value),
    metavar="FILE",
    help="What a real proxy of the mesh holds (its /config_dump?include_eds, also gz and zstd): "
    "corrects the estimates, and tells how far off they were.",
)
@options.takes_settings("adopt", "granularity", "istio_version", "log_format", "strict")
@options.output_option("table", "json")
def size(sources: Sources, config_dump: Path | None, settings: Settings, output: str) -> int:
    """Estimate what the recommended Sidecars save: bytes by xDS type, and pushes of changes.

    Decides as `recommend` does, and writes no files.

    \b
    Example:
      recommend-sidecars size --logs /var/log/containers --mesh dump/
    """  # noqa: D301 - click wants the character
    with ProgressLine() as progress:
        report = size_sidecars(sources, settings, progress, config_dump)
    options.print_report(report, output, render_size_table, json=render_size_json)
    return 0
