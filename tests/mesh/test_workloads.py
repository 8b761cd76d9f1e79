from typing import Any

import pytest

from recommender.mesh import Mesh, WorkloadId, index_mesh
from tests.mesh.helpers import APP, PROXY, Object, mesh_of_objects, notes_of, obj, pod


def workload_of(*objects: Object) -> str:
    """Name the workload of the one pod of a mesh."""
    (found,) = mesh_of_objects(*objects).pods
    return str(found.workload)


def template(
    *containers: Object,
    labels: Object | None = None,
    annotations: Object | None = None,
    **spec: object,
) -> Object:
    return {
        "metadata": {"labels": labels or {}, "annotations": annotations or {}},
        "spec": {"containers": list(containers) or [APP], **spec},
    }


def deployment(name: str = "web", **of_template: Any) -> Object:
    spec = {"template": template(**of_template), "selector": {"matchLabels": {"app": name}}}
    return obj("apps/v1", "Deployment", name, spec=spec)


REPLICA_SET = obj("apps/v1", "ReplicaSet", "web-bcdfgh", owner="Deployment/web")
HASHED = {"pod-template-hash": "bcdfgh"}


def test_a_pod_belongs_to_what_is_above_its_owner() -> None:
    job = obj("batch/v1", "Job", "odd-name", owner="CronJob/nightly")
    rollout_set = obj("apps/v1", "ReplicaSet", "web-bcdfgh", owner="Rollout/web")
    bare_set = obj("apps/v1", "ReplicaSet", "web")

    assert (
        workload_of(pod("p", owner="ReplicaSet/web-bcdfgh"), REPLICA_SET) == "shop/deployment/web"
    )
    assert workload_of(pod("p", owner="ReplicaSet/web-bcdfgh"), rollout_set) == "shop/rollout/web"
    assert workload_of(pod("p", owner="ReplicaSet/web"), bare_set) == "shop/replicaset/web"
    assert workload_of(pod("p", owner="StatefulSet/db")) == "shop/statefulset/db"
    assert workload_of(pod("p", owner="DaemonSet/agent")) == "shop/daemonset/agent"
    assert workload_of(pod("p", owner="Job/odd-name"), job) == "shop/cronjob/nightly"
    assert workload_of(pod("p", owner="StrimziPodSet/kafka")) == "shop/strimzipodset/kafka"
    assert workload_of(pod("p")) == "shop/pod/p"
    assert workload_of(pod("p", owner="Node/node-1")) == "shop/pod/p"


def test_an_owner_that_does_not_control_is_no_owner() -> None:
    found = pod("p")
    found["metadata"] = {"name": "p", "ownerReferences": [{"kind": "Foo", "name": "foo"}]}

    assert workload_of(found) == "default/pod/p"


def test_a_missing_replica_set_is_known_by_the_pods_hash() -> None:
    owner = "ReplicaSet/web-bcdfgh"
    rollout = {"rollouts-pod-template-hash": "bcdfgh"}

    assert workload_of(pod("p", owner=owner, labels=HASHED)) == "shop/deployment/web"
    assert workload_of(pod("p", owner=owner, labels=rollout)) == "shop/rollout/web"
    assert workload_of(pod("p", owner=owner)) == "shop/replicaset/web-bcdfgh"
    assert workload_of(pod("p", owner="ReplicaSet/web", labels=HASHED)) == "shop/replicaset/web"


def test_a_missing_job_is_its_cron_jobs_only_if_that_is_known() -> None:
    found = pod("p", owner="Job/nightly-28712345")
    cron_job = obj("batch/v1", "CronJob", "nightly")

    assert workload_of(found, cron_job) == "shop/cronjob/nightly"
    assert workload_of(found) == "shop/job/nightly-28712345"


def test_a_workload_is_followed_no_further_than_its_template() -> None:
    owned = obj("apps/v1", "Deployment", "web", owner="Shop/everything")
    mesh = mesh_of_objects(owned, REPLICA_SET, pod("p", owner="ReplicaSet/web-bcdfgh"))

    assert [str(w.id) for w in mesh.workloads] == ["shop/deployment/web"]
    assert str(mesh.pods[0].workload) == "shop/deployment/web"


