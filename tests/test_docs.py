"""The documents: what they quote really comes out, and what they name is really there."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import get_args

import click
import pytest

from recommender.access_logs.container_paths import container_log
from recommender.cli.main import cli, main
from recommender.discovery.model import NEED_KINDS
from recommender.mesh.kinds import kinds_that_count
from recommender.pipeline import Sources, report_discovery
from recommender.recommendation.model import ReasonKind
from recommender.report import render_discovery_json
from recommender.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CUT = "…"
COMMANDS = cli.list_commands(click.Context(cli))
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(p.startswith(".") or p == "out" for p in path.relative_to(ROOT).parts)
)


def marked_block(mark: str, text: str = README) -> str:
    """Return the code block below a comment such as `<!-- demo output -->`."""
    found = re.search(rf"<!-- {re.escape(mark)} -->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert found, f"no block is marked {mark!r}"
    return found[1]


def marked_blocks(mark: str) -> dict[str, str]:
    """Return the code blocks below comments such as `<!-- help: NAME -->` by name."""
    names = re.findall(rf"<!-- {mark}: (\S+) -->", README)
    return {name: marked_block(f"{mark}: {name}") for name in names}


def is_cut_from(quoted: str, whole: str) -> bool:
    """Tell whether a text is another one, but for runs of lines that `…` stands for."""
    parts = [re.escape(part) for part in re.split(rf"^{CUT}\n", quoted, flags=re.MULTILINE)]
    return re.fullmatch(r"(?:.*\n)+?".join(parts), whole) is not None


@pytest.mark.parametrize(
    ("quoted", "whole", "expected"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n…\nc\n", "a\nb\nb\nc\n", True),
        ("…\nc\n", "a\nb\nc\n", True),
        ("a\n…\n", "a\nb\n", True),
        ("a\n", "a\nb\n", False),
        ("b\n", "a\nb\n", False),
        ("a\n…\nb\n", "a\nb\n", False),
        ("b\n…\na\n", "a\n-\nb\n", False),
        ("…\nb\n", "a\nab\n", False),
    ],
)
def test_a_quote_may_be_cut_but_not_changed(quoted: str, whole: str, expected: bool) -> None:
    assert is_cut_from(quoted, whole) is expected


def test_the_flows_of_the_demo_are_what_the_readme_quotes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = ROOT / "fixtures" / "shop"
    assert main(["flows", "--logs", str(shop / "logs"), "--mesh", str(shop / "mesh")]) == 0

    assert is_cut_from(marked_block("flows output"), capsys.readouterr().out)


def test_the_idle_namespaces_of_the_demo_are_what_the_readme_quotes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = ROOT / "fixtures" / "shop"
    arguments = ["--logs", str(shop / "logs"), "--mesh", str(shop / "mesh")]
    assert main(["discovery-selectors", *arguments]) == 0

    assert is_cut_from(marked_block("discovery output"), capsys.readouterr().out)


def test_the_sizes_of_the_demo_are_what_the_readme_quotes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = ROOT / "fixtures" / "shop"
    assert main(["size", "--logs", str(shop / "logs"), "--mesh", str(shop / "mesh")]) == 0

    assert is_cut_from(marked_block("size output"), capsys.readouterr().out)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder like a clone, which may be written to."""
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def demo_arguments() -> list[str]:
    """Take the arguments of `make demo` from the Makefile."""
    found = re.search(r"^demo:.*\n\t\$\(BIN\)/recommend-sidecars (.*)$", MAKEFILE, re.MULTILINE)
    assert found
    return shlex.split(found[1])


