"""Selectors choose every namespace but those to hide, by labels that are there or to be added."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.discovery.model import DiscoverySelectors
from recommender.discovery.selectors import choose_selectors, hidden_by
from recommender.istio.discovery import hidden_namespaces
from recommender.istio.label_selectors import selector_matches
from recommender.mesh import Labels, Mesh, MeshConfig, Namespace, ObjectMeta
from recommender.mesh.objects import LabelSelector

ROOT = "istio-system"


def mesh_of(
    namespaces: dict[str, dict[str, str]], in_force: tuple[LabelSelector, ...] = ()
) -> Mesh:
    found = {ROOT: {}, **namespaces}
    return Mesh(
        config=MeshConfig(discovery_selectors=in_force),
        namespaces=tuple(Namespace(ObjectMeta("", n, labels)) for n, labels in found.items()),
    )


def chosen(
    idle: dict[str, dict[str, str]],
    kept: dict[str, dict[str, str]],
    in_force: tuple[LabelSelector, ...] = (),
) -> DiscoverySelectors:
    return choose_selectors(mesh_of({**idle, **kept}, in_force), set(idle))


def sees(made: DiscoverySelectors, labels: Labels) -> bool:
    return any(selector_matches(selector, labels) for selector in made.selectors)


def test_a_label_that_idle_namespaces_alone_have_tells_them() -> None:
    made = chosen({"a": {"env": "old"}, "b": {"env": "older"}}, {"c": {"env": "live"}})

    assert made.selectors == ((("env", "NotIn", ("old", "older")),),)
    assert (made.by, made.added_label, made.shows_new) == ("existing labels", None, True)
    assert sees(made, {})
    assert sees(made, {"env": "new"})


def test_two_labels_tell_what_one_cannot() -> None:
    made = chosen({"a": {"env": "old"}, "b": {"team": "gone"}}, {"c": {"env": "live"}})

    assert made.selectors == ((("env", "NotIn", ("old",)), ("team", "NotIn", ("gone",))),)


def test_fewest_labels_and_values_are_taken_then_the_first_by_name() -> None:
    one = {"z": "1", "y": "1", "x": "1"}
    other = {"z": "1", "y": "1", "x": "2"}

    assert chosen({"a": one, "b": other}, {"c": {}}).selectors == ((("y", "NotIn", ("1",)),),)


def test_a_label_that_all_others_have_tells_them_and_hides_what_is_new() -> None:
    used = {"mesh": "on"}
    made = chosen({"a": {}}, {ROOT: used, "c": used})

    assert made.selectors == ((("mesh", "In", ("on",)),),)
    assert (made.by, made.shows_new) == ("existing labels", False)
    assert not sees(made, {})


def test_a_label_with_many_values_is_asked_for_by_its_presence() -> None:
    made = chosen({"a": {}}, {ROOT: {"team": "mesh"}, "c": {"team": "x"}, "d": {"team": "y"}})

    assert made.selectors == ((("team", "Exists", ()),),)


def test_a_label_that_all_others_have_is_no_help_where_some_are_not_known() -> None:
    """The root namespace is not in the dump, so nobody knows whether it has the label."""
    used = {"mesh": "on"}
    mesh = mesh_of({"a": {}, "c": used})
    without_root = tuple(n for n in mesh.namespaces if n.meta.name != ROOT)
    made = choose_selectors(Mesh(namespaces=without_root), {"a"})

    assert made.by == "labels to add"


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"kubernetes.io/metadata.name": "a"},
        {"pod-security.kubernetes.io/enforce": "privileged"},
        {"field.cattle.io/projectId": "p-1"},
        {"env": "not a value!"},
        {"not a key!": "x"},
        {"env": "-x"},
    ],
)
def test_without_a_label_that_tells_one_is_to_be_added(labels: dict[str, str]) -> None:
    made = chosen({"a": labels}, {"c": {"kubernetes.io/metadata.name": "c"}})

    assert made.by == "labels to add"
    assert made.added_label == ("istio-discovery", "disabled")
    assert made.selectors == ((("istio-discovery", "NotIn", ("disabled",)),),)
    assert sees(made, {})


def test_a_label_to_add_is_one_that_no_other_namespace_has() -> None:
    taken = {"c": {"istio-discovery": "disabled"}, "d": {"istio-discovery": "disabled-2"}}

    assert chosen({"a": {}}, taken).added_label == ("istio-discovery", "disabled-3")


def test_selectors_in_force_are_narrowed() -> None:
    in_force: tuple[LabelSelector, ...] = (
        (("mesh", "In", ("on",)),),
        (("kubernetes.io/metadata.name", "In", (ROOT,)),),
    )
    kept = {ROOT: {"kubernetes.io/metadata.name": ROOT}, "c": {"mesh": "on"}}
    others = {"far": {"env": "old"}}
    mesh = mesh_of({"a": {"mesh": "on", "env": "old"}, **kept, **others}, in_force)
    made = choose_selectors(mesh, {"a"})

    assert made.selectors == tuple((*each, ("env", "NotIn", ("old",))) for each in in_force)
    assert made.replaces == in_force
    assert hidden_namespaces(mesh) == {"far"}


def test_with_nothing_to_hide_the_selectors_in_force_stay() -> None:
    in_force: tuple[LabelSelector, ...] = ((("mesh", "In", ("on",)),),)
    made = chosen({}, {ROOT: {"mesh": "on"}}, in_force)

    assert (made.by, made.selectors) == ("nothing to hide", in_force)


BROKEN: tuple[LabelSelector, ...] = ((("mesh", "In", ("on",)),), (("env", "in", ("x",)),))


def test_selectors_that_istiod_ignores_are_not_narrowed() -> None:
    made = chosen({"a": {"env": "old"}}, {"c": {"mesh": "on"}}, BROKEN)

    assert made.selectors == ((("env", "NotIn", ("old",)),),)
    assert made.by_name == ((("kubernetes.io/metadata.name", "NotIn", ("a",)),),)
    assert (made.replaces, made.ignored) == ((), "discoverySelectors[1]: 'in' is no operator")


def test_with_nothing_to_hide_selectors_that_istiod_ignores_do_not_stay() -> None:
    made = chosen({}, {"c": {"mesh": "on"}}, BROKEN)

    assert made.selectors == ()
    assert made.ignored


NAMES = st.sampled_from("abcdefgh")
LABELS = st.dictionaries(st.sampled_from(["env", "team", "mesh"]), st.sampled_from("xyz"))
SELECTORS = st.lists(
    st.tuples(
        st.tuples(
            st.sampled_from(["env", "team"]),
            st.sampled_from(["In", "NotIn"]),
            st.tuples(st.sampled_from("xyz")),
        )
    ),
    max_size=2,
)


@given(st.dictionaries(NAMES, LABELS, min_size=1), st.sets(NAMES), SELECTORS)
def test_selectors_hide_what_is_to_be_hidden_and_nothing_else(
    namespaces: dict[str, dict[str, str]], idle: set[str], in_force: list[LabelSelector]
) -> None:
    mesh = mesh_of(namespaces, tuple(in_force))
    visible = set(namespaces) | {ROOT}
    visible -= hidden_namespaces(mesh)
    wanted = idle & visible
    made = choose_selectors(mesh, wanted)

    assert {name for _, name in hidden_by(mesh, made, wanted)} == wanted


KUBERNETES: dict[str, dict[str, str]] = {
    name: {} for name in ("default", "kube-node-lease", "kube-public", "kube-system")
}
FAR = {"kubernetes.io/metadata.name": "far", "team": "gone"}


def test_what_objects_alone_name_is_seen_by_its_name_in_a_whole_dump() -> None:
    """It may be there no more; if it is, it must be seen whatever labels it has."""
    in_force: tuple[LabelSelector, ...] = ((("mesh", "In", ("on",)),),)
    mesh = mesh_of({"a": {"team": "gone"}, **KUBERNETES})
    narrowed = mesh_of({"a": {"mesh": "on", "team": "gone"}, **KUBERNETES}, in_force)
    made = choose_selectors(mesh, {"a"}, {"far", "No Name"}, {"far", "No Name"})
    scoped = choose_selectors(narrowed, {"a"}, {"far"}, {"far"})

    assert (made.by, made.seen_by_name, made.unknown) == ("existing labels", ("far",), ())
    assert sees(made, FAR)
    assert not sees(made, {"team": "gone"})
    assert sees(scoped, {**FAR, "mesh": "on"})
    assert not sees(scoped, FAR)


def test_what_objects_name_is_not_known_where_the_dump_may_lack_namespaces() -> None:
    some = dict(list(KUBERNETES.items())[1:])
    made = choose_selectors(mesh_of({"a": {"team": "gone"}, **some}), {"a"}, {"far"}, {"far"})
    called = choose_selectors(mesh_of({"a": {"team": "gone"}, **KUBERNETES}), {"a"}, {"far"})

    for each in (made, called):
        assert (each.by, each.seen_by_name, each.unknown) == ("labels to add", (), ("far",))


def test_existing_labels_are_no_help_where_a_needed_namespace_is_not_in_the_dump() -> None:
    """Nobody knows whether it has the label of the others, or one of the idle."""
    others = mesh_of({"a": {"team": "gone"}, "c": {"mesh": "on"}})

    assert choose_selectors(others, {"a"}, {"c", ROOT}).by == "existing labels"
    assert choose_selectors(others, {"a"}, {"c", ROOT, "far"}).by == "labels to add"
