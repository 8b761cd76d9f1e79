"""From logs to files: one Sidecar per workload, one per namespace, and back again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from recommender.cli.main import main
from recommender.mesh import load_mesh
from recommender.pipeline import Sources, recommend_sidecars, size_sidecars
from recommender.savings import chosen_namespaces, total
from recommender.settings import Settings

SHOP = Path(__file__).parents[1] / "fixtures" / "shop"
LOGS = SHOP / "logs"
SILENT = {
    "cart",
    "recommendations",
    "wishlist",
    "redis",
    "coupons",
    "tiers",
    "invoicing",
}
"""The workloads of the shop that logged nothing, so that their namespaces have no option."""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the shop's mesh without the workloads that logged nothing."""
    folder = tmp_path_factory.mktemp("mesh")
    for path in sorted((SHOP / "mesh").iterdir()):
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        for found in documents:
            if "items" in found:
                found["items"] = [each for each in found["items"] if not _is_silent(each)]
        text = yaml.safe_dump_all(documents)
        (folder / f"{path.stem}.yaml").write_text(text, encoding="utf-8")
    return folder


def _is_silent(each: dict[str, Any]) -> bool:
    is_workload = each["kind"] in ("Deployment", "ReplicaSet", "Pod", "CronJob", "StatefulSet")
    name = each["metadata"]["name"]
    of_silent = any(name == one or name.startswith(f"{one}-") for one in SILENT)
    return is_workload and of_silent and not name.startswith("cart-v2")


def run(mesh: Path, out: Path, granularity: str, *more: Path) -> dict[str, list[str]]:
    """Recommend, and return what became of the files."""
    report = recommend_sidecars(
        Sources((LOGS,), (mesh, *more)), out, Settings(granularity=granularity)
    )
    assert report.written is not None
    names = ("created", "changed", "unchanged", "removed", "kept")
    return {name: list(getattr(report.written, name)) for name in names}


