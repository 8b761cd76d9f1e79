"""Which Sidecar a proxy gets (`initSidecarScopes`, `getSidecarScope`)."""

from tests.istio.helpers import (
    ROOT,
    imported,
    mesh_config,
    rules_of,
    scope_of,
    selected,
    service,
    sidecar,
)


def test_without_any_sidecar_there_is_the_implicit_default_for_everything() -> None:
    rules = rules_of(service("cart", "a"), service("users", "b"))
    assert selected(rules, "a") is None
    assert imported(scope_of(rules, "a", "*/*")) == [
        "a/cart.a.svc.cluster.local",
        "b/users.b.svc.cluster.local",
    ]


def test_a_matching_selector_wins_over_an_older_namespace_wide_sidecar() -> None:
    rules = rules_of(
        sidecar("wide", "a", created=0),
        sidecar("mine", "a", selector={"app": "x"}, created=9),
    )
    assert selected(rules, "a", app="x", tier="web") == "a/mine"
    assert selected(rules, "a", app="y") == "a/wide"


def test_of_several_matching_selectors_the_oldest_wins_then_the_name() -> None:
    rules = rules_of(
        sidecar("b", "a", selector={"app": "x"}, created=1),
        sidecar("a", "a", selector={"tier": "web"}, created=1),
        sidecar("c", "a", selector={"app": "x", "tier": "web"}, created=0),
    )
    assert selected(rules, "a", app="x", tier="web") == "a/c"
    assert selected(rules, "a", app="x") == "a/b"
    rules = rules_of(
        sidecar("b", "a", selector={"app": "x"}), sidecar("a", "a", selector={"app": "x"})
    )
    assert selected(rules, "a", app="x") == "a/a"


def test_an_empty_selector_selects_all_and_can_shadow_a_younger_real_one() -> None:
    rules = rules_of(
        sidecar("all", "a", selector={}, created=0),
        sidecar("mine", "a", selector={"app": "x"}, created=1),
    )
    assert selected(rules, "a", app="x") == "a/all"


def test_the_root_namespace_without_a_selector_is_the_default_of_all_namespaces() -> None:
    rules = rules_of(
        sidecar("default", ROOT),
        sidecar("picky", ROOT, selector={"app": "x"}),
        sidecar("other", "a", selector={"app": "other"}),
    )
    assert selected(rules, "b", app="x") == f"{ROOT}/default"
    assert selected(rules, "a", app="x") == f"{ROOT}/default"
    assert selected(rules, ROOT, app="x") == f"{ROOT}/picky"
    assert selected(rules, "a", app="other") == "a/other"


def test_an_empty_selector_in_the_root_namespace_is_no_default() -> None:
    assert selected(rules_of(sidecar("default", ROOT, selector={})), "a") is None


def test_the_root_namespace_is_the_one_of_the_mesh_config() -> None:
    rules = rules_of(sidecar("default", "config"), mesh_config("rootNamespace: config"))
    assert selected(rules, "a") == "config/default"
