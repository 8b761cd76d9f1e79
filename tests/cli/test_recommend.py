"""The command line: one sentence for what is wrong, status 2, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from recommender.cli.main import main

SHOP = Path(__file__).parents[2] / "fixtures" / "shop"
LOG = next((SHOP / "logs").rglob("frontend-*.log"))


def run(tmp_path: Path, *more: str, logs: str | Path = "", mesh: str | Path = "") -> int:
    """Run `recommend` on the shop, or on other sources."""
    sources = ["--logs", str(logs or SHOP / "logs"), "--mesh", str(mesh or SHOP / "mesh")]
    return main(["recommend", *sources, "--out", str(tmp_path / "out"), *more])


def test_the_main_job_writes_valid_sidecars_and_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 0
    printed = capsys.readouterr().out
    written = sorted((tmp_path / "out").rglob("*.yaml"))

    assert len(written) == 14
    for path in written:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert found["kind"] == "Sidecar"
        assert path == tmp_path / "out" / found["metadata"]["namespace"] / path.name
        assert f"{found['metadata']['namespace']}/" in printed
    assert "550 used" in printed
    assert str(tmp_path / "out") in printed


def test_json_has_a_version_and_every_workload(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--output", "json") == 0
    found = json.loads(capsys.readouterr().out)

    assert found["schema"] == 1
    assert (len(found["recommended"]), len(found["left_out"])) == (14, 24)


def test_a_pipe_gets_no_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)

    assert capsys.readouterr().err == ""


def test_a_second_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)
    capsys.readouterr()
    run(tmp_path)

    assert "14 unchanged" in capsys.readouterr().out


def written(folder: Path) -> dict[str, str]:
    """Read the Sidecars in a folder."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.yaml")}


def moved_services() -> str:
    """Dump the shop's namespaces and Services as another Kubernetes cluster may have them."""
    found: list[Any] = []
    for path in sorted((SHOP / "mesh").iterdir()):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            found += document["items"] if document.get("kind") == "List" else [document]
    kept = [each for each in found if each["kind"] in ("Namespace", "Service")]
    for each in kept:
        spec = each.get("spec", {})
        if spec.get("clusterIP", "None") != "None":
            spec["clusterIP"] = spec["clusterIP"].replace("10.", "172.", 1)
            spec.pop("clusterIPs", None)
    assert any("172." in str(each) for each in kept)
    return yaml.safe_dump_all(kept)


def test_naming_the_kubernetes_cluster_and_one_without_pods_beside_it_change_no_sidecar(
    tmp_path: Path,
) -> None:
    west = write(tmp_path, "west.yaml", moved_services())
    named = f"east={SHOP / 'mesh'}"
    for folder, more in (("one", ()), ("two", ("--mesh", f"west={west}"))):
        assert run(tmp_path / folder, *more, mesh=named) == 0
    assert run(tmp_path) == 0

    assert written(tmp_path / "one" / "out") == written(tmp_path / "out")
    assert written(tmp_path / "two" / "out") == written(tmp_path / "out")


def test_sources_of_a_named_and_of_an_unnamed_kubernetes_cluster_do_not_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--mesh", f"west={SHOP / 'mesh'}") == 2
    assert "NAME=SRC" in capsys.readouterr().err


