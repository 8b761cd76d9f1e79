"""Selectors choose one workload's pods, whatever a rollout changes, and nobody else's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.mesh import index_mesh
from recommender.recommendation.selectors import Selection, select_pods
from tests.mesh.helpers import Object, mesh_of_objects, obj, pod
from tests.recommendation.helpers import NETWORKING, deployment


def selection_of(name: str, *objects: Object) -> Selection:
    mesh = mesh_of_objects(*objects)
    (found,) = [w.id for w in mesh.workloads if w.id.name == name]
    return select_pods(index_mesh(mesh), found)


def test_the_immutable_selector_of_the_workload_is_used_whole() -> None:
    labels = {"app": "web", "version": "v1"}

    assert selection_of("web", *deployment("web", labels=labels)).labels == labels


def test_a_hash_of_the_template_is_never_used() -> None:
    bare = pod("web", labels={"app": "web", "pod-template-hash": "abc"})

    assert selection_of("web", bare).labels == {"app": "web"}


def test_labels_are_added_until_no_other_workload_is_selected() -> None:
    stable = deployment("web", labels={"app": "web"})
    template = {"app": "web", "track": "canary"}
    canary = obj(
        "apps/v1",
        "Deployment",
        "canary",
        spec={
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": template}},
        },
    )

    assert selection_of("canary", *stable, canary).labels == template
    assert "also select" in selection_of("web", *stable, canary).problem


def test_a_workload_without_pods_now_is_not_selected_by_another() -> None:
    """Its pods may come at any time."""
    idle = deployment("idle", labels={"app": "web", "role": "idle"}, pods=0)

    assert "idle" in selection_of("web", *deployment("web"), *idle).problem


MACHINES = [
    obj(NETWORKING, "WorkloadEntry", "vm", spec={"address": "10.3.0.1", "labels": {"app": "web"}}),
    obj(NETWORKING, "WorkloadGroup", "vm", spec={"metadata": {"labels": {"app": "web"}}}),
]


@pytest.mark.parametrize("machine", MACHINES, ids=["WorkloadEntry", "WorkloadGroup"])
def test_a_virtual_machine_is_not_selected(machine: Object) -> None:
    """Its proxy would be given the Sidecar too, and nothing is proved for it."""
    kind = machine["kind"].lower()
    elsewhere = {**machine, "metadata": {**machine["metadata"], "namespace": "other"}}

    assert f"also select shop/{kind}/vm" in selection_of("web", *deployment("web"), machine).problem
    assert selection_of("web", *deployment("web"), elsewhere).labels == {"app": "web"}


@pytest.mark.parametrize("machine", MACHINES, ids=["WorkloadEntry", "WorkloadGroup"])
def test_a_label_of_the_pods_tells_them_from_a_virtual_machine(machine: Object) -> None:
    template = {"app": "web", "runs-on": "kubernetes"}
    bare = pod("web", labels=template)

    assert selection_of("web", bare, machine).labels == {"runs-on": "kubernetes"}


def test_a_version_is_used_only_where_nothing_else_tells_apart_and_is_noted() -> None:
    def job(name: str, version: str) -> Object:
        labels = {"app": "sync", "app.kubernetes.io/version": version}
        return obj("batch/v1", "Job", name, spec={"template": {"metadata": {"labels": labels}}})

    found = selection_of("one", job("one", "1"), job("two", "2"))

    assert found.labels == {"app.kubernetes.io/version": "1"}
    assert [note.name for note in found.notes] == ["version label"]


def test_the_labels_that_a_job_gives_its_pods_are_not_used() -> None:
    volatile = {"controller-uid": "1", "batch.kubernetes.io/job-name": "sync-29924760"}
    template = {"metadata": {"labels": {"app": "sync"}}}
    job = obj(
        "batch/v1",
        "Job",
        "sync",
        spec={"selector": {"matchLabels": volatile}, "template": template},
    )
    made = pod("sync-abcde", labels={"app": "sync", **volatile}, owner="Job/sync")

    assert selection_of("sync", job, made).labels == {"app": "sync"}


def test_a_label_that_only_some_pods_have_is_not_used() -> None:
    """In the middle of a rollout old pods lack what the template has now."""
    objects = deployment("web", labels={"app": "web"})
    objects.append(
        pod("web-old", labels={"app": "web", "team": "x"}, owner="ReplicaSet/web-7d9c5b8f6d")
    )

    assert selection_of("web", *objects).labels == {"app": "web"}


def test_pods_without_any_lasting_label_have_no_selector() -> None:
    found = selection_of("web", pod("web", labels={"pod-template-hash": "abc"}))

    assert found.labels == {}
    assert "no label" in found.problem


labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3)


@settings(max_examples=60)
@given(st.lists(labels, min_size=2, max_size=5))
def test_no_two_selectors_select_one_pod(each: list[dict[str, str]]) -> None:
    mesh = mesh_of_objects(*(pod(f"pod-{n}", labels=found) for n, found in enumerate(each)))
    index = index_mesh(mesh)
    selections = {w.id: select_pods(index, w.id) for w in mesh.workloads}

    for one in mesh.pods:
        selected = [
            id_
            for id_, found in selections.items()
            if not found.problem and found.labels.items() <= one.meta.labels.items()
        ]
        assert selected in ([], [one.workload])
