"""Whatever anyone writes into an object, loading it ends in a mesh or in an `InputError`."""

import contextlib
import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.errors import InputError
from tests.mesh.helpers import Object, mesh_of_objects, notes_of, obj, pod
from tests.mesh.test_mesh_config import FULL, config_map

ISTIO = "networking.istio.io/v1"
TEMPLATE = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "istio-proxy"}]}}
DESTINATION = {"destination": {"host": "a", "port": {"number": 80}}}
ASKED = {"uri": {"prefix": "/"}, "headers": {"a": {"exact": "b"}}, "ignoreUriCase": True}
HEADERS = [{"type": "Exact", "name": "a", "value": "b"}]
VALID: list[Object] = [
    obj("v1", "Namespace", "a", labels={"a": "b"}),
    obj(
        "v1",
        "Service",
        "a",
        spec={"ports": [{"port": 80, "targetPort": "x"}], "clusterIPs": ["10.0.0.1"]},
    ),
    obj("v1", "Service", "b", spec={"type": "ExternalName", "externalName": "a.example"}),
    obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "a",
        ports=[{"port": 80}],
        endpoints=[
            {
                "addresses": ["10.0.0.1"],
                "targetRef": {"kind": "Pod", "name": "a"},
                "conditions": {"ready": True},
            }
        ],
    ),
    pod(
        "a",
        owner="ReplicaSet/a-bcdfgh",
        labels={"pod-template-hash": "bcdfgh", "app": "istiod"},
        containers=[{"name": "istio-proxy", "image": "pilot:1.31.0", "args": ["proxy", "router"]}],
        status={"podIPs": [{"ip": "10.0.0.1"}], "phase": "Running"},
    ),
    obj("apps/v1", "Deployment", "a", spec={"template": TEMPLATE, "selector": {"matchLabels": {}}}),
    obj("batch/v1", "CronJob", "a", spec={"jobTemplate": {"spec": {"template": TEMPLATE}}}),
    obj("batch/v1", "Job", "a-28712345", owner="CronJob/a"),
    obj(
        ISTIO,
        "VirtualService",
        "a",
        spec={
            "hosts": ["a"],
            "http": [
                {
                    "match": [{"port": 80, "sourceLabels": {"a": "b"}, **ASKED}],
                    "route": [DESTINATION],
                    "mirrors": [DESTINATION],
                    "delegate": {"name": "d"},
                    "rewrite": {"authority": "x"},
                }
            ],
        },
    ),
    obj(
        ISTIO,
        "DestinationRule",
        "a",
        spec={
            "host": "a",
            "trafficPolicy": {"portLevelSettings": [{"connectionPool": {}}]},
            "subsets": [{"name": "v1"}],
        },
    ),
    obj(
        ISTIO,
        "ServiceEntry",
        "a",
        spec={
            "hosts": ["a"],
            "ports": [{"number": 80, "name": "x"}],
            "endpoints": [{"address": "1.1.1.1", "ports": {"x": 80}}],
            "exportTo": ["."],
        },
    ),
    obj(
        ISTIO,
        "Sidecar",
        "a",
        spec={
            "workloadSelector": {"labels": {"a": "b"}},
            "egress": [{"hosts": ["./*"], "port": {"number": 80}}],
            "ingress": [{"port": {"number": 80}}],
        },
    ),
    obj(ISTIO, "EnvoyFilter", "a", spec={"configPatches": [{"patch": {"value": "outbound|1||a"}}]}),
    obj(
        "telemetry.istio.io/v1",
        "Telemetry",
        "a",
        spec={"tracing": [{"providers": [{"name": "a"}], "match": {"mode": "CLIENT"}}]},
    ),
    obj("security.istio.io/v1", "AuthorizationPolicy", "a", spec={"provider": {"name": "a"}}),
    obj(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        "a",
        spec={
            "parentRefs": [{"group": "", "kind": "Service", "name": "a", "port": 80}],
            "rules": [
                {
                    "matches": [{"path": {"type": "Exact", "value": "/"}, "headers": HEADERS}],
                    "filters": [{"requestMirror": {"backendRef": {"name": "b"}}}],
                    "backendRefs": [{"name": "a", "weight": 1, "port": 80}],
                }
            ],
        },
    ),
    config_map(FULL),
]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 70_000)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["None", "Pod", "Service", "ReplicaSet", "-", "{", "1.2", "\ud800", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)


@st.composite
def damaged(draw: st.DrawFn) -> Object:
    """Put anything in one or two places of an object."""
    damaged_object = copy.deepcopy(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 2))):
        place: object = damaged_object
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            child = place[key]
            if not isinstance(child, dict | list) or not child or draw(st.integers(0, 3)) == 0:
                place[key] = draw(ANYTHING)
                break
            place = child
    return damaged_object


def test_the_undamaged_objects_are_all_used() -> None:
    mesh = mesh_of_objects(*VALID)

    assert not [note for note in mesh.notes if "left out" in note.reason]
    assert not [note for note in mesh.notes if "refuse" in note.reason]
    assert not [note for note in mesh.notes if "different" in note.reason]


@settings(max_examples=400)
@given(st.lists(damaged(), min_size=1, max_size=4))
def test_a_damaged_object_is_a_note_or_an_input_error(objects: list[Object]) -> None:
    with contextlib.suppress(InputError):
        mesh = mesh_of_objects(*objects)

        assert repr(mesh)
        assert mesh.notes == tuple(sorted(mesh.notes))


@pytest.mark.parametrize(
    "hostile",
    [
        obj("v1", "Service", "s", spec={"clusterIP": "garbage", "ports": []}),
        obj("v1", "Pod", "p", spec={"containers": []}, status={"podIP": "gar:bage"}),
        obj(
            "networking.istio.io/v1",
            "VirtualService",
            "v",
            spec={"hosts": ["a"], "tcp": [{"match": [{"destinationSubnets": ["foo"]}]}]},
        ),
    ],
)
def test_an_address_that_is_none_leaves_the_object_out(hostile: Object) -> None:
    assert notes_of(mesh_of_objects(hostile), "left out")
