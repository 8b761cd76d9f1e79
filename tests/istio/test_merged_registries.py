"""Several Kubernetes clusters as istiod merges them (`Services`, `mergeService`)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recommender.istio.call import resolve_call
from recommender.istio.kubernetes_clusters import kubernetes_cluster_notes
from recommender.istio.outbound_clusters import outbound_clusters
from recommender.istio.proxy import Proxy
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.registry import RegistryService, build_registry
from recommender.istio.resolution import OutboundCall, Resolution
from recommender.istio.sidecar_scope import build_scope_rules, sidecar_scope
from recommender.mesh import Mesh
from recommender.mesh.topology import CLUSTER_LABEL
from tests.istio.helpers import (
    ISTIO,
    fqdn,
    mesh_config,
    service,
    service_entry,
    sidecar,
    virtual_service,
)
from tests.mesh.helpers import Object, mesh_of_clusters, mesh_of_objects, notes_of, obj, pod


def tcp(name: str, ip: str, namespace: str = "a", **more: object) -> Object:
    """Make a Service with one TCP port."""
    made = service(name, namespace, clusterIP=ip)
    made["spec"] |= {"ports": [{"name": "tcp", "port": 5432}], **more}
    return made


def slice_of(name: str, *addresses: str) -> Object:
    """Make the EndpointSlice of a Service with one TCP port."""
    return obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        f"{name}-1",
        "a",
        labels={"kubernetes.io/service-name": name},
        endpoints=[{"addresses": [address]} for address in addresses],
        ports=[{"name": "tcp", "port": 5432}],
    )


def only_service(mesh: Mesh, first: str | None = None) -> RegistryService:
    (found,) = build_registry(mesh, first).services
    return found


def called(
    mesh: Mesh, cluster: str, address: str, port: int = 5432, authority: str = ""
) -> Resolution:
    """Resolve a call of a proxy in a Kubernetes cluster."""
    rules = build_scope_rules(mesh)
    proxy = Proxy("a", {}, ("10.4.0.9",), cluster)
    config = ProxyConfig(rules, sidecar_scope(rules, "a"), proxy)
    return resolve_call(config, OutboundCall(address, port, bool(authority), authority or None))


def clusters(resolution: Resolution) -> list[str]:
    return sorted(name for name, _ in resolution.clusters)


def test_services_of_one_name_are_one_as_the_first_kubernetes_cluster_has_it() -> None:
    mesh = mesh_of_clusters(
        east=[service("s", "a", 80, 81, clusterIP="10.0.0.1", export_to="b", created=2)],
        west=[service("s", "a", 82, clusterIP="10.1.0.1", created=1)],
    )
    found = only_service(mesh)

    assert [port.number for port in found.ports] == [80, 81]
    assert found.export_to == {"b"}
    assert found.created.second == 2
    assert found.addresses_in == {"east": ("10.0.0.1",), "west": ("10.1.0.1",)}


def test_an_istiod_elsewhere_sees_its_own_kubernetes_cluster_first() -> None:
    mesh = mesh_of_clusters(
        east=[service("s", "a", 80, clusterIP="10.0.0.1")],
        west=[service("s", "a", 82, clusterIP="10.1.0.1")],
    )
    found = only_service(mesh, "west")

    assert [port.number for port in found.ports] == [82]
    assert (found.addresses, found.addresses_in["east"]) == (("10.1.0.1",), ("10.0.0.1",))


def test_a_mesh_of_one_kubernetes_cluster_has_no_addresses_by_name() -> None:
    for mesh in (mesh_of_objects(service("s")), mesh_of_clusters(east=[service("s")])):
        assert only_service(mesh).addresses_in == {}
        assert build_registry(mesh).virtual_ips == {}


@pytest.mark.parametrize(
    ("cluster", "addresses", "expected"),
    [
        ("east", ("10.4.0.1",), ("10.0.0.1",)),
        ("west", ("10.4.0.1",), ("10.1.0.1",)),
        ("west", (), ("10.1.0.1", "fd00::1")),
        ("west", ("fd00::9",), ("fd00::1",)),
        ("east", ("fd00::9",), ("10.0.0.1",)),
        ("north", ("10.4.0.1",), ()),
        ("north", (), ()),
        ("north", ("fd00::9",), ("10.0.0.1",)),
        ("south", ("10.4.0.1",), ("10.0.0.1",)),
    ],
)
def test_a_proxy_sees_the_virtual_ip_of_its_kubernetes_cluster_else_the_first(
    cluster: str, addresses: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    mesh = mesh_of_clusters(
        east=[service("s", clusterIP="10.0.0.1")],
        west=[service("s", clusterIP="10.1.0.1", clusterIPs=["10.1.0.1", "fd00::1"])],
        north=[service("s", clusterIP="None")],
        south=[],
    )
    assert Proxy("a", {}, addresses, cluster).reachable(only_service(mesh)) == expected


def test_a_call_to_a_virtual_ip_is_routed_where_the_address_is_one() -> None:
    mesh = mesh_of_clusters(east=[tcp("s", "10.0.0.1")], west=[tcp("s", "10.1.0.1")])
    cluster = [f"outbound|5432||{fqdn('s.a')}"]

    assert clusters(called(mesh, "east", "10.0.0.1")) == cluster
    assert clusters(called(mesh, "west", "10.1.0.1")) == cluster
    assert clusters(called(mesh, "west", "10.0.0.1")) == []


def test_the_same_virtual_ip_may_be_another_service_elsewhere() -> None:
    mesh = mesh_of_clusters(
        east=[tcp("s", "10.0.0.1"), tcp("t", "10.0.0.2")],
        west=[tcp("s", "10.0.0.2"), tcp("t", "10.0.0.1")],
    )
    assert clusters(called(mesh, "east", "10.0.0.1")) == [f"outbound|5432||{fqdn('s.a')}"]
    assert clusters(called(mesh, "west", "10.0.0.1")) == [f"outbound|5432||{fqdn('t.a')}"]


def test_a_virtual_ip_is_an_authority_where_it_is_one() -> None:
    mesh = mesh_of_clusters(
        east=[service("s", clusterIP="10.0.0.1")], west=[service("s", clusterIP="10.1.0.1")]
    )
    for cluster, authority, found in (
        ("east", "10.0.0.1", True),
        ("west", "10.1.0.1", True),
        ("west", "10.0.0.1", False),
    ):
        assert bool(called(mesh, cluster, authority, 80, authority).clusters) is found


def test_the_endpoints_of_a_headless_service_are_those_of_every_kubernetes_cluster() -> None:
    headless = tcp("s", "None")
    mesh = mesh_of_clusters(
        east=[headless, slice_of("s", "10.4.0.1")], west=[headless, slice_of("s", "10.5.0.1")]
    )
    assert only_service(mesh).endpoints == {5432: ("10.4.0.1", "10.5.0.1")}
    for address in ("10.4.0.1", "10.5.0.1"):
        assert clusters(called(mesh, "west", address)) == [f"outbound|5432||{fqdn('s.a')}"]


def test_an_endpoint_slice_is_of_the_service_of_its_own_kubernetes_cluster() -> None:
    """One without a slice has the pods that it selects, but not those elsewhere."""
    selecting = tcp("s", "None", selector={"app": "s"})
    at_east = pod("p", namespace="a", labels={"app": "s"}, status={"podIP": "10.4.0.2"})
    at_west = pod("q", namespace="a", labels={"app": "s"}, status={"podIP": "10.5.0.2"})
    mesh = mesh_of_clusters(
        east=[selecting, slice_of("s", "10.4.0.1"), at_east], west=[selecting, at_west]
    )
    assert only_service(mesh).endpoints == {5432: ("10.4.0.1", "10.5.0.2")}


def test_an_envoy_cluster_has_the_endpoints_of_every_kubernetes_cluster() -> None:
    """Pods of one name are told apart, and a Service selects none elsewhere."""
    labels = {"app": "s"}
    at_east = pod("p-0", namespace="a", labels=labels, status={"podIP": "10.4.0.2"})
    at_west = pod("p-0", namespace="a", labels=labels, status={"podIP": "10.5.0.2"})
    part = slice_of("s", "10.4.0.2")
    part["endpoints"][0]["targetRef"] = {"kind": "Pod", "namespace": "a", "name": "p-0"}
    at_west["spec"]["serviceAccountName"] = "other"
    rules = build_scope_rules(
        mesh_of_clusters(
            east=[tcp("s", "10.0.0.1", selector=labels), part, at_east],
            west=[tcp("s", "10.1.0.1", selector=labels), at_west],
        )
    )
    config = ProxyConfig(rules, sidecar_scope(rules, "a"), Proxy("a", {}, (), "east"))
    (cluster,) = outbound_clusters(config)
    accounts = {e.address: (e.service_account or ("", ""))[1] for e in cluster.endpoints}
    assert accounts == {"10.4.0.2": "default", "10.5.0.2": "other"}
    assert len(cluster.endpoints) == 2


def test_a_service_that_is_headless_elsewhere_alone_has_no_virtual_ip_there() -> None:
    mesh = mesh_of_clusters(
        east=[tcp("s", "10.0.0.1")], west=[tcp("s", "None"), slice_of("s", "10.5.0.1")]
    )
    everywhere = called(mesh, "west", "203.0.113.1")
    assert (everywhere.listener, clusters(everywhere)) == (
        "0.0.0.0_5432",
        [f"outbound|5432||{fqdn('s.a')}"],
    )


def test_a_headless_service_with_a_virtual_ip_elsewhere_is_called_there_by_it() -> None:
    mesh = mesh_of_clusters(
        east=[tcp("s", "None"), slice_of("s", "10.4.0.1")], west=[tcp("s", "10.1.0.1")]
    )
    assert called(mesh, "east", "10.4.0.1").listener == "10.4.0.1_5432"
    assert called(mesh, "west", "10.1.0.1").listener == "10.1.0.1_5432"
    assert called(mesh, "west", "10.4.0.1").listener == "virtualOutbound"


def test_service_entries_select_pods_and_workload_entries_of_every_kubernetes_cluster() -> None:
    entry = service_entry("se", "a", "x.example", workloadSelector={"labels": {"app": "s"}})
    entry["spec"]["resolution"] = "NONE"
    vm = obj(
        ISTIO, "WorkloadEntry", "vm", "a", spec={"address": "10.9.0.1", "labels": {"app": "s"}}
    )
    at_west = pod("q", namespace="a", labels={"app": "s"}, status={"podIP": "10.5.0.2"})
    found = only_service(mesh_of_clusters(east=[entry], west=[vm, at_west]))
    assert found.endpoints == {80: ("10.5.0.2", "10.9.0.1")}


def test_discovery_selectors_ask_each_kubernetes_cluster_about_its_own_namespaces() -> None:
    config = mesh_config("discoverySelectors: [{matchLabels: {seen: 'yes'}}]")
    seen, hidden = (obj("v1", "Namespace", "a", "", labels={"seen": w}) for w in ("yes", "no"))
    cart = virtual_service("vs", "a", ["cart"])
    mesh = mesh_of_clusters(
        east=[config, hidden, service("s", clusterIP="10.0.0.1"), cart],
        west=[seen, service("s", clusterIP="10.1.0.1")],
    )
    rules = build_scope_rules(mesh)

    assert only_service(rules.mesh).addresses_in == {"west": ("10.1.0.1",)}
    assert not rules.mesh.virtual_services


def test_a_service_that_differs_elsewhere_is_told() -> None:
    mesh = mesh_of_clusters(
        east=[service("s", clusterIP="10.0.0.1", created=1), service("t", "a", 80)],
        west=[service("s", clusterIP="10.1.0.1", created=2), service("t", "a", 81)],
    )
    notes = kubernetes_cluster_notes(mesh)
    assert [note.where for note in notes] == ["Service a/t in west"]
    assert "differs between Kubernetes clusters" in notes[0].reason


def test_of_services_that_differ_in_remote_kubernetes_clusters_alone_any_may_count() -> None:
    mesh = mesh_of_clusters(east=[], west=[service("t", "a", 80)], north=[service("t", "a", 81)])
    (note,) = kubernetes_cluster_notes(mesh)
    assert (note.where, "met first" in note.reason) == ("Service a/t in north", True)


def test_an_istiod_elsewhere_is_told() -> None:
    istiod = pod("istiod-1", namespace="istio-system", labels={"app": "istiod"})
    mesh = mesh_of_clusters(east=[istiod], west=[istiod], north=[])
    assert [n.where for n in kubernetes_cluster_notes(mesh) if "istiod of its own" in n.reason] == [
        "west"
    ]


def test_rules_that_ask_for_a_kubernetes_cluster_of_another_name_are_told() -> None:
    def asking(name: str, cluster: str) -> Object:
        match = {"sourceLabels": {CLUSTER_LABEL: cluster}}
        http = [{"match": [match, match], "route": [{"destination": {"host": "b"}}]}]
        return virtual_service(name, "a", ["b"], http=http)

    selecting = sidecar("sc", "a", selector={CLUSTER_LABEL: "west"})
    objects = [asking("known", "east"), asking("unknown", "west"), selecting]

    assert [note.where for note in kubernetes_cluster_notes(mesh_of_clusters(east=objects))] == [
        "Sidecar a/sc",
        "VirtualService a/unknown",
    ]
    assert kubernetes_cluster_notes(mesh_of_objects(*objects)) == []


def test_a_namespace_with_workloads_that_the_first_kubernetes_cluster_lacks_is_told() -> None:
    here = obj("v1", "Namespace", "a", "")
    elsewhere = [pod("p", namespace=namespace) for namespace in ("a", "b")]
    mesh = mesh_of_clusters(east=[here], west=elsewhere)
    assert [note.where for note in kubernetes_cluster_notes(mesh)] == ["Namespace b"]


def test_pods_of_one_name_are_told_where_a_service_entry_may_select_them() -> None:
    entry = service_entry("se", "a", "x.example", workloadSelector={"labels": {"app": "s"}})
    pods = [pod(name, namespace="a", labels={"app": name}) for name in ("s", "t")]
    mesh = mesh_of_clusters(east=[entry, *pods], west=pods)
    assert [note.where for note in kubernetes_cluster_notes(mesh)] == ["Pod a/s"]


def test_a_mesh_of_one_unnamed_kubernetes_cluster_has_no_such_notes() -> None:
    mesh = mesh_of_objects(service("s"), pod("istiod", labels={"app": "istiod"}))
    assert kubernetes_cluster_notes(replace(mesh, notes=())) == []
    assert notes_of(mesh, "Kubernetes cluster") == []
