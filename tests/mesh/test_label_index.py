"""An index of labels or selectors answers as if each were looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recommender.mesh.label_index import LabelIndex, SelectorIndex, selectors_by

LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)
MANY = st.lists(LABELS, max_size=8)


@given(MANY, LABELS)
def test_those_that_select_some_labels_are_found_in_their_order(
    selectors: list[dict[str, str]], labels: dict[str, str]
) -> None:
    index = SelectorIndex.of((selector, place) for place, selector in enumerate(selectors))

    found = [p for p, selector in enumerate(selectors) if selector.items() <= labels.items()]
    assert index.selecting(labels) == found


@given(MANY, LABELS)
def test_those_that_a_selector_chooses_are_found_in_their_order(
    each: list[dict[str, str]], selector: dict[str, str]
) -> None:
    index = LabelIndex.of((labels, place) for place, labels in enumerate(each))

    found = [(one, p) for p, one in enumerate(each) if selector.items() <= one.items()]
    assert list(index.chosen_by(selector)) == found


def test_selectors_are_kept_apart_by_namespace() -> None:
    index = selectors_by([("a", {"app": "x"}, 1), ("b", {}, 2), ("a", {}, 3)])

    assert {home: each.selecting({"app": "x"}) for home, each in index.items()} == {
        "a": [1, 3],
        "b": [2],
    }
