"""The result of a run -> what people and programs read: a renderer is `Report -> str`."""

from recommender.report.json_report import render_json
from recommender.report.model import Report
from recommender.report.table import render_table

__all__ = ["Report", "render_json", "render_table"]
