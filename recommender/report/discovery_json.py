"""Idle namespaces and selectors as JSON, for programs.

The shape, version 1; a later version may add fields, and gets another number if one changes:

```
schema           1
istio            {version: "1.30", known: bool}
evidence         {requests, errors, first_seen, last_seen, days}, or null without a call
proof            {workloads, calls, sidecars, workloads_with_proxies, silent_workloads}
idle[]           {namespace, labels, services, pods, endpoints, objects: {kind: number}}
kept[]           the same, and needs: [{kind, detail, evidence}], idle_but_for_proxies
hidden_already[] the same as kept, without idle_but_for_proxies
watched          {before, after: {namespaces, services, pods, endpoints, objects}}
proxies          {sidecars, services_before, services_after, median_services_before,
                  median_services_after, bytes_before, bytes_after, median_bytes_before,
                  median_bytes_after}, or null where nothing is idle
selectors        {by, discovery_selectors: [selector], by_name: [selector], in_force: [selector],
                  label_to_add: {key, value} or null, commands: [text], shows_new: bool,
                  ignored: text or null, seen_by_name: [text], unknown: [text]}
silent[]         {workload: {namespace, kind, name}, reason}
doubts[]         text
unknown_pods[]   {namespace, name, requests}
blind_spots[]    {reason, requests}
lines            {read, used, skipped: [{reason, lines, example}]}
mesh_notes[]     {reason, where, count, is_loss}
out              the file of the selectors, or null
```

A selector is as in the MeshConfig, with `matchLabels` and `matchExpressions`.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from recommender.discovery import DiscoverySelectors, FoundNamespace
from recommender.report.discovery_report import (
    DiscoveryReport,
    label_commands,
    selector_objects,
)
from recommender.report.json_report import SCHEMA, Json, json_of_lines, time_in_json
from recommender.service_graph import Evidence


def render_discovery_json(report: DiscoveryReport) -> str:
    """Write what was found as JSON; the module's docstring has the shape."""
    answer = report.answer
    major, minor = report.istio_version
    document: Json = {
        "schema": SCHEMA,
        "istio": {"version": f"{major}.{minor}", "known": report.istio_version_known},
        "evidence": _evidence(answer.evidence),
        "proof": asdict(answer.proof),
        "idle": [_namespace(n) for n in answer.idle],
        "kept": [
            {**_needed(n), "idle_but_for_proxies": n.is_idle_but_for_proxies} for n in answer.kept
        ],
        "hidden_already": [_needed(n) for n in answer.hidden_already],
        "watched": {
            "before": asdict(answer.watched_before),
            "after": asdict(answer.watched_after),
        },
        "proxies": asdict(answer.savings) if answer.savings else None,
        "selectors": {
            **_selectors(answer.selectors),
            "commands": label_commands(answer),
        },
        "silent": [
            {
                "workload": {
                    "namespace": each.workload.namespace,
                    "kind": each.workload.kind,
                    "name": each.workload.name,
                },
                "reason": each.reason,
            }
            for each in answer.silent
        ],
        "doubts": list(answer.doubts),
        "unknown_pods": [asdict(pod) for pod in answer.unknown_pods],
        "blind_spots": [asdict(spot) for spot in answer.blind_spots],
        "lines": json_of_lines(report.lines),
        "mesh_notes": [asdict(note) for note in report.mesh_notes],
        "out": report.out,
    }
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _namespace(namespace: FoundNamespace) -> Json:
    return {
        "namespace": namespace.name,
        "labels": dict(sorted(namespace.labels.items())),
        **asdict(namespace.contents),
    }


def _needed(namespace: FoundNamespace) -> Json:
    needs = [
        {"kind": need.kind, "detail": need.detail, "evidence": _evidence(need.evidence)}
        for need in namespace.needs
    ]
    return {**_namespace(namespace), "needs": needs}


def _selectors(selectors: DiscoverySelectors) -> Json:
    added = selectors.added_label
    return {
        "by": selectors.by,
        "discovery_selectors": selector_objects(selectors.selectors),
        "by_name": selector_objects(selectors.by_name),
        "in_force": selector_objects(selectors.replaces),
        "label_to_add": {"key": added[0], "value": added[1]} if added else None,
        "shows_new": selectors.shows_new,
        "ignored": selectors.ignored,
        "seen_by_name": list(selectors.seen_by_name),
        "unknown": list(selectors.unknown),
    }


def _evidence(evidence: Evidence | None) -> Json | None:
    if evidence is None:
        return None
    times = {
        "first_seen": time_in_json(evidence.first_seen),
        "last_seen": time_in_json(evidence.last_seen),
    }
    return {**asdict(evidence), **times}
