"""What `*/*` imports is the same whether found once for all namespaces or for each by itself."""

from __future__ import annotations

from recommender.istio.listener_scope import ListenerScope
from recommender.istio.outbound_listeners import outbound_listeners, route_configurations
from recommender.istio.proxy import Proxy
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.sidecar_scope import (
    ScopeRules,
    SidecarScope,
    build_scope_rules,
    sidecar_scope,
)
from recommender.mesh import EgressListener
from tests.istio.conformance_record import Loaded
from tests.istio.helpers import fqdn, rules_of, service, service_entry, virtual_service
from tests.istio.random_draw import NAMESPACES

ONE_BY_ONE = EgressListener(hosts=("*/*", "*/*"))
"""Asks for everything in a way that is not looked up: each service is compared."""


def scopes(rules: ScopeRules, namespace: str) -> tuple[SidecarScope, SidecarScope]:
    """Scope a proxy that imports everything, at once and one by one."""
    return sidecar_scope(rules, namespace), sidecar_scope(rules, namespace, [ONE_BY_ONE])


def listener(scope: SidecarScope) -> ListenerScope:
    (found,) = scope.listeners
    return found


def test_every_namespace_imports_the_same_as_one_by_one(recorded: list[Loaded]) -> None:
    for each in recorded:
        rules = build_scope_rules(each.mesh)
        for namespace in (*NAMESPACES, "elsewhere"):
            at_once, one_by_one = scopes(rules, namespace)

            assert listener(at_once).services == listener(one_by_one).services
            assert listener(at_once).virtual_services == listener(one_by_one).virtual_services
            assert dict(at_once.services) == dict(one_by_one.services)


def test_every_listener_and_route_is_the_same_as_one_by_one(recorded: list[Loaded]) -> None:
    for each in recorded:
        rules = build_scope_rules(each.mesh)
        for namespace in NAMESPACES:
            made = []
            for scope in scopes(rules, namespace):
                config = ProxyConfig(rules, scope, Proxy(namespace))
                listeners = outbound_listeners(config)
                made.append((listeners, route_configurations(config, listeners)))

            assert made[0] == made[1], f"{each.recorded.case.name}, {namespace}"


def test_what_namespaces_share_is_found_once() -> None:
    rules = rules_of(
        service("cart", "a"),
        service_entry("own", "b", "api.example", exportTo=["."]),
        service_entry("one", "b", "www.example"),
        service_entry("two", "c", "www.example"),
        virtual_service("vs", "a", [fqdn("cart.a")], "cart"),
    )
    parts = {home: listener(sidecar_scope(rules, home)).index().parts for home in "abc"}

    assert {
        home: [s.hostname for s in own.services.values()] for home, (own, _) in parts.items()
    } == {
        "a": ["www.example"],
        "b": ["api.example", "www.example"],
        "c": ["www.example"],
    }
    assert all(shared is rules.everything.alike for _, shared in parts.values())
    seen = [rules.virtual_services.visible_from(home) for home in "abc"]
    assert seen[0] is seen[1] is seen[2]
