import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recommender.errors import InputError
from recommender.mesh import (
    DestinationRule,
    EgressListener,
    Endpoint,
    EndpointPort,
    Mesh,
    MeshNote,
    Service,
    ServicePort,
    load_mesh,
)
from tests.mesh.helpers import Object, mesh_of, mesh_of_objects, notes_of, obj, pod

OBJECTS: list[Object] = [
    obj("v1", "Namespace", "shop", labels={"istio-injection": "enabled"}),
    obj("v1", "Service", "cart", spec={"clusterIP": "10.0.0.1", "ports": [{"port": 80}]}),
    obj("v1", "Service", "cart", spec={"clusterIP": "10.0.0.2", "ports": [{"port": 81}]}),
    obj("v1", "Service", "db", "data", spec={"clusterIP": "None", "ports": [{"port": 5432}]}),
    obj("apps/v1", "Deployment", "cart", spec={"template": {"metadata": {"labels": {"a": "b"}}}}),
    obj("apps/v1", "ReplicaSet", "cart-bcdfgh", owner="Deployment/cart"),
    pod("cart-bcdfgh-zzzzz", owner="ReplicaSet/cart-bcdfgh"),
    obj("networking.istio.io/v1", "VirtualService", "cart", spec={"hosts": ["cart"]}),
    obj("networking.istio.io/v1beta1", "DestinationRule", "cart", spec={"host": "cart"}),
    obj("networking.istio.io/v1", "DestinationRule", "wrong", spec={"host": 5}),
    obj("apps/v1", "ControllerRevision", "x"),
    obj("apps/v1", "ControllerRevision", "y"),
]


def write_split(folder: Path, objects: list[Object], files: int) -> None:
    folder.mkdir()
    for number in range(files):
        part = objects[number::files]
        value: object = {"apiVersion": "v1", "kind": "List", "items": part}
        (folder / f"{number}.json").write_text(json.dumps(value))


def test_neither_the_order_nor_the_split_of_the_files_changes_the_mesh(tmp_path: Path) -> None:
    shuffle = random.Random(1)  # noqa: S311
    expected = None
    for number in range(20):
        objects = [*OBJECTS, *shuffle.sample(OBJECTS, 3)]
        shuffle.shuffle(objects)
        write_split(tmp_path / str(number), objects, shuffle.randint(1, 5))
        found = repr(replace(load_mesh([tmp_path / str(number)]), notes=()))
        expected = expected or found

        assert found == expected


def test_the_same_files_in_another_order_give_the_same_bytes(tmp_path: Path) -> None:
    write_split(tmp_path / "a", OBJECTS, 4)
    paths = sorted((tmp_path / "a").iterdir())

    assert repr(load_mesh(paths)) == repr(load_mesh(paths[::-1])) == repr(load_mesh([tmp_path]))


def test_a_copy_of_an_object_counts_once_without_a_note() -> None:
    mesh = mesh_of_objects(OBJECTS[1], OBJECTS[1])

    assert len(mesh.services) == 1
    assert not notes_of(mesh, "different")


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({}, {"creationTimestamp": "2026-01-01T00:00:00Z"}),
        (
            {"creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "99"},
            {"creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "100"},
        ),
    ],
)
def test_of_differing_objects_the_newest_is_used_with_a_note(older: Object, newer: Object) -> None:
    services = []
    for port, more in ((1, older), (2, newer)):
        service = obj("v1", "Service", "cart", spec={"ports": [{"port": port}]})
        service["metadata"] = {"name": "cart", "namespace": "shop", **more}
        services.append(service)
    for given in (services, services[::-1]):
        mesh = mesh_of_objects(*given)

        assert [s.ports[0].number for s in mesh.services] == [2]
        assert notes_of(mesh, "different") == ["Service shop/cart"]


def test_objects_come_sorted_by_namespace_and_name() -> None:
    names = [("b", "a"), ("a", "z"), ("a", "b"), ("c", "a")]
    mesh = mesh_of_objects(*(obj("v1", "Service", name, ns) for ns, name in names))

    assert [(s.meta.namespace, s.meta.name) for s in mesh.services] == sorted(names)


