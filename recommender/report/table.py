"""A report for people at a terminal.

First what asks for a look, then the workloads, the most noteworthy first, then everything by
group, and last what was written. Groups are cut to a readable length and say so; JSON has it all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from recommender.access_logs import OTHER_OUTPUT, LineCounts
from recommender.istio.discovery import IGNORED
from recommender.istio.settings_notes import UNKNOWN_PIN, UNKNOWN_ROOT
from recommender.mesh.mesh_config import LACKING, REFUSED
from recommender.recommendation.model import Note, Recommendation
from recommender.report.discovery_report import DiscoveryReport
from recommender.report.layout import Page, Row
from recommender.report.model import Report, totals_of
from recommender.report.size_model import SizeReport
from recommender.service_graph import Evidence
from recommender.sidecars.words import counted

_WIDTH: Final = 120
_MOST_NAMES: Final = 8
_MOST_SENTENCES: Final = 10
_MOST_ROWS: Final = 20
_URGENT: Final = ("not proved", "missed call", "disagreement", "gone", "unlogged call")
"""Names of notes and reasons that say that something is wrong; others say what was done."""
_ROUTINE: Final = ("no proxy", "gateway", "waypoint", "ztunnel", "namespace-wide")
_ORDINARY: Final = len(_URGENT)
_ASSUMED: Final = "Istio's defaults are assumed for what it sets"
_OfMesh = Report | SizeReport | DiscoveryReport


class _Remark(NamedTuple):
    """Say something about something, under a heading."""

    group: str
    sentence: str
    about: str


def render_table(report: Report, *, width: int | None = None, colour: bool = False) -> str:
    """Write a report for a terminal of `width` columns, 120 if that is not known."""
    page = Page(_WIDTH if width is None else width, colour)
    _add_summary(page, report)
    _add_workloads(page, report)
    _add_notes(page, report)
    _add_left_out(page, report)
    _add_obstacles(page, report)
    _add_unknown_pods(page, report)
    _add_blind_spots(page, report)
    add_lines(page, report.lines)
    add_mesh(page, report)
    _add_files(page, report)
    return page.text()


def _add_summary(page: Page, report: Report) -> None:
    """Add the totals, and a line for everything that asks for a look."""
    totals = totals_of(report.recommendations)
    made = ((totals.new, "new"), (totals.own, "replaced"), (totals.adopted, "adopted"))
    kinds = _listed([f"{number:,} {kind}" for number, kind in made if number])
    page.heading(
        f"Sidecars for {totals.recommended:,} of {counted(totals.workloads, 'workload')}"
        + (f": {kinds}" if kinds else "")
    )
    if totals.recommended:
        page.paragraph(
            f"Services in scope, median: {totals.median_services_before:,} → "
            f"{totals.median_services_after:,}; all workloads together: "
            f"{totals.services_before:,} → {totals.services_after:,}"
        )
    for sidecar in report.recommendations.namespace_sidecars:
        names = _listed([id_.name for id_ in sidecar.workloads], _MOST_NAMES)
        page.paragraph(
            f"One Sidecar for the namespace, {sidecar.namespace}/{sidecar.name}: {names}", hang=2
        )
    for warning in _warnings(report):
        page.warning(warning)


def _warnings(report: Report) -> Iterable[str]:
    found = report.recommendations
    yield from source_warnings(report)
    if found.unknown_pods:
        yield f"Pods of no known workload: {len(found.unknown_pods):,}"
    if found.left_out:
        reasons = _tally(entry.reason for entry in found.left_out)
        yield f"Workloads left out: {len(found.left_out):,} – {reasons}"
    if noted := totals_of(found).noted:
        names = _tally(name for r in found.recommended for name in {note.name for note in r.notes})
        yield f"Workloads with notes: {noted:,} – {names}"
    if report.written and report.written.removed:
        yield f"Sidecars no longer recommended, files removed: {len(report.written.removed):,}"


def source_warnings(report: _OfMesh) -> Iterable[str]:
    """Say what of logs and mesh dump was lost, and what had to be assumed."""
    if not report.istio_version_known:
        yield f"Istio's version is not in the mesh dump; the rules of {_version(report)} were used"
    yield from line_warnings(report.lines)
    if refused := sum(note.count for note in report.mesh_notes if note.is_loss):
        yield f"Objects of the mesh dump that could not be used: {refused:,}"
    for note in report.mesh_notes:
        if note.reason.startswith(LACKING):
            yield f"No MeshConfig in the mesh dump: {_ASSUMED}"
        if note.reason.startswith(REFUSED):
            yield f"The MeshConfig in the mesh dump could not be used: {_ASSUMED}"
        if note.reason.startswith(IGNORED):
            yield f"{note.reason[:1].upper()}{note.reason[1:]}"
        if note.reason in (UNKNOWN_PIN, UNKNOWN_ROOT):
            yield f"{note.reason[:1].upper()}{note.reason[1:]}: {note.where}"


def line_warnings(lines: LineCounts) -> Iterable[str]:
    """Say how many lines were lost that may have been access logs."""
    skipped = [s for s in lines.skipped if s.reason not in OTHER_OUTPUT]
    if lost := sum(s.lines for s in skipped):
        files = sum(s.lines for s in skipped if s.is_of_files)
        are = "is a file" if files == 1 else "are files"
        detail = f"; {files:,} of them {are}, lost whole or in part" if files else ""
        yield f"Log lines lost: {lost:,} of {lines.read:,} ({share(lost, lines.read)}){detail}"


def _add_workloads(page: Page, report: Report) -> None:
    found = report.recommendations.recommended
    if not found:
        return
    page.lines.append("")
    head = Row("WORKLOAD", ("HOSTS", "SERVICES", "PROVED", "REQUESTS", "LOGGED", "SEEN"), "NOTES")
    in_order = sorted(found, key=lambda r: (_urgency_of(r), r.workload))
    # The arrow stands in one column only if both of its sides have a fixed width.
    before = max(len(f"{r.services_before:,}") for r in found)
    after = max(len(f"{r.services_after:,}") for r in found)
    page.table(head, [_row(r, before, after) for r in in_order])


def _urgency_of(recommendation: Recommendation) -> int:
    return min((_urgency(note.name) for note in recommendation.notes), default=_ORDINARY + 1)


def _urgency(name: str) -> int:
    """Rank the name of a note or reason, the most urgent lowest."""
    if name in _URGENT:
        return _URGENT.index(name)
    return _ORDINARY + (name in _ROUTINE)


def _row(recommendation: Recommendation, before: int, after: int) -> Row:
    r = recommendation
    figures = (
        f"{len(r.hosts):,}",
        f"{r.services_before:>{before},} → {r.services_after:>{after},}",
        counted(r.calls, "call"),
        f"{r.evidence.requests if r.evidence else 0:,}",
        f"{r.pods_logged:,}/{r.pods:,}",
        _seen(r.evidence),
    )
    return Row(str(r.workload), figures, _note_names(r.notes))


def _seen(evidence: Evidence | None) -> str:
    if evidence is None:
        return "no calls"
    first, last = evidence.first_seen.date(), evidence.last_seen.date()
    if first == last:
        return f"{first}"
    return f"{first} – {last:%m-%d}" if first.year == last.year else f"{first} – {last}"


def _note_names(notes: Sequence[Note]) -> str:
    names = Counter(note.name for note in notes)
    return ", ".join(f"{name} ({n:,})" if n > 1 else name for name, n in _by_urgency(names))


def _add_notes(page: Page, report: Report) -> None:
    remarks = [
        _Remark(note.name, note.detail, str(r.workload))
        for r in report.recommendations.recommended
        for note in r.notes
    ]
    _add_remarks(page, "Notes", remarks)


def _add_left_out(page: Page, report: Report) -> None:
    remarks = [
        _Remark(entry.reason, entry.detail, str(entry.workload))
        for entry in report.recommendations.left_out
    ]
    _add_remarks(page, f"Left out: {counted(len(remarks), 'workload')}", remarks)


def _add_obstacles(page: Page, report: Report) -> None:
    """Add why namespaces get no Sidecar of their own, where that was asked for."""
    found = report.recommendations
    chosen = {sidecar.namespace for sidecar in found.namespace_sidecars}
    others = [option for option in found.options if option.namespace not in chosen]
    if others:
        page.heading(f"One Sidecar per workload all the same: {counted(len(others), 'namespace')}")
        for option in others[:_MOST_ROWS]:
            why = option.obstacle or "that costs istiod less, see the command size"
            page.paragraph(f"{option.namespace}: {why}", 2, hang=2)
        if len(others) > _MOST_ROWS:
            page.paragraph(f"and {len(others) - _MOST_ROWS:,} more", 2)


def _add_remarks(page: Page, heading: str, remarks: Sequence[_Remark]) -> None:
    """Add remarks by group, those of one sentence together, the most frequent ones first."""
    if not remarks:
        return
    page.heading(heading)
    groups: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for remark in remarks:
        groups[remark.group][remark.sentence].add(remark.about)
    sizes = {group: len(set().union(*groups[group].values())) for group in groups}
    for group, size in _by_urgency(sizes):
        sentences = groups[group]
        page.paragraph(f"{group}: {counted(size, 'workload')}", 2, hang=2)
        frequent = sorted(sentences.items(), key=lambda entry: (-len(entry[1]), entry[0]))
        for sentence, about in frequent[:_MOST_SENTENCES]:
            names = _listed(sorted(about), _MOST_NAMES)
            page.paragraph(f"{names}: {sentence}" if sentence else names, 4, hang=2)
        if len(frequent) > _MOST_SENTENCES:
            page.paragraph(f"and {len(frequent) - _MOST_SENTENCES:,} more", 4)


def _add_unknown_pods(page: Page, report: Report) -> None:
    pods = sorted(report.recommendations.unknown_pods, key=lambda pod: (-pod.requests, pod))
    if not pods:
        return
    requests = counted(sum(pod.requests for pod in pods), "request")
    page.heading(
        f"Pods that logged but belong to no workload of the mesh dump: {len(pods):,}, {requests}"
    )
    rows = [(f"{pod.requests:,}", f"{pod.namespace}/{pod.name}") for pod in pods]
    _add_tallies(page, rows)


def _add_blind_spots(page: Page, report: Report) -> None:
    """Add how many received requests do not tell who called what, and why."""
    spots = sorted(report.recommendations.blind_spots, key=lambda spot: (-spot.requests, spot))
    if spots:
        requests = counted(sum(spot.requests for spot in spots), "request")
        page.heading(f"Received, but not known who called what: {requests}")
        _add_tallies(page, [(f"{spot.requests:,}", spot.reason) for spot in spots])


def add_lines(page: Page, lines: LineCounts) -> None:
    """Add how many lines were read, and why the others were not used."""
    skipped = sorted(lines.skipped, key=lambda entry: (-entry.lines, entry.reason))
    page.heading(
        f"Log lines: {lines.read:,} read, {lines.used:,} used, {lines.read - lines.used:,} skipped"
    )
    rows = [(f"{entry.lines:,}", f"{entry.reason}, first {entry.example}") for entry in skipped]
    _add_tallies(page, rows)


def _add_tallies(page: Page, rows: Sequence[tuple[str, str]]) -> None:
    """Add texts behind their numbers."""
    width = max((len(number) for number, _ in rows), default=0)
    for number, text in rows[:_MOST_ROWS]:
        page.paragraph(f"{number:>{width}}  {text}", 2, hang=width + 2)
    if len(rows) > _MOST_ROWS:
        page.paragraph(f"and {len(rows) - _MOST_ROWS:,} more", 2)


def add_mesh(page: Page, report: _OfMesh) -> None:
    """Add what was not used of the mesh dump, and what it lacks."""
    known = "" if report.istio_version_known else " (assumed)"
    page.heading(f"Mesh dump: Istio {_version(report)}{known}")
    by_reason: dict[str, list[str]] = defaultdict(list)
    for note in sorted(report.mesh_notes, key=lambda n: (not n.is_loss, n.reason, -n.count, n)):
        times = f" ({note.count:,})" if note.count > 1 else ""
        by_reason[note.reason].append(f"{note.where}{times}")
    for reason, places in by_reason.items():
        page.paragraph(f"{reason}: {_listed(places, _MOST_NAMES)}", 2, hang=2)


def _add_files(page: Page, report: Report) -> None:
    written = report.written
    if written is None:
        page.heading("No files written")
        return
    outcomes = {
        "removed": written.removed,
        "created": written.created,
        "changed": written.changed,
        "refreshed (comments only)": written.refreshed,
        "unchanged": written.unchanged,
        "kept (no new evidence)": written.kept,
    }
    counts = [f"{len(files):,} {outcome}" for outcome, files in outcomes.items() if files]
    page.heading(f"Files in {report.out}: {_listed(counts) or 'none'}")
    for outcome in ("removed", "created", "changed", "kept (no new evidence)"):
        if files := outcomes[outcome]:
            page.paragraph(f"{outcome}: {_listed(files, _MOST_ROWS)}", 2, hang=2)


def _version(report: _OfMesh) -> str:
    major, minor = report.istio_version
    return f"{major}.{minor}"


def _tally(names: Iterable[str]) -> str:
    """List names with how often each is there."""
    counts = _by_urgency(Counter(names))
    return _listed([f"{name} ({number:,})" for name, number in counts], _MOST_NAMES)


def _by_urgency(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Order names: urgent notes, then the most frequent."""
    return sorted(counts.items(), key=lambda entry: (_urgency(entry[0]), -entry[1], entry[0]))


def _listed(texts: Sequence[str], most: int | None = None) -> str:
    """Join texts with commas; say how many more there are than `most`."""
    shown = ", ".join(texts[:most])
    more = len(texts) - len(texts[:most])
    return f"{shown} and {more:,} more" if more else shown


def share(part: int, whole: int) -> str:
    """Write a part of something that is not nothing in percent."""
    percent = 100 * part / whole
    return f"{percent:.1f} %" if percent >= 0.1 else "under 0.1 %"
