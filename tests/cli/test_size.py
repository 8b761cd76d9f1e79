"""The command `size`: what Sidecars save, and no file written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recommender.cli.main import main

SHOP = Path(__file__).parents[2] / "fixtures" / "shop"


def run(
    capsys: pytest.CaptureFixture[str], *arguments: str, mesh: Path = SHOP / "mesh", status: int = 0
) -> str:
    """Run `size` on the shop; give what it prints, or its error."""
    sources = ["--logs", str(SHOP / "logs"), "--mesh", str(mesh)]
    assert main(["size", *sources, *arguments]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def test_the_shop_is_estimated(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys)

    assert text.startswith("Configuration of 27 proxies in 20 workloads: ")
    assert "! Not estimated, gateway: 1 workload, 1 proxy" in text
    assert "Log lines: 670 read, 550 used, 120 skipped" in text


def test_the_same_input_gives_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (run(capsys, "--output", "json") for _ in range(2))

    assert first == second
    assert json.loads(first)["schema"] == 1


def test_sidecars_that_would_be_adopted_count_where_they_may(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left, adopted = (
        {
            each["workload"]["name"]: each["left_out"]
            for each in json.loads(run(capsys, "--output", "json", *more))["workloads"]
        }
        for more in ((), ("--adopt",))
    )

    assert left["points"] == "hand-made Sidecar"
    assert adopted["points"] is None


def test_nothing_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(capsys)

    assert list(tmp_path.iterdir()) == []


def test_a_config_dump_of_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "dump.json"
    path.write_text("{}", encoding="utf-8")
    text = run(capsys, "--config-dump", str(path), status=2)

    assert "dump.json: is no config_dump of an Envoy" in text
    assert text.count("\n") == 1


def test_what_is_wrong_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = run(capsys, mesh=tmp_path / "none", status=2)

    assert text.startswith("recommend-sidecars: ")
    assert text.count("\n") == 1
