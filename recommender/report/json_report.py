"""A report as JSON, for programs.

The shape, version 1; a later version may add fields, and gets another number if one changes:

```
schema           1
istio            {version: "1.30", known: bool}
totals           {workloads, recommended, new, own, adopted, noted, left_out, requests,
                  services_before, services_after,
                  median_services_before, median_services_after}
recommended[]    {workload: {namespace, kind, name}, sidecar: {namespace, name}, origin,
                  selector: {label: value}, hosts: [{host, reasons: [{kind, detail, evidence}]}],
                  kept_fields: [name], evidence, calls, services_before, services_after,
                  pods, pods_logged, notes: [{name, detail}]}
namespace_sidecars[]  {sidecar: {namespace, name}, origin, workloads: [{namespace, kind, name}],
                  hosts: [{host, workloads: [name]}], calls, evidence}
namespace_options[]  {namespace, is_option, obstacle}
left_out[]       {workload: {namespace, kind, name}, reason, detail,
                  received: [{by: {namespace, kind, name}, port, called: [{host, port}],
                              asked_for, evidence}]}
unknown_pods[]   {namespace, name, requests}
blind_spots[]    {reason, requests}
lines            {read, used, skipped: [{reason, lines, example}]}
mesh_notes[]     {reason, where, count, is_loss}
out              the folder of the Sidecars, or null
written          {created, changed, refreshed, unchanged, kept, removed: [file]}, or null
```

`evidence` is `{requests, errors, first_seen, last_seen, days}` or null. Times are ISO 8601 in UTC.
`received` is what others received from a workload whose own log shows no call: at a port of theirs,
null if that is not known, by a call to one of the services in `called`. `asked_for` is the host
that the server name tells if it is none of these, else null. `blind_spots` are received requests
that do not tell who called what.
`namespace_sidecars` are those without a `selector`, which workloads share; `namespace_options` says
of each namespace whether one is an option, if that was asked for.
`is_loss` marks objects that were meant to count and could not be used.
`origin` is `new`, `own` (replaces a Sidecar of this tool) or `adopted` (takes over another one,
whose fields in `kept_fields` stay). Text from logs and manifests is as it was found.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

from recommender.access_logs import LineCounts
from recommender.mesh import WorkloadId
from recommender.recommendation.model import (
    NamespaceSidecar,
    Recommendation,
    RecommendedHost,
)
from recommender.report.model import Report, totals_of
from recommender.service_graph import Evidence, Received

SCHEMA = 1
Json = dict[str, object]


def render_json(report: Report) -> str:
    """Write a report as JSON; the module's docstring has the shape."""
    found = report.recommendations
    major, minor = report.istio_version
    document: Json = {
        "schema": SCHEMA,
        "istio": {"version": f"{major}.{minor}", "known": report.istio_version_known},
        "totals": {**asdict(totals_of(found)), "left_out": len(found.left_out)},
        "recommended": [_recommendation(r) for r in found.recommended],
        "namespace_sidecars": [_namespace_sidecar(each) for each in found.namespace_sidecars],
        "namespace_options": [
            {
                "namespace": each.namespace,
                "is_option": each.sidecar is not None,
                "obstacle": each.obstacle or None,
            }
            for each in found.options
        ],
        "left_out": [
            {
                "workload": _workload(w.workload),
                "reason": w.reason,
                "detail": w.detail,
                "received": [_received(each) for each in w.received],
            }
            for w in found.left_out
        ],
        "unknown_pods": [
            {"namespace": pod.namespace, "name": pod.name, "requests": pod.requests}
            for pod in found.unknown_pods
        ],
        "blind_spots": [
            {"reason": spot.reason, "requests": spot.requests} for spot in found.blind_spots
        ],
        "lines": json_of_lines(report.lines),
        "mesh_notes": [
            {"reason": n.reason, "where": n.where, "count": n.count, "is_loss": n.is_loss}
            for n in report.mesh_notes
        ],
        "out": report.out,
        "written": asdict(report.written) if report.written else None,
    }
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def json_of_lines(lines: LineCounts) -> Json:
    """Write how many lines were read, and why the others were not used."""
    return {
        "read": lines.read,
        "used": lines.used,
        "skipped": [
            {"reason": s.reason, "lines": s.lines, "example": s.example} for s in lines.skipped
        ],
    }


def _recommendation(recommendation: Recommendation) -> Json:
    r = recommendation
    return {
        "workload": _workload(r.workload),
        "sidecar": {"namespace": r.workload.namespace, "name": r.name},
        "origin": r.origin,
        "selector": dict(sorted(r.selector.items())),
        "hosts": [_host(host) for host in r.hosts],
        "kept_fields": sorted(r.other_spec),
        "evidence": _evidence(r.evidence),
        "calls": r.calls,
        "services_before": r.services_before,
        "services_after": r.services_after,
        "pods": r.pods,
        "pods_logged": r.pods_logged,
        "notes": [{"name": note.name, "detail": note.detail} for note in r.notes],
    }


def _namespace_sidecar(sidecar: NamespaceSidecar) -> Json:
    return {
        "sidecar": {"namespace": sidecar.namespace, "name": sidecar.name},
        "origin": sidecar.origin,
        "workloads": [_workload(id_) for id_ in sidecar.workloads],
        "hosts": [
            {"host": entry.host, "workloads": list(entry.workloads)} for entry in sidecar.hosts
        ],
        "calls": sidecar.calls,
        "evidence": _evidence(sidecar.evidence),
    }


def _workload(workload: WorkloadId) -> Json:
    return {"namespace": workload.namespace, "kind": workload.kind, "name": workload.name}


def _received(received: Received) -> Json:
    called = received.called
    return {
        "by": _workload(called.receiver),
        "port": called.port,
        "called": [{"host": each.host, "port": each.port} for each in called.services],
        "asked_for": called.asked_for,
        "evidence": _evidence(received.evidence),
    }


def _host(host: RecommendedHost) -> Json:
    reasons = [
        {"kind": r.kind, "detail": r.detail, "evidence": _evidence(r.evidence)}
        for r in host.reasons
    ]
    return {"host": host.host, "reasons": reasons}


def _evidence(evidence: Evidence | None) -> Json | None:
    if evidence is None:
        return None
    return {
        "requests": evidence.requests,
        "errors": evidence.errors,
        "first_seen": time_in_json(evidence.first_seen),
        "last_seen": time_in_json(evidence.last_seen),
        "days": evidence.days,
    }


def time_in_json(time: datetime) -> str:
    """Write a time as ISO 8601 in UTC, to the millisecond."""
    text = time.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
