"""What Sidecars save as JSON, for programs.

The shape, version 1; a later version may add fields, and gets another number if one changes:

```
schema           1
istio            {version: "1.30", known: bool}
totals           {workloads, proxies, recommended, left_out, before, after, unscoped}
workloads[]      {workload: {namespace, kind, name}, proxies, left_out, saved_bytes,
                  before, after, unscoped}
not_estimated[]  {reason, workloads, proxies}
reach[]          {kind, namespace, name, before, after}
endpoints        "EndpointSlices", "pods" or "none"
errors           {cds, eds, lds, rds: {p50, p95}}
calibration      null, or {pod: {namespace, name}, workload, istio_version, is_cut,
                  types: {cds, eds, lds, rds: {common, only_in_dump, only_in_mesh,
                                               actual_bytes, estimated_bytes, factor}}}
granularity      {namespaces: [{namespace, workloads, proxies, workload: price,
                               namespace_wide: price or null, obstacle, cheaper, chosen}],
                  totals: {workload, namespace, auto, chosen: price}}
lines            {read, used, skipped: [{reason, lines, example}]}
mesh_notes[]     {reason, where, count, is_loss}
```

A size (`before`, `after`, `unscoped`) is of all proxies together: `bytes`, `cds_bytes`,
`eds_bytes`, `lds_bytes`, `rds_bytes` and the counts of `ConfigSize`; `unscoped` is without any
Sidecar. `eds_bytes` is null where the dump has no endpoints: `bytes` is then without them.
`left_out` is why a workload gets no Sidecar, null where it gets one. `reach` counts the proxies
that a change is pushed to; a `name` of kind `service` or `endpoints` is the host. `errors` are
shares of the true bytes, as measured on meshes that had no part in the fit. With a config_dump all
bytes but those in `calibration` and `granularity` are multiplied by the `factor` of their type.

A price is {objects, services, bytes, pushes, seconds} as in `recommender.savings.trade_off`; the
obstacle is null where there is none.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from recommender.istio.config_size import ESTIMATE_ERRORS, ConfigSize
from recommender.mesh import WorkloadId
from recommender.report.json_report import SCHEMA, Json, json_of_lines
from recommender.report.size_model import KIND_NAMES, SizeReport
from recommender.savings import Calibration, Price, chosen_namespaces, total


def render_size_json(report: SizeReport) -> str:
    """Write what Sidecars save as JSON; the module's docstring has the shape."""
    savings = report.savings
    major, minor = report.istio_version
    known = savings.endpoints != "none"
    document: Json = {
        "schema": SCHEMA,
        "istio": {"version": f"{major}.{minor}", "known": report.istio_version_known},
        "totals": {
            "workloads": len(savings.workloads),
            "proxies": savings.proxies,
            "recommended": report.recommended,
            "left_out": report.left_out,
            "before": _size(savings.before, endpoints=known),
            "after": _size(savings.after, endpoints=known),
            "unscoped": _size(savings.unscoped, endpoints=known),
        },
        "workloads": [
            {
                "workload": _workload(each.workload),
                "proxies": each.proxies,
                "left_out": each.left_out or None,
                "saved_bytes": each.saved_bytes,
                "before": _size(each.before, endpoints=known),
                "after": _size(each.after, endpoints=known),
                "unscoped": _size(each.unscoped, endpoints=known),
            }
            for each in savings.workloads
        ],
        "not_estimated": [asdict(each) for each in savings.not_estimated],
        "reach": [
            {
                "kind": KIND_NAMES[each.change.kind],
                "namespace": each.change.namespace,
                "name": each.change.name,
                "before": each.before,
                "after": each.after,
            }
            for each in savings.reach
        ],
        "endpoints": savings.endpoints,
        "errors": {
            xds: {"p50": median, "p95": most} for xds, (median, most) in ESTIMATE_ERRORS.items()
        },
        "calibration": _calibration(savings.calibration) if savings.calibration else None,
        "granularity": _granularity(report),
        "lines": json_of_lines(report.lines),
        "mesh_notes": [
            {"reason": n.reason, "where": n.where, "count": n.count, "is_loss": n.is_loss}
            for n in report.mesh_notes
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _granularity(report: SizeReport) -> Json:
    found = report.trade_offs
    choices = {
        choice: chosen_namespaces(found, choice) for choice in ("workload", "namespace", "auto")
    }
    choices["chosen"] = frozenset(report.namespaces)
    return {
        "namespaces": [
            {
                "namespace": each.namespace,
                "workloads": each.workloads,
                "proxies": each.proxies,
                "workload": _price(each.each),
                "namespace_wide": _price(each.wide) if each.wide else None,
                "obstacle": each.obstacle or None,
                "cheaper": each.cheaper,
                "chosen": "namespace" if each.namespace in report.namespaces else "workload",
            }
            for each in found
        ],
        "totals": {name: _price(total(found, chosen)) for name, chosen in choices.items()},
    }


def _price(price: Price) -> Json:
    return {**asdict(price), "seconds": round(price.seconds, 6)}


def _calibration(found: Calibration) -> Json:
    return {
        "pod": {"namespace": found.namespace, "name": found.pod},
        "workload": _workload(found.workload),
        "istio_version": found.istio_version,
        "is_cut": found.is_cut,
        "types": {
            xds: {**asdict(each), "factor": round(each.factor, 4)}
            for xds, each in found.types.items()
        },
    }


def _workload(workload: WorkloadId) -> Json:
    return {"namespace": workload.namespace, "kind": workload.kind, "name": workload.name}


def _size(size: ConfigSize, *, endpoints: bool) -> Json:
    unknown: Json = {} if endpoints else {"eds_bytes": None}
    return {"bytes": size.bytes, **asdict(size), **unknown}