def write(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


BAD = {
    "a missing log": ({"logs": "nowhere.log"}, ("nowhere.log", "no such file")),
    "a log glob without match": ({"logs": "no*.where"}, ("no*.where", "matches")),
    "a missing mesh": ({"mesh": "nowhere/"}, ("nowhere", "no such file")),
    "YAML that does not parse": ({"mesh": "bad.yaml"}, ("bad.yaml:2", "does not parse")),
    "JSON that does not parse": ({"mesh": "bad.json"}, ("bad.json:2", "does not parse")),
    "an object without a name": ({"mesh": "nameless.yaml"}, ("nameless.yaml:1", "name")),
    "no usable line": ({"logs": "prose.log"}, ("prose.log", "none of the 2 lines")),
    "pods of another mesh": ({"mesh": "other.yaml"}, ("none of the", "dump the pods")),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_status_2_and_no_output(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "bad.yaml", "kind: Pod\nmetadata: {name: ]\n")
    write(tmp_path, "bad.json", '{"kind": "Pod",\n"metadata" {}}')
    write(tmp_path, "nameless.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {}\n")
    write(tmp_path, "prose.log", "once upon a time\nthere was no proxy\n")
    write(tmp_path, "other.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n")
    sources, words = BAD[case]

    assert run(tmp_path, **sources) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1
    for word in words:
        assert word in captured.err
    assert not (tmp_path / "out").exists()


def test_a_line_of_no_use_is_counted_and_fails_only_when_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"{LOG.name}.1.gz"
    lines = LOG.read_bytes() + b"2026-11-24T17:20:31.2Z stdout F not an access log\n"
    (tmp_path / name).write_bytes(gzip.compress(lines))

    assert run(tmp_path, logs=tmp_path / name) == 0
    assert "not an access log line" in capsys.readouterr().out
    assert run(tmp_path, "--strict", logs=tmp_path / name) == 2
    assert "not an access log line" in capsys.readouterr().err


def test_what_proxies_write_beside_access_logs_is_no_failure_when_strict(tmp_path: Path) -> None:
    assert run(tmp_path, "--strict") == 0


def test_a_log_from_standard_input_needs_its_pod(tmp_path: Path) -> None:
    """The file's name would tell whose log it is; a pipe has none."""
    pod = LOG.name.split("_")[0]
    command = [sys.executable, "-m", "recommender.cli.main", "recommend", "--logs", "-"]
    command += ["--mesh", str(SHOP / "mesh"), "--out", str(tmp_path / "out")]
    told = subprocess.run(
        [*command, "--source-pod", f"shop/{pod}"],
        input=LOG.read_bytes(),
        capture_output=True,
        check=False,
    )
    untold = subprocess.run(command, input=LOG.read_bytes(), capture_output=True, check=False)

    assert told.returncode == 0, told.stderr
    assert (tmp_path / "out" / "shop" / "frontend.yaml").exists()
    assert untold.returncode == 2
    assert b"--source-pod" in untold.stderr


def test_adopting_takes_over_the_hand_made_sidecar(tmp_path: Path) -> None:
    assert run(tmp_path, "--adopt") == 0
    assert (tmp_path / "out" / "loyalty" / "points.yaml").exists()


def test_a_run_over_some_of_the_logs_leaves_the_other_files_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Silence is no evidence: not for a Sidecar, and not against one."""
    run(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.yaml")}
    capsys.readouterr()

    assert run(tmp_path, logs=LOG) == 0
    assert "13 kept" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in before if path.name != "frontend.yaml"} == {
        path: content for path, content in before.items() if path.name != "frontend.yaml"
    }


def test_an_empty_folder_name_is_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unset variable in a script must not empty the folder it runs in."""
    monkeypatch.chdir(tmp_path)

    assert run(tmp_path, "--out", "") == 2
    assert "--out" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--logs", "--mesh", "--settings"])
def test_an_empty_name_is_not_the_current_folder(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(SHOP)

    assert run(tmp_path, option, "") == 2
    assert f"'{option}': the name is empty" in capsys.readouterr().err


def test_a_terminal_without_unicode_and_a_full_disk_are_no_reason_to_crash(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "recommender.cli.main", "recommend"]
    command += ["--logs", str(SHOP / "logs"), "--mesh", str(SHOP / "mesh"), "--out", str(tmp_path)]
    # Unbuffered output would leave nothing to flush at the end.
    plain = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    latin = subprocess.run(
        command,
        env={**plain, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    with Path("/dev/full").open("wb") as full:
        disk = subprocess.run(command, env=plain, stdout=full, stderr=subprocess.PIPE, check=False)

    assert latin.returncode == 0, latin.stderr
    assert disk.returncode == 2
    assert b"Traceback" not in disk.stderr


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["flows", "--logs", "missing"]])
def test_an_error_that_cannot_be_printed_still_has_its_status(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "recommender.cli.main", *arguments]
    plain = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("wb") as full:
        told = subprocess.run(command, env=plain, stdout=full, stderr=subprocess.PIPE, check=False)
        untold = subprocess.run(command, env=plain, stdout=full, stderr=full, check=False)

    assert (told.returncode, untold.returncode) == (2, 2)
    assert told.stderr
    assert b"Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("stream", "status", "error"), [(0, 2, b"the logs are empty"), (1, 0, b""), (2, 0, b"")]
)
def test_a_standard_stream_that_is_closed_is_no_reason_to_crash(
    stream: int, status: int, error: bytes
) -> None:
    logs = "-" if stream == 0 else str(LOG)
    found = subprocess.run(
        [sys.executable, "-m", "recommender.cli.main", "flows", "--logs", logs],
        preexec_fn=lambda: os.close(stream),
        capture_output=True,
        check=False,
    )

    assert found.returncode == status, found.stderr
    assert error in found.stderr
    assert b"Traceback" not in found.stderr


@pytest.mark.parametrize("source", ["x" * 5000, "a\x00b"])
def test_a_name_that_no_file_can_have_is_a_sentence(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, mesh=source) == 2
    assert run(tmp_path, logs=source) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2


def test_an_unknown_command_or_option_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recomend"]) == 2
    assert main(["recommend", "--nonsense"]) == 2
    assert "No such command" in capsys.readouterr().err


def test_an_unknown_setting_names_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = write(tmp_path, "recommender.toml", "pined_hosts = []\n")

    assert run(tmp_path, "--settings", str(settings)) == 2
    assert "pinned_hosts" in capsys.readouterr().err


def test_names_in_the_settings_that_the_dump_lacks_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pin of a mistyped host would keep nothing, in silence."""
    text = 'pinned_hosts = ["data/redis.data"]\nroot_namespace = "istio-sytem"\n'
    settings = write(tmp_path, "recommender.toml", text)

    assert run(tmp_path, "--settings", str(settings)) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("! ")]
    assert any("pinned host: data/redis.data" in line for line in told)
    assert any("root namespace that the settings name: istio-sytem" in line for line in told)


@pytest.mark.parametrize("code", ["import recommender", "import recommender.cli.main"])
def test_starting_imports_nothing_heavy(code: str) -> None:
    heavy = "sorted({'polars', 'networkx', 'yaml', 'zstandard'} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print({heavy})"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == "[]"


def test_the_public_names_are_exactly_those_listed() -> None:
    import recommender

    for name in recommender.__all__:
        assert getattr(recommender, name).__doc__ or name.isupper()
    assert set(recommender._HOMES) == set(recommender.__all__)
    assert recommender.__all__ == sorted(recommender.__all__, key=_isort_key)


def _isort_key(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_the_version_of_istiod_can_be_told_and_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--istio-version", "1.29", "--output", "json") == 0
    assert json.loads(capsys.readouterr().out)["istio"] == {"version": "1.29", "known": True}
    assert run(tmp_path, "--istio-version", "9.9") == 0
    assert "whose rules are not known" in capsys.readouterr().out
    assert run(tmp_path, "--istio-version", "new") == 2
