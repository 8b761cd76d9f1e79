"""The model pushes a change to the proxies that istiod pushes it to, on random meshes."""

from __future__ import annotations

import pytest

from tests.istio.conformance_pushes import PUSHED_KINDS, PushFindings, compare_pushes

MESHES = 60


@pytest.fixture(scope="module")
def found() -> PushFindings:
    """Let istiod judge random changes for every proxy of random meshes that just changed."""
    return compare_pushes(range(MESHES))


def test_changes_are_pushed_to_the_proxies_that_istiod_pushes_them_to(found: PushFindings) -> None:
    assert not found.differences, "\n".join(found.differences[:12])


def test_changes_of_every_kind_are_pushed_to_some_proxies_only(found: PushFindings) -> None:
    for kind in PUSHED_KINDS:
        pushed, spared = (found.decisions[kind, sent] for sent in (True, False))
        assert min(pushed, spared) > 100, (kind, pushed, spared)
