"""With the Sidecars recommended for the recorded shop, istiod sends every call as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.pipeline import Sources, recommend_sidecars
from recommender.settings import Settings
from tests.istio.judge import compare
from tests.istio.shop_calls import MESH, shop_calls

LOGS = MESH.parent / "logs"


@pytest.mark.parametrize("adopt", [False, True])
def test_the_recommended_sidecars_change_no_recorded_call(tmp_path: Path, adopt: bool) -> None:
    recommend_sidecars(Sources((LOGS,), (MESH,)), tmp_path, Settings(adopt=adopt))
    calls = shop_calls()

    assert len(calls) > 30
    assert compare(MESH, tmp_path, calls) == []
