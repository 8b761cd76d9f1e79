"""The summary of a run → a table in Markdown, and what of the promises it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.config_size.result import AFTER, BEFORE, TRUE_GRAPH, WITHOUT_OWN, Json
from benchmarks.config_size.sample import KINDS

_COLUMNS = {BEFORE: "no Sidecar", AFTER: "recommended", TRUE_GRAPH: "from the true graph"}
_MOST_BYTES = 5e6  # of a proxy's configuration, as its config_dump has it
_CLOSE = 1.05  # how near to what the true graph gives


def facts(summary: Json) -> str:
    """Say what was measured."""
    mesh, machine = summary["mesh"], summary["machine"]
    left_out = ", ".join(mesh["left_out"]) or "nothing"
    return (
        f"{mesh['kubernetes_clusters']} Kubernetes clusters, {mesh['nodes']} nodes, "
        f"{mesh['pods']:,} pods, {mesh['proxies']:,} with a proxy\n"
        f"{mesh['workloads']:,} workloads, {mesh['services']:,} services, "
        f"{mesh['virtual_services']} VirtualServices, "
        f"{mesh['destination_rules']} DestinationRules\n"
        f"{mesh['log_lines']:,} log lines, {mesh['sidecars']:,} Sidecars recommended, "
        f"left out: {left_out}\n"
        f"istiod {machine['istio']}, Envoy {machine['envoy']}, "
        f"{machine['processor_cores']} processor cores, {machine['architecture']}; "
        f"all of this took {summary['took']['seconds']:,.0f} s, and "
        f"{summary['took']['cpu_seconds']:,.0f} s of CPU"
    )


def table(summary: Json) -> str:
    """The rows of the table; figures are those of proxies if nothing else is said."""
    lines = [f"| | {' | '.join(_COLUMNS.values())} |", "| --- " * (len(_COLUMNS) + 1) + "|"]
    for title, cell in _rows(summary):
        cells = (cell(summary["variants"][name], name) for name in _COLUMNS)
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


Cell = Callable[[Json, str], str]


def _rows(summary: Json) -> Iterator[tuple[str, Cell]]:
    proxies, calls = summary["mesh"]["proxies"], summary["calls"]
    yield f"**configuration of all {proxies:,} proxies**", lambda _v, _n: ""
    for which in ("median", "p95", "largest"):
        yield f"bytes by xDS, {which}", _of("xds_bytes", which, show=amount_of)
    yield "CDS, EDS, LDS, RDS resources, median", _resources
    first = summary["variants"][BEFORE]["arrived"]
    envoys = first["needed"]["of"]
    yield f"**{envoys} real Envoys, of the smallest to the largest**", lambda _v, _n: ""
    for which in ("median", "largest"):
        yield f"`config_dump`, {which}", _of("envoy", "config_dump_bytes", which, show=amount_of)
    for which in ("median", "largest"):
        yield f"memory, {which}", _of("envoy", "memory_bytes", which, show=amount_of)
    yield "received from istiod, median", _of("envoy", "received_bytes", "median", show=amount_of)
    yield "start to `LIVE`, median", _of("envoy", "seconds_to_live", "median", show=seconds)
    changes = first["unrelated"]["of"] // envoys
    yield f"arrivals of {changes} unrelated changes", _arrivals
    yield "**share of proxies that a change is pushed to, mean**", lambda _v, _n: ""
    for kind in KINDS:
        yield f"of a {kind}", _of("reach", kind, "mean", show=percent)
    yield "**istiod**", lambda _v, _n: ""
    yield "CPU to push everything", _of("istiod", "push_cpu_seconds", show=seconds)
    yield "bytes of that", _of("istiod", "push_bytes", show=amount_of)
    yield "CPU to build all scopes", _of("istiod", "scopes_cpu_seconds", show=seconds)
    yield "heap with all scopes", _of("istiod", "heap_bytes", show=amount_of)
    yield "**calls**", lambda _v, _n: ""
    yield (
        f"changed, of {calls['made']:,}",
        lambda _v, name: "–" if name == BEFORE else f"{calls['changed'][name]:,}",
    )


def _of(*path: str, show: Callable[[float], str]) -> Cell:
    def cell(variant: Json, _name: str) -> str:
        found: Any = variant
        for key in path:
            if key not in found:
                return "–"  # not with real Envoys
            found = found[key]
        return show(found)

    return cell


def _resources(variant: Json, _name: str) -> str:
    return ", ".join(f"{count:,}" for count in variant["resources"].values())


def _arrivals(variant: Json, _name: str) -> str:
    if "arrived" not in variant:
        return "–"
    found = variant["arrived"]["unrelated"]
    return f"{found['reached']} of {found['of']}"


def amount_of(count: float) -> str:
    """Say bytes."""
    if count < 1e6:
        return f"{count / 1e3:,.0f} kB"
    amount = count / 1e6
    digits = 0 if amount >= 100 else 1 if amount >= 10 else 2
    return f"{amount:,.{digits}f} MB"


def seconds(count: float) -> str:
    """Say seconds."""
    return f"{count:,.0f} s" if count >= 10 else f"{count:.2f} s"


def percent(share: float) -> str:
    """Say a share."""
    return f"{share * 100:.3g} %"


def notes(summary: Json) -> str:
    """Say what the table has no room for."""
    lean = summary["variants"][WITHOUT_OWN]
    needed = summary["variants"][AFTER]["arrived"]["needed"]
    return (
        "Without the workloads' own services, Sidecars from the true graph give "
        f"{amount_of(lean['xds_bytes']['median'])} at the median and "
        f"{amount_of(lean['xds_bytes']['p95'])} at p95, but change what "
        f"{summary['inbound_changed'][WITHOUT_OWN]:,} proxies do with calls that they receive.\n"
        f"A change that {needed['needed']} of the Envoys need arrived at {needed['reached']}.\n"
        f"{estimate_note(summary)}"
    )


def estimate_note(summary: Json) -> str:
    """Say whether the command `size` knows whom changes reach."""
    found = summary["estimate"]
    same = found["reach_compared"] - found["reach_differs"]
    return (
        "The command `size` counted the proxies that a change reaches as istiod did for "
        f"{same:,} of {found['reach_compared']:,} changes."
    )


def broken(summary: Json) -> list[str]:
    """List the promises that a run breaks."""
    return list(_broken(summary))


def _broken(summary: Json) -> Iterator[str]:
    variants, calls = summary["variants"], summary["calls"]
    before, after, true = (variants[name] for name in (BEFORE, AFTER, TRUE_GRAPH))
    if calls["not_as_logged"]:
        yield f"{calls['not_as_logged']} calls do not go where the logs say, before any Sidecar"
    if calls["changed"][AFTER]:
        yield f"{calls['changed'][AFTER]} calls go elsewhere with the recommended Sidecars"
    if summary["inbound_changed"][AFTER]:
        yield f"{summary['inbound_changed'][AFTER]} proxies take received calls differently"
    for which in ("median", "p95"):
        found, wanted = after["xds_bytes"][which], true["xds_bytes"][which]
        if found > wanted * _CLOSE:
            yield f"at the {which}, {found:,} bytes are over 5 % more than {wanted:,}"
    if differs := summary["estimate"]["reach_differs"]:
        yield f"{differs} changes reach another number of proxies than estimated"
    # The proxy with the most bytes by xDS is among the real ones.
    largest = max(after["envoy"]["config_dump_bytes"]["largest"], after["xds_bytes"]["largest"])
    if largest > _MOST_BYTES:
        yield f"with its Sidecar, a proxy still holds {largest:,} bytes"
    for change, found in before["arrived"].items():
        yield from _misdirected(f"before, {change} changes", found, found["of"])
    for change, found in after["arrived"].items():
        yield from _misdirected(f"after, {change} changes", found, found["needed"])


def _misdirected(what: str, found: Json, wanted: int) -> Iterator[str]:
    if {found["pushed"], found["reached"]} != {wanted}:
        yield (
            f"{what} were pushed {found['pushed']} times and arrived {found['reached']} times, "
            f"not {wanted}"
        )