def test_an_object_without_namespace_is_in_default() -> None:
    mesh = mesh_of("apiVersion: v1\nkind: Service\nmetadata: {name: cart}")

    assert mesh.services[0].meta.namespace == "default"
    assert mesh_of_objects(OBJECTS[0]).namespaces[0].meta.namespace == ""


def test_metadata_is_kept_with_its_origin(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: cart\n  namespace: shop\n"
        "  creationTimestamp: 2026-01-02T03:04:05+01:00\n  labels: {app: cart}\n"
        "  annotations:\n    networking.istio.io/exportTo: .\n"
        "    kubectl.kubernetes.io/last-applied-configuration: long\n"
    )
    meta = load_mesh([path]).services[0].meta

    assert meta.created == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert meta.labels == {"app": "cart"}
    assert meta.annotations == {"networking.istio.io/exportTo": "."}
    assert meta.origin == f"{path}:2"


@pytest.mark.parametrize("metadata", [{}, {"name": ""}, {"name": None}, None])
def test_an_object_of_a_kind_that_counts_needs_a_name(metadata: object) -> None:
    with pytest.raises(InputError) as caught:
        mesh_of_objects({"apiVersion": "v1", "kind": "Service", "metadata": metadata})

    assert str(caught.value.where).endswith("0.yaml:1")


def test_an_object_still_to_be_named_is_left_out_with_a_note() -> None:
    job: Object = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "x-"}}
    mesh = mesh_of_objects(job)

    assert not mesh.workloads
    assert notes_of(mesh, "name is missing")


def test_other_kinds_are_counted_by_kind() -> None:
    mesh = mesh_of_objects(OBJECTS[-1], OBJECTS[-2], obj("v1", "Secret", "x"), {"a": 1}, {"b": 1})
    notes = {(note.where.rpartition("/")[2], note.count) for note in mesh.notes}

    assert {("ControllerRevision (apps)", 2), ("Secret", 1), ("0.yaml", 2)} <= notes


def test_a_kind_of_a_foreign_group_is_not_mistaken_for_the_known_one() -> None:
    mesh = mesh_of_objects(
        obj("serving.knative.dev/v1", "Service", "a"), obj("batch.volcano.sh/v1", "Job", "b")
    )

    assert not mesh.services
    assert not mesh.workloads


@pytest.mark.parametrize(
    ("version", "kind", "spec"),
    [
        ("networking.istio.io/v1", "VirtualService", {"hosts": "cart"}),
        ("networking.istio.io/v1", "VirtualService", {"hosts": ["a", 5]}),
        ("networking.istio.io/v1", "VirtualService", {"http": [{"route": [{"destination": 1}]}]}),
        ("networking.istio.io/v1", "VirtualService", {"http": [{"route": [{"destination": {}}]}]}),
        ("networking.istio.io/v1", "VirtualService", {"http": [{"match": [{"port": "80"}]}]}),
        ("networking.istio.io/v1", "VirtualService", {"http": [None]}),
        ("networking.istio.io/v1", "VirtualService", []),
        ("networking.istio.io/v1", "DestinationRule", {}),
        ("networking.istio.io/v1", "DestinationRule", {"host": "a", "subsets": [{"name": 1}]}),
        ("networking.istio.io/v1", "DestinationRule", {"host": "a", "exportTo": "*"}),
        ("networking.istio.io/v1", "ServiceEntry", {"hosts": []}),
        ("networking.istio.io/v1", "ServiceEntry", {"hosts": ["a"], "ports": [{"number": 99999}]}),
        ("networking.istio.io/v1", "Sidecar", {"workloadSelector": {"labels": {"a": 1}}}),
        ("networking.istio.io/v1", "Sidecar", {"egress": [{"hosts": "*/*"}]}),
        ("networking.istio.io/v1", "EnvoyFilter", {"configPatches": {}}),
        ("telemetry.istio.io/v1", "Telemetry", {"tracing": [{"providers": ["a"]}]}),
        ("security.istio.io/v1", "AuthorizationPolicy", {"provider": "x"}),
        ("gateway.networking.k8s.io/v1", "HTTPRoute", {"rules": [{"backendRefs": [{}]}]}),
        ("v1", "Service", {"ports": [{"port": "80"}]}),
        ("v1", "Service", {"ports": [{"port": True}]}),
        ("v1", "Service", {"ports": [{"port": 80.5}]}),
        ("v1", "Service", {"type": "ExternalName"}),
        ("v1", "Pod", {"containers": "x"}),
        ("v1", "Pod", {"hostNetwork": "true"}),
        ("apps/v1", "Deployment", {"selector": {"matchLabels": []}}),
        ("batch/v1", "CronJob", {"jobTemplate": {"spec": {"template": 1}}}),
    ],
)
def test_an_object_that_would_be_refused_is_left_out_with_a_note(
    version: str, kind: str, spec: object
) -> None:
    mesh = mesh_of_objects(obj(version, kind, "bad", spec=spec), obj("v1", "Service", "good"))

    assert [where.split(" (")[0] for where in notes_of(mesh, "left out")] == [f"{kind} shop/bad"]
    assert [s.meta.name for s in mesh.services] == ["good"]
    others = {
        "config",
        "cluster_domain",
        "istio_version",
        "kubernetes_clusters",
        "notes",
        "revision",
    }
    kinds = set(Mesh.__dataclass_fields__) - others
    assert [kind for kind in sorted(kinds) if getattr(mesh, kind)] == ["services"]


