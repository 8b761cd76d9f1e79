"""Idle namespaces and selectors for people at a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from recommender.discovery import NAME_LABEL, DiscoveryAnswer, FoundNamespace
from recommender.report.discovery_report import (
    DiscoveryReport,
    label_commands,
    label_reasons,
    proof_in_words,
    selectors_yaml,
    silence_in_words,
)
from recommender.report.layout import Page, Row
from recommender.report.table import add_lines, add_mesh, source_warnings
from recommender.sidecars.words import counted, evidence_in_words, printable

_WIDTH: Final = 120
_MOST_NAMES: Final = 8
_MOST_LABELS: Final = 4
_NOT_TOLD: Final = "not in the dump"
_HARMLESS: Final = frozenset(("system", "injection", "default injection"))
"""What it is no harm to hide: such a namespace is no surprise if it is hidden already."""


def render_discovery_table(
    report: DiscoveryReport, *, width: int | None = None, colour: bool = False
) -> str:
    """Write what was found for a terminal of `width` columns, 120 if that is not known."""
    page = Page(_WIDTH if width is None else width, colour)
    answer = report.answer
    _add_summary(page, report)
    if answer.idle:
        page.heading("Idle, to hide from istiod")
        page.table(
            Row("NAMESPACE", ("SERVICES", "PODS", "ENDPOINTS", "OBJECTS"), "LABELS"),
            [Row(n.name, _figures(n), _labels(n)) for n in answer.idle],
        )
    page.heading("Kept")
    page.table(
        Row("NAMESPACE", ("SERVICES", "PODS", "ENDPOINTS", "OBJECTS"), "NEEDED BY"),
        [Row(n.name, _figures(n), _needs(n)) for n in answer.kept],
    )
    _add_hidden_already(page, answer)
    _add_silent(page, answer)
    add_lines(page, report.lines)
    add_mesh(page, report)
    _add_selectors(page, report)
    return page.text()


def _add_summary(page: Page, report: DiscoveryReport) -> None:
    answer, before, after = report.answer, report.answer.watched_before, report.answer.watched_after
    page.heading(f"Idle namespaces: {len(answer.idle):,} of {before.namespaces:,} that istiod sees")
    if answer.idle:
        page.paragraph(
            f"istiod would watch: services {before.services:,} → {after.services:,}, pods "
            f"{before.pods:,} → {after.pods:,}, endpoints {before.endpoints:,} → "
            f"{after.endpoints:,}, Istio objects {before.objects:,} → {after.objects:,}"
        )
        saved = answer.savings
        if saved is not None and saved.sidecars:
            page.paragraph(
                f"{counted(saved.sidecars, 'sidecar proxy').replace('proxys', 'proxies')}, median: "
                f"services {saved.median_services_before:,} → {saved.median_services_after:,}, "
                f"about {_size(saved.median_bytes_before)} → {_size(saved.median_bytes_after)} of "
                f"configuration; all together: services {saved.services_before:,} → "
                f"{saved.services_after:,}, about {_size(saved.bytes_before)} → "
                f"{_size(saved.bytes_after)}"
            )
        page.paragraph(proof_in_words(answer))
    evidence = evidence_in_words(answer.evidence) if answer.evidence else "no calls"
    page.paragraph(f"Evidence: {evidence}")
    for warning in _warnings(report):
        page.warning(warning)


def _warnings(report: DiscoveryReport) -> Iterator[str]:
    answer = report.answer
    yield from source_warnings(report)
    if answer.unknown_pods:
        yield f"Pods of no known workload: {len(answer.unknown_pods):,}"
    if answer.silent:
        reasons = Counter(each.reason for each in answer.silent).most_common()
        told = ", ".join(f"{reason} ({number:,})" for reason, number in sorted(reasons))
        yield f"Workloads whose calls are not known: {len(answer.silent):,} – {told}"
    for doubt in answer.doubts:
        yield f"{doubt[:1].upper()}{doubt[1:]}"
    used = [n for n in answer.hidden_already if _surprises(n)]
    if used:
        yield f"Hidden already, but needed: {_listed(n.name for n in used)}"
    unknown = [n.name for n in answer.kept if {need.kind for need in n.needs} == {_NOT_TOLD}]
    if unknown:
        yield (
            f"Kept since the dump has no Namespace for them: {_listed(unknown)}; dump every "
            "Namespace"
        )
    but = [n.name for n in answer.kept if n.is_idle_but_for_proxies]
    if but:
        yield (
            f"Kept for their proxies alone, of which no log shows use: {_listed(but)}; without "
            "proxies they could be hidden"
        )


def _surprises(namespace: FoundNamespace) -> bool:
    return any(need.kind not in _HARMLESS for need in namespace.needs)


def _figures(namespace: FoundNamespace) -> tuple[str, ...]:
    c = namespace.contents
    objects = sum(c.objects.values())
    return (f"{c.services:,}", f"{c.pods:,}", f"{c.endpoints:,}", f"{objects:,}")


def _labels(namespace: FoundNamespace) -> str:
    labels = sorted(namespace.labels.items())
    each = [f"{key}={value}" for key, value in labels if key != NAME_LABEL]
    return _listed(each, _MOST_LABELS)


def _needs(namespace: FoundNamespace) -> str:
    """Name every reason; where no proxies are in it, say more of the first that is not plain."""
    kinds = [need.kind for need in namespace.needs]
    listed = ", ".join(kinds)
    if "proxy" in kinds or "logged" in kinds:
        return listed
    need = namespace.needs[0]
    requests = f", {counted(need.evidence.requests, 'request')}" if need.evidence else ""
    return f"{listed}: {need.detail.partition('; ')[0]}{requests}"


def _add_hidden_already(page: Page, answer: DiscoveryAnswer) -> None:
    if not answer.hidden_already:
        return
    page.heading("Hidden already, by the selectors in force")
    quiet = [n.name for n in answer.hidden_already if not _surprises(n)]
    for namespace in filter(_surprises, answer.hidden_already):
        page.paragraph(f"{namespace.name}, which is needed: {_needs(namespace)}", 2, hang=2)
    if quiet:
        page.paragraph(_listed(quiet), 2, hang=2)


def _add_silent(page: Page, answer: DiscoveryAnswer) -> None:
    if not answer.silent:
        return
    page.heading(f"Calls not known: {counted(len(answer.silent), 'workload')}")
    for reason in sorted({each.reason for each in answer.silent}):
        named = [str(each.workload) for each in answer.silent if each.reason == reason]
        page.paragraph(f"{reason}: {_listed(named)}", 2, hang=2)


def _add_selectors(page: Page, report: DiscoveryReport) -> None:
    answer = report.answer
    if not answer.idle:
        page.heading("Nothing to hide")
    else:
        told = {
            "existing labels": "Selectors, by labels that the namespaces have",
            "labels to add": "Selectors, by a label to add",
        }
        page.heading(told.get(answer.selectors.by, "Selectors"))
        if answer.proof.silent_workloads:
            page.paragraph(f"Proved only in part: {silence_in_words(answer)}.", 2, hang=2)
        commands = label_commands(answer)
        if commands:
            page.paragraph("First label the namespaces, where they are:", 2)
            page.lines += [f"  {printable(command)}" for command in commands]
            page.paragraph("Then set:", 2)
        page.lines += [f"  {line}" for line in selectors_yaml(answer.selectors).splitlines()]
    for reason in label_reasons(answer.selectors):
        page.paragraph(reason, 2, hang=2)
    if report.out is not None:
        page.heading(f"Written to {report.out}")


def _listed(texts: Iterable[str], most: int = _MOST_NAMES) -> str:
    each = list(texts)
    more = len(each) - most
    shown = ", ".join(each[:most])
    return f"{shown} and {more:,} more" if more > 0 else shown


def _size(number: int) -> str:
    """Write a number of bytes.

    >>> _size(1500), _size(12_345_678), _size(12_345_678_901)
    ('2 kB', '12.3 MB', '12.3 GB')
    """
    for unit, of in (("GB", 1e9), ("MB", 1e6)):
        if number >= of:
            return f"{number / of:,.1f} {unit}"
    return f"{number / 1e3:,.0f} kB"
