"""Random meshes whose MeshConfig narrows how far ServiceEntries are seen."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

from tests.istio.conformance_case import Case, random_case, with_calls
from tests.mesh.helpers import Object

VISIBILITIES = ("NONE", "NAMESPACE", "NAMESPACE", "PUBLIC", "VISIBILITY_UNSPECIFIED")
SELECTORS: tuple[dict[str, Any], ...] = (
    {},
    {"matchLabels": {"zone": "x"}},
    {"matchLabels": {"zone": "x", "tier": "web"}},
    {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["x", "y"]}]},
    {"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["x"]}]},
    {"matchExpressions": [{"key": "zone", "operator": "Exists"}]},
    {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
    {"matchExpressions": [{"key": "zone", "operator": "In"}]},
    {"matchExpressions": [{"key": "zone", "operator": "Exists", "values": ["x"]}]},
    {"matchExpressions": [{"key": "zone", "operator": "Likes", "values": ["x"]}]},
    {"matchExpressions": [{"key": "no key", "operator": "DoesNotExist"}]},
)
"""The last four are none that istiod can use."""
LABELS: tuple[dict[str, str], ...] = (
    {},
    {"zone": "x"},
    {"zone": "y"},
    {"zone": "x", "tier": "web"},
)


def narrowed_case(seed: int) -> Case:
    """Make a case whose ServiceEntries are narrowed; equal seeds make equal cases."""
    random = Random(seed)  # noqa: S311 - nothing here is secret
    case = random_case(seed)
    objects = tuple(_narrowed(random, each) for each in case.objects)
    return with_calls(replace(case, name=f"narrowed seed {seed}", objects=objects), seed)


def _narrowed(random: Random, each: Object) -> Object:
    if each["kind"] == "Namespace":
        metadata = each["metadata"]
        labels = {**metadata.get("labels", {}), **random.choice(LABELS)}
        return {**each, "metadata": {**metadata, "labels": labels}}
    if each["kind"] == "ConfigMap":
        config = {**json.loads(each["data"]["mesh"]), "serviceEntryVisibility": _policy(random)}
        return {**each, "data": {"mesh": json.dumps(config)}}
    return each


def _policy(random: Random) -> dict[str, Any]:
    policy: dict[str, Any] = {"applyToSidecars": random.random() < 0.9}
    if random.random() < 0.7:
        policy["defaultVisibility"] = random.choice(VISIBILITIES)
    policy["policies"] = [
        {
            "visibility": random.choice(VISIBILITIES),
            "matchingRules": [_rule(random) for _ in range(random.choice((0, 1, 1, 1, 2)))],
        }
        for _ in range(random.randint(0, 3))
    ]
    return policy


def _rule(random: Random) -> dict[str, Any]:
    return {} if random.random() < 0.1 else {"namespaceSelector": random.choice(SELECTORS)}