def test_the_note_tells_the_field() -> None:
    spec = {"http": [{}, {"route": [{"destination": {"host": "a", "port": {"number": "x"}}}]}]}
    mesh = mesh_of_objects(obj("networking.istio.io/v1", "VirtualService", "bad", spec=spec))
    (note,) = [note for note in mesh.notes if "left out" in note.reason]

    assert note.reason.endswith("http[1].route[0].number is text, expected a whole number")


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": 5},
        {"name": "a", "namespace": []},
        {"name": "a", "labels": {"a": 1}},
        {"name": "a", "creationTimestamp": "yesterday"},
        {"name": "a", "creationTimestamp": "2026-01-01T00:00:00"},
    ],
)
def test_refused_metadata_is_a_note(metadata: object) -> None:
    mesh = mesh_of_objects({"apiVersion": "v1", "kind": "Service", "metadata": metadata})

    assert not mesh.services
    assert len(notes_of(mesh, "left out")) == 1


def test_a_services_fields_are_kept() -> None:
    ports = [
        {"port": 80, "name": "http", "targetPort": "web", "appProtocol": "http2"},
        {"port": 53, "protocol": "UDP", "targetPort": 5353},
    ]
    spec = {"clusterIPs": ["10.0.0.1", "fd00::1"], "selector": {"app": "cart"}, "ports": ports}
    (service,) = mesh_of_objects(obj("v1", "Service", "cart", spec=spec)).services

    assert service == Service(
        meta=service.meta,
        cluster_ips=("10.0.0.1", "fd00::1"),
        selector={"app": "cart"},
        ports=(
            ServicePort(80, "http", "TCP", "http2", "web"),
            ServicePort(53, "", "UDP", None, 5353),
        ),
    )


def test_headless_and_external_services_have_no_address() -> None:
    mesh = mesh_of_objects(
        obj("v1", "Service", "a", spec={"clusterIP": "None", "clusterIPs": ["None"]}),
        obj("v1", "Service", "b", spec={"type": "ExternalName", "externalName": "b.example"}),
        obj("v1", "Service", "c", spec={}),
    )
    found = [(s.headless, s.external_name, s.cluster_ips) for s in mesh.services]

    assert found == [(True, None, ()), (False, "b.example", ()), (False, None, ())]