def test_the_demo_prints_and_writes_what_the_readme_quotes(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(demo_arguments()) == 0
    assert is_cut_from(marked_block("demo output"), capsys.readouterr().out)

    files = marked_blocks("demo file")
    assert files
    for name, quoted in files.items():
        written = (clone / "out" / "shop" / name).read_text(encoding="utf-8")
        assert f"out/shop/{name}" in README
        assert is_cut_from(quoted, written)


def test_every_command_is_documented_with_its_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    blocks = marked_blocks("help")

    assert sorted(blocks) == sorted(COMMANDS)
    for command, quoted in blocks.items():
        assert main([command, "--help"]) == 0
        assert quoted == capsys.readouterr().out


def test_the_python_example_prints_what_the_readme_quotes(clone: Path) -> None:
    code = marked_block("python: run in a clone")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=clone,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout == marked_block("python output")


def test_every_setting_is_documented_with_its_default(tmp_path: Path) -> None:
    block = marked_block("settings")
    file = tmp_path / "recommender.toml"
    file.write_text(block, encoding="utf-8")

    assert list(tomllib.loads(block)) == [field.name for field in fields(Settings)]
    assert asdict(load_settings(file)) == asdict(Settings())
    commented = re.findall(r"^# .*\n(\w+) = ", block, re.MULTILINE)
    assert commented == [field.name for field in fields(Settings)]


def test_every_kind_that_is_read_is_in_the_dump_of_the_readme() -> None:
    block = marked_block("mesh dump")
    loop = re.search(r"for kind in (.*?); do", block, re.DOTALL)
    assert loop
    dumped = set(re.findall(r"[a-z0-9.-]+", block))
    dumped |= {f"{kind}.networking.istio.io" for kind in loop[1].split()}
    # Kubernetes has moved these kinds to the group `apps`.
    kinds = {(group, kind) for group, kind in kinds_that_count("") if group != "extensions"}
    wanted = {f"{_plural(kind)}.{group}" if group else _plural(kind) for group, kind in kinds}

    assert wanted - dumped == set()
    assert "secret" not in block.lower()


def _plural(kind: str) -> str:
    """Name the resource of a kind as kubectl does."""
    name = kind.lower()
    if name.endswith("s"):
        return f"{name}es"
    return f"{name[:-1]}ies" if re.search(r"[^aeiou]y$", name) else f"{name}s"


def test_logs_saved_as_the_readme_says_tell_their_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no Kubernetes cluster here: two lines of shell stand for kubectl."""
    kubectl = tmp_path / "kubectl"
    pods = "printf 'shop frontend-1\\ndata db-0\\n'"
    kubectl.write_text(f'#!/bin/sh\ncase $1 in get) {pods};; *) echo "$@";; esac\n', "utf-8")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    subprocess.run(["sh", "-ec", marked_block("shell: save logs")], cwd=tmp_path, check=True)
    found = {}
    for path in (tmp_path / "logs").iterdir():
        writer = container_log(path)
        assert writer
        found[writer.namespace, writer.pod, writer.container] = path.read_text(encoding="utf-8")

    assert found == {
        ("shop", "frontend-1", "istio-proxy"): "logs -n shop frontend-1 -c istio-proxy\n",
        ("data", "db-0", "istio-proxy"): "logs -n data db-0 -c istio-proxy\n",
    }


def test_every_reason_note_and_cause_of_leaving_out_is_explained() -> None:
    assert first_column("Reasons for a host") == sorted(get_args(ReasonKind))
    assert first_column("Idle namespaces") == sorted([*NEED_KINDS, *discovery_fields()])
    assert first_column("Notes") == sorted(names_given_to("Note", 0))
    assert first_column("Workloads left out") == sorted(
        names_given_to("LeftOut", 1) | {"gateway", "waypoint", "ztunnel"}
    )


def discovery_fields() -> list[str]:
    """List the fields of the JSON of `discovery-selectors`."""
    shop = ROOT / "fixtures" / "shop"
    report = report_discovery(Sources((shop / "logs",), (shop / "mesh",)))
    return list(json.loads(render_discovery_json(report)))


def first_column(heading: str) -> list[str]:
    """List the code words in the first column of the tables below a heading, sorted."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", README, re.M | re.S)
    assert section, f"no heading {heading!r}"
    cells = re.findall(r"^\| (`.*?) \|", section[1], re.MULTILINE)
    return sorted(word for cell in cells for word in re.findall(r"`(.+?)`", cell))


def names_given_to(function: str, position: int) -> set[str]:
    """Collect the literal names that the package gives to the notes or reasons it makes."""
    found: set[str] = set()
    for path in (ROOT / "recommender").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function:
                name = node.args[position]
                if isinstance(name, ast.Constant):
                    found.add(str(name.value))
    return found


@pytest.mark.usefixtures("clone")
def test_every_field_of_the_json_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*demo_arguments(), "--output", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)

    assert first_column("JSON") == sorted([*printed, *printed["recommended"][0]])
    assert f"`schema` is {printed['schema']};" in README


def test_the_documented_statuses_are_those_of_the_command() -> None:
    table = README.split("## Exit status")[1].split("##")[0]
    said = re.findall(r"([0-9]) [a-z]", (cli.help or "").split("Exit status:")[1])

    assert said == ["0", "2"]
    assert re.findall(r"^\| ([0-9]) \|", table, re.MULTILINE) == said


def test_every_command_of_ci_is_in_contributing() -> None:
    commands = [line for line in CI.splitlines() if re.match(r"make |export ", line)]

    assert {"make lint", "make test"} <= set(commands)
    assert "\n".join(commands) in CONTRIBUTING


def test_every_make_target_is_documented_and_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)) - {"help"}
    named = {
        name for text in (README, CONTRIBUTING) for name in re.findall(r"\bmake ([a-z-]+)`", text)
    }

    assert set(re.findall(r"^\| `make ([a-z-]+)` \|", CONTRIBUTING, re.MULTILINE)) == targets
    assert named <= targets


def test_the_rooms_in_contributing_are_the_layers_in_their_order() -> None:
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    layers = [name.removeprefix("recommender.") for name in reversed(contract["layers"])]
    table = CONTRIBUTING.split("<!-- rooms -->")[1].split("\n\n")[0]
    rooms = {path.stem for path in (ROOT / "recommender").iterdir() if path.suffix in ("", ".py")}

    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == layers
    assert {room for room in rooms if not room.startswith("_")} == set(layers)


def test_every_extra_is_documented() -> None:
    install = README.split("## Install")[1].split("##")[0]

    for extra in PROJECT["project"]["optional-dependencies"]:
        assert f"`{extra}`" in install


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_in_a_document_leads_somewhere(document: Path) -> None:
    for target, anchor in links(document.read_text(encoding="utf-8")):
        file = document.parent / target if target else document
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{target}#{anchor}"


def links(text: str) -> Iterator[tuple[str, str]]:
    """Yield the file and the anchor of each link that stays in the repository."""
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", link):
            target, _, anchor = link.partition("#")
            yield target, anchor


def anchors(text: str) -> set[str]:
    """Name the headings of a document as forges do."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("text", [README, CHANGELOG, CONTRIBUTING], ids=["readme", "log", "how"])
def test_scope_is_never_sold_as_access_control(text: str) -> None:
    words = re.findall(
        r"\b(?:allow|den(?:y|ie)|enforc|least.privilege|permi(?:t|ss))\w*", text, re.I
    )

    assert words == []


def test_the_changelog_has_full_sentences_under_known_headings() -> None:
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    entries = re.findall(r"^- (.*(?:\n  .*)*)", CHANGELOG, re.MULTILINE)

    assert re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)[0] == "[Unreleased]"
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= known
    assert entries
    for entry in entries:
        assert re.fullmatch(r"[A-Z`].*\.", entry, re.DOTALL), entry
