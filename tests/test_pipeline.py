"""What istiod would refuse is neither taken for part of the mesh nor written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.shop import shop
from recommender.errors import InputError
from recommender.pipeline import Sources, read_mesh, recommend_sidecars
from recommender.settings import Settings
from tests.mesh.helpers import Object, obj

SHOP = Path(shop.__file__).parent
ISTIO = "networking.istio.io/v1"


def quiet(_: str) -> None:
    """Tell nobody of progress."""


def sources(folder: Path, sidecar: Object) -> Sources:
    """Name the shop's logs and mesh, with one Sidecar more."""
    path = folder / "sidecar.json"
    path.write_text(json.dumps(sidecar), encoding="utf-8")
    return Sources((SHOP / "logs",), (SHOP / "mesh", path))


def test_a_sidecar_to_be_applied_that_istiod_would_refuse_is_noted_and_fails_when_strict(
    tmp_path: Path,
) -> None:
    given = sources(tmp_path, obj(ISTIO, "Sidecar", "mine", spec={"egress": [{"hosts": ["x"]}]}))
    (note,) = [n for n in read_mesh(given, Settings(), quiet).notes if "refuse" in n.reason]

    assert "x has no namespace" in note.reason
    with pytest.raises(InputError, match="istiod would refuse it"):
        read_mesh(given, Settings(strict=True), quiet)


def test_no_sidecar_is_written_that_would_carry_over_what_istiod_refuses(tmp_path: Path) -> None:
    spec: Object = {"egress": [{"hosts": ["*/*"]}], "inboundConnectionPool": {}}
    created = "2026-01-01T00:00:00Z"
    given = sources(tmp_path, obj(ISTIO, "Sidecar", "stored", created=created, spec=spec))
    report = recommend_sidecars(given, tmp_path / "out")

    refused = [o for o in report.recommendations.left_out if o.reason == "refused by istiod"]
    assert {one.workload.namespace for one in refused} == {"shop"}
    assert refused[0].detail == "inboundConnectionPool: has neither http nor tcp"
    assert report.written is not None
    assert not (tmp_path / "out" / "shop").exists()
    assert (tmp_path / "out" / "loyalty").exists()
