"""Compare the model with istiod on random meshes: `python -m tests.istio.conformance --n 200`.

Each mesh is asked twice: as it is, and with the Sidecars that were recommended for the calls made
in it. What changes in it is pushed, random Sidecars are validated, and in some meshes namespaces
are hidden. Any disagreement, and anything that was never exercised, makes it fail.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import SystemRandom

from recommender.istio.sidecar_scope import build_scope_rules
from tests.istio.conformance_case import (
    Case,
    Disagreement,
    ask_istiod,
    lasting_disagreements,
    random_case,
    settled,
)
from tests.istio.conformance_compare import is_left_to_chance
from tests.istio.conformance_counts import CALL_KINDS, call_kinds
from tests.istio.conformance_discovery import Hidden, hide_anything, hide_idle
from tests.istio.conformance_manifests import VERDICTS, compare_validation
from tests.istio.conformance_pushes import PUSHED_KINDS, compare_pushes
from tests.istio.conformance_sidecars import (
    Scoped,
    changed_calls,
    overlapping,
    recommend_for,
    redundant_hosts,
)
from tests.istio.judge import validations
from tests.istio.random_clusters import spread_case
from tests.istio.random_manifests import random_manifest
from tests.istio.random_meshes import COUNTED, features_of
from tests.istio.random_visibility import narrowed_case
from tests.istio.verdicts import Verdict

BATCH = 40
MOST_SEEDS = 10**9
MOST_SHOWN = 20
MANIFESTS = 10
"""How many manifests of Sidecars are validated for each mesh."""
HIDING = 6
"""In one mesh of so many namespaces are hidden, too."""
MESHES_FOR_EVERYTHING = 200
"""From so many meshes on, a feature that none of them has is a fault of the generator."""
PUSHES = {
    (k, sent): f"{k} {'sent' if sent else 'spared'}" for k in PUSHED_KINDS for sent in (True, False)
}
KINDS = (*CALL_KINDS, *PUSHES.values(), *(f"a manifest {verdict}" for verdict in VERDICTS.values()))
"""What must have been exercised."""


@dataclass(slots=True)
class Findings:
    """Collect what was compared, and what was found wrong by its kind."""

    counted: Counter[str] = field(default_factory=Counter)
    features: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(
        default_factory=lambda: {
            "disagreements before": [],
            "disagreements after": [],
            "disagreements about a push": [],
            "disagreements about a manifest": [],
            "observed calls changed": [],
            "passthrough calls captured": [],
            "Sidecars rejected": [],
            "overlapping selectors": [],
            "redundant hosts": [],
            "calls changed without idle namespaces": [],
            "calls changed against the proof": [],
        }
    )
    cases: list[Disagreement] = field(default_factory=list)

    def unused(self) -> list[str]:
        """Name what was never exercised."""
        missing = [name for name in COUNTED if not self.features[name]]
        return missing + [name for name in KINDS if not self.kinds[name]]

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing is wrong."""
        enough = self.counted["meshes"] >= MESHES_FOR_EVERYTHING
        return not any(self.wrong.values()) and not (enough and self.unused())


@dataclass(frozen=True, slots=True)
class Judged:
    """Hold a case with istiod's answers before and after its Sidecars."""

    scoped: Scoped
    before: Sequence[Verdict]
    after: Sequence[Verdict]


def judge_cases(cases: Sequence[Case]) -> Iterator[Judged]:
    """Ask istiod about cases, recommend for them, and ask again."""
    meshes = [case.mesh() for case in cases]
    rules = list(map(build_scope_rules, meshes))
    answers = [
        settled(case, known, first)
        for case, known, first in zip(cases, rules, ask_istiod(cases), strict=True)
    ]
    scoped = list(map(recommend_for, cases, meshes, rules, answers))
    again = ask_istiod([each.after for each in scoped])
    for each, before, after in zip(scoped, answers, again, strict=True):
        yield Judged(each, before, after)


def take(findings: Findings, judged: Judged) -> None:
    """Compare everything about one case."""
    scoped = judged.scoped
    for name, case, rules, verdicts in (
        ("before", scoped.case, scoped.rules, judged.before),
        ("after", scoped.after, build_scope_rules(scoped.after.mesh()), judged.after),
    ):
        found = lasting_disagreements(case, rules, verdicts)
        findings.cases += found
        findings.wrong[f"disagreements {name}"] += map(str, found)
        findings.counted["scopes"] += len(verdicts)
        findings.counted["calls"] += len(case.calls())
    for (_, calls), verdict in zip(scoped.case.callers, judged.before, strict=True):
        for call, istiod in zip(calls, verdict.calls, strict=True):
            findings.kinds.update(call_kinds(scoped.rules, call, istiod))
            findings.counted["calls left to chance"] += is_left_to_chance(scoped.rules, call)
    for kind, what in changed_calls(scoped, judged.before, judged.after):
        name = "passthrough calls captured" if kind == "captured" else "observed calls changed"
        findings.wrong[name].append(what)
    findings.wrong["overlapping selectors"] += overlapping(scoped, judged.after)
    for found_in, host, kinds in redundant_hosts(scoped):
        where = f"{scoped.case.name}, {found_in.workload}"
        findings.wrong["redundant hosts"].append(f"{where}: {host} ({kinds})")
    findings.counted["meshes"] += 1
    findings.counted["recommended Sidecars"] += len(scoped.sidecars)
    findings.counted["hosts"] += sum(len(r.hosts) for r in scoped.answer.recommended)


