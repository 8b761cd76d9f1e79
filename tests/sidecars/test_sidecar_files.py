"""The folder holds the answer of the last run, and nothing of anyone else's is touched."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.errors import OutputError
from recommender.recommendation.model import EMPTY_SCOPE
from recommender.settings import Settings
from recommender.sidecars import WrittenFiles, render_sidecar, write_sidecars
from tests.sidecars.helpers import evidence, recommendation

Rendered = dict[tuple[str, str], str]

CART = ("shop", "cart")
FOREIGN = "apiVersion: v1\nkind: Secret\nmetadata: {name: cart, namespace: shop}\n"
LEFTOVER = ".recommend-sidecars-0123456789abcdef"
# A real crash: the kernel kills the process once a file is longer than allowed.
CRASHING = """
import resource, signal, sys
from pathlib import Path
from recommender.sidecars.files import write_sidecars
text = Path(sys.argv[2]).read_text()
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_sidecars(Path(sys.argv[1]), {("shop", "cart"): text})
"""


def rendered(*workloads: str, **more: Any) -> Rendered:
    """Render the Sidecars of workloads named `namespace/name`."""
    found = {}
    for workload in workloads:
        namespace, name = workload.split("/")
        made = recommendation(f"{namespace}/Deployment/{name}", **more)
        found[namespace, name] = render_sidecar(made, Settings())
    return found


def tree(folder: Path) -> dict[str, str]:
    """Read every file and folder below a folder."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


def test_files_are_named_by_namespace_and_name(tmp_path: Path) -> None:
    files = rendered("shop/cart", "data/db.main")
    written = write_sidecars(tmp_path / "new" / "out", files)

    assert written == WrittenFiles(created=("data/db.main.yaml", "shop/cart.yaml"))
    assert tree(tmp_path / "new" / "out") == {
        "data": "folder",
        "data/db.main.yaml": files["data", "db.main"],
        "shop": "folder",
        "shop/cart.yaml": files["shop", "cart"],
    }


def test_every_file_is_told_by_what_became_of_it(tmp_path: Path) -> None:
    write_sidecars(tmp_path, rendered("a/changed", "a/refreshed", "a/same", "b/stale"))
    written = write_sidecars(
        tmp_path,
        {
            **rendered("a/created", "a/same"),
            **rendered("a/changed", hosts=[EMPTY_SCOPE]),
            **rendered("a/refreshed", evidence=evidence(requests=99)),
        },
    )

    assert written == WrittenFiles(
        created=("a/created.yaml",),
        changed=("a/changed.yaml",),
        refreshed=("a/refreshed.yaml",),
        unchanged=("a/same.yaml",),
        removed=("b/stale.yaml",),
    )
    assert list(tree(tmp_path)) == [
        "a",
        *(f"a/{name}.yaml" for name in ("changed", "created", "refreshed", "same")),
    ]


def test_an_unchanged_file_is_not_touched(tmp_path: Path) -> None:
    write_sidecars(tmp_path, rendered("shop/cart"))
    before = (tmp_path / "shop/cart.yaml").stat()
    write_sidecars(tmp_path, rendered("shop/cart"))
    after = (tmp_path / "shop/cart.yaml").stat()

    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


NAMES = st.sets(st.sampled_from(["a/x", "a/y", "b/x", "c/z"]))


@settings(max_examples=40)
@given(st.lists(NAMES, min_size=1, max_size=4))
def test_what_earlier_runs_wrote_leaves_no_trace(runs: list[set[str]]) -> None:
    with TemporaryDirectory() as used, TemporaryDirectory() as fresh:
        for run in runs:
            write_sidecars(Path(used), rendered(*run))
        write_sidecars(Path(fresh), rendered(*runs[-1]))

        assert tree(Path(used)) == tree(Path(fresh))


def taken_over(text: str, change: str) -> str:
    """Edit a manifest of this tool as people do who take it over."""
    if change == "marker":
        return text.replace("# Written by", "# Once written by", 1)
    if change == "label":
        return text.replace("managed-by: recommend-sidecars", "managed-by: me")
    if change == "renamed":
        return text.replace("name: cart", "name: basket")
    if change == "conflict":
        return text.replace("spec:", "<<<<<<< ours\nspec:")
    return f"{text}---\n{FOREIGN}"


CHANGES = ("marker", "label", "renamed", "conflict", "second document")


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_someone_took_over_is_neither_removed_nor_overwritten(
    tmp_path: Path, change: str
) -> None:
    write_sidecars(tmp_path, rendered("shop/cart"))
    path = tmp_path / "shop/cart.yaml"
    path.write_text(taken_over(path.read_text(), change))
    before = tree(tmp_path)

    assert write_sidecars(tmp_path, {}) == WrittenFiles()
    with pytest.raises(OutputError, match=r"cart\.yaml: is in the way: not written by this tool"):
        write_sidecars(tmp_path, rendered("a/new", "shop/cart"))
    assert tree(tmp_path) == before