def test_workloads_without_pods_are_known_with_their_template() -> None:
    kinds = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Rollout"]
    groups = {"Job": "batch/v1", "Rollout": "argoproj.io/v1alpha1"}
    spec = {"template": template(labels={"a": "b"}, annotations={"c": "d"})}
    objects = [obj(groups.get(k, "apps/v1"), k, "x", spec=spec) for k in kinds]
    cron_spec = {"jobTemplate": {"spec": spec}}
    mesh = mesh_of_objects(*objects, obj("batch/v1", "CronJob", "x", spec=cron_spec))

    assert {w.id.kind for w in mesh.workloads} == {*kinds, "CronJob"}
    assert all(w.template_labels == {"a": "b"} for w in mesh.workloads)
    assert all(w.template_annotations == {"c": "d"} for w in mesh.workloads)


def test_what_stands_between_a_workload_and_its_pods_is_no_workload() -> None:
    job = obj("batch/v1", "Job", "nightly-28712345", owner="CronJob/nightly")
    mesh = mesh_of_objects(REPLICA_SET, job)

    assert not mesh.workloads


def test_a_workload_known_by_its_pods_alone_has_no_template() -> None:
    labels = {"sidecar.istio.io/inject": "true"}
    (found,) = mesh_of_objects(pod("p", owner="StatefulSet/db", labels=labels)).workloads

    assert found.id == WorkloadId("shop", "StatefulSet", "db")
    assert (found.template_labels, found.injection, found.selector) == (None, "true", {})


def test_a_deployments_template_tells_what_injection_needs() -> None:
    label = "sidecar.istio.io/inject"
    mesh = mesh_of_objects(
        deployment("a"),
        deployment("b", annotations={label: "false"}),
        deployment("c", annotations={label: "false"}, labels={label: "true"}),
        deployment("d", hostNetwork=True),
    )

    assert [w.injection for w in mesh.workloads] == [None, "false", "true", None]
    assert [w.host_network for w in mesh.workloads] == [False, False, False, True]
    assert mesh.workloads[0].selector == {"app": "a"}


def test_a_pods_fields_are_kept() -> None:
    found = pod(
        "p",
        spec={"serviceAccountName": "cart", "hostNetwork": True},
        status={
            "phase": "Running",
            "podIP": "10.0.0.1",
            "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd::1"}],
        },
    )
    (kept,) = mesh_of_objects(found).pods

    assert kept.ips == ("10.0.0.1", "fd::1")
    assert (kept.phase, kept.service_account, kept.host_network) == ("Running", "cart", True)
    assert mesh_of_objects(pod("p", status={"podIP": "10.0.0.1"})).pods[0].ips == ("10.0.0.1",)
    assert mesh_of_objects(pod("p")).pods[0].service_account == "default"


def test_a_workload_tells_the_service_account_of_its_pods_to_come() -> None:
    for made, account in (
        (deployment(serviceAccountName="cart"), "cart"),
        (deployment(), "default"),
        (pod("p", spec={"serviceAccountName": "cart"}), "cart"),
    ):
        assert mesh_of_objects(made).workloads[0].service_account == account


def proxy(*arguments: str, **more: Any) -> Object:
    return {"name": "istio-proxy", "args": list(arguments), **more}


GATEWAY_LABEL = {"gateway.networking.k8s.io/gateway-name": "g"}
WAYPOINT_LABELS = {**GATEWAY_LABEL, "gateway.istio.io/managed": "istio.io-mesh-controller"}
GATEWAY_TEMPLATE: Object = {"inject.istio.io/templates": "custom, gateway"}


