"""What a user would write without this tool, for comparison in the same run."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import yaml

# The tail of Istio's default text, from the authority on.
_TAIL = re.compile(
    r'"(?P<authority>[^"]*)" "[^"]*" (?P<cluster>[^" ]*) [^" ]* [^" ]* [^" ]* [^" ]* [^"]*$'
)


def count_in_python(folder: Path) -> Counter[tuple[str, str]]:
    """Count the lines of each pod and Envoy cluster, line by line with `re` and `json`."""
    counts: Counter[tuple[str, str]] = Counter()
    for path in sorted(folder.rglob("*.log")):
        pod = path.name.split("_", 1)[0]
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for stored in file:
                line = stored.rstrip("\n").split(" ", 3)[3]
                if line.startswith("{"):
                    counts[pod, json.loads(line)["upstream_cluster"] or "-"] += 1
                elif match := _TAIL.search(line):
                    counts[pod, match["cluster"]] += 1
    return counts


def load_with_pyyaml(files: list[Path]) -> int:
    """Load YAML files with PyYAML's own fast loader, and count the objects in their lists."""
    objects = 0
    for path in files:
        for document in yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader):
            objects += len(document.get("items", [document]))
    return objects
