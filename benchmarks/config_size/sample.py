"""Which proxies run as real Envoys, and what is changed while they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.config_size.envoys import Change
from benchmarks.config_size.errors import BenchmarkError
from benchmarks.config_size.istiod import Asked, Measured, ProxyName
from benchmarks.config_size.mesh import BenchmarkMesh
from benchmarks.config_size.plan import Application
from benchmarks.config_size.shape import CENTRAL

KINDS = ("Service", "VirtualService", "DestinationRule")


def stratified(asked: Asked, measured: Measured, count: int) -> list[int]:
    """Choose proxies of different workloads from the smallest configuration to the largest."""
    places = range(len(asked.proxies))
    ordered = sorted(places, key=lambda place: (measured.bytes_of(place), place))
    if count >= len(ordered):
        return ordered
    step = (len(ordered) - 1) / max(1, count - 1)
    return [ordered[round(number * step)] for number in range(count)]


def changes(mesh: BenchmarkMesh, sample: Sequence[ProxyName]) -> Iterator[Change]:
    """Yield changes that none of the sample needs, then one that all who call somebody need.

    Raises:
        BenchmarkError: The sample needs every service that could be changed.
    """
    needs = _needs(mesh)
    unrelated = _unrelated(mesh, {key for name in sample for key in needs[name.workload]}).service
    for kind in KINDS:
        yield Change(kind, unrelated.namespace, unrelated.name, needed=0)
    callers = sum("platform/auth" in needs[name.workload] for name in sample)
    yield Change("DestinationRule", "platform", "auth", needed=callers)


def _needs(mesh: BenchmarkMesh) -> dict[str, set[str]]:
    """The services that each workload calls or is behind."""
    found = {runner.workload.key: {runner.serves} for runner in mesh.plan.runners}
    for call in mesh.calls:
        found[call.caller].add(call.service)
    return found


def _unrelated(mesh: BenchmarkMesh, needed: set[str]) -> Application:
    """A service with all kinds of resources in the Kubernetes cluster that configures istiod."""
    for application in mesh.plan.applications:
        is_routed = application.part.routing in ("canary", "tenants")
        if is_routed and CENTRAL in application.runs_in and application.service.key not in needed:
            return application
    raise BenchmarkError(
        "the sampled proxies need every service that could be changed: sample fewer"
    )
