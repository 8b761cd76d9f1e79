"""The result of a run -> what people and programs read: a renderer is a function of a report."""

from recommender.report.discovery_json import render_discovery_json
from recommender.report.discovery_report import DiscoveryReport, render_discovery_yaml
from recommender.report.discovery_table import render_discovery_table
from recommender.report.flow_formats import (
    render_flows_csv,
    render_flows_json,
    render_flows_parquet,
)
from recommender.report.flow_report import FlowReport, flow_report
from recommender.report.flow_table import render_flows_table
from recommender.report.json_report import render_json
from recommender.report.model import Report
from recommender.report.size_json import render_size_json
from recommender.report.size_model import SizeReport
from recommender.report.size_table import render_size_table
from recommender.report.table import render_table

__all__ = [
    "DiscoveryReport",
    "FlowReport",
    "Report",
    "SizeReport",
    "flow_report",
    "render_discovery_json",
    "render_discovery_table",
    "render_discovery_yaml",
    "render_flows_csv",
    "render_flows_json",
    "render_flows_parquet",
    "render_flows_table",
    "render_json",
    "render_size_json",
    "render_size_table",
    "render_table",
]
