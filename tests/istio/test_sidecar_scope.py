"""What one Sidecar imports (`selectServices`, `collectImportedServices`)."""

import pytest

from recommender.istio.sidecar_scope import select_sidecar, sidecar_scope
from recommender.mesh.objects import EgressListener
from tests.istio.helpers import (
    ROOT,
    external_name,
    fqdn,
    held,
    imported,
    rules_of,
    scope_of,
    service,
    service_entry,
    sidecar,
    virtual_service,
    virtual_services,
)

CART, USERS = fqdn("cart.a"), fqdn("users.b")
TWO = (service("cart", "a"), service("users", "b"))


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["./*"], [f"a/{CART}"]),
        (["b/*"], [f"b/{USERS}"]),
        ([f"*/{USERS}"], [f"b/{USERS}"]),
        ([f"b/{CART}"], []),
        (["*/*.b.svc.cluster.local"], [f"b/{USERS}"]),
        (["*/b.svc.cluster.local"], []),
        (["*/*"], [f"a/{CART}", f"b/{USERS}"]),
        (["a/CART.a.svc.cluster.local", f"a/{CART}."], []),
        (["a/b/*", CART], []),
    ],
)
def test_a_host_entry_names_the_service_s_namespace_and_host(
    hosts: list[str], expected: list[str]
) -> None:
    assert imported(scope_of(rules_of(*TWO), "a", *hosts)) == expected


def test_a_dot_means_the_proxy_s_namespace_also_in_the_root_default() -> None:
    rules = rules_of(*TWO, sidecar("default", ROOT, "./*"))
    chosen = select_sidecar(rules, "b", {})
    assert chosen
    assert imported(sidecar_scope(rules, "b", chosen.egress)) == [f"b/{USERS}"]
    assert imported(scope_of(rules, "b", "./*")) == [f"b/{USERS}"]


def test_a_wildcard_host_needs_an_entry_as_wide_as_itself() -> None:
    rules = rules_of(service_entry("all", "a", "*.foo.example"))
    assert imported(scope_of(rules, "a", "a/api.foo.example")) == []
    assert imported(scope_of(rules, "a", "a/*.api.foo.example")) == []
    for host in ("*.foo.example", "*.example", "*"):
        assert imported(scope_of(rules, "a", f"a/{host}")) == ["a/*.foo.example"]


def test_a_tilde_excludes_from_1_31_on() -> None:
    rules = rules_of(*TWO)
    assert imported(scope_of(rules, "a", "*/*", f"~b/{USERS}")) == [f"a/{CART}"]
    assert imported(scope_of(rules, "a", "*/*", "~./*")) == [f"b/{USERS}"]
    assert imported(scope_of(rules, "a", "~/*", "b/*")) == []


def test_a_tilde_means_nothing_up_to_1_30() -> None:
    rules = rules_of(*TWO, version=(1, 30))
    assert imported(scope_of(rules, "a", "~/*", "b/*")) == [f"b/{USERS}"]
    assert imported(scope_of(rules, "a", "~/*")) == []


HOST = fqdn("cart.a")
DUPLICATES = (
    service("cart", "a", created=5),
    service_entry("se", "b", HOST, created=1),
    service_entry("se", "c", HOST, created=0),
)


@pytest.mark.parametrize(
    ("client", "hosts", "winner"),
    [
        ("b", ["*/*"], "b"),  # the client's own namespace
        ("d", ["*/*"], "a"),  # Kubernetes
        ("d", [f"b/{HOST}", f"c/{HOST}"], "c"),  # the oldest
        ("d", [f"b/{HOST}"], "b"),  # the only one that is asked for
    ],
)
def test_one_namespace_wins_a_host_name(client: str, hosts: list[str], winner: str) -> None:
    assert imported(scope_of(rules_of(*DUPLICATES), client, *hosts)) == [f"{winner}/{HOST}"]


def test_exact_hosts_only_bring_one_of_several_objects_from_1_31_on() -> None:
    objects = [
        service_entry("one", "a", "api.example", 80, addresses=["10.0.0.1", "10.0.0.2"]),
        service_entry("two", "a", "api.example", 8080, created=9),
    ]
    rules = rules_of(*objects)
    assert imported(scope_of(rules, "a", "a/api.example")) == ["a/api.example"]
    for hosts in (["*/api.example"], ["a/*.example"], ["a/api.example", "b/*"]):
        assert imported(scope_of(rules, "a", *hosts)) == ["a/api.example"] * 3
    before = rules_of(*objects, version=(1, 30))
    assert imported(scope_of(before, "a", "a/api.example")) == ["a/api.example"] * 3


def test_an_export_hides_a_service_whatever_is_asked_for() -> None:
    rules = rules_of(
        service("own", "a", export_to="."),
        service("nobody", "a", export_to="~"),
        service("for-b", "a", export_to="b, c"),
    )
    assert imported(scope_of(rules, "a", "*/*")) == [f"a/{fqdn('own.a')}"]
    assert imported(scope_of(rules, "b", "*/*")) == [f"a/{fqdn('for-b.a')}"]
    assert imported(scope_of(rules, "d", "*/*", f"a/{fqdn('own.a')}")) == []
    assert imported(scope_of(rules, "d", f"a/{fqdn('own.a')}")) == []


