"""The service registry (`ConvertService`, `convertServices`, `initServiceRegistry`)."""

import pytest

from recommender.istio.registry import Registry, ServiceKey, build_registry, is_visible
from tests.istio.helpers import ISTIO, external_name, fqdn, mesh_config, service, service_entry
from tests.mesh.helpers import Object, mesh_of, mesh_of_objects, obj


def registry_of(*objects: Object) -> Registry:
    return build_registry(mesh_of_objects(*objects))


def workload_entry(name: str, namespace: str, address: str, app: str) -> Object:
    spec = {"address": address, "labels": {"app": app}, "ports": {"web": 8080}}
    return obj(ISTIO, "WorkloadEntry", name, namespace, spec=spec)


def hosts(registry: Registry, namespace: str) -> list[str]:
    return [str(s.key) for s in registry.visible_from(namespace)]


def test_a_service_has_its_full_name_in_the_cluster_s_domain() -> None:
    text = "{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: a}}"
    mesh = mesh_of(text, cluster_domain="corp.example")
    assert [s.hostname for s in build_registry(mesh).services] == ["cart.a.svc.corp.example"]


def test_a_service_entry_makes_one_service_per_host_and_address() -> None:
    entry = service_entry(
        "se", "a", "", hosts=["x.example", "y.example"], addresses=["10.0.0.1", "10.0.0.2/32"]
    )
    found = [(s.hostname, s.addresses) for s in registry_of(entry).services]
    assert found == [
        ("x.example", ("10.0.0.1",)),
        ("x.example", ("10.0.0.2",)),
        ("y.example", ("10.0.0.1",)),
        ("y.example", ("10.0.0.2",)),
    ]


def test_the_unspecified_address_of_a_service_entry_is_as_good_as_none() -> None:
    """It is what istiod writes for none (`convertServices`)."""
    unspecified = "0.0.0.0"  # noqa: S104 - nothing listens there
    (made,) = registry_of(service_entry("se", "a", "x.example", addresses=[unspecified])).services
    assert (made.addresses, made.headless) == ((), True)


def test_services_are_ordered_by_age_then_by_name_which_for_a_service_entry_is_its_host() -> None:
    registry = registry_of(
        service_entry("a", "a", "z.example"),
        service_entry("z", "a", "b.example"),
        service("m", "b"),
        service("m", "a"),
        service("old", "a", created=0),
        service_entry("b", "a", "young.example", created=1),
    )
    names = [f"{s.namespace}/{s.hostname.split('.')[0]}" for s in registry.services]
    assert names == ["a/b", "a/m", "b/m", "a/old", "a/z", "a/young"]


@pytest.mark.parametrize(
    ("export_to", "seen_by"),
    [
        ("", "abc"),
        ("*", "abc"),
        ("., *", "abc"),
        (".", "a"),
        ("a", "a"),
        ("b", "b"),
        (".,b", "ab"),
        ("~", ""),
        ("~,b", ""),
    ],
)
def test_export_to_decides_which_namespaces_list_a_service(export_to: str, seen_by: str) -> None:
    registry = registry_of(service("cart", "a", export_to=export_to))
    assert "".join(ns for ns in "abc" if registry.visible_from(ns)) == seen_by


def test_nobody_and_a_namespace_is_hidden_from_lists_but_not_from_exact_look_ups() -> None:
    registry = registry_of(service("cart", "a", export_to="~,b"))
    (found,) = registry.services
    assert (is_visible(found, "b"), is_visible(found, "a")) == (True, False)


def test_the_mesh_s_default_export_counts_where_none_is_declared() -> None:
    registry = registry_of(
        service("cart", "a"),
        service("users", "a", export_to="*"),
        service_entry("se", "b", "api.example"),
        mesh_config('defaultServiceExportTo: ["."]'),
    )
    assert hosts(registry, "a") == [f"a/{fqdn('cart.a')}", f"a/{fqdn('users.a')}"]
    assert hosts(registry, "b") == ["b/api.example", f"a/{fqdn('users.a')}"]


def test_what_is_exported_to_a_namespace_comes_before_older_public_services() -> None:
    registry = registry_of(
        service("old", "a", created=0), service("young", "a", created=9, export_to="b")
    )
    assert hosts(registry, "b") == [f"a/{fqdn('young.a')}", f"a/{fqdn('old.a')}"]


def test_the_index_keeps_the_oldest_object_of_a_host_and_prefers_kubernetes() -> None:
    host = fqdn("cart.a")
    registry = registry_of(
        service_entry("one", "a", host, 81, created=0),
        service_entry("two", "a", host, 82, created=1),
        service_entry("three", "b", host, 84, created=1),
        service_entry("four", "b", host, 83, created=0),
        service("cart", "a", created=5),
    )
    kept = registry.by_hostname[host]
    assert {ns: kept[ns].ports[0].number for ns in kept} == {"a": 80, "b": 83}
    assert len(registry.objects[ServiceKey("a", host)]) == 3


def test_an_external_name_becomes_an_alias_of_what_it_finally_stands_for() -> None:
    registry = registry_of(
        external_name("one", "a", fqdn("two.b")),
        external_name("two", "b", fqdn("db.c")),
        service("db", "c"),
        external_name("outside", "a", "nowhere.example"),
    )
    aliases = registry.by_hostname[fqdn("db.c")]["c"].aliases
    assert aliases == (ServiceKey("a", fqdn("one.a")), ServiceKey("b", fqdn("two.b")))


def test_external_names_in_a_loop_stand_for_nothing() -> None:
    registry = registry_of(
        external_name("one", "a", fqdn("two.a")), external_name("two", "a", fqdn("one.a"))
    )
    assert [s.aliases for s in registry.services] == [(), ()]


def test_a_service_without_an_address_is_headless() -> None:
    registry = registry_of(service("db", "a", clusterIP="None"), service("cart", "a"))
    assert [(s.name, s.headless) for s in registry.services] == [("cart", False), ("db", True)]


@pytest.mark.parametrize(
    ("virtual_ip", "target_port", "shared"),
    [
        ("10.0.0.1", 8080, ("10.9.0.1",)),
        ("10.0.0.1", "web", ("10.9.0.1",)),
        ("10.0.0.1", "other", ()),
        ("None", 8080, ()),
    ],
)
def test_objects_of_a_host_share_the_workload_entries_that_its_service_selects(
    virtual_ip: str, target_port: int | str, shared: tuple[str, ...]
) -> None:
    host, port = fqdn("db.a"), {"name": "x", "port": 80, "targetPort": target_port}
    registry = registry_of(
        service_entry("se", "a", host, resolution="NONE"),
        service("db", "a", clusterIP=virtual_ip, selector={"app": "db"}, ports=[port]),
        workload_entry("vm", "a", "10.9.0.1", app="db"),
        workload_entry("elsewhere", "b", "10.9.0.2", app="db"),
        workload_entry("another", "a", "10.9.0.3", app="web"),
    )
    (entry,) = (s for s in registry.objects[ServiceKey("a", host)] if not s.kubernetes)
    assert entry.endpoints.get(80, ()) == shared
