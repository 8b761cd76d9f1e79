"""The model refuses the Sidecars that istiod's webhook refuses, and warns where it warns."""

from __future__ import annotations

import json

import pytest

from recommender.istio.validation import egress_host_problem, validate_sidecar
from tests.istio.judge import validations
from tests.istio.random_manifests import HOSTS, Manifest, random_manifest
from tests.istio.verdicts import Validation

MANIFESTS = 8000

Judged = tuple[Manifest, Validation]


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    """Let istiod judge random manifests."""
    manifests = [random_manifest(seed) for seed in range(MANIFESTS)]
    return list(zip(manifests, validations(manifests), strict=True))


def test_sidecars_are_refused_and_warned_of_as_by_istiod(judged: list[Judged]) -> None:
    differences = []
    for manifest, istiod in judged:
        found = validate_sidecar(manifest)
        ours = bool(found.errors), bool(found.warnings)
        if ours != (bool(istiod.error), bool(istiod.warning)):
            differences.append(f"{json.dumps(manifest)}\n  {found}\n  {istiod}")
    assert not differences, f"{len(differences)} differ:\n" + "\n".join(differences[:10])


def test_the_manifests_are_of_every_sort(judged: list[Judged]) -> None:
    verdicts = [(bool(istiod.error), bool(istiod.warning)) for _, istiod in judged]
    assert min(map(verdicts.count, [(e, w) for e in (True, False) for w in (True, False)])) > 200


def test_every_host_entry_is_refused_as_by_istiod() -> None:
    asked = [{"spec": {"egress": [{"hosts": [entry]}]}} for entry in HOSTS]
    refused = [bool(answer.error) for answer in validations(asked)]
    ours = [egress_host_problem(entry) is not None for entry in HOSTS]
    assert dict(zip(HOSTS, ours, strict=True)) == dict(zip(HOSTS, refused, strict=True))
