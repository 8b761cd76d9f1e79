"""Make a disagreement small: `python -m tests.istio.conformance_shrink SEED NAME "the rule"`.

Writes `tests/istio/cases/NAME.json`: what is left of the mesh, and istiod's answers.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from _pytest.outcomes import Failed

from recommender.istio.sidecar_scope import build_scope_rules
from tests.istio.conformance import case_of, judge_cases
from tests.istio.conformance_case import (
    Case,
    Disagreement,
    ask_istiod,
    disagreements,
)
from tests.istio.conformance_record import CASES, NamedCase, named_case_to_json
from tests.istio.verdicts import Verdict

Found = tuple[Case, list[Verdict]]


def shrink(found: Disagreement) -> Found:
    """Drop callers, calls, objects and parts of them while model and istiod still disagree."""
    calls = (found.call,) if found.call else ()
    case = replace(found.case, callers=((found.proxy, calls),))
    kind = found.kind
    smallest = _disagreeing([case], kind)
    if smallest is None:
        raise ValueError("the disagreement is gone when only its caller is asked")
    size = max(1, len(case.objects) // 2)
    while size:
        smaller = _disagreeing(list(_without_some(smallest[0], size)), kind)
        if smaller is None:
            size //= 2
        else:
            smallest = smaller
    while (smaller := _disagreeing(list(_with_less_inside(smallest[0])), kind)) is not None:
        smallest = smaller
    return smallest


def main(arguments: Sequence[str] | None = None) -> int:
    """Shrink the first disagreement of a seed and keep it."""
    parser = argparse.ArgumentParser(description="Keep the smallest mesh of a disagreement.")
    parser.add_argument("seed", type=int)
    parser.add_argument("name")
    parser.add_argument("rule")
    chosen = parser.parse_args(arguments)
    (judged,) = judge_cases([case_of(chosen.seed)])
    scoped = judged.scoped
    found = [*disagreements(scoped.case, scoped.rules, judged.before)]
    found += disagreements(scoped.after, build_scope_rules(scoped.after.mesh()), judged.after)
    if not found:
        print(f"seed {chosen.seed}: the model and istiod agree", file=sys.stderr)  # noqa: T201
        return 1
    case, verdicts = shrink(found[0])
    kept = NamedCase(chosen.rule, replace(case, name=chosen.name), tuple(verdicts))
    text = json.dumps(named_case_to_json(kept), indent=1)
    Path(CASES, f"{chosen.name}.json").write_text(f"{text}\n", encoding="utf-8")
    return 0


def _disagreeing(candidates: Sequence[Case], kind: str) -> Found | None:
    """Return the first case with such a disagreement; one that istiod refuses has none."""
    if not candidates:
        return None
    try:
        answers = ask_istiod(candidates)
    except Failed:
        if len(candidates) == 1:
            return None
        half = len(candidates) // 2
        return _disagreeing(candidates[:half], kind) or _disagreeing(candidates[half:], kind)
    for case, verdicts in zip(candidates, answers, strict=True):
        found = disagreements(case, build_scope_rules(case.mesh()), verdicts)
        if any(each.kind == kind for each in found):
            return case, verdicts
    return None


def _without_some(case: Case, size: int) -> Iterator[Case]:
    """Yield the case without some objects next to each other, for every such place."""
    for start in range(0, len(case.objects), size):
        left = case.objects[:start] + case.objects[start + size :]
        if left:
            yield replace(case, objects=left)


def _with_less_inside(case: Case) -> Iterator[Case]:
    """Yield the case without one item of a list or one field of a spec, for each."""
    for number, each in enumerate(case.objects):
        for path in _paths(each.get("spec"), ("spec",)):
            smaller = copy.deepcopy(each)
            holder: Any = smaller
            for step in path[:-1]:
                holder = holder[step]
            del holder[path[-1]]
            left = (*case.objects[:number], smaller, *case.objects[number + 1 :])
            yield replace(case, objects=left)


def _paths(value: object, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from _paths(inner, (*path, key))
    if isinstance(value, list):
        for place, inner in enumerate(value):
            if len(value) > 1:
                yield (*path, place)
            yield from _paths(inner, (*path, place))


if __name__ == "__main__":
    sys.exit(main())
