"""MeshConfig serviceEntryVisibility (`serviceExportTo`, `VisibilityFor`)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recommender.istio.registry import build_registry
from recommender.istio.sidecar_scope import ScopeRules
from tests.istio.helpers import imported, mesh_config, rules_of, scope_of, service, service_entry
from tests.mesh.helpers import Object, mesh_of_clusters, mesh_of_objects, notes_of, obj

X = {"namespaceSelector": {"matchLabels": {"zone": "x"}}}
WEB = {"namespaceSelector": {"matchExpressions": [{"key": "web", "operator": "Exists"}]}}


def visibility(default: str = "", *policies: object, apply: bool | None = True) -> Object:
    """Make a MeshConfig that narrows ServiceEntries."""
    found: dict[str, Any] = {"policies": list(policies)}
    found |= {"defaultVisibility": default} if default else {}
    found |= {"applyToSidecars": apply} if apply is not None else {}
    return mesh_config(json.dumps({"serviceEntryVisibility": found}))


def policy(visibility: str, *rules: object) -> object:
    return {"visibility": visibility, "matchingRules": list(rules)}


def namespace(name: str, **labels: str) -> Object:
    return obj("v1", "Namespace", name, "", labels=labels)


def seen_by(rules: ScopeRules, *namespaces: str, hosts: str = "*/*") -> str:
    """Name the namespaces whose proxies import anything."""
    return "".join(ns for ns in namespaces if imported(scope_of(rules, ns, hosts)))


@pytest.mark.parametrize(
    ("default", "export_to", "seen"),
    [
        ("PUBLIC", ["*"], "ab"),
        ("PUBLIC", ["."], "a"),
        ("VISIBILITY_UNSPECIFIED", ["*"], "ab"),
        ("", ["b"], "b"),
        ("NAMESPACE", ["*"], "a"),
        ("NAMESPACE", ["."], "a"),
        ("NAMESPACE", ["a", "b"], "a"),
        ("NAMESPACE", ["b"], ""),
        ("NAMESPACE", ["~"], ""),
        ("NAMESPACE", [], "a"),
        ("NONE", ["*"], ""),
        ("NONE", ["."], ""),
    ],
)
@pytest.mark.parametrize("hosts", ["*/*", "a/x.example"])
def test_a_visibility_narrows_what_is_exported(
    default: str, export_to: list[str], seen: str, hosts: str
) -> None:
    entry = service_entry("se", "a", "x.example", exportTo=export_to)
    rules = rules_of(entry, visibility(default))
    assert seen_by(rules, "a", "b", hosts=hosts) == seen


def test_kubernetes_services_are_never_narrowed() -> None:
    assert seen_by(rules_of(service("s"), visibility("NONE")), "a", "b") == "ab"


@pytest.mark.parametrize("apply", [False, None])
def test_sidecars_are_not_narrowed_unless_they_are_asked_to_be(apply: bool | None) -> None:
    rules = rules_of(service_entry("se", "a", "x.example"), visibility("NONE", apply=apply))
    assert seen_by(rules, "a", "b") == "ab"


def test_istiod_knows_visibilities_from_1_31_on() -> None:
    objects = (service_entry("se", "a", "x.example"), visibility("NONE"))
    assert seen_by(rules_of(*objects, version=(1, 30)), "a", "b") == "ab"
    assert seen_by(rules_of(*objects, version=(1, 31)), "a", "b") == ""
    (unknown,) = build_registry(mesh_of_objects(*objects)).services
    assert unknown.export_to == {"~"}


@pytest.mark.parametrize(
    ("policies", "seen"),
    [
        ([policy("NONE", X)], ""),
        ([policy("NONE", WEB)], "ab"),
        ([policy("NONE", X, WEB)], "ab"),
        ([policy("NAMESPACE", X), policy("NONE")], "a"),
        ([policy("NONE", WEB), policy("NAMESPACE")], "a"),
        ([policy("NONE", {"namespaceSelector": {}})], ""),
        ([policy("NONE", {})], "ab"),
        ([policy("", X), policy("NONE")], "ab"),
    ],
)
def test_the_first_policy_counts_whose_rules_all_choose_the_namespace(
    policies: list[object], seen: str
) -> None:
    entry = service_entry("se", "a", "x.example")
    rules = rules_of(entry, namespace("a", zone="x"), visibility("PUBLIC", *policies))
    assert seen_by(rules, "a", "b") == seen


@pytest.mark.parametrize(
    "expression",
    [
        {"key": "zone", "operator": "In"},
        {"key": "zone", "operator": "Exists", "values": ["x"]},
        {"key": "zone", "operator": "Likes", "values": ["x"]},
        {"key": "zone!", "operator": "DoesNotExist"},
        {"key": "zone", "operator": "In", "values": ["x", "not a value"]},
    ],
)
def test_a_selector_that_istiod_cannot_use_chooses_nothing(expression: object) -> None:
    rule = {"namespaceSelector": {"matchExpressions": [expression]}}
    entry = service_entry("se", "a", "x.example")
    rules = rules_of(entry, namespace("a", zone="x"), visibility("", policy("NONE", rule)))
    assert seen_by(rules, "a", "b") == "ab"


def test_a_namespace_that_the_dump_lacks_has_no_labels() -> None:
    absent = {"namespaceSelector": {"matchExpressions": [{"key": "z", "operator": "DoesNotExist"}]}}
    entry = service_entry("se", "a", "x.example")
    assert seen_by(rules_of(entry, visibility("", policy("NONE", absent))), "a", "b") == ""
    assert seen_by(rules_of(entry, visibility("", policy("NONE", X))), "a", "b") == "ab"


def test_namespaces_count_where_istiod_is_configured() -> None:
    mesh = mesh_of_clusters(
        east=[service_entry("se", "a", "x.example"), visibility("", policy("NONE", X))],
        west=[namespace("a", zone="x")],
    )
    (found,) = build_registry(mesh).services
    assert found.export_to == {"*"}


def test_a_visibility_that_is_none_makes_istiod_refuse_the_mesh_config() -> None:
    mesh = mesh_of_objects(visibility("HIDDEN"))
    assert notes_of(mesh, "defaultVisibility is none of") == ["ConfigMap istio-system/istio"]
