"""The command `recommend`: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from recommender.cli import options
from recommender.cli.progress import ProgressLine
from recommender.pipeline import Sources, recommend_sidecars
from recommender.report import render_json, render_table
from recommender.settings import Settings


@click.command()
@options.takes_sources()
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    help="Where to write DIR/<namespace>/<name>.yaml; files of this tool that no longer hold go, "
    "those without new evidence stay.",
)
@options.takes_settings("adopt", "granularity", "istio_version", "log_format", "strict")
@options.output_option("table", "json")
def recommend(sources: Sources, out: str, settings: Settings, output: str) -> int:
    """Write a minimal Sidecar per workload, proved to leave every logged call as it was.

    \b
    Example:
      recommend-sidecars recommend --logs /var/log/containers --mesh dump/ --out sidecars/
    """  # noqa: D301 - click wants the character
    if not out.strip():
        raise click.BadParameter("name a folder; it is made if need be", param_hint="--out")
    with ProgressLine() as progress:
        report = recommend_sidecars(sources, Path(out), settings, progress)
    options.print_report(report, output, render_table, json=render_json)
    return 0
