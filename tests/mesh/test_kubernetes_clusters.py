"""Dumps of several Kubernetes clusters of one mesh."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recommender.errors import InputError
from recommender.mesh import (
    Mesh,
    WorkloadId,
    index_mesh,
    kubernetes_cluster_of_pod,
    load_mesh,
    workload_of_pod,
)
from recommender.mesh.kubernetes_clusters import sources_by_cluster
from tests.mesh.helpers import Object, mesh_of_clusters, notes_of, obj, pod

ISTIO = "networking.istio.io/v1"


def service(ip: str, name: str = "db", **more: Any) -> Object:
    return obj("v1", "Service", name, spec={"clusterIP": ip, "ports": [{"port": 1}]}, **more)


def virtual_service(*hosts: str, **more: Any) -> Object:
    return obj(ISTIO, "VirtualService", "cart", spec={"hosts": list(hosts)}, **more)


def deployment(name: str, **labels: str) -> Object:
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}
    return obj("apps/v1", "Deployment", name, spec=spec)


def mesh_config(text: str) -> Object:
    return obj("v1", "ConfigMap", "istio", "istio-system", data={"mesh": text})


def test_a_name_before_the_source_is_that_of_its_kubernetes_cluster() -> None:
    found = sources_by_cluster(["west=dump/w", "east=a", "west=x=y"])
    assert list(found.items()) == [("west", ["dump/w", "x=y"]), ("east", ["a"])]


@pytest.mark.parametrize("source", ["dump/a=b", "=a", "a=", "-a=b", "a b=c", Path("a=b")])
def test_what_does_not_begin_with_a_name_is_a_path(source: str | Path) -> None:
    assert sources_by_cluster([source]) == {"": [source]}


def test_a_path_that_exists_is_no_name_even_if_a_glob_matches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("east=1.json").write_text(json.dumps(service("10.0.0.1")), encoding="utf-8")

    for source in ("east=1.json", "east=*.json"):
        mesh = load_mesh([source])
        assert mesh.kubernetes_clusters == ("",)
        assert len(mesh.services) == 1
    with pytest.raises(InputError, match="there is no such file"):
        load_mesh(["east=2.json"])


def test_either_every_source_names_its_kubernetes_cluster_or_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not named") as error:
        load_mesh([f"east={tmp_path}", tmp_path])
    assert str(tmp_path) in str(error.value)
    assert "NAME=SRC" in str(error.value)


def test_each_kubernetes_cluster_keeps_its_own_services_and_pods_in_the_order_of_the_names() -> (
    None
):
    mesh = mesh_of_clusters(
        west=[service("10.0.0.1"), pod("db-0", status={"podIP": "10.4.0.1"})],
        east=[service("10.1.0.1"), pod("db-0", status={"podIP": "10.5.0.1"})],
    )

    assert mesh.kubernetes_clusters == ("west", "east")
    assert [s.cluster_ips for s in mesh.services] == [("10.0.0.1",), ("10.1.0.1",)]
    assert [p.ips for p in mesh.pods] == [("10.4.0.1",), ("10.5.0.1",)]
    assert [p.meta.kubernetes_cluster for p in mesh.pods] == ["west", "east"]
    assert not notes_of(mesh, "different objects")


def test_copies_within_one_kubernetes_cluster_are_told_with_its_name() -> None:
    mesh = mesh_of_clusters(east=[service("10.0.0.1"), service("10.0.0.2")], west=[])
    assert notes_of(mesh, "different objects of one name") == ["Service shop/db in east"]


def test_what_configures_istiod_is_of_the_first_and_only_what_differs_elsewhere_is_told() -> None:
    mesh = mesh_of_clusters(
        east=[virtual_service("cart", created="2026-01-01T00:00:00Z")],
        west=[virtual_service("cart", created="2026-01-02T00:00:00Z", annotations={"a": "b"})],
        north=[virtual_service("users")],
        south=[obj(ISTIO, "Sidecar", "cart", spec={"egress": [{"hosts": ["./*"]}]})],
    )

    (found,) = mesh.virtual_services
    assert (found.hosts, found.meta.kubernetes_cluster) == (("cart",), "east")
    assert not mesh.sidecars
    assert notes_of(mesh, "differs from the one") == ["VirtualService shop/cart in north"]
    assert notes_of(mesh, "not where istiod is") == ["Sidecar shop/cart in south"]


def test_workload_entries_of_every_kubernetes_cluster_count() -> None:
    entries = [obj(ISTIO, "WorkloadEntry", "vm", spec={"address": f"10.9.0.{n}"}) for n in (1, 2)]
    mesh = mesh_of_clusters(east=entries[:1], west=entries[1:])
    assert [entry.address for entry in mesh.workload_entries] == ["10.9.0.1", "10.9.0.2"]


def test_the_mesh_config_is_that_of_the_first_and_others_that_differ_are_told() -> None:
    mesh = mesh_of_clusters(
        east=[mesh_config("rootNamespace: root\nmeshMTLS: {}")],
        west=[mesh_config("rootNamespace: root")],
        north=[mesh_config("rootNamespace: other")],
    )
    assert mesh.config.root_namespace == "root"
    assert notes_of(mesh, "differs from the one") == ["MeshConfig in north"]


def test_a_route_of_the_gateway_api_finds_its_parent_where_istiod_is_configured() -> None:
    route = obj(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        "r",
        spec={
            "parentRefs": [{"group": "", "kind": "Service", "name": "db"}],
            "rules": [{"backendRefs": [{"name": "db", "port": 1}]}],
        },
    )
    near = mesh_of_clusters(east=[route, service("10.0.0.1")], west=[])
    far = mesh_of_clusters(east=[route], west=[service("10.0.0.1")])
    assert (len(near.virtual_services), len(far.virtual_services)) == (1, 0)


def test_kinds_that_make_hosts_of_several_kubernetes_clusters_are_told() -> None:
    export = obj("multicluster.x-k8s.io/v1alpha1", "ServiceExport", "db")
    several, one = mesh_of_clusters(east=[export], west=[]), mesh_of_clusters(east=[export])
    assert notes_of(several, "clusterset.local") == ["ServiceExport (multicluster.x-k8s.io)"]
    assert notes_of(one, "plays no part") == ["ServiceExport (multicluster.x-k8s.io)"]


def test_what_a_dump_of_one_kubernetes_cluster_lacks_is_told_with_its_name() -> None:
    mesh = mesh_of_clusters(east=[service("10.0.0.1")], west=[pod("p")])
    lacking = ["Namespace in east", "Namespace in west", "Pod in east", "Service in west"]
    assert notes_of(mesh, "no object of this kind") == lacking


def test_a_workload_of_several_kubernetes_clusters_has_a_copy_for_each() -> None:
    mesh = mesh_of_clusters(
        east=[deployment("web", app="web", v="1"), pod("web-bcdfgh-bcdfg", owner="ReplicaSet/x")],
        west=[deployment("web", app="web", v="2")],
    )
    index, web = index_mesh(mesh), WorkloadId("shop", "Deployment", "web")

    assert [copy.template_labels for copy in index.copies[web]] == [
        {"app": "web", "v": "1"},
        {"app": "web", "v": "2"},
    ]
    assert index.workloads[web] is index.copies[web][0]


def spread_stateful_set() -> Mesh:
    """Make a StatefulSet that is in two Kubernetes clusters, one pod of which is in both."""
    stateful_set = obj("apps/v1", "StatefulSet", "db")
    return mesh_of_clusters(
        east=[stateful_set, *(pod(f"db-{n}", owner="StatefulSet/db") for n in (0, 1))],
        west=[stateful_set, pod("db-0", owner="StatefulSet/db"), deployment("web", app="web")],
    )


@pytest.mark.parametrize("name", ["db-0", "db-1", "db-7"])
def test_the_pods_of_a_spread_stateful_set_may_be_of_any_kubernetes_cluster(name: str) -> None:
    index = index_mesh(spread_stateful_set())
    assert workload_of_pod(index, "shop", name) == WorkloadId("shop", "StatefulSet", "db")
    assert kubernetes_cluster_of_pod(index, "shop", name) is None


def test_a_pod_that_is_gone_was_where_the_only_workload_is_that_made_it() -> None:
    index = index_mesh(spread_stateful_set())
    assert kubernetes_cluster_of_pod(index, "shop", "web-bcdfgh-bcdfg") == "west"
    assert kubernetes_cluster_of_pod(index, "shop", "unheard-of") is None


def test_a_name_that_pods_of_different_workloads_bear_belongs_to_none() -> None:
    mesh = mesh_of_clusters(
        east=[pod("p-0", owner="StatefulSet/p")], west=[pod("p-0", owner="DaemonSet/p")]
    )
    assert workload_of_pod(index_mesh(mesh), "shop", "p-0") is None
