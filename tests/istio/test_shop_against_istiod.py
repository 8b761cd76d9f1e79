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
    # A pod of a gateway is no sidecar; istiod ignores Sidecars there, and so does this.
    calls = [call for call in shop_calls() if call.proxy_type == "sidecar"]

    assert len(calls) > 30
    assert compare(MESH, tmp_path, calls) == []
