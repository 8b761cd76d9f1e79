"""Flows as JSON, CSV and Parquet, for programs.

The shape of the JSON, version 1; a later version may add fields, and gets another number if one
changes:

```
schema           1
flows[]          {source: {namespace, kind, name}, peer: {namespace, kind, name}, destination,
                  port, kind, protocol, requests, errors, first_seen, last_seen}
lines            {read, used, skipped: [{reason, lines, example}]}
unknown_pods     how many pods the mesh has no workload for; null without a mesh
mesh_notes[]     {reason, where, count, is_loss}
```

`source` is null in received requests. `peer` tells who sent these, null where that is not known:
the same requests are often there a second time, as those that it sent. CSV and Parquet have the
same as columns (FLOW_ROW_SCHEMA). Times are ISO 8601 in UTC.
"""

from __future__ import annotations

import io
import json
from typing import Any, Final

import polars as pl

from recommender.report.flow_report import FlowReport
from recommender.report.json_report import SCHEMA, Json, json_of_lines, time_in_json

# A spreadsheet takes a cell that begins like this for a formula.
_FORMULA: Final = r"^[=+\-@\t\r\n\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"
_CONTROL: Final = r"[\x00-\x1f\x7f-\x{9f}]"


def render_flows_json(report: FlowReport) -> str:
    """Write flows as JSON; the module's docstring has the shape."""
    document: Json = {
        "schema": SCHEMA,
        "flows": [_flow(row) for row in report.rows.iter_rows(named=True)],
        "lines": json_of_lines(report.lines),
        "unknown_pods": report.unknown_pods if report.has_mesh else None,
        "mesh_notes": [
            {"reason": n.reason, "where": n.where, "count": n.count, "is_loss": n.is_loss}
            for n in report.mesh_notes
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _flow(row: dict[str, Any]) -> Json:
    ends = {end: _workload(row, end) for end in ("source", "peer")}
    seen = {name: time_in_json(row[name]) for name in ("first_seen", "last_seen")}
    return {**ends, **row, **seen}


def _workload(row: dict[str, Any], end: str) -> Json | None:
    """Take a workload out of a row, if there is one."""
    found: Json = {name: row.pop(f"{end}_{name}") for name in ("namespace", "kind", "name")}
    return found if found["name"] else None


def render_flows_csv(report: FlowReport) -> str:
    """Write flows as CSV; no cell is a formula, and none has control characters."""
    text = pl.selectors.string()
    safe = pl.selectors.string().str.replace_all(_CONTROL, "\N{REPLACEMENT CHARACTER}")
    rows = report.rows.with_columns(
        pl.when(text.str.contains(_FORMULA)).then("'" + safe).otherwise(safe).name.keep()
    )
    return rows.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.3fZ")


def render_flows_parquet(report: FlowReport) -> bytes:
    """Write flows as Parquet."""
    content = io.BytesIO()
    report.rows.write_parquet(content, compression="zstd")
    return content.getvalue()
