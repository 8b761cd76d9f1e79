"""What istiod would refuse is not taken for part of the mesh; the mesh tells how logs are read."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from pathlib import Path

import pytest

from fixtures.shop import shop
from recommender.errors import InputError, UsageError
from recommender.pipeline import Sources, read_flows, read_mesh, recommend_sidecars
from recommender.report import Report
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


def test_all_objects_that_a_strict_run_lost_are_counted(tmp_path: Path) -> None:
    (tmp_path / "bare.json").write_text('{"a": 1} {"a": 2}', encoding="utf-8")
    (tmp_path / "one.json").write_text('{"a": 1}', encoding="utf-8")

    for name, number in (("one.json", "1 object"), ("bare.json", "2 objects")):
        with pytest.raises(InputError, match=f"; {number} could not be used"):
            read_mesh(Sources((), (tmp_path / name,)), Settings(strict=True), quiet)


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


def test_a_workload_whose_log_is_lost_keeps_its_file_and_is_listed(tmp_path: Path) -> None:
    """What others received from it tells of its calls, but not of those that leave the mesh."""
    whole = recommend_sidecars(Sources((SHOP / "logs",), (SHOP / "mesh",)), tmp_path / "out")
    others = [path for path in (SHOP / "logs").rglob("*.log") if "frontend" not in str(path)]
    answer = recommend_sidecars(Sources((*others,), (SHOP / "mesh",)), tmp_path / "out")

    def names(report: Report) -> set[str]:
        return {r.workload.name for r in report.recommendations.recommended}

    assert names(whole) - names(answer) == {"frontend"}
    (lost,) = [o for o in answer.recommendations.left_out if o.reason == "calls only received"]
    assert lost.workload.name == "frontend"
    called = {service.host.split(".")[0] for r in lost.received for service in r.called.services}
    assert called == {"cart-v2", "catalog", "checkout", "users"}
    assert answer.written is not None
    assert answer.written.kept == ("shop/frontend.yaml",)
    assert (answer.written.changed, answer.written.removed) == ((), ())


def mesh_that_logs(folder: Path, text: str) -> Path:
    """Write a mesh dump whose proxies log in a format."""
    path = folder / "istio.json"
    config = json.dumps({"accessLogFile": "/dev/stdout", "accessLogFormat": text})
    path.write_text(
        json.dumps(obj("v1", "ConfigMap", "istio", "istio-system", data={"mesh": config}))
    )
    return path


CUSTOM = "%START_TIME%|%REQ(:AUTHORITY)%|%DURATION%|%UPSTREAM_CLUSTER%"
LINE = "2026-11-23T12:16:11.401Z|reviews|5|outbound|80||reviews.shop.svc.cluster.local;\n"


def hosts_in(folder: Path, text: str, given: str = "") -> list[str]:
    """List the destinations of one line of the custom format."""
    log = folder / "a.log"
    log.write_text(LINE)
    named = Sources((log,), (mesh_that_logs(folder, text),), source_pod=("shop", "web-1"))
    settings = Settings(log_format=given)
    flows = read_flows(named, settings, quiet, read_mesh(named, settings, quiet))
    return flows.frame["destination_host"].to_list()


def test_logs_are_read_in_the_format_of_the_mesh_or_in_the_one_that_is_given(
    tmp_path: Path,
) -> None:
    assert hosts_in(tmp_path, CUSTOM) == ["reviews.shop.svc.cluster.local"]
    assert hosts_in(tmp_path, "%START_TIME% %PROTOCOL%", CUSTOM) == hosts_in(tmp_path, CUSTOM)
    for given in ("", "istio-text"):
        with pytest.raises(InputError, match="none of the 1 lines can be used"):
            hosts_in(tmp_path, "", given)


@pytest.mark.parametrize(
    ("of_mesh", "given", "hint"),
    [
        ("%START_TIME%|%DURATION%", "", "MeshConfig accessLogFormat has a log format that cannot"),
        ("%START_TIME%|%DURATION%", "istio-text", "--log-format is their only format"),
        ("", "", "where their format is not in the mesh dump"),
    ],
)
def test_why_no_line_can_be_used_is_told_by_the_format_that_was_to_read_them(
    tmp_path: Path, of_mesh: str, given: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        hosts_in(tmp_path, of_mesh, given)

    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["a.log", "b.log"])
def test_empty_logs_are_called_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.log").write_text("")
    (tmp_path / "b.log").write_bytes(BOM_UTF8)
    named = Sources((tmp_path / name,), (), source_pod=("shop", "web-1"))

    with pytest.raises(InputError, match="the logs are empty"):
        read_flows(named, Settings(), quiet)


def test_a_format_of_the_mesh_that_lacks_what_is_needed_is_noted(tmp_path: Path) -> None:
    named = Sources((), (mesh_that_logs(tmp_path, "%START_TIME% %PROTOCOL%"),))
    (note,) = [n for n in read_mesh(named, Settings(), quiet).notes if "log format" in n.reason]

    assert "neither %UPSTREAM_CLUSTER% nor %REQ(:AUTHORITY)%" in note.reason
    assert note.where == "MeshConfig accessLogFormat"
    with pytest.raises(UsageError, match="neither"):
        read_flows(named, Settings(log_format="%START_TIME% %PROTOCOL%"), quiet)
