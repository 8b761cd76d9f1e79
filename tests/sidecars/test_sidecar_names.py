import pytest

from recommender.recommendation.model import (
    LeftOut,
    NamespaceOption,
    NamespaceSidecar,
    Recommendations,
)
from recommender.sidecars import without_unusable_names
from recommender.sidecars.names import name_problem
from tests.sidecars.helpers import recommendation

BAD_NAMESPACES = ["", "..", ".", "a.b", "A", "a/b", "-a", "a-", "a\n", "é", "a" * 64, "a\0"]
BAD_NAMES = ["", "..", ".a", "a.", "a..b", "a/b", "../a", "a\n", "A", "a_b", "é", "a" * 251]


@pytest.mark.parametrize("namespace", BAD_NAMESPACES)
def test_what_is_no_namespace_is_refused(namespace: str) -> None:
    assert name_problem(namespace, "a")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_what_is_no_name_is_refused(name: str) -> None:
    assert name_problem("a", name)


@pytest.mark.parametrize(
    ("namespace", "name"), [("a", "a"), ("a-1", "v1.cart-2"), ("1", "0"), ("a" * 63, "a" * 250)]
)
def test_names_of_kubernetes_are_fine(namespace: str, name: str) -> None:
    assert name_problem(namespace, name) is None


def test_a_workload_with_an_unusable_name_is_left_out_with_the_reason() -> None:
    good, bad = recommendation(), recommendation("shop/Pod/x", name="../../etc/cron.d/x")
    before = LeftOut(recommendation("shop/Pod/z").workload, "no evidence")
    found = without_unusable_names(Recommendations((good, bad), (before,)))

    assert found.recommended == (good,)
    assert [(entry.workload.name, entry.reason) for entry in found.left_out] == [
        ("x", "not a Kubernetes name"),
        ("z", "no evidence"),
    ]
    assert "'../../etc/cron.d/x'" in found.left_out[0].detail


def test_a_sidecar_for_a_namespace_with_an_unusable_name_is_no_option() -> None:
    """It may be one in the mesh dump that bears the label of this tool."""
    good, bad = (
        NamespaceOption("shop", (), NamespaceSidecar("shop", name, (), (), {}, None, 0))
        for name in ("default", "../../etc/cron.d/x")
    )
    found = without_unusable_names(Recommendations(options=(good, bad)))

    assert found.options[0] == good
    assert found.options[1].sidecar is None
    assert "'../../etc/cron.d/x' is not a name" in found.options[1].obstacle
