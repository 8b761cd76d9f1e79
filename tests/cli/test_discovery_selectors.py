"""The command `discovery-selectors`: idle namespaces and the selectors that hide them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from recommender.cli.main import main
from recommender.sidecars.manifest import MARKER
from tests.discovery.helpers import mesh_objects, namespace
from tests.istio.random_meshes import write_mesh
from tests.mesh.helpers import Object, obj
from tests.recommendation.helpers import mesh_config, service

SHOP = Path(__file__).parents[2] / "fixtures" / "shop"
LOGS, MESH = str(SHOP / "logs"), str(SHOP / "mesh")
COMMAND = [sys.executable, "-m", "recommender.cli.main", "discovery-selectors"]
LINE = (
    '{"start_time":"2026-11-24T12:00:00.000Z","response_code":200,"authority":"cart",'
    '"upstream_cluster":"outbound|8080||cart.shop.svc.cluster.local",'
    '"downstream_local_address":"10.96.0.1:8080","method":"GET","path":"/","protocol":"HTTP/1.1"}'
)
WEB = "web-7d9c5b8f6d-b2xxz"


def run(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """Run the command on the shop, or on what the arguments name; give what it prints."""
    given = arguments if "--mesh" in arguments else ("--logs", LOGS, "--mesh", MESH, *arguments)
    assert main(["discovery-selectors", *given]) == status
    captured = capsys.readouterr()
    return captured.err if status else captured.out


def run_on(
    capsys: pytest.CaptureFixture[str], folder: Path, *objects: Object, output: str = "json"
) -> str:
    """Run the command on the small mesh with some objects more."""
    write_mesh(folder / "mesh", mesh_objects(*objects))
    log = folder / "logs" / f"{WEB}_shop_istio-proxy-{'0' * 64}.log"
    log.parent.mkdir()
    log.write_text(f"{LINE}\n", encoding="utf-8")
    sources = ("--logs", str(folder / "logs"), "--mesh", str(folder / "mesh"))
    return run(capsys, *sources, "--output", output, "--out", str(folder / "out.yaml"))


def test_json_has_what_is_idle_and_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, "--output", "json"))

    assert [each["namespace"] for each in found["idle"]] == ["backoffice"]
    assert found["idle"][0]["services"] == 9
    kept = {each["namespace"]: [need["kind"] for need in each["needs"]] for each in found["kept"]}
    assert kept["partners"] == ["called"]
    assert kept["observability"] == ["provider", "sidecar"]
    assert found["proof"] == {
        "workloads": 14,
        "calls": 36,
        "sidecars": 14,
        "workloads_with_proxies": 23,
        "silent_workloads": 7,
    }
    assert found["selectors"]["label_to_add"] == {"key": "istio-discovery", "value": "disabled"}
    assert found["selectors"]["by_name"] == [
        {
            "matchExpressions": [
                {
                    "key": "kubernetes.io/metadata.name",
                    "operator": "NotIn",
                    "values": ["backoffice"],
                }
            ]
        }
    ]


def test_the_same_input_gives_the_same_bytes() -> None:
    outputs = {
        subprocess.run(
            [*COMMAND, "--logs", LOGS, "--mesh", MESH, "--output", output],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
        for output in ("json",)
    }

    assert len(outputs) == 1


def test_the_file_holds_the_selectors_and_what_they_are_made_from(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "selectors.yaml"
    printed = json.loads(run(capsys, "--output", "json", "--out", str(out)))
    text = out.read_text(encoding="utf-8")

    assert text.startswith(MARKER)
    assert "# Hides from istiod: backoffice" in text
    assert "#   kubectl label namespace backoffice istio-discovery=disabled" in text
    assert yaml.safe_load(text) == {
        "meshConfig": {"discoverySelectors": printed["selectors"]["discovery_selectors"]}
    }
    assert printed["out"] == str(out)
    run(capsys, "--out", str(out))
    assert out.read_text(encoding="utf-8") == text


def test_a_file_of_somebody_else_is_not_overwritten(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("mine", encoding="utf-8")
    link = tmp_path / "link.yaml"
    link.symlink_to(mine)

    for path in (mine, link, tmp_path):
        assert "not written by this tool" in run(capsys, "--out", str(path), status=2)
    assert mine.read_text(encoding="utf-8") == "mine"


def test_existing_labels_are_used_where_they_tell(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    house = [namespace("kube-system"), namespace("default")]
    found = json.loads(run_on(capsys, tmp_path, namespace("attic", stage="off"), *house))

    assert found["selectors"]["by"] == "existing labels"
    assert found["selectors"]["commands"] == []
    text = (tmp_path / "out.yaml").read_text(encoding="utf-8")
    (selector,) = yaml.safe_load(text)["meshConfig"]["discoverySelectors"]
    assert selector == {
        "matchExpressions": [{"key": "stage", "operator": "NotIn", "values": ["off"]}]
    }


def test_with_nothing_idle_the_selectors_in_force_stay(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = mesh_config("discoverySelectors: [{matchLabels: {mesh: 'on'}}]")
    labelled = [obj("v1", "Namespace", n, labels={"mesh": "on"}) for n in ("shop", "istio-system")]
    printed = run_on(capsys, tmp_path, config, *labelled, output="table")

    assert "Nothing to hide" in printed
    assert "Hidden already, by the selectors in force" in printed
    text = (tmp_path / "out.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["meshConfig"]["discoverySelectors"] == [
        {"matchLabels": {"mesh": "on"}}
    ]


@pytest.mark.parametrize("command", ["discovery-selectors", "recommend", "size"])
def test_selectors_that_istiod_ignores_are_a_warning_of_every_command(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = mesh_config("discoverySelectors: [{matchExpressions: [{key: mesh, operator: exist}]}]")
    run_on(capsys, tmp_path, config)
    sources = ("--logs", str(tmp_path / "logs"), "--mesh", str(tmp_path / "mesh"))
    out = ("--out", str(tmp_path / "sidecars")) if command == "recommend" else ()
    assert main([command, *sources, *out]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("! ")]

    assert any(
        "ignores all discoverySelectors and sees every namespace: discoverySel" in line
        for line in told
    )


def test_names_from_the_dump_are_no_commands_and_no_escapes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What is no Kubernetes name is never hidden, so it is in no command."""
    evil = "x; rm -rf ~ \x1b[31m\n- evil"
    labels = {"note": "\x1b[2J", "a\nb": "c"}
    more: list[Any] = [
        obj("v1", "Namespace", evil, labels=labels),
        service("s", evil, ip="10.96.6.6"),
        obj("v1", "Namespace", "attic", labels={**labels, "on": "yes"}),
        namespace("kube-system"),
        namespace("default"),
    ]
    table = run_on(capsys, tmp_path, *more, output="table")
    text = (tmp_path / "out.yaml").read_text(encoding="utf-8")

    assert "\x1b" not in table + text
    assert "rm -rf" not in text
    assert "rm -rf" not in table.partition("Selectors")[2]
    assert yaml.safe_load(text) == {
        "meshConfig": {
            "discoverySelectors": [
                {"matchExpressions": [{"key": "on", "operator": "NotIn", "values": ["yes"]}]}
            ]
        }
    }


def test_a_terminal_shows_it_in_its_width() -> None:
    master, slave = pty.openpty()
    done = subprocess.Popen(
        [*COMMAND, "--logs", LOGS, "--mesh", MESH],
        stdout=slave,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"},
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(master)
    done.communicate()
    lines = shown.decode().replace("\r\n", "\n").splitlines()

    assert done.returncode == 0
    long = [line for line in lines if len(line) > 80 and " " in line.strip()]
    assert long == []


def test_a_wrong_pin_is_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings = tmp_path / "recommender.toml"
    settings.write_text('pinned_hosts = ["nonsense"]\n', encoding="utf-8")

    assert "pinned_hosts" in run(capsys, "--settings", str(settings), status=2)
