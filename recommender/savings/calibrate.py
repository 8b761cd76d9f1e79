"""Compare the estimate for one proxy with what a config_dump says that it really has."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from recommender.config_dump import ConfigDump
from recommender.errors import InputError
from recommender.istio.config_size import size_of_resources
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.size_amounts import OutboundResources
from recommender.mesh import MeshIndex, WorkloadId
from recommender.mesh.pod_names import workload_of_pod
from recommender.recommendation.views import (
    ViewRules,
    Views,
    ipv6_only,
    known_labels,
    proxy_labels,
)
from recommender.savings.model import Calibration, TypeCalibration

_OTHERS = frozenset(
    (
        "BlackHoleCluster",
        "PassthroughCluster",
        "InboundPassthroughCluster",
        "virtualInbound",
        "virtualOutbound",
    )
)
"""What every proxy has whatever its scope."""
_HINT = "take the dump of a sidecar proxy whose pod is in the mesh dump"


def calibrate(
    dump: ConfigDump, index: MeshIndex, rules: ViewRules, estimated: Collection[WorkloadId]
) -> Calibration:
    """Compare a config_dump with the estimate for its proxy.

    Raises:
        InputError: The proxy is none of a workload that is estimated.
    """
    if dump.pod is None:
        what = f"its node id tells no pod: {dump.node_id[:100]!r}"
        raise InputError(f"the config_dump cannot be compared, {what}", hint=_HINT)
    namespace, pod = dump.pod
    workload = workload_of_pod(index, namespace, pod)
    if workload is None or workload not in estimated:
        what = "is of no workload of the mesh dump" if workload is None else "is not estimated"
        raise InputError(
            f"the config_dump is of {namespace[:100]}/{pod[:300]}, which {what}", hint=_HINT
        )
    config = _config(index, rules, workload, pod)
    return Calibration(
        namespace, pod, workload, dump.istio_version, dump.is_cut, _compared(dump, config)
    )


def _config(index: MeshIndex, rules: ViewRules, workload: WorkloadId, pod: str) -> ProxyConfig:
    """Return what a pod is sent today; one that is gone counts as one to come."""
    pods = index.pods_by_workload.get(workload, ())
    placed = [
        (p.meta.kubernetes_cluster, known_labels(p.meta.kubernetes_cluster, p.meta.labels))
        for p in pods
        if p.meta.name == pod
    ]
    placed = placed or proxy_labels(index, workload)
    views = Views(rules, workload.namespace).of_pods(placed[:1], ipv6_only(pods))
    return views[0].today


def _compared(dump: ConfigDump, config: ProxyConfig) -> dict[str, TypeCalibration]:
    resources = OutboundResources.of(config)
    expected: dict[str, dict[str, int]] = {xds: {} for xds in dump.resources}
    for xds, name, only in resources.each():
        expected[xds][name] = size_of_resources(config, only).bytes_of(xds)
    found = dict(dump.resources)
    # Envoy names all its clusters among those of EDS, also those that it resolves itself.
    resolved = expected["cds"].keys() - expected["eds"].keys()
    found["eds"] = {name: size for name, size in found["eds"].items() if name not in resolved}
    return {xds: _of_type(found[xds], expected[xds]) for xds in found}


def _of_type(found: Mapping[str, int], expected: Mapping[str, int]) -> TypeCalibration:
    """Compare the resources of one type by name."""
    outbound = {name: size for name, size in found.items() if not _is_other(name)}
    common = expected.keys() & outbound.keys()
    return TypeCalibration(
        len(common),
        len(outbound) - len(common),
        len(expected) - len(common),
        sum(outbound[name] for name in common),
        sum(expected[name] for name in common),
    )


def _is_other(name: str) -> bool:
    """Tell a resource that has nothing to do with scope: for inbound calls, or for every proxy."""
    return name.startswith("inbound|") or name in _OTHERS
