"""Whether the command `size` counts the proxies that a change reaches as istiod does.

The bytes that it estimates are not compared here: istiod leaves out Istio's own filters, which a
stock Envoy does not have. `python -m tests.istio.config_size_fit --full-benchmark 60` does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.config_size.istiod import Measured

_KINDS = {"service": "Service"} | {kind: kind for kind in ("VirtualService", "DestinationRule")}
"""The kinds of changes as istiod was asked for them, by their names in the report."""


def reach_differences(
    estimated: Mapping[str, Any], measured: Mapping[str, Measured]
) -> Iterator[tuple[str, str, str]]:
    """Yield the changes that istiod pushes to another number of proxies than is estimated."""
    told = {
        (_KINDS[each["kind"]], each["namespace"], each["name"]): each
        for each in estimated["reach"]
        if each["kind"] in _KINDS
    }
    for variant, found in measured.items():
        for key in sorted({*found.reach, *told}):
            if key not in told or told[key][variant] != found.reach.get(key):
                yield key
