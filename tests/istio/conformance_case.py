"""One question to the model and to istiod: a mesh, some of its proxies, and what they call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from recommender.istio.sidecar_scope import ScopeRules, build_scope_rules
from recommender.mesh import Mesh, load_mesh
from tests.istio.conformance_compare import (
    call_difference,
    is_left_to_chance,
    scope_differences,
)
from tests.istio.judge import SENT, JudgedCall, JudgedProxy, run_judge
from tests.istio.random_calls import random_calls
from tests.istio.random_meshes import proxies, random_mesh, write_mesh
from tests.istio.verdicts import Verdict
from tests.mesh.helpers import Object

CALLS, CALLERS = 24, 5
RUNS = 3
"""How often istiod is asked again about a mesh in which something seems to be wrong."""


@dataclass(frozen=True, slots=True)
class Case:
    """Hold a mesh and the calls of each proxy.

    A mesh of several Kubernetes clusters has `home`, the name of the one whose `objects` configure
    istiod, and the names and objects of the others, `remotes`.
    """

    name: str
    objects: tuple[Object, ...]
    callers: tuple[tuple[JudgedProxy, tuple[JudgedCall, ...]], ...]
    home: str = ""
    remotes: tuple[tuple[str, tuple[Object, ...]], ...] = ()

    def calls(self) -> list[JudgedCall]:
        """List the calls of all proxies."""
        return [call for _, calls in self.callers for call in calls]

    def mesh(self) -> Mesh:
        """Load the mesh as the tool does."""
        with TemporaryDirectory() as folder:
            write_mesh(Path(folder, "home"), list(self.objects))
            if not self.home:
                return load_mesh([f"{folder}/home"])
            sources = [f"{self.home}={folder}/home"]
            for name, objects in self.remotes:
                write_mesh(Path(folder, name), list(objects))
                sources.append(f"{name}={folder}/{name}")
            return load_mesh(sources)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Tell of one proxy or call about which the model and istiod differ."""

    case: Case
    proxy: JudgedProxy
    call: JudgedCall | None
    what: str

    @property
    def kind(self) -> str:
        """Return what it is about, without the names: `Fate.ROUTED, istiod Fate.PASSTHROUGH`."""
        return self.what if self.what.startswith("Fate.") else self.what[:9]

    def __str__(self) -> str:
        where = f"{self.case.name}, {self.proxy.namespace}/{self.proxy.name}"
        return f"{where}: {self.what[:1500]}" + (f"\n    {self.call}" if self.call else "")


def random_case(seed: int) -> Case:
    """Make a case; equal seeds make equal cases."""
    random = Random(seed)  # noqa: S311 - nothing here is secret
    asked = random.sample(proxies(), CALLERS)
    return with_calls(
        Case(f"seed {seed}", tuple(random_mesh(seed)), tuple((proxy, ()) for proxy in asked)), seed
    )


def with_calls(case: Case, seed: int, number: int = CALLS) -> Case:
    """Let the proxies of a case call so often, all together."""
    asked = [proxy for proxy, _ in case.callers]
    made = random_calls(
        seed, build_scope_rules(case.mesh()), asked, number, _addresses(case.objects)
    )
    callers = tuple((proxy, tuple(c for c in made if _is_of(c, proxy))) for proxy in asked)
    return replace(case, callers=callers)


def _is_of(call: JudgedCall, proxy: JudgedProxy) -> bool:
    same = (call.namespace, call.pod) == (proxy.namespace, proxy.name)
    return same and call.kubernetes_cluster == proxy.kubernetes_cluster


def ask_istiod(cases: Sequence[Case]) -> list[list[Verdict]]:
    """Let istiod answer for every proxy of some cases."""
    with TemporaryDirectory() as folder:
        asked: list[dict[str, object]] = []
        for number, case in enumerate(cases):
            mesh = Path(folder, str(number))
            write_mesh(mesh, list(case.objects))
            remotes = [(name, Path(folder, f"{number}-{name}")) for name, _ in case.remotes]
            for (_, path), (_, objects) in zip(remotes, case.remotes, strict=True):
                write_mesh(path, list(objects))
            asked.append(
                {
                    "mesh_dir": str(mesh),
                    "kubernetes_cluster": case.home,
                    "remotes": [
                        {"kubernetes_cluster": name, "mesh_dir": str(path)}
                        for name, path in remotes
                    ],
                    "proxies": list(map(_asked, case.callers)),
                }
            )
        return run_judge(asked)