def test_a_namespace_gets_one_file(mesh: Path, tmp_path: Path) -> None:
    files = run(mesh, tmp_path, "namespace")

    assert "shop/default.yaml" in files["created"]
    assert not any(
        name.startswith("shop/") for name in files["created"] if name != "shop/default.yaml"
    )
    found = yaml.safe_load((tmp_path / "shop" / "default.yaml").read_text(encoding="utf-8"))
    assert "workloadSelector" not in found["spec"]
    assert found["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "recommend-sidecars"}
    hosts = found["spec"]["egress"][0]["hosts"]
    own = run(mesh, tmp_path / "own", "workload")["created"]
    each = [yaml.safe_load((tmp_path / "own" / n).read_text(encoding="utf-8")) for n in own]
    per_workload = [e["spec"]["egress"][0]["hosts"] for e in each if "shop/" in f"{own}"]
    assert set(hosts) <= {host for found in per_workload for host in found}


def test_a_file_says_for_whom_and_what_follows_for_others(mesh: Path, tmp_path: Path) -> None:
    run(mesh, tmp_path, "namespace")
    text = (tmp_path / "shop" / "default.yaml").read_text(encoding="utf-8")

    assert "# Scope of the namespace shop: of every workload without its own" in text
    assert "# Proved for stock-sync, catalog-v1, catalog-v2, checkout, frontend, notifier" in text
    assert "# A new workload of the namespace gets this scope too, without any evidence." in text
    assert "# Note, unknown destination: frontend, fonts.cdn.example passes through" in text
    assert "    # for checkout, frontend\n" in text


def test_files_follow_the_granularity(mesh: Path, tmp_path: Path) -> None:
    """The folder is the whole answer: what the other granularity wrote goes."""
    first = run(mesh, tmp_path, "workload")
    wide = run(mesh, tmp_path, "namespace")
    same = run(mesh, tmp_path, "namespace")
    back = run(mesh, tmp_path, "workload")

    assert "shop/default.yaml" in wide["created"]
    assert "shop/frontend.yaml" in wide["removed"]
    assert not same["created"] + same["changed"] + same["removed"]
    assert "shop/default.yaml" in back["removed"]
    assert set(back["created"] + back["unchanged"]) == set(first["created"])


def test_a_namespaces_own_sidecar_in_the_mesh_is_replaced_by_itself(
    mesh: Path, tmp_path: Path
) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    files = run(mesh, out, "namespace")
    second = run(mesh, again, "namespace", out)

    assert second["created"] == files["created"]
    for name in files["created"]:
        first, other = (yaml.safe_load((f / name).read_text("utf-8")) for f in (out, again))
        assert first == other
    assert load_mesh([mesh, again]).sidecars


@pytest.mark.parametrize("granularity", ["workload", "namespace", "auto"])
def test_what_is_shown_is_what_is_chosen(mesh: Path, granularity: str) -> None:
    report = size_sidecars(Sources((LOGS,), (mesh,)), Settings(granularity=granularity))

    assert set(report.namespaces) == chosen_namespaces(report.trade_offs, granularity)
    assert {each.namespace for each in report.trade_offs} == {
        "data",
        "loyalty",
        "payments",
        "shop",
    }


def test_a_wider_scope_costs_bytes_and_pushes_and_saves_objects(mesh: Path) -> None:
    report = size_sidecars(Sources((LOGS,), (mesh,)))
    (shop,) = [each for each in report.trade_offs if each.namespace == "shop"]
    assert shop.wide is not None

    assert (shop.each.objects, shop.wide.objects) == (7, 1)
    assert shop.wide.bytes > shop.each.bytes
    assert shop.wide.pushes > shop.each.pushes
    scoped = [w for w in report.savings.workloads if w.workload.namespace == "shop"]
    assert shop.each.bytes == sum(w.after.bytes for w in scoped if not w.left_out)


def test_what_is_priced_is_what_is_measured_once_it_is_chosen(mesh: Path) -> None:
    report = size_sidecars(Sources((LOGS,), (mesh,)), Settings(granularity="namespace"))
    (shop,) = [each for each in report.trade_offs if each.namespace == "shop"]
    assert shop.wide is not None

    scoped = [w for w in report.savings.workloads if w.workload.namespace == "shop"]
    assert shop.wide.bytes == sum(w.after.bytes for w in scoped if not w.left_out)


def test_auto_never_costs_more_than_either(mesh: Path) -> None:
    found = size_sidecars(Sources((LOGS,), (mesh,))).trade_offs
    auto, workload, namespace = (
        total(found, chosen_namespaces(found, choice)).seconds
        for choice in ("auto", "workload", "namespace")
    )

    assert auto <= min(workload, namespace)


@pytest.mark.parametrize("command", ["recommend", "size"])
def test_both_commands_take_it(
    command: str, mesh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path)] if command == "recommend" else []
    sources = ["--logs", str(LOGS), "--mesh", str(mesh)]
    assert main([command, *sources, *out, "--granularity", "namespace"]) == 0
    table = capsys.readouterr().out
    assert main([command, *sources, *out, "--granularity", "namespace", "--output", "json"]) == 0
    found = json.loads(capsys.readouterr().out)

    if command == "recommend":
        assert "One Sidecar for the namespace, shop/default: stock-sync, catalog-v1" in table
        assert "shop/default scopes it with 6 others" in " ".join(table.split())
        names = {each["sidecar"]["namespace"] for each in found["namespace_sidecars"]}
    else:
        assert "all: --granularity namespace" in table
        names = {
            each["namespace"]
            for each in found["granularity"]["namespaces"]
            if each["chosen"] == "namespace"
        }
    assert "shop" in names


def test_an_unknown_granularity_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    sources = ["--logs", str(LOGS), "--mesh", str(SHOP / "mesh")]

    assert main(["size", *sources, "--granularity", "pod"]) == 2
    assert "'workload', 'namespace', 'auto'" in capsys.readouterr().err
