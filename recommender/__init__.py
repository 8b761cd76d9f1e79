"""Derive a minimal Istio Sidecar per workload from Envoy access logs.

The steps of the command line, one function each:

    flows = summarise_flows(read_access_logs(["logs/"]))
    mesh = load_mesh(["mesh/"])
    graph = build_service_graph(flows, mesh)
    recommendations = recommend(graph, mesh)

`recommend_sidecars` runs them in a row; `recommend_discovery_selectors(graph, mesh)` finds idle
namespaces. Names are imported when they are first used, so that
`import recommender` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recommender.access_logs import LineCounts, LogBatch, SkippedLines, read_access_logs
    from recommender.discovery import DiscoveryAnswer, recommend_discovery_selectors
    from recommender.errors import InputError, OutputError, RecommenderError, UsageError
    from recommender.flows import FLOW_SCHEMA, Flows, merge_flows, summarise_flows
    from recommender.mesh import Mesh, WorkloadId, load_mesh
    from recommender.pipeline import Sources, recommend_sidecars, size_sidecars
    from recommender.recommendation import (
        LeftOut,
        Recommendation,
        Recommendations,
        recommend,
    )
    from recommender.report import (
        Report,
        SizeReport,
        render_json,
        render_size_json,
        render_size_table,
        render_table,
    )
    from recommender.savings import Savings, measure_savings
    from recommender.service_graph import Call, Evidence, build_service_graph, calls_of
    from recommender.settings import Settings, load_settings
    from recommender.sidecars import render_sidecar, write_sidecars

_HOMES = {
    "FLOW_SCHEMA": "flows",
    "Call": "service_graph",
    "DiscoveryAnswer": "discovery",
    "Evidence": "service_graph",
    "Flows": "flows",
    "InputError": "errors",
    "LeftOut": "recommendation",
    "LineCounts": "access_logs",
    "LogBatch": "access_logs",
    "Mesh": "mesh",
    "OutputError": "errors",
    "Recommendation": "recommendation",
    "Recommendations": "recommendation",
    "RecommenderError": "errors",
    "Report": "report",
    "Savings": "savings",
    "Settings": "settings",
    "SizeReport": "report",
    "SkippedLines": "access_logs",
    "Sources": "pipeline",
    "UsageError": "errors",
    "WorkloadId": "mesh",
    "build_service_graph": "service_graph",
    "calls_of": "service_graph",
    "load_mesh": "mesh",
    "load_settings": "settings",
    "measure_savings": "savings",
    "merge_flows": "flows",
    "read_access_logs": "access_logs",
    "recommend": "recommendation",
    "recommend_discovery_selectors": "discovery",
    "recommend_sidecars": "pipeline",
    "render_json": "report",
    "render_sidecar": "sidecars",
    "render_size_json": "report",
    "render_size_table": "report",
    "render_table": "report",
    "size_sidecars": "pipeline",
    "summarise_flows": "flows",
    "write_sidecars": "sidecars",
}

__all__ = [
    "FLOW_SCHEMA",
    "Call",
    "DiscoveryAnswer",
    "Evidence",
    "Flows",
    "InputError",
    "LeftOut",
    "LineCounts",
    "LogBatch",
    "Mesh",
    "OutputError",
    "Recommendation",
    "Recommendations",
    "RecommenderError",
    "Report",
    "Savings",
    "Settings",
    "SizeReport",
    "SkippedLines",
    "Sources",
    "UsageError",
    "WorkloadId",
    "build_service_graph",
    "calls_of",
    "load_mesh",
    "load_settings",
    "measure_savings",
    "merge_flows",
    "read_access_logs",
    "recommend",
    "recommend_discovery_selectors",
    "recommend_sidecars",
    "render_json",
    "render_sidecar",
    "render_size_json",
    "render_size_table",
    "render_table",
    "size_sidecars",
    "summarise_flows",
    "write_sidecars",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
