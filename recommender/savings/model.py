"""What recommended Sidecars save, before anything is printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from recommender.istio.config_size import ConfigSize, sum_of
from recommender.istio.pushes import ConfigKey
from recommender.mesh import WorkloadId

EndpointSource = Literal["EndpointSlices", "pods", "none"]
"""What of a mesh tells the endpoints of its Services."""


@dataclass(frozen=True, slots=True)
class WorkloadSavings:
    """Hold what all proxies of a workload are sent, before and after.

    `before` is what they are sent today, `unscoped` what they would be without any Sidecar.
    `left_out` is the reason why the workload gets no Sidecar, empty where it does.
    """

    workload: WorkloadId
    proxies: int
    before: ConfigSize
    after: ConfigSize
    unscoped: ConfigSize
    left_out: str = ""

    @property
    def saved_bytes(self) -> int:
        """Return the bytes that all its proxies are spared; negative where they are sent more."""
        return self.before.bytes - self.after.bytes


@dataclass(frozen=True, slots=True, order=True)
class NotEstimated:
    """Count the workloads and proxies whose configuration is not estimated, and say why."""

    reason: str
    workloads: int
    proxies: int


@dataclass(frozen=True, slots=True)
class ChangeReach:
    """Count the proxies that istiod pushes a change to, before and after."""

    change: ConfigKey
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class TypeCalibration:
    """Compare the resources of one xDS type that a real proxy has with the estimate for it.

    Only those that both have are compared, `common`; `actual_bytes` and `estimated_bytes` are
    theirs.
    """

    common: int
    only_in_dump: int
    only_in_mesh: int
    actual_bytes: int
    estimated_bytes: int

    @property
    def factor(self) -> float:
        """Return by what estimates are multiplied; 1 where nothing could be compared."""
        known = self.actual_bytes and self.estimated_bytes > 0
        return self.actual_bytes / self.estimated_bytes if known else 1.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Hold how far off the estimate is for one real proxy, by xDS type.

    `istio_version` is that of the proxy, empty where its dump does not tell; `is_cut` tells that
    the dump ends early.
    """

    namespace: str
    pod: str
    workload: WorkloadId
    istio_version: str
    is_cut: bool
    types: Mapping[str, TypeCalibration]

    def scaled(self, size: ConfigSize) -> ConfigSize:
        """Return an estimate corrected by what the real proxy has."""
        factors = {xds: found.factor for xds, found in self.types.items()}
        return replace(
            size,
            **{f"{x}_bytes": round(size.bytes_of(x) * f) for x, f in factors.items()},
        )


@dataclass(frozen=True, slots=True)
class Savings:
    """Hold what the Sidecars of a recommendation save a mesh.

    `workloads` are sorted by what all their proxies are spared, the most first; `reach` by how
    many proxies a change reaches afterwards, the most first. With `calibration` all bytes are
    corrected by it.
    """

    workloads: tuple[WorkloadSavings, ...]
    not_estimated: tuple[NotEstimated, ...]
    reach: tuple[ChangeReach, ...]
    endpoints: EndpointSource
    calibration: Calibration | None = None

    @property
    def proxies(self) -> int:
        """Return how many proxies were estimated."""
        return sum(each.proxies for each in self.workloads)

    @property
    def before(self) -> ConfigSize:
        """Return what all proxies are sent today."""
        return sum_of(each.before for each in self.workloads)

    @property
    def after(self) -> ConfigSize:
        """Return what all proxies would be sent with the recommended Sidecars."""
        return sum_of(each.after for each in self.workloads)

    @property
    def unscoped(self) -> ConfigSize:
        """Return what all proxies would be sent without any Sidecar."""
        return sum_of(each.unscoped for each in self.workloads)
