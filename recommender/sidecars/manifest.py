"""A recommendation as the YAML of a Sidecar, with the evidence as comments.

Comments quote log text, which anyone who can send a request may write: `printable` keeps them
comments. Values are quoted for every reader that matters: PyYAML, and Kubernetes' own reading of
YAML, to which more plain words are numbers and booleans (`y`, `0o17`, `1e3`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import yaml

from recommender.mesh.yaml_scalars import plain_scalar
from recommender.recommendation.model import (
    HostReason,
    NamespaceSidecar,
    Note,
    Recommendation,
    RecommendedHost,
)
from recommender.settings import OWN_LABEL, OWN_LABEL_VALUE, Settings
from recommender.sidecars.words import counted, evidence_in_words, printable

MARKER: Final = "# Written by recommend-sidecars"
"""How the first line of every file of this tool begins; the rest of it may change."""
# A number beyond 64 bits is text to Kubernetes, but infinite to readers of YAML 1.2: `12e3456`.
_HUGE: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+", re.ASCII)
_MOST_REMARKS: Final = 20
_MOST_NAMED: Final = 8


def sidecar_manifest(recommendation: Recommendation, settings: Settings) -> dict[str, object]:
    """Return a recommendation as the object that its manifest describes."""
    spec = {
        **recommendation.other_spec,
        "workloadSelector": {"labels": dict(recommendation.selector)},
        "egress": [{"hosts": [entry.host for entry in recommendation.hosts]}],
    }
    return {**_without_spec(recommendation, settings), "spec": spec}


def render_sidecar(recommendation: Recommendation, settings: Settings) -> str:
    """Write a recommendation as the manifest of a Sidecar."""
    selector = {"workloadSelector": {"labels": dict(recommendation.selector)}}
    lines = [*_head(recommendation), *_yaml_lines(_without_spec(recommendation, settings)), "spec:"]
    return "\n".join([*lines, *_spec_lines(recommendation, selector)]) + "\n"


def render_namespace_sidecar(sidecar: NamespaceSidecar, settings: Settings) -> str:
    """Write a namespace's Sidecar as its manifest; each host says which workloads need it."""
    lines = [*_namespace_head(sidecar), *_yaml_lines(_without_spec(sidecar, settings)), "spec:"]
    return "\n".join([*lines, *_spec_lines(sidecar, {})]) + "\n"


def _spec_lines(
    sidecar: Recommendation | NamespaceSidecar, selector: Mapping[str, object]
) -> Iterator[str]:
    """Write the spec in Istio's own order; what an existing Sidecar sets stays as it was."""
    before = {k: v for k, v in sidecar.other_spec.items() if k == "ingress"}
    after = {k: v for k, v in sidecar.other_spec.items() if k != "ingress"}
    yield from _indented(_yaml_lines(selector), 2)
    yield from _indented(_yaml_lines(before), 2)
    yield from ("  egress:", "  - hosts:", *_indented(_host_lines(sidecar.hosts), 4))
    yield from _indented(_yaml_lines(after), 2)


def _without_spec(
    sidecar: Recommendation | NamespaceSidecar, settings: Settings
) -> dict[str, object]:
    metadata: dict[str, object] = {
        "name": sidecar.name,
        "namespace": sidecar.namespace,
        "labels": {**sidecar.labels, OWN_LABEL: OWN_LABEL_VALUE},
    }
    if sidecar.annotations:
        metadata["annotations"] = dict(sidecar.annotations)
    return {"apiVersion": settings.api_version, "kind": "Sidecar", "metadata": metadata}


def _head(recommendation: Recommendation) -> list[str]:
    """Say what the file is, for whom, and why; each note is a line."""
    r = recommendation
    evidence = evidence_in_words(r.evidence) if r.evidence else "no requests"
    lines = [
        f"{MARKER}; the next run overwrites changes.",
        "# To keep a host that no log shows, name it in the setting `pinned_hosts`.",
        "#",
        _comment(f"Scope of {r.workload}, {r.pods_logged} of {counted(r.pods, 'pod')} logged"),
        _comment(f"Evidence: {evidence}"),
        _comment(_proof(r)),
        _comment(f"Services in scope: {r.services_before:,} before, {r.services_after:,} after"),
    ]
    if r.origin == "adopted":
        lines.append("# Takes over a Sidecar made by hand; all but its egress hosts is kept.")
    return [*lines, *_remarks([_note(note) for note in r.notes], "note")]


def _namespace_head(sidecar: NamespaceSidecar) -> list[str]:
    """Say what the file is, for whom, and what follows for others."""
    evidence = evidence_in_words(sidecar.evidence) if sidecar.evidence else "no requests"
    return [
        f"{MARKER}; the next run overwrites changes.",
        "# To keep a host that no log shows, name it in the setting `pinned_hosts`.",
        "#",
        _comment(f"Scope of the namespace {sidecar.namespace}: of every workload without its own"),
        _comment(f"Proved for {_named([id_.name for id_ in sidecar.workloads])}"),
        "# A new workload of the namespace gets this scope too, without any evidence.",
        _comment(f"Evidence: {evidence}"),
        _comment(_proof(sidecar)),
        *_remarks([_note(note) for note in sidecar.notes], "note"),
    ]


def _proof(sidecar: Recommendation | NamespaceSidecar) -> str:
    if not sidecar.calls:
        return "Proved: nothing, since no call was logged that could be"
    return f"Proved: {counted(sidecar.calls, 'way')} of calling, each ends where it did"


def _named(names: Sequence[str]) -> str:
    """List the first of some names."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _host_lines(hosts: tuple[RecommendedHost, ...]) -> Iterator[str]:
    """Write each host below the reasons for it."""
    entries = _yaml_lines([entry.host for entry in hosts])
    for entry, line in zip(hosts, entries, strict=True):
        yield from _remarks([_reason(reason) for reason in entry.reasons], "reason")
        if entry.workloads:
            yield _comment(f"for {_named(entry.workloads)}")
        yield line


def _note(note: Note) -> str:
    return f"Note, {note.name}: {note.detail}"


def _reason(reason: HostReason) -> str:
    evidence = [evidence_in_words(reason.evidence)] if reason.evidence else []
    said = "; ".join([*evidence, *([reason.detail] if reason.detail else [])])
    return f"{reason.kind}: {said}" if said else reason.kind


def _remarks(texts: list[str], noun: str) -> list[str]:
    """Write texts as comments; strangers decide how many there are, so not without end."""
    lines = [_comment(text) for text in texts[:_MOST_REMARKS]]
    if len(texts) > _MOST_REMARKS:
        lines.append(f"# and {counted(len(texts) - _MOST_REMARKS, f'more {noun}')}")
    return lines


def _comment(text: str) -> str:
    return f"# {printable(text)}"


def _indented(lines: list[str] | Iterator[str], by: int) -> list[str]:
    return [f"{' ' * by}{line}" for line in lines]


class _Dumper(yaml.SafeDumper):
    """Dump text so that it stays text, on one line."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    is_text = plain_scalar(text) == text and not _HUGE.fullmatch(text)
    stays = text.isprintable() and is_text
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if stays else '"')


_Dumper.add_representer(str, _represent_text)


def _yaml_lines(value: Mapping[str, object] | list[str]) -> list[str]:
    if not value:
        return []
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=True, width=sys.maxsize)
    return text.splitlines()


def render_yaml(value: Mapping[str, object]) -> str:
    """Write an object as YAML, its texts so that they are text to every reader."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=True, width=sys.maxsize)
