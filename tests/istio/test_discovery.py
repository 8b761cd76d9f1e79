"""istiod sees nothing of a namespace that no discovery selector chooses."""

from __future__ import annotations

import pytest

from recommender.istio.discovery import discovery_notes, hidden_namespaces
from recommender.istio.sidecar_scope import build_scope_rules, sidecar_scope
from recommender.mesh import Mesh
from tests.mesh.helpers import mesh_of_objects, obj
from tests.recommendation.helpers import (
    decide,
    deployment,
    fqdn,
    left_out,
    mesh_config,
    pod_name,
    received,
    service,
)

NAMESPACES = [
    obj("v1", "Namespace", "shop", labels={"mesh": "on", "team": "x"}),
    obj("v1", "Namespace", "pay", labels={"mesh": "off"}),
]


def mesh_with(selectors: str) -> Mesh:
    services = [service("cart"), service("till", "pay", ip="10.96.0.2")]
    return mesh_of_objects(*NAMESPACES, *services, mesh_config(f"discoverySelectors: {selectors}"))


@pytest.mark.parametrize(
    ("selectors", "hidden"),
    [
        ("[]", set()),
        ("[{matchLabels: {mesh: on}}]", {"pay"}),
        ("[{matchLabels: {mesh: on}}, {matchLabels: {mesh: off}}]", set()),
        ("[{matchExpressions: [{key: team, operator: Exists}]}]", {"pay"}),
        ("[{matchExpressions: [{key: team, operator: DoesNotExist}]}]", {"shop"}),
        ("[{matchExpressions: [{key: mesh, operator: In, values: ['off', 'no']}]}]", {"shop"}),
        ("[{matchExpressions: [{key: mesh, operator: NotIn, values: ['off']}]}]", {"pay"}),
        ("[{matchLabels: {mesh: 'on', team: z}}]", {"shop", "pay"}),
    ],
)
def test_selectors_hide_namespaces_as_kubernetes_selectors_choose(
    selectors: str, hidden: set[str]
) -> None:
    assert hidden_namespaces(mesh_with(selectors.replace(" on}", " 'on'}"))) == hidden


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("{matchExpressions: [{key: mesh, operator: exists}]}", "'exists' is no operator"),
        ("{matchExpressions: [{key: mesh, operator: In}]}", "In of 'mesh' has no values"),
        ("{matchExpressions: [{key: x, operator: Exists, values: [a]}]}", "Exists of 'x' has"),
        ("{matchExpressions: [{operator: Exists}]}", "'' is no key of a label"),
        ("{matchLabels: {a/b/c: 'on'}}", "'a/b/c' is no key of a label"),
        ("{matchLabels: {mesh: 'o n'}}", "'o n' is no value of a label"),
        ("{matchExpressions: [null]}", "'' is no operator"),
    ],
)
def test_one_selector_that_istiod_cannot_use_makes_it_ignore_all_with_a_note(
    broken: str, why: str
) -> None:
    mesh = mesh_with(f"[{{matchLabels: {{mesh: 'on'}}}}, {broken}]")
    (note,) = discovery_notes(mesh)

    assert hidden_namespaces(mesh) == set()
    assert f"sees every namespace: discoverySelectors[1]: {why}" in note.reason
    assert discovery_notes(mesh_with("[{matchLabels: {mesh: 'on'}}]")) == []


def test_a_service_of_a_hidden_namespace_is_in_no_scope() -> None:
    rules = build_scope_rules(mesh_with("[{matchLabels: {mesh: 'on'}}]"))

    assert set(sidecar_scope(rules, "shop").services) == {fqdn("cart.shop")}


def test_a_workload_of_a_hidden_namespace_gets_no_sidecar() -> None:
    config = mesh_config("discoverySelectors: [{matchLabels: {mesh: 'off'}}]")
    answer = decide(
        [*NAMESPACES, config, *deployment("web")], [received(f"shop/{pod_name('web')}")]
    )

    assert left_out(answer, "web").reason == "not discovered"
