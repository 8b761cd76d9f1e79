"""Flows for people at a terminal: each source, and below it where it sent requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from recommender.report.flow_report import FlowReport
from recommender.report.layout import Page, Row
from recommender.report.table import add_lines, line_warnings
from recommender.sidecars.words import counted

_WIDTH: Final = 120
_HEAD: Final = Row("SOURCE AND DESTINATIONS", ("REQUESTS", "ERRORS", "SEEN (UTC)"), "NOTE")
_NOTES: Final = {
    "passthrough": "passes through: no service",
    "black hole": "goes nowhere: no service",
    "unrouted": "no Envoy cluster",
    "received": "known by what was received: the source logged no call",
    "other": "an Envoy cluster without a host",
}
_Flow = dict[str, Any]


def render_flows_table(
    report: FlowReport, *, width: int | None = None, colour: bool = False
) -> str:
    """Write flows for a terminal of `width` columns, 120 if that is not known."""
    page = Page(_WIDTH if width is None else width, colour)
    flows = report.rows.to_dicts()
    sent = [flow for flow in flows if flow["kind"] != "received"]
    received = [flow for flow in flows if flow["kind"] == "received"]
    callers = {_workload(flow, "source") for flow in sent}
    # What a workload logged itself is not listed twice.
    silent = [f for f in received if f["peer_name"] and _workload(f, "peer") not in callers]
    others = [f for f in received if not f["peer_name"] or _workload(f, "peer") in callers]
    _add_summary(page, report, sent, others)
    listed = [*sent, *map(_as_sent, silent)]
    if listed:
        page.lines.append("")
        page.table(_HEAD, list(_rows(sorted(listed, key=lambda f: _workload(f, "source")))))
    add_lines(page, report.lines)
    return page.text()


def _add_summary(
    page: Page, report: FlowReport, sent: Sequence[_Flow], received: Sequence[_Flow]
) -> None:
    sources = len({_source(flow) for flow in sent})
    destinations = len({(flow["destination"], flow["port"]) for flow in sent})
    requests = sum(flow["requests"] for flow in sent)
    errors = sum(flow["errors"] for flow in sent)
    page.heading(
        f"{counted(requests, 'request')} from {counted(sources, 'source')} to "
        f"{counted(destinations, 'destination')}, {counted(errors, 'error')}"
    )
    if received:
        total = sum(flow["requests"] for flow in received)
        receivers = len({flow["destination"] for flow in received})
        by = counted(receivers, "workload" if report.has_mesh else "pod")
        page.paragraph(
            f"Not listed: {counted(total, 'request')} received by {by}, "
            "whose callers logged calls themselves or are not known"
        )
    for warning in line_warnings(report.lines):
        page.warning(warning)
    if report.unknown_pods:
        page.warning(f"Pods of no known workload: {report.unknown_pods:,}")


def _rows(flows: Sequence[_Flow]) -> Iterable[Row]:
    for source, group in groupby(flows, _source):
        called = sorted(group, key=lambda flow: (-flow["requests"], _destination(flow)))
        yield Row(source, _figures(called))
        for flow in called:
            yield Row(f"  {_destination(flow)}", _figures([flow]), _NOTES.get(flow["kind"], ""))


def _workload(flow: _Flow, end: str) -> tuple[str | None, ...]:
    return tuple(flow[f"{end}_{name}"] for name in ("namespace", "kind", "name"))


def _as_sent(flow: _Flow) -> _Flow:
    """Put the peer of a received request as the source."""
    names = ("namespace", "kind", "name")
    return flow | {f"source_{name}": flow[f"peer_{name}"] for name in names}


def _source(flow: _Flow) -> str:
    kind = "" if flow["source_kind"] == "Pod" else f"{flow['source_kind'].lower()}/"
    return f"{flow['source_namespace']}/{kind}{flow['source_name']}"


def _destination(flow: _Flow) -> str:
    host = flow["destination"]
    if flow["port"] is None:
        return str(host)
    return f"[{host}]:{flow['port']}" if ":" in host else f"{host}:{flow['port']}"


def _figures(flows: Sequence[_Flow]) -> tuple[str, str, str]:
    first = min(flow["first_seen"] for flow in flows)
    last = max(flow["last_seen"] for flow in flows)
    requests = sum(flow["requests"] for flow in flows)
    errors = sum(flow["errors"] for flow in flows)
    return (f"{requests:,}", f"{errors:,}", _seen(first, last))


def _seen(first: datetime, last: datetime) -> str:
    if first.date() == last.date():
        begin, end = f"{first:%H:%M}", f"{last:%H:%M}"
        return f"{first:%Y-%m-%d} {begin}" + ("" if begin == end else f" – {end}")
    return f"{first:%Y-%m-%d %H:%M} – {last:%m-%d %H:%M}"