def case_of(seed: int) -> Case:
    """Make a case; of ten, one has several Kubernetes clusters and one narrowed ServiceEntries."""
    special = {3: spread_case, 7: narrowed_case}
    return special.get(seed % 10, random_case)(seed)


def compare_seeds(
    seeds: Sequence[int], progress: Callable[[str], None] = lambda _: None
) -> Findings:
    """Compare the model with istiod on the meshes of some seeds."""
    findings = Findings()
    for start in range(0, len(seeds), BATCH):
        batch = seeds[start : start + BATCH]
        for seed in batch:
            findings.features += features_of(seed)
        judged = list(judge_cases([case_of(seed) for seed in batch]))
        for each in judged:
            take(findings, each)
        sidecars = [sidecar for each in judged for sidecar in each.scoped.sidecars]
        rejected = [found.error for found in validations(sidecars) if found.error]
        findings.wrong["Sidecars rejected"] += rejected
        _take_hidden(findings, [seed for seed in batch if seed % HIDING == 1])
        _take_pushes(findings, batch)
        _take_manifests(findings, batch)
        wrong = sum(map(len, findings.wrong.values()))
        progress(f"{findings.counted['meshes']} of {len(seeds)} meshes, {wrong} findings")
    return findings


def _take_hidden(findings: Findings, seeds: Sequence[int]) -> None:
    """Hide what is idle, and all that has no proxy, in the meshes of some seeds."""
    for name, compare in (
        ("calls changed without idle namespaces", hide_idle),
        ("calls changed against the proof", hide_anything),
    ):
        found = compare(seeds) if seeds else Hidden()
        findings.wrong[name] += found.changed
        findings.counted["meshes with hidden namespaces"] += found.counted["meshes"]
        findings.counted["idle namespaces"] += found.counted["idle namespaces"]


def _take_pushes(findings: Findings, seeds: Sequence[int]) -> None:
    found = compare_pushes(seeds)
    findings.wrong["disagreements about a push"] += found.differences
    findings.counted["push decisions"] += found.decisions.total()
    findings.kinds.update({PUSHES[key]: n for key, n in found.decisions.items() if key in PUSHES})


def _take_manifests(findings: Findings, seeds: Sequence[int]) -> None:
    asked = [MANIFESTS * seed + number for seed in seeds for number in range(MANIFESTS)]
    found = compare_validation([random_manifest(seed) for seed in asked])
    findings.wrong["disagreements about a manifest"] += found.differences
    findings.counted["manifests"] += found.verdicts.total()
    findings.kinds.update({f"a manifest {name}": n for name, n in found.verdicts.items()})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; the exit status is 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description="Compare the model with istiod on random meshes.")
    parser.add_argument("--n", type=int, default=200, help="how many meshes")
    parser.add_argument("--seed", type=int, help="the first seed; by default a fresh one")
    chosen = parser.parse_args(arguments)
    if shutil.which("go") is None:
        print("istiod's code needs `go` on PATH", file=sys.stderr)  # noqa: T201
        return 2
    first = SystemRandom().randrange(MOST_SEEDS) if chosen.seed is None else chosen.seed

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    tell(f"{chosen.n} meshes, seeds from {first} (--seed {first} repeats them)")
    findings = compare_seeds(range(first, first + chosen.n), tell)
    for line in _report(findings):
        print(line)  # noqa: T201
    return 0 if findings.is_clean else 1


def _report(findings: Findings) -> Iterator[str]:
    for name, count in [*findings.counted.items(), *sorted(findings.kinds.items())]:
        yield f"{count:8}  {name}"
    yield from (f"{findings.features[name]:8}  {name}" for name in sorted(COUNTED))
    yield from (f"{0:8}  {name}: NEVER EXERCISED" for name in findings.unused())
    for name, found in findings.wrong.items():
        yield f"{len(found):8}  {name}"
        yield from (f"          {line}" for line in found[:MOST_SHOWN])


if __name__ == "__main__":
    sys.exit(main())