def test_an_endpoint_slice_tells_its_service_and_pods() -> None:
    document = obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "db-x",
        labels={"kubernetes.io/service-name": "db"},
        ports=[{"name": "tcp", "port": 5432}, {"name": "any"}],
        endpoints=[
            {"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": "db-0"}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": False, "terminating": False}},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": False}},
        ],
    )
    (found,) = mesh_of_objects(document).endpoint_slices

    assert (found.service, found.ports) == ("db", (EndpointPort(5432, "tcp"),))
    assert found.endpoints == (
        Endpoint(("10.0.0.1",), ready=True, pod=("shop", "db-0")),
        Endpoint(("10.0.0.2",), ready=False),
        Endpoint(("10.0.0.3",), ready=False, terminating=True),
    )


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
def test_every_version_of_istios_kinds_counts(version: str) -> None:
    group = "networking.istio.io"
    mesh = mesh_of_objects(
        obj(f"{group}/{version}", "VirtualService", "a"),
        obj(f"{group}/{version}", "DestinationRule", "a", spec={"host": "a"}),
        obj(f"{group}/{version}", "ServiceEntry", "a", spec={"hosts": ["a"]}),
        obj(f"{group}/{version}", "Sidecar", "a"),
        obj(f"{group}/{version}", "EnvoyFilter", "a"),
        obj("security.istio.io/v1beta1", "AuthorizationPolicy", "a"),
        obj("telemetry.istio.io/v1alpha1", "Telemetry", "a"),
    )

    assert mesh.virtual_services
    assert mesh.destination_rules
    assert mesh.service_entries
    assert mesh.sidecars
    assert mesh.envoy_filters
    assert mesh.authorization_policies
    assert mesh.telemetries


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, False),
        ({"trafficPolicy": {"connectionPool": {"tcp": {}}}}, True),
        ({"trafficPolicy": {"portLevelSettings": [{"connectionPool": {}}]}}, True),
        ({"subsets": [{"name": "v1", "trafficPolicy": {"connectionPool": {}}}]}, True),
        ({"trafficPolicy": {"loadBalancer": {}}}, False),
    ],
)
def test_a_destination_rule_tells_whether_it_sets_a_connection_pool(
    policy: Object, *, expected: bool
) -> None:
    spec = {"host": "cart", **policy}
    mesh = mesh_of_objects(obj("networking.istio.io/v1", "DestinationRule", "cart", spec=spec))

    assert mesh.destination_rules[0].connection_pool is expected


def test_selectors_and_export_lists_tell_absent_from_empty() -> None:
    group = "networking.istio.io/v1"
    labels = {"matchLabels": {"a": "b"}}
    mesh = mesh_of_objects(
        obj(group, "DestinationRule", "a", spec={"host": "a", "exportTo": []}),
        obj(group, "DestinationRule", "b", spec={"host": "b", "exportTo": [".", "x"]}),
        obj(group, "DestinationRule", "c", spec={"host": "c", "workloadSelector": labels}),
        obj(group, "Sidecar", "a", spec={"egress": []}),
        obj(group, "Sidecar", "b", spec={"workloadSelector": {}}),
    )
    rules: tuple[DestinationRule, ...] = mesh.destination_rules

    assert [r.export_to for r in rules] == [None, (".", "x"), None]
    assert [r.workload_selector for r in rules] == [None, None, {"a": "b"}]
    assert [s.workload_selector for s in mesh.sidecars] == [None, {}]


def test_a_sidecar_keeps_what_is_not_about_its_scope() -> None:
    rest = {"ingress": [{"port": {"number": 9080}}], "outboundTrafficPolicy": {}}
    egress = [
        {"hosts": ["./*"], "port": {"number": 80, "protocol": "HTTP"}, "bind": "127.0.0.1"},
        {"hosts": ["./*", "~/x.example"], "captureMode": "NONE"},
    ]
    spec = {"workloadSelector": {"labels": {"app": "cart"}}, "egress": egress, **rest}
    (found,) = mesh_of_objects(obj("networking.istio.io/v1", "Sidecar", "a", spec=spec)).sidecars

    assert found.other_spec == rest
    assert found.egress == (
        EgressListener(("./*",), 80, "HTTP", "127.0.0.1"),
        EgressListener(("./*", "~/x.example"), capture_mode="NONE"),
    )


def test_an_envoy_filter_tells_every_cluster_it_mentions() -> None:
    lua = 'handle:httpCall("outbound|8080||auth.sec.svc.cluster.local", {})'
    deep: object = {"cluster": "outbound|443|v1|api.example"}
    for _ in range(100):
        deep = [deep]
    patches = [
        {"patch": {"value": {"inline_code": lua, "deep": deep}}},
        {"match": {"outbound|80||keys.too": 1}, "x": "outbound|http||no.port"},
    ]
    spec = {"configPatches": patches, "workloadSelector": {"labels": {"a": "b"}}}
    mesh = mesh_of_objects(obj("networking.istio.io/v1", "EnvoyFilter", "a", spec=spec))

    assert mesh.envoy_filters[0].workload_selector == {"a": "b"}
    assert mesh.envoy_filters[0].clusters == (
        "outbound|443|v1|api.example",
        "outbound|8080||auth.sec.svc.cluster.local",
        "outbound|80||keys.too",
    )


