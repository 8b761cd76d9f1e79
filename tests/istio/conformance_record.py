"""Keep istiod's answers: `python -m tests.istio.conformance_record` writes them again.

What is kept is what the model is compared with: no digests, and each service of a mesh once.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import zstandard

from recommender.istio.sidecar_scope import build_scope_rules
from recommender.mesh import Mesh
from tests.istio.conformance import BATCH, judge_cases
from tests.istio.conformance_case import (
    Case,
    Disagreement,
    case_from_json,
    case_to_json,
    disagreements,
    random_case,
)
from tests.istio.conformance_sidecars import with_sidecars
from tests.istio.random_clusters import spread_case, spread_features
from tests.istio.random_meshes import features_of
from tests.istio.verdicts import Resolution, Verdict, verdict
from tests.mesh.helpers import Object

HERE = Path(__file__).resolve().parent
RECORDED = HERE / "recorded" / "answers.jsonl.zst"
SPREAD = HERE / "recorded" / "spread.jsonl.zst"
CASES = HERE / "cases"
MESHES, SPREAD_MESHES = 300, 60
LEVEL, WINDOW_LOG = 19, 25


@dataclass(frozen=True, slots=True)
class Recorded:
    """Hold a case with istiod's answers before and after some Sidecars are applied."""

    case: Case
    features: Counter[str]
    before: tuple[Verdict, ...]
    sidecars: tuple[Object, ...]
    after: tuple[Verdict, ...]

    def case_after(self) -> Case:
        """Return the case with the Sidecars applied."""
        return with_sidecars(self.case, self.sidecars)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Hold what was recorded of a mesh, and the mesh."""

    recorded: Recorded
    mesh: Mesh

    def disagreements(self) -> Iterator[Disagreement]:
        """Compare the model with what istiod answered, before and after the Sidecars."""
        each = self.recorded
        yield from disagreements(each.case, build_scope_rules(self.mesh), each.before)
        case = each.case_after()
        # All but the Sidecars is the same, and need not be loaded again.
        sidecars = tuple(o for o in case.objects if o["kind"] in ("Sidecar", "ConfigMap"))
        loaded = replace(case, objects=sidecars, remotes=()).mesh().sidecars
        rules = build_scope_rules(replace(self.mesh, sidecars=loaded))
        yield from disagreements(case, rules, each.after)


@dataclass(frozen=True, slots=True)
class NamedCase:
    """Hold the smallest mesh of a disagreement that was found, and the rule it taught."""

    rule: str
    case: Case
    answers: tuple[Verdict, ...]


def read_recorded(path: Path = RECORDED) -> Iterator[Recorded]:
    """Read what was recorded."""
    with path.open("rb") as packed:
        raw = zstandard.ZstdDecompressor(max_window_size=2**WINDOW_LOG).stream_reader(packed).read()
    for line in raw.decode("utf-8").splitlines():
        found = json.loads(line)
        services = found["services"]
        yield Recorded(
            case_from_json(found["case"]),
            Counter(found["features"]),
            tuple(_unpacked(each, services) for each in found["before"]),
            tuple(found["sidecars"]),
            tuple(_unpacked(each, services) for each in found["after"]),
        )


def named_case_to_json(kept: NamedCase) -> dict[str, Any]:
    """Write a named case so that `named_case_from_json` reads it."""
    services: dict[str, int] = {}
    answers = [_packed(each, services) for each in kept.answers]
    known = [json.loads(text) for text in services]
    case = case_to_json(kept.case)
    return {"rule": kept.rule, "case": case, "services": known, "answers": answers}


def named_case_from_json(raw: Mapping[str, Any]) -> NamedCase:
    """Read what `named_case_to_json` wrote."""
    answers = tuple(_unpacked(each, raw["services"]) for each in raw["answers"])
    return NamedCase(raw["rule"], case_from_json(raw["case"]), answers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask istiod again and keep the answers."""
    parser = argparse.ArgumentParser(description="Record istiod's answers about random meshes.")
    parser.add_argument("--n", type=int, default=MESHES)
    parser.add_argument("--spread", type=int, default=SPREAD_MESHES)
    chosen = parser.parse_args(arguments)
    for path, case_of, features, count in (
        (RECORDED, random_case, features_of, chosen.n),
        (SPREAD, spread_case, spread_features, chosen.spread),
    ):
        if count:
            _record(path, case_of, features, count)
    return 0


def _record(
    path: Path,
    case_of: Callable[[int], Case],
    features: Callable[[int], Counter[str]],
    count: int,
) -> None:
    lines = []
    for start in range(0, count, BATCH):
        seeds = range(start, min(start + BATCH, count))
        judged = judge_cases([case_of(seed) for seed in seeds])
        for seed, each in zip(seeds, judged, strict=True):
            services: dict[str, int] = {}
            line = {
                "case": case_to_json(each.scoped.case),
                "features": features(seed),
                "before": [_packed(answer, services) for answer in each.before],
                "sidecars": list(each.scoped.sidecars),
                "after": [_packed(answer, services) for answer in each.after],
            }
            line["services"] = [json.loads(text) for text in services]
            lines.append(json.dumps(line, separators=(",", ":")))
    parameters = zstandard.ZstdCompressionParameters.from_level(LEVEL, window_log=WINDOW_LOG)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compress(
        "\n".join(lines).encode("utf-8")
    )
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(packed)


def _packed(answer: Verdict, services: dict[str, int]) -> dict[str, Any]:
    """Write what is compared; services as places in a table."""

    def places(found: Sequence[Any]) -> list[int]:
        texts = [json.dumps(asdict(each), sort_keys=True) for each in found]
        return [services.setdefault(text, len(services)) for text in texts]

    return {
        "sidecar": answer.sidecar,
        "services": places(answer.services),
        "listeners": [
            [each.port, places(each.services), each.virtual_services] for each in answer.listeners
        ],
        "calls": [_packed_call(each) for each in answer.calls],
    }


_NO_ANSWER = {
    "listener": "",
    "filter_chain": "",
    "route_config": "",
    "virtual_host": "",
    "domains": [],
    "route": "",
    "route_number": 0,
    "route_digest": "",
    "status": 0,
    "redirect": False,
    "clusters": [],
    "mirrors": [],
    "error": "",
}


def _packed_call(answer: Resolution) -> dict[str, Any]:
    left_out = ("domains", "route_digest", "filter_chain", "clusters", "mirrors")
    kept = {k: v for k, v in asdict(answer).items() if k not in left_out and v}
    for name in ("clusters", "mirrors"):
        found = [[c.name, c.weight, c.exists] for c in getattr(answer, name)]
        kept |= {name: found} if found else {}
    return kept


def _unpacked(raw: Mapping[str, Any], services: Sequence[Any]) -> Verdict:
    """Read an answer; what was not kept is empty."""

    def known(places: Sequence[int]) -> list[Any]:
        return [services[place] for place in places]

    return verdict(
        {
            "sidecar": raw["sidecar"],
            "services": known(raw["services"]),
            "listeners": [
                {"port": port, "services": known(places), "virtual_services": routes}
                for port, places, routes in raw["listeners"]
            ],
            "calls": [_unpacked_call(each) for each in raw["calls"]],
            **dict.fromkeys(("clusters", "named", "pushes", "size", "targets")),
        }
    )


def _unpacked_call(raw: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "weight", "exists")
    clusters = {
        kind: [{**dict(zip(names, each, strict=True)), "digest": ""} for each in raw.get(kind, ())]
        for kind in ("clusters", "mirrors")
    }
    return {**_NO_ANSWER, **raw, **clusters}


if __name__ == "__main__":
    sys.exit(main())
