"""What Sidecars save, for people at a terminal: the sums, the workloads, and whom changes reach."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from itertools import islice
from statistics import median_low
from typing import Final

from recommender.istio.config_size import ESTIMATE_ERRORS, ConfigSize
from recommender.istio.pushes import ENDPOINTS
from recommender.report.layout import Page, Row
from recommender.report.size_model import KIND_NAMES, KindReach, SizeReport, reach_by_kind
from recommender.report.table import add_lines, add_mesh, share, source_warnings
from recommender.savings import (
    Calibration,
    ChangeReach,
    Price,
    Savings,
    TradeOff,
    TypeCalibration,
    WorkloadSavings,
    chosen_namespaces,
    total,
)
from recommender.sidecars.words import bytes_in_words, counted

_WIDTH: Final = 120
_MOST_CHANGES: Final = 10
_UNKNOWN: Final = "–"
_ALL: Final = "all"
_MINOR_VERSION: Final = re.compile(r"v?([0-9]+\.[0-9]+)(?![0-9])")
_TYPES: Final = ("cds", "eds", "lds", "rds")
_RESOURCES: Final = {
    "cds": ("clusters", "static_clusters"),
    "eds": ("load_assignments",),
    "lds": ("listeners",),
    "rds": ("route_configurations",),
}


def render_size_table(report: SizeReport, *, width: int | None = None, colour: bool = False) -> str:
    """Write what Sidecars save for a terminal of `width` columns, 120 if that is not known."""
    page = Page(_WIDTH if width is None else width, colour)
    _add_summary(page, report)
    if report.savings.workloads:
        _add_types(page, report.savings)
        _add_workloads(page, report.savings)
    _add_reach(page, report.savings)
    if report.trade_offs:
        _add_trade_offs(page, report)
    _add_accuracy(page)
    if report.savings.calibration:
        _add_calibration(page, report, report.savings.calibration)
    add_lines(page, report.lines)
    add_mesh(page, report)
    return page.text()


def _add_summary(page: Page, report: SizeReport) -> None:
    savings = report.savings
    before, after = savings.before.bytes, savings.after.bytes
    page.heading(
        f"Configuration of {_proxies(savings.proxies)} in "
        f"{counted(len(savings.workloads), 'workload')}: {_from_to(before, after)}"
        + (f", {share(before - after, before)} less" if after < before else "")
    )
    scoped = [each for each in savings.workloads if not each.left_out]
    if scoped:
        each = [(w.before.bytes // w.proxies, w.after.bytes // w.proxies) for w in scoped]
        befores, afters = zip(*each, strict=True)
        page.paragraph(
            f"A proxy of the {counted(len(scoped), 'workload')} with a recommended Sidecar, "
            f"median: {_from_to(median_low(befores), median_low(afters))}; "
            f"the largest: {_from_to(max(befores), max(afters))}"
        )
    if savings.unscoped.bytes != before:
        page.paragraph(
            f"Without any Sidecar all proxies together would be sent "
            f"{bytes_in_words(savings.unscoped.bytes)}"
        )
    for warning in _warnings(report):
        page.warning(warning)


def _warnings(report: SizeReport) -> Iterable[str]:
    savings = report.savings
    yield from source_warnings(report)
    kept = [each for each in savings.workloads if each.left_out]
    if kept:
        proxies = sum(each.proxies for each in kept)
        yield (
            f"Workloads that get no Sidecar and keep what they have: {len(kept):,}, "
            f"{_proxies(proxies)}"
        )
    for each in savings.not_estimated:
        yield f"Not estimated, {each.reason}: {counted(each.workloads, 'workload')}, " + _proxies(
            each.proxies
        )
    if savings.endpoints == "none":
        yield (
            "EDS is not estimated: the mesh dump has neither EndpointSlices nor pods; sums are "
            "without the endpoints of Services"
        )
    elif savings.endpoints == "pods":
        yield "No EndpointSlices in the mesh dump: the pods that Services select stand in for EDS"


def _add_types(page: Page, savings: Savings) -> None:
    """Add the sums of all proxies by xDS type."""
    page.lines.append("")
    head = Row("ALL PROXIES TOGETHER", ("RESOURCES", "BEFORE", "AFTER", "SAVED"))
    before, after = savings.before, savings.after
    rows = [
        Row(
            xds.upper(),
            (
                f"{_resources(before, xds):,} → {_resources(after, xds):,}",
                *(
                    _amounts(before.bytes_of(xds), after.bytes_of(xds))
                    if _is_known(savings, xds)
                    else (_UNKNOWN,) * 3
                ),
            ),
        )
        for xds in _TYPES
    ]
    page.table(head, [*rows, Row("all", ("", *_amounts(before.bytes, after.bytes)))])


def _add_workloads(page: Page, savings: Savings) -> None:
    """Add the workloads, those first whose proxies are spared the most together."""
    page.lines.append("")
    head = Row(
        "WORKLOAD, kB PER PROXY",
        ("PROXIES", "ALL", *(xds.upper() for xds in _TYPES), "SAVED BY ALL"),
        "NO SIDECAR",
    )
    known = [_ALL, *(xds for xds in _TYPES if _is_known(savings, xds))]
    page.table(head, _aligned([(each, _pairs(each, known)) for each in savings.workloads]))


def _pairs(each: WorkloadSavings, known: Container[str]) -> list[tuple[str, str]]:
    """Write the bytes of one of its proxies before and after: of all types, then of each."""
    pairs = [(each.before.bytes, each.after.bytes)]
    pairs += [(each.before.bytes_of(xds), each.after.bytes_of(xds)) for xds in _TYPES]
    return [
        (_kilo(a, each.proxies), _kilo(b, each.proxies)) if xds in known else (_UNKNOWN,) * 2
        for xds, (a, b) in zip((_ALL, *_TYPES), pairs, strict=True)
    ]


def _is_known(savings: Savings, xds: str) -> bool:
    """Tell whether the dump has what the bytes of a type are estimated from."""
    return xds != "eds" or savings.endpoints != "none"


def _aligned(rows: Sequence[tuple[WorkloadSavings, list[tuple[str, str]]]]) -> list[Row]:
    """Make the rows; the arrow of a column stands in one place."""
    widths = [
        [max(len(side) for side in sides) for sides in zip(*column, strict=True)]
        for column in zip(*(pairs for _, pairs in rows), strict=True)
    ]
    return [
        Row(
            str(each.workload),
            (
                f"{each.proxies:,}",
                *(
                    f"{before:>{left}} → {after:>{right}}"
                    for (before, after), (left, right) in zip(pairs, widths, strict=True)
                ),
                bytes_in_words(each.saved_bytes),
            ),
            each.left_out,
        )
        for each, pairs in rows
    ]


def _add_reach(page: Page, savings: Savings) -> None:
    """Add to how many proxies a change is pushed, by kind, and what still reaches the most."""
    found, proxies = reach_by_kind(savings.reach), savings.proxies
    if not found or not proxies:
        return
    page.heading(f"Pushes: how many of the {_proxies(proxies)} a change is sent to")
    head = Row("CHANGE OF ONE", ("IN THE MESH", "MEAN", "SHARE", "SENT TO NONE"))
    page.table(head, [_reach_row(each, proxies) for each in found])
    page.paragraph("Sent to the most proxies afterwards:")
    # Where a service goes its endpoints go: listed once.
    listed = (each for each in savings.reach if each.after and each.change.kind != ENDPOINTS)
    most = list(islice(listed, _MOST_CHANGES))
    width = max((len(_counts(each)) for each in most), default=0)
    for each in most:
        page.paragraph(f"{_counts(each):>{width}}  {_change(each)}", 2, hang=width + 2)
    if not most:
        page.paragraph("no change reaches any", 2)


def _reach_row(each: KindReach, proxies: int) -> Row:
    means = (each.before / each.changes, each.after / each.changes)
    shares = (100 * mean / proxies for mean in means)
    return Row(
        each.kind,
        (
            f"{each.changes:,}",
            " → ".join(f"{mean:,.1f}" for mean in means),
            " → ".join(f"{part:.1f} %" for part in shares),
            f"{each.none_before:,} → {each.none_after:,}",
        ),
    )


def _counts(each: ChangeReach) -> str:
    return f"{each.before:,} → {each.after:,}"


def _change(each: ChangeReach) -> str:
    return f"{KIND_NAMES[each.change.kind]} {each.change.namespace}/{each.change.name}"


def _add_trade_offs(page: Page, report: SizeReport) -> None:
    """Compare one Sidecar for a namespace with one per workload, those first that save the most."""
    page.heading("One Sidecar for a whole namespace instead of one per workload")
    page.paragraph(
        "What istiod works out and sends in a push of everything, and how many proxies are told "
        "if each thing in the mesh changes once. A new workload of such a namespace gets its scope "
        "without any evidence."
    )
    page.lines.append("")
    head = Row(
        "NAMESPACE", ("WORKLOADS", "OBJECTS", "SENT", "PUSHES", "ISTIOD CPU, ms"), "AUTO CHOOSES"
    )
    options = [each for each in report.trade_offs if each.wide is not None]
    in_order = sorted(options, key=lambda each: (_difference(each), each.namespace))
    rows = [_trade_off_row(each) for each in in_order]
    page.table(head, [*rows, *_choice_rows(report)])
    obstacles = [each for each in report.trade_offs if each.wide is None]
    if obstacles:
        page.paragraph(f"No option: {counted(len(obstacles), 'namespace')}")
        for each in obstacles[:_MOST_CHANGES]:
            page.paragraph(f"{each.namespace}: {each.obstacle}", 2, hang=2)
        if len(obstacles) > _MOST_CHANGES:
            page.paragraph(f"and {len(obstacles) - _MOST_CHANGES:,} more", 2)


def _difference(each: TradeOff) -> float:
    return each.wide.seconds - each.each.seconds if each.wide else 0


def _trade_off_row(each: TradeOff) -> Row:
    own, wide = each.each, each.wide or each.each
    return Row(
        each.namespace,
        (
            f"{each.workloads:,}",
            f"{own.objects:,} → {wide.objects:,}",
            _from_to(own.bytes, wide.bytes),
            f"{own.pushes:,} → {wide.pushes:,}",
            f"{_milliseconds(own)} → {_milliseconds(wide)}",
        ),
        each.cheaper,
    )


def _choice_rows(report: SizeReport) -> Iterable[Row]:
    """Yield what each choice costs for all namespaces together."""
    found = report.trade_offs
    for choice in ("workload", "namespace", "auto"):
        chosen = chosen_namespaces(found, choice)
        price = total(found, chosen)
        is_made = chosen == frozenset(report.namespaces)
        yield Row(
            f"all: --granularity {choice}",
            (
                f"{sum(each.workloads for each in found):,}",
                f"{price.objects:,}",
                bytes_in_words(price.bytes),
                f"{price.pushes:,}",
                _milliseconds(price),
            ),
            "as above" if is_made else "",
        )


def _milliseconds(price: Price) -> str:
    return f"{1000 * price.seconds:,.1f}"


def _add_accuracy(page: Page) -> None:
    """Say what the figures are, and how far off they may be."""
    page.heading("How sure these figures are")
    page.paragraph(
        "Bytes are estimated: of what istiod encodes for outbound calls, without inbound listeners "
        "and clusters, certificates, and what an EnvoyFilter adds. A config_dump says the same in "
        "more bytes.",
        2,
    )
    off = ", ".join(
        f"{xds.upper()} {100 * median:.0f} and {100 * most:.0f} %"
        for xds, (median, most) in ESTIMATE_ERRORS.items()
    )
    page.paragraph(
        f"Compared with istiod on meshes that had no part in the fit, half and 95 % of the proxies "
        f"were off by no more than: {off}.",
        2,
    )
    page.paragraph("Which proxies a change is sent to is istiod's own rule.", 2)


def _add_calibration(page: Page, report: SizeReport, found: Calibration) -> None:
    """Say how far off the estimate was for a real proxy, and what of it could not be compared."""
    proxy = f"{found.namespace}/{found.pod}"
    is_used = any(each.common for each in found.types.values())
    page.heading(f"{'Corrected' if is_used else 'Not corrected'} by the config_dump of {proxy}")
    major, minor = report.istio_version
    version = _MINOR_VERSION.match(found.istio_version)
    if found.istio_version and (version is None or version[1] != f"{major}.{minor}"):
        page.warning(
            f"The proxy is of Istio {found.istio_version}, the rules are those of {major}.{minor}"
        )
    if found.is_cut:
        page.warning("The config_dump ends early: what comes before counts")
    missing = [xds.upper() for xds, each in found.types.items() if not each.common]
    if missing:
        page.warning(
            f"Not corrected, since it has nothing to compare: {', '.join(missing)}"
            + ("; EDS takes config_dump?include_eds" if "EDS" in missing else "")
        )
    head = Row(
        "RESOURCES COMPARED", ("NUMBER", "ESTIMATE", "CONFIG_DUMP", "FACTOR"), "NOT COMPARED"
    )
    page.lines.append("")
    page.table(head, [_calibration_row(xds, each) for xds, each in found.types.items()])
    page.paragraph(
        "Bytes above, but for the choice of a granularity, are multiplied by the factor of their "
        "type. Those of a config_dump are "
        "those of its resources as istiod encodes them, told from JSON within 2 %."
    )


def _calibration_row(xds: str, each: TypeCalibration) -> Row:
    alone = {"in the config_dump": each.only_in_dump, "in the mesh dump": each.only_in_mesh}
    figures = (
        f"{each.common:,}",
        bytes_in_words(each.estimated_bytes),
        bytes_in_words(each.actual_bytes),
        f"{each.factor:.2f}",
    )
    only = [f"{number:,} only {where}" for where, number in alone.items() if number]
    return Row(xds.upper(), figures, ", ".join(only))


def _proxies(number: int) -> str:
    return f"{number:,} proxy" if number == 1 else f"{number:,} proxies"


def _from_to(before: int, after: int) -> str:
    return f"{bytes_in_words(before)} → {bytes_in_words(after)}"


def _amounts(before: int, after: int) -> tuple[str, str, str]:
    return (bytes_in_words(before), bytes_in_words(after), bytes_in_words(before - after))


def _kilo(number: int, proxies: int) -> str:
    """Write bytes of a proxy in kB, with a decimal where the number is small."""
    value = number / proxies / 1000
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def _resources(size: ConfigSize, xds: str) -> int:
    return sum(int(getattr(size, name)) for name in _RESOURCES[xds])