def test_a_policy_attached_by_target_refs_is_only_noted() -> None:
    spec = {"targetRefs": [{"kind": "Gateway", "name": "w"}], "action": "CUSTOM"}
    mesh = mesh_of_objects(obj("security.istio.io/v1", "AuthorizationPolicy", "a", spec=spec))

    assert not mesh.authorization_policies
    assert len(notes_of(mesh, "targetRefs")) == 1


def test_telemetry_and_authorization_policies_tell_their_providers() -> None:
    tracing = [
        {"providers": [{"name": "otel"}], "match": {"mode": "CLIENT"}},
        {"disableSpanReporting": True},
    ]
    logging = [{"disabled": False}]
    spec = {"tracing": tracing, "accessLogging": logging, "selector": {"matchLabels": {"a": "b"}}}
    mesh = mesh_of_objects(
        obj("telemetry.istio.io/v1", "Telemetry", "a", spec=spec),
        obj(
            "security.istio.io/v1",
            "AuthorizationPolicy",
            "a",
            spec={"action": "CUSTOM", "provider": {"name": "authz"}},
        ),
        obj("security.istio.io/v1", "AuthorizationPolicy", "b"),
    )
    (telemetry,) = mesh.telemetries

    assert telemetry.selector == {"a": "b"}
    assert [(e.providers, e.mode, e.disabled) for e in telemetry.tracing] == [
        (("otel",), "CLIENT", None),
        ((), "CLIENT_AND_SERVER", True),
    ]
    assert [e.disabled for e in telemetry.access_logging] == [False]
    assert [(p.action, p.provider) for p in mesh.authorization_policies] == [
        ("CUSTOM", "authz"),
        ("ALLOW", None),
    ]


@pytest.mark.parametrize("name", ["virtualservices.json", "virtualservices.yaml"])
@pytest.mark.parametrize("content", ["", " \n"])
def test_an_empty_file_is_a_loss(tmp_path: Path, name: str, content: str) -> None:
    """`kubectl get … > FILE` leaves one if it fails."""
    (tmp_path / name).write_text(content)
    mesh = load_mesh([tmp_path])

    assert [note.where for note in mesh.notes if note.is_loss] == [str(tmp_path / name)]


def test_an_error_of_the_api_server_is_a_loss(tmp_path: Path) -> None:
    """`curl` saves it as it would save a list."""
    answer = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 403}
    (tmp_path / "virtualservices.json").write_text(json.dumps(answer))
    mesh = load_mesh([tmp_path])

    assert [note.where for note in mesh.notes if note.is_loss] == [
        str(tmp_path / "virtualservices.json")
    ]


def test_what_a_dump_lacks_is_noted() -> None:
    mesh = mesh_of("a: 1")

    assert set(notes_of(mesh, "no object of this kind")) == {"Namespace", "Pod", "Service"}
    assert MeshNote("nothing tells the version of istiod", "istiod") in mesh.notes


def test_the_first_settings_of_a_port_count_and_those_of_no_port_do_not() -> None:
    """What istiod passes over must not lose the DestinationRule, whose subsets count."""
    levels = [
        {"tls": {"mode": "MUTUAL"}},
        {"port": {"number": 70_000}},
        {"port": {"number": 80}, "tls": {"mode": "SIMPLE"}},
        {"port": {"number": 80}, "tls": {"mode": "DISABLE"}},
    ]
    policy = {"tls": {"mode": "ISTIO_MUTUAL"}, "portLevelSettings": levels}
    spec = {"host": "a", "trafficPolicy": policy}
    (rule,) = mesh_of_objects(
        obj("networking.istio.io/v1", "DestinationRule", "a", spec=spec)
    ).destination_rules

    assert (rule.tls_modes[0], rule.tls_modes[80]) == ("ISTIO_MUTUAL", "SIMPLE")
