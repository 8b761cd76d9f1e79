"""The same lines in everything that ships logs give the same requests."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.access_logs.helpers import read, summed, write
from tests.access_logs.wrappings import (
    EXPANDED,
    NAMESPACE,
    OF_RUNTIMES,
    POD,
    WITHOUT_NAMESPACE,
    WRAPPED,
    golden_files,
    proxy_lines,
)

FILES = sorted(WRAPPED.iterdir())


def known_pod(file: Path) -> tuple[str, str | None] | None:
    """Tell what the user has to say of a file."""
    wrapping = file.name.split(".")[0]
    if wrapping in OF_RUNTIMES:
        return (NAMESPACE, POD)
    return (NAMESPACE, None) if wrapping in WITHOUT_NAMESPACE else None


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("bare")
    found = {}
    for name in ("istio_text.log", "istio_json.log"):
        bare = write(folder / name, proxy_lines(name))
        found[name] = summed(read(bare, pod=(NAMESPACE, POD)).requests)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_gives_the_requests_of_its_lines(
    file: Path, expected: dict[str, pl.DataFrame]
) -> None:
    is_json = file.name.split(".")[0] in EXPANDED
    bare = expected["istio_json.log" if is_json else "istio_text.log"]

    for batch_bytes in (1, 2000, 1 << 20):
        found = read(file, pod=known_pod(file), batch_bytes=batch_bytes)
        assert found.lines.read == found.lines.used == bare["requests"].sum()
        assert summed(found.requests).equals(bare)


def test_all_wrappings_in_one_file_are_told_apart(
    tmp_path: Path, expected: dict[str, pl.DataFrame]
) -> None:
    files = [file for file in FILES if "indented" not in file.name]
    mixed = write(tmp_path / "mixed.log", b"".join(file.read_bytes() for file in files))

    found = read(mixed, pod=(NAMESPACE, POD))

    assert found.lines.used == found.lines.read == 12 * len(files)
    assert summed(found.requests).height == expected["istio_text.log"].height


def test_the_files_are_what_is_written_of_the_wrappings() -> None:
    written = {file.name: file.read_bytes().decode() for file in FILES}

    assert written == golden_files()