def test_foreign_files_stay(tmp_path: Path) -> None:
    foreign = ["kustomization.yaml", "shop/cart.yaml", "shop/x.yml", ".git/a.yaml", "Shop_1/b.yaml"]
    for name in foreign:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(FOREIGN)
    (tmp_path / "shop/binary.yaml").write_bytes(b"# Written by recommend-sidecars\n\xff\x00")
    (tmp_path / "shop/folder.yaml").mkdir()
    write_sidecars(tmp_path, rendered("shop/checkout"))
    written = write_sidecars(tmp_path, {})

    assert written == WrittenFiles(removed=("shop/checkout.yaml",))
    assert all((tmp_path / name).read_text() == FOREIGN for name in foreign)
    assert (tmp_path / "shop/folder.yaml").is_dir()
    assert (tmp_path / "shop/binary.yaml").exists()


@pytest.mark.parametrize("name", ["../outside", "..", "a/b", "/etc/cron.d/x", "A", "", "a\0"])
def test_a_name_never_becomes_a_path(tmp_path: Path, name: str) -> None:
    for place in ((name, "cart"), ("shop", name)):
        with pytest.raises(OutputError, match="is not a name"):
            write_sidecars(tmp_path / "out", {**rendered("shop/fine"), place: "x"})

    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("link", ["shop", "shop/cart.yaml"])
@pytest.mark.parametrize("target", ["existing", "missing"])
def test_a_symbolic_link_does_not_lead_outside(tmp_path: Path, link: str, target: str) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    write_sidecars(outside, rendered("shop/cart", "shop/old"))
    before = tree(outside)
    (out / link).parent.mkdir(parents=True)
    there = outside / link if target == "existing" else outside / "missing"
    (out / link).symlink_to(there)

    assert write_sidecars(out, {}) == WrittenFiles()
    with pytest.raises(OutputError, match="is in the way"):
        write_sidecars(out, rendered("shop/cart"))
    assert tree(outside) == before


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    write_sidecars(tmp_path / "out", rendered("shop/cart"))

    assert (tmp_path / "real/shop/cart.yaml").is_file()


def test_a_crash_in_the_middle_of_a_file_leaves_the_file_before_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_sidecars(out, rendered("shop/cart"))
    before = tree(out)
    hosts = [f"./{i}.example" for i in range(1000)]
    longer = rendered("shop/cart", hosts=hosts)
    (tmp_path / "text").write_text(longer[CART])
    arguments = [sys.executable, "-c", CRASHING, str(out), str(tmp_path / "text")]
    status = subprocess.run(arguments, check=False, cwd=Path(__file__).parents[2]).returncode
    after = tree(out)
    leftovers = set(after) - set(before)

    assert status == -signal.SIGXFSZ
    assert len(leftovers) == 1
    assert {k: v for k, v in after.items() if k in before} == before
    assert write_sidecars(out, longer) == WrittenFiles(changed=("shop/cart.yaml",))
    assert tree(out) == {"shop": "folder", "shop/cart.yaml": longer[CART]}


def test_what_a_crash_left_behind_is_removed_with_the_last_file(tmp_path: Path) -> None:
    write_sidecars(tmp_path, rendered("shop/cart"))
    (tmp_path / "shop" / LEFTOVER).write_text("half of")
    write_sidecars(tmp_path, {})

    assert tree(tmp_path) == {}


def test_a_leftover_that_is_a_link_does_not_harm_what_it_names(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "out/shop").mkdir(parents=True)
    (tmp_path / "out/shop" / LEFTOVER).symlink_to(precious)
    write_sidecars(tmp_path / "out", rendered("shop/cart"))

    assert precious.read_text() == "precious"
    assert not (tmp_path / "out/shop" / LEFTOVER).is_symlink()


def test_a_folder_that_cannot_be_written_says_where_and_what_to_try(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as below:
        write_sidecars(tmp_path / "file" / "out", rendered("shop/cart"))
    with pytest.raises(OutputError) as itself:
        write_sidecars(tmp_path / "file", rendered("shop/cart"))

    assert str(tmp_path / "file" / "out") in (below.value.where or "")
    assert "cannot be written: Not a directory" in below.value.what
    assert "permissions" in (below.value.hint or "")
    assert "is not a folder" in itself.value.what


def test_something_else_in_the_place_of_a_folder_or_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "b/cart.yaml").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    os.mkfifo(tmp_path / "c/cart.yaml")

    for namespace in ("a", "b", "c"):
        with pytest.raises(OutputError, match=f"{namespace}.*is in the way"):
            write_sidecars(tmp_path, rendered(f"{namespace}/cart"))


def test_a_file_is_as_readable_as_the_user_lets_files_be(tmp_path: Path) -> None:
    write_sidecars(tmp_path, rendered("shop/cart"))
    (tmp_path / "other").touch()

    mode = (tmp_path / "shop/cart.yaml").stat().st_mode
    assert mode == (tmp_path / "other").stat().st_mode
