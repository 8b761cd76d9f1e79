"""What a run of `discovery-selectors` found, for every renderer, and its selectors as YAML."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from recommender.access_logs import LineCounts
from recommender.discovery import DiscoveryAnswer, DiscoverySelectors
from recommender.mesh import MeshNote
from recommender.mesh.objects import LabelSelector
from recommender.sidecars import render_yaml
from recommender.sidecars.manifest import MARKER
from recommender.sidecars.words import counted, evidence_in_words, printable

_MOST_NAMED: Final = 20
_PER_COMMAND: Final = 8
Selector = dict[str, object]


@dataclass(frozen=True, slots=True)
class DiscoveryReport:
    """Hold everything a run found.

    `istio_version` is the one whose rules counted, `istio_version_known` whether the mesh dump
    told it. `out` names the file of the selectors, None when none was written.
    """

    answer: DiscoveryAnswer
    lines: LineCounts
    mesh_notes: tuple[MeshNote, ...]
    istio_version: tuple[int, int]
    istio_version_known: bool
    out: str | None


def selector_objects(selectors: Iterable[LabelSelector]) -> list[Selector]:
    """Write selectors as the MeshConfig has them; one label with one value is a `matchLabels`."""
    return [_selector(selector) for selector in selectors]


def _selector(selector: LabelSelector) -> Selector:
    labels: dict[str, str] = {}
    expressions: list[Selector] = []
    for key, operator, values in selector:
        if operator == "In" and len(values) == 1 and key not in labels:
            labels[key] = values[0]
        else:
            listed: Selector = {"values": list(values)} if values else {}
            expressions.append({"key": key, "operator": operator, **listed})
    found: Selector = {"matchLabels": labels} if labels else {}
    return {**found, "matchExpressions": expressions} if expressions else found


def label_commands(answer: DiscoveryAnswer) -> list[str]:
    """Write the commands that give idle namespaces the label which the selectors ask for."""
    if answer.selectors.added_label is None:
        return []
    key, value = answer.selectors.added_label
    changes = any(key in namespace.labels for namespace in answer.idle)
    overwriting = ["--overwrite"] if changes else []
    names = iter([namespace.name for namespace in answer.idle])
    return [
        shlex.join(["kubectl", "label", "namespace", *part, f"{key}={value}", *overwriting])
        for part in iter(lambda: list(islice(names, _PER_COMMAND)), [])
    ]


def selectors_yaml(selectors: DiscoverySelectors) -> str:
    """Write the selectors as a part of the MeshConfig, as Helm and IstioOperator name it."""
    return render_yaml(
        {"meshConfig": {"discoverySelectors": selector_objects(selectors.selectors)}}
    )


def render_discovery_yaml(report: DiscoveryReport) -> str:
    """Write the selectors with what they hide, on which evidence, as comments."""
    return "\n".join([*_head(report.answer), selectors_yaml(report.answer.selectors)])


def _head(answer: DiscoveryAnswer) -> Iterator[str]:
    evidence = evidence_in_words(answer.evidence) if answer.evidence else "no calls"
    yield f"{MARKER} discovery-selectors; the next run overwrites changes."
    yield "# For the values of Helm or the spec of an IstioOperator; in the ConfigMap of istiod"
    yield "# discoverySelectors stands in its key `mesh`, without meshConfig around it."
    yield "#"
    if not answer.idle:
        yield "# Nothing to hide: these are the selectors in force."
        yield from map(_comment, answer.doubts)
        yield from map(_comment, label_reasons(answer.selectors))
        return
    yield _comment(f"Hides from istiod: {_named([n.name for n in answer.idle])}")
    yield _comment(f"Evidence: {evidence}")
    yield _comment(proof_in_words(answer))
    yield from map(_comment, answer.doubts)
    commands = label_commands(answer)
    if commands:
        yield "#"
        yield "# First label the namespaces, in each Kubernetes cluster that has them:"
        yield from (f"#   {printable(command)}" for command in commands)
    yield from map(_comment, label_reasons(answer.selectors))


def proof_in_words(answer: DiscoveryAnswer) -> str:
    """Say what was compared, and first of all whether that is everything."""
    proof = answer.proof
    also = f", also under {counted(proof.sidecars, 'recommended Sidecar')}"
    found = (
        f"Proved{' in part' if proof.silent_workloads else ''}: "
        f"{counted(proof.calls, 'way')} of calling of {counted(proof.workloads, 'workload')}, "
        f"each ends where it did{also if proof.sidecars else ''}"
    )
    return f"{found}; {silence_in_words(answer)}" if proof.silent_workloads else found


def silence_in_words(answer: DiscoveryAnswer) -> str:
    """Say how many workloads logs tell nothing of; there must be one."""
    silent, all_ = answer.proof.silent_workloads, answer.proof.workloads_with_proxies
    return f"the calls of {silent:,} of {counted(all_, 'workload')} with proxies are not known"


def label_reasons(selectors: DiscoverySelectors) -> Iterator[str]:
    """Say what else there is to know of selectors: what they are not made from, and why."""
    if selectors.ignored is not None:
        yield (
            "Made as if none were in force: istiod ignores those of the MeshConfig "
            f"({selectors.ignored})"
        )
    if selectors.seen_by_name:
        yield (
            "Seen by their names, since objects name them but the dump has no Namespace for them: "
            f"{_named(selectors.seen_by_name)}"
        )
    if selectors.unknown:
        yield (
            "No existing label can tell them apart from those whose labels are not known, since "
            f"the dump has no Namespace for them: {_named(selectors.unknown)}"
        )
    if not selectors.shows_new:
        yield "A new namespace is hidden until it has such a label."


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown


def _comment(text: str) -> str:
    return f"# {printable(text)}"
