"""Which changes reach a proxy (`DefaultProxyNeedsPush`, `DependsOnConfig`)."""

from __future__ import annotations

import pytest

from recommender.istio.pushes import (
    ConfigKey,
    PushTarget,
    needs_push,
    push_dependencies,
    relevant_changes,
)
from recommender.istio.registry import ServiceKey
from recommender.istio.sidecar_scope import ScopeRules, select_sidecar
from tests.istio.helpers import (
    ISTIO,
    ROOT,
    at,
    fqdn,
    rules_of,
    scope_of,
    service,
    sidecar,
    virtual_service,
)
from tests.mesh.helpers import Object, obj

CART, USERS = fqdn("cart.a"), fqdn("users.b")
MESH = [service("cart", "a"), service("users", "b"), service("pay", "c")]


def dependencies(rules: ScopeRules, namespace: str, *hosts: str) -> set[str]:
    """List what a scope of some hosts depends on, as `Kind namespace/name`."""
    found = push_dependencies(rules, scope_of(rules, namespace, *hosts), None)
    return {f"{key.kind} {key.namespace}/{key.name}" for key in found}


def destination_rule(name: str, namespace: str, host: str, created: int = 0) -> Object:
    """Make a DestinationRule with a subset of its own."""
    spec: Object = {"host": host, "subsets": [{"name": name}]}
    return obj(ISTIO, "DestinationRule", name, namespace, created=at(created), spec=spec)


def peer_authentication(
    name: str, namespace: str, created: int = 0, selector: Object | None = None
) -> Object:
    """Make a PeerAuthentication, for a whole namespace unless it has a selector."""
    spec: Object = {"selector": {"matchLabels": selector}} if selector is not None else {}
    version = "security.istio.io/v1"
    return obj(version, "PeerAuthentication", name, namespace, created=at(created), spec=spec)


def test_a_scope_depends_on_its_services_and_their_endpoints_alone() -> None:
    rules = rules_of(*MESH)
    assert dependencies(rules, "a", f"b/{USERS}") == {
        f"ServiceEntry b/{USERS}",
        f"Endpoints b/{USERS}",
    }


def test_a_scope_depends_on_its_sidecar_even_the_root_namespaces() -> None:
    rules = rules_of(*MESH, sidecar("default", ROOT, "./*"))
    found = push_dependencies(rules, scope_of(rules, "a", "./*"), select_sidecar(rules, "a", {}))
    assert ConfigKey("Sidecar", "default", ROOT) in found


def test_a_scope_depends_on_virtual_services_and_on_what_they_pull_in() -> None:
    rules = rules_of(*MESH, virtual_service("split", "a", ["cart"], USERS))
    assert dependencies(rules, "a", f"a/{CART}") == {
        f"ServiceEntry a/{CART}",
        f"Endpoints a/{CART}",
        "VirtualService a/split",
        f"ServiceEntry b/{USERS}",
        f"Endpoints b/{USERS}",
    }
    assert "VirtualService a/split" not in dependencies(rules, "a", f"b/{USERS}")


def test_a_scope_depends_on_every_destination_rule_that_was_merged_and_on_no_other() -> None:
    rules = rules_of(
        *MESH,
        destination_rule("one", "b", USERS),
        destination_rule("two", "b", USERS, created=1),
        destination_rule("root", ROOT, USERS),
        destination_rule("other", "a", CART),
    )
    found = dependencies(rules, "a", f"b/{USERS}")
    rules_named = {name for name in found if name.startswith("DestinationRule")}
    assert rules_named == {"DestinationRule b/one", "DestinationRule b/two"}


def test_peer_authentications_count_in_the_own_root_and_imported_namespaces() -> None:
    policies = [peer_authentication("p", namespace) for namespace in ("a", "b", "c", ROOT)]
    rules = rules_of(*MESH, *policies)
    found = {name for name in dependencies(rules, "a", f"b/{USERS}") if "Peer" in name}
    assert found == {f"PeerAuthentication {namespace}/p" for namespace in ("a", "b", ROOT)}
    before = rules_of(*MESH, *policies, version=(1, 29))
    found = {name for name in dependencies(before, "a", f"b/{USERS}") if "Peer" in name}
    assert found == {f"PeerAuthentication {namespace}/p" for namespace in ("a", ROOT)}


def test_of_several_peer_authentications_for_a_namespace_the_oldest_counts() -> None:
    rules = rules_of(
        peer_authentication("young", "a", created=2),
        peer_authentication("empty", "a", created=1, selector={}),
        peer_authentication("selects", "a", created=3, selector={"app": "x"}),
    )
    found = dependencies(rules, "a", "./*")
    assert found == {"PeerAuthentication a/empty", "PeerAuthentication a/selects"}


def test_a_change_is_pushed_to_what_depends_on_it_now_or_did_before() -> None:
    now, before, other = (ConfigKey("ServiceEntry", f"{x}.example", "a") for x in "xyz")
    target = PushTarget("a", frozenset({now}), previous=frozenset({before}))
    assert needs_push(target, [now], ROOT)
    assert needs_push(target, [before], ROOT)
    assert not needs_push(target, [other], ROOT)
    assert not needs_push(target, [now._replace(namespace="b")], ROOT)
    assert not needs_push(target, [], ROOT)
    assert relevant_changes(target, [now, before, other], ROOT) == {now, before}


def test_a_proxys_own_service_is_pushed_but_not_its_endpoints() -> None:
    target = PushTarget("a", frozenset(), own_services=frozenset({ServiceKey("a", CART)}))
    assert needs_push(target, [ConfigKey("ServiceEntry", CART, "a")], ROOT)
    assert not needs_push(target, [ConfigKey("Endpoints", CART, "a")], ROOT)
    assert not needs_push(target, [ConfigKey("ServiceEntry", CART, "b")], ROOT)


@pytest.mark.parametrize(
    "kind",
    ["AuthorizationPolicy", "EnvoyFilter", "RequestAuthentication", "Telemetry", "WasmPlugin"],
)
def test_policies_are_pushed_from_the_own_and_the_root_namespace(kind: str) -> None:
    target = PushTarget("a", frozenset())
    pushed = [ns for ns in ("a", "b", ROOT) if needs_push(target, [ConfigKey(kind, "x", ns)], ROOT)]
    assert pushed == ["a", ROOT]


def test_kinds_that_no_scope_knows_are_always_pushed_and_gateways_never() -> None:
    target = PushTarget("a", frozenset())
    for kind in ("Secret", "ProxyConfig", "DNSName", "MeshConfig", "Ingress"):
        assert needs_push(target, [ConfigKey(kind, "x", "b")], ROOT)
    for kind in ("Gateway", "Address"):
        assert not needs_push(target, [ConfigKey(kind, "x", "a")], ROOT)