def disagreements(
    case: Case, rules: ScopeRules, verdicts: Sequence[Verdict]
) -> Iterable[Disagreement]:
    """Find where the model answers otherwise than istiod did."""
    for (proxy, calls), verdict in zip(case.callers, verdicts, strict=True):
        for what in scope_differences(rules, proxy, verdict):
            yield Disagreement(case, proxy, None, what)
        for call, istiod in zip(calls, verdict.calls, strict=True):
            what = call_difference(rules, call, istiod)
            if what and not is_left_to_chance(rules, call):
                yield Disagreement(case, proxy, call, what)


def lasting_disagreements(
    case: Case, rules: ScopeRules, verdicts: Sequence[Verdict]
) -> list[Disagreement]:
    """Find the disagreements that stay when istiod is asked again.

    The fake server may answer while endpoints still arrive, so that two runs of one mesh differ.
    """
    found = list(disagreements(case, rules, verdicts))
    for again in ask_istiod([case] * RUNS) if found else ():
        still = [(each.proxy, each.call) for each in disagreements(case, rules, again)]
        found = [each for each in found if (each.proxy, each.call) in still]
    return found


def settled(case: Case, rules: ScopeRules, first: Sequence[Verdict]) -> Sequence[Verdict]:
    """Return what istiod answers most often, asked again where its first answer surprises.

    An early answer would tell of calls, in the logs made from it, that nobody could have made.
    """
    if not any(disagreements(case, rules, first)):
        return first
    answers: list[Sequence[Verdict]] = [*ask_istiod([case] * RUNS), first]
    return max(answers, key=answers.count)


def case_to_json(case: Case) -> dict[str, Any]:
    """Write a case so that `case_from_json` reads it."""
    callers = [
        [{name: getattr(proxy, name) for name in _IDENTITY}, [asdict(call) for call in calls]]
        for proxy, calls in case.callers
    ]
    several = {"home": case.home, "remotes": case.remotes} if case.home else {}
    return {"name": case.name, "objects": list(case.objects), "callers": callers, **several}


def case_from_json(raw: Mapping[str, Any]) -> Case:
    """Read what `case_to_json` wrote."""
    callers = tuple(
        (_proxy(proxy), tuple(JudgedCall(**{**c, "ips": tuple(c["ips"])}) for c in calls))
        for proxy, calls in raw["callers"]
    )
    remotes = tuple((name, tuple(objects)) for name, objects in raw.get("remotes", ()))
    return Case(raw["name"], tuple(raw["objects"]), callers, raw.get("home", ""), remotes)


_IDENTITY = ("namespace", "labels", "name", "ips", "kubernetes_cluster")


def _proxy(raw: Mapping[str, Any]) -> JudgedProxy:
    known = {name: raw[name] for name in _IDENTITY if name in raw}
    return JudgedProxy(**{**known, "ips": tuple(raw["ips"])})


def _asked(caller: tuple[JudgedProxy, tuple[JudgedCall, ...]]) -> dict[str, object]:
    proxy, calls = caller
    return {**asdict(proxy), "calls": [{n: getattr(call, n) for n in SENT} for call in calls]}


def _addresses(objects: Iterable[Object]) -> list[str]:
    """List the addresses of WorkloadEntries and of endpoints of ServiceEntries."""
    found = []
    for each in objects:
        spec: Any = each.get("spec", {})
        if each["kind"] == "WorkloadEntry":
            found.append(spec["address"])
        if each["kind"] == "ServiceEntry":
            found += [endpoint["address"] for endpoint in spec.get("endpoints", ())]
    return [address for address in found if address[0].isdigit()]
