"""Where the logs of a benchmark are: every file is that of one pod, named as a node names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.log_requests import NAMESPACE, POD, pod_names

KINDS: Final = ("text", "json", "text-cri", "json-cri")
SIZES: Final = (1_000_000, 10_000_000)
ONE, MANY = "one", "many"
SHAPES: Final = (ONE, MANY)
# A file of so many lines is one that the kubelet does not rotate yet, as it does at 10 MB.
_LINES_OF_POD: Final = 10_000
_LEAST_PODS: Final = 10
# About what a line takes, to know before it is too late whether a disk holds the files.
_BYTES: Final = {"text": 420, "json": 780, "text-cri": 460, "json-cri": 820}
_PACKED: Final = 5


@dataclass(frozen=True, slots=True)
class PodLogs:
    """Name the logs of some pods, in one format: so many lines together, packed or not."""

    folder: Path
    kind: str
    lines: int
    pods: int = 1
    packed: bool = False

    @property
    def path(self) -> Path:
        """The file of one pod, or the folder with the files of many."""
        folder = self.folder / str(self.lines)
        if self.pods > 1:
            return folder / f"{self.pods}-pods{'-gz' if self.packed else ''}" / self.kind
        return folder / self.kind / self._name(0, POD)

    @property
    def files(self) -> Mapping[str, Path]:
        """The file of each pod."""
        return self._files(self.path)

    @property
    def unfinished(self) -> Path:
        """Where the path is until all is written."""
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def unfinished_files(self) -> Mapping[str, Path]:
        """The file of each pod until all is written."""
        return self._files(self.unfinished)

    @property
    def expected(self) -> Path:
        """The file with what must be found: rows of a pod, a day, FLOW_FIELDS and a number."""
        return self.folder / str(self.lines) / f"flows-of-{self.pods}-pods.parquet"

    @property
    def unpacked(self) -> PodLogs:
        """The same, not packed."""
        return replace(self, packed=False)

    @property
    def shape(self) -> str:
        """ONE or MANY."""
        return ONE if self.pods == 1 else MANY

    @property
    def about_bytes(self) -> int:
        """About how much of a disk they take."""
        size = _BYTES[self.kind] * self.lines
        return size // _PACKED if self.packed else size

    def _files(self, path: Path) -> Mapping[str, Path]:
        if self.pods == 1:
            return {POD: path}
        names = enumerate(pod_names(self.pods))
        return {pod: path / self._name(number, pod) for number, pod in names}

    def _name(self, number: int, pod: str) -> str:
        packed = ".gz" if self.packed else ""
        return f"{pod}_{NAMESPACE}_istio-proxy-{number:064x}.log{packed}"


def pods_of(shape: str, lines: int) -> int:
    """Say how many pods wrote so many lines, of ONE pod or MANY: each of these has a file."""
    return 1 if shape == ONE else max(_LEAST_PODS, lines // _LINES_OF_POD)