def test_an_alias_survives_if_its_name_is_asked_for_in_the_target_s_namespace() -> None:
    target, alias = fqdn("db.prod"), fqdn("alias.a")
    rules = rules_of(service("db", "prod"), external_name("alias", "a", target))

    def aliases(*hosts: str) -> list[str]:
        found = scope_of(rules, "a", *hosts).listener_services()[target]
        return [str(key) for key in found.aliases]

    assert aliases(f"prod/{target}", f"a/{alias}") == []
    assert aliases(f"prod/{target}", f"prod/{alias}") == [f"a/{alias}"]
    assert aliases("*/*") == [f"a/{alias}"]


def test_a_listener_with_a_port_imports_that_port_only() -> None:
    rules = rules_of(service("cart", "a", 80, 8080), service("users", "a", 8080))

    def ports(protocol: str) -> dict[str, list[int]]:
        listener = EgressListener(hosts=("./*",), port=80, port_protocol=protocol)
        return held(sidecar_scope(rules, "a", [listener]))

    assert ports("HTTP") == {f"a/{CART}": [80]}
    assert ports("HTTP_PROXY") == {f"a/{CART}": [80, 8080], f"a/{fqdn('users.a')}": [8080]}


def test_ports_of_one_service_in_several_listeners_are_joined() -> None:
    rules = rules_of(service("cart", "a", 80, 8080, 9090))
    listeners = [EgressListener(hosts=("./*",), port=p, port_protocol="HTTP") for p in (8080, 80)]
    assert held(sidecar_scope(rules, "a", listeners)) == {f"a/{CART}": [8080, 80]}


def test_a_virtual_service_pulls_in_its_destinations_without_importing_them() -> None:
    rules = rules_of(
        service("cart", "a"),
        service("cart-v2", "b", 80, 8080),
        virtual_service("vs", "a", ["cart"], {"host": fqdn("cart-v2.b"), "port": {"number": 8080}}),
    )
    scope = scope_of(rules, "a", f"a/{CART}")
    assert imported(scope) == [f"a/{CART}"]
    assert held(scope) == {f"a/{CART}": [80], f"b/{fqdn('cart-v2.b')}": [8080]}
    assert held(scope_of(rules, "a", f"~b/{fqdn('cart-v2.b')}", f"a/{CART}")) == held(scope)


def test_a_destination_without_ports_is_pulled_in_whatever_port_its_route_names() -> None:
    """Most ExternalNames have none (`serviceMatchingVirtualServicePorts`)."""
    old, port = fqdn("old.b"), {"number": 8080}
    rules = rules_of(
        service("cart", "a"),
        service("old", "b", type="ExternalName", externalName=CART, clusterIP="", ports=[]),
        virtual_service("vs", "a", ["cart"], {"host": old, "port": port}),
    )
    assert held(scope_of(rules, "a", f"a/{CART}")) == {f"a/{CART}": [80], f"b/{old}": []}


def test_a_pulled_in_host_is_the_client_s_own_even_if_not_exported_then_kubernetes() -> None:
    hosts = [
        service("cart", "a"),
        virtual_service("vs", "a", ["cart"], "api.example"),
        service_entry("se", "a", "api.example", 81, exportTo=["~"]),
        service_entry("se", "b", "api.example", 82, created=2),
        service_entry("se", "c", "api.example", 83, created=1),
    ]
    wanted = f"*/{CART}"
    assert "a/api.example" in held(scope_of(rules_of(*hosts), "a", wanted))
    assert "c/api.example" in held(scope_of(rules_of(*hosts), "d", wanted))
    older = rules_of(*hosts, version=(1, 29))
    assert "b/api.example" in held(scope_of(older, "d", wanted))


def test_the_namespace_of_an_entry_is_the_virtual_service_s_own() -> None:
    rules = rules_of(
        service("reviews", "prod"),
        virtual_service("vs", "team", [fqdn("reviews.prod")], fqdn("reviews.prod")),
    )
    assert virtual_services(scope_of(rules, "a", "prod/*")) == []
    assert virtual_services(scope_of(rules, "a", f"team/{fqdn('reviews.prod')}")) == ["team/vs"]
    assert virtual_services(scope_of(rules, "team", "./*")) == ["team/vs"]
    assert virtual_services(scope_of(rules, "a", f"*/{fqdn('reviews.prod')}")) == ["team/vs"]


def test_a_virtual_service_is_imported_by_any_host_that_overlaps() -> None:
    rules = rules_of(virtual_service("vs", "a", ["*.example"], "api.example"))
    for host in ("api.example", "*.api.example", "*"):
        assert virtual_services(scope_of(rules, "a", f"a/{host}")) == ["a/vs"]
    assert virtual_services(scope_of(rules, "a", "a/example")) == []


def test_an_exclusion_drops_a_virtual_service_only_if_all_its_hosts_are_excluded() -> None:
    rules = rules_of(virtual_service("vs", "a", ["one.example", "two.example"], "one.example"))
    one, two = "~a/one.example", "~a/two.example"
    assert virtual_services(scope_of(rules, "a", "*/*", one)) == ["a/vs"]
    assert virtual_services(scope_of(rules, "a", "*/*", one, two)) == []