@pytest.mark.parametrize(
    ("expected", "more"),
    [
        (None, {"containers": [APP]}),
        ("sidecar", {"containers": [APP, proxy("proxy", "sidecar", "--domain", "x")]}),
        ("sidecar", {"containers": [APP, proxy()]}),
        ("gateway", {"containers": [proxy("proxy", "router")]}),
        ("waypoint", {"containers": [proxy("proxy", "waypoint")]}),
        ("ztunnel", {"containers": [proxy("proxy", "ztunnel")]}),
        ("gateway", {"containers": [PROXY], "annotations": GATEWAY_TEMPLATE}),
        ("gateway", {"containers": [PROXY], "labels": GATEWAY_LABEL}),
        ("waypoint", {"containers": [PROXY], "labels": WAYPOINT_LABELS}),
        (None, {"containers": [APP], "labels": GATEWAY_LABEL}),
        (
            "sidecar",
            {
                "containers": [APP],
                "spec": {"initContainers": [proxy("proxy", "sidecar", restartPolicy="Always")]},
            },
        ),
        (None, {"containers": [APP], "spec": {"initContainers": [proxy("proxy", "sidecar")]}}),
    ],
)
def test_the_proxy_of_a_pod_is_known(expected: str | None, more: Object) -> None:
    assert mesh_of_objects(pod("p", **more)).pods[0].proxy == expected


def test_the_proxy_of_a_template_is_known() -> None:
    spec = {
        "template": template({"name": "istio-proxy", "image": "auto"}, annotations=GATEWAY_TEMPLATE)
    }
    mesh = mesh_of_objects(deployment("app"), obj("apps/v1", "Deployment", "gw", spec=spec))

    assert [w.proxy for w in mesh.workloads] == [None, "gateway"]


def istiod(image: str, name: str = "istiod", **labels: str) -> Object:
    spec = {"containers": [{"name": "discovery", "image": image}]}
    metadata = {"labels": {"app": "istiod", **labels}}
    template_ = {"template": {"metadata": metadata, "spec": spec}}
    return obj("apps/v1", "Deployment", name, "istio-system", spec=template_)


def proxied(image: str) -> Object:
    return pod(f"p-{len(image)}", containers=[{**PROXY, "image": image}])


@pytest.mark.parametrize(
    ("objects", "version"),
    [
        ([istiod("docker.io/istio/pilot:1.31.0")], (1, 31)),
        ([istiod("registry:5000/istio/pilot:1.29.1-distroless@sha256:00")], (1, 29)),
        ([istiod("acs/pilot:v1.22.6.60-gabc")], (1, 22)),
        ([istiod("istio/pilot@sha256:00", **{"operator.istio.io/version": "1.28.0"})], (1, 28)),
        ([istiod("pilot:latest", **{"app.kubernetes.io/version": "1.30.2"})], (1, 30)),
        ([istiod("pilot:1.31.0"), istiod("pilot:1.30.1", "istiod-old")], (1, 30)),
        ([istiod("pilot:1.31.0"), proxied("proxyv2:1.27.0")], (1, 31)),
        ([proxied("istio/proxyv2:1.27.0"), proxied("proxyv2:1.9.0")], (1, 9)),
        ([proxied("istio/proxyv2:latest"), proxied("registry:5000/proxyv2")], None),
        ([pod("p", containers=[APP])], None),
    ],
)
def test_istios_version_is_the_lowest_that_the_dump_shows(
    objects: list[Object], version: tuple[int, int] | None
) -> None:
    mesh = mesh_of_objects(*objects)

    assert mesh.istio_version == version
    assert bool(notes_of(mesh, "several Istio versions")) == (
        version in ((1, 30), (1, 9)) and len(objects) == 2
    )


def test_the_index_finds_what_the_mesh_holds() -> None:
    ended = pod("ended", status={"phase": "Succeeded", "podIP": "10.0.0.1"})
    on_host = pod("agent", spec={"hostNetwork": True}, status={"podIP": "10.0.0.1"})
    running = pod("p", owner="StatefulSet/db", status={"phase": "Running", "podIP": "10.0.0.1"})
    service = obj("v1", "Service", "db")
    mesh: Mesh = mesh_of_objects(ended, on_host, running, service, obj("v1", "Namespace", "shop"))
    index = index_mesh(mesh)
    db = WorkloadId("shop", "StatefulSet", "db")

    assert index.pods_by_ip == {"10.0.0.1": (index.pods["shop", "p"][0],)}
    assert index.pods_by_workload[db] == (index.pods["shop", "p"][0],)
    assert index.workloads[db].id == db
    assert index.services["shop", "db"][0].meta.name == "db"
    assert set(index.namespaces) == {("", "shop")}
    assert {w.id.kind for w in index.workloads_by_namespace["shop"]} == {"Pod", "StatefulSet"}
