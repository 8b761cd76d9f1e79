"""The access logs of the benchmark's mesh, as a node keeps them, in Istio's default text format.

Every pod with a proxy logs every call of its workload and what it receives.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.access_logs import GRPC, HTTP, TCP, Way, filled, template
from benchmarks.config_size.plan import Call, Plan, Runner
from benchmarks.plan import Placed

_PROTOCOLS: Mapping[str, Mapping[str, str]] = {"grpc": GRPC, "tcp": TCP, "http": {}}
_LINES = 2  # of each way of calling, in each pod that calls


def write_logs(plan: Plan, folder: Path) -> None:
    """Write the log of every pod that has one."""
    folder.mkdir(parents=True)
    ends = _Ends(plan)
    received = _received(plan, ends)
    for runner in plan.runners:
        calls = ends.calls[runner.kubernetes_cluster, runner.workload.key]
        for placed in runner.pods if runner.workload.proxy else ():
            rng = random.Random(f"{plan.shape.seed} {placed.pod.key}")
            ways = [way for call in calls for way in ends.sent(call, placed)] * _LINES
            ways += received[placed.address]
            lines = sorted(filled(way, rng.getrandbits(160)) for way in ways)
            name = f"{placed.pod.name}_{placed.pod.namespace}_istio-proxy"
            path = folder / f"{name}-{placed.pod.container_id('istio-proxy')}.log"
            if lines:
                path.write_text("".join(lines), encoding="ascii")


class _Ends:
    """Who calls, and who answers."""

    def __init__(self, plan: Plan) -> None:
        self.calls: dict[tuple[str, str], list[Call]] = defaultdict(list)
        for call in plan.calls:
            self.calls[call.kubernetes_cluster, call.caller].append(call)
        self._runners: dict[str, list[Runner]] = defaultdict(list)
        for runner in plan.runners:
            self._runners[runner.serves].append(runner)
        self._ports = {a.service.key: a.service.ports for a in plan.applications}

    def answering(self, call: Call, envoy_cluster: str) -> list[Placed]:
        """The pods that an Envoy cluster has as endpoints."""
        subset = envoy_cluster.split("|")[2]
        return [
            placed
            for runner in self._runners[call.service]
            if subset in ("", runner.workload.version)
            for placed in runner.pods
        ]

    def target(self, call: Call) -> int:
        """The port of the pods."""
        port = next(p for p in self._ports[call.service] if p.number == call.port)
        return port.target or port.number

    def sent(self, call: Call, placed: Placed) -> Iterator[Way]:
        """How a pod logs a call: once for each Envoy cluster where its requests end."""
        for envoy_cluster in call.envoy_clusters:
            answering = self.answering(call, envoy_cluster)
            others = tuple(f"{other.address}:{self.target(call)}" for other in answering)
            routed = envoy_cluster.split("|")[2]
            fields = {
                "upstream_local_address": f"{placed.address}:%(port)d",
                "downstream_local_address": f"{call.address}:{call.port}",
                "downstream_remote_address": f"{placed.address}:%(other_port)d",
                "requested_server_name": "-",
                "upstream_host": "%(other)s",
                "upstream_cluster": envoy_cluster,
                "authority": call.authority,
                "route_name": _route_name(call) if routed else "default",
            }
            yield Way(_template(call, fields), others, 1)

    def received(self, call: Call, envoy_cluster: str, sender: Placed, place: Placed) -> Way:
        """How a pod logs a request that it received."""
        target = self.target(call)
        _, port, subset, host = envoy_cluster.split("|")
        fields = {
            "upstream_local_address": "127.0.0.6:%(port)d",
            "upstream_host": f"{place.address}:{target}",
            "downstream_local_address": f"{place.address}:{target}",
            "downstream_remote_address": "%(other)s:%(other_port)d",
            "requested_server_name": f"outbound_.{port}_.{subset}_.{host}",
            "upstream_cluster": f"inbound|{target}||",
            "authority": call.authority,
            "route_name": "default",
        }
        return Way(_template(call, fields), (sender.address,), 1)


def _received(plan: Plan, ends: _Ends) -> Mapping[str, Sequence[Way]]:
    """What each pod receives, by its address: each caller's pod reaches one pod each way."""
    found: dict[str, list[Way]] = defaultdict(list)
    callers = {(r.kubernetes_cluster, r.workload.key): r for r in plan.runners}
    for number, call in enumerate(plan.calls):
        for index, sender in enumerate(callers[call.kubernetes_cluster, call.caller].pods):
            for envoy_cluster in call.envoy_clusters:
                pods = ends.answering(call, envoy_cluster)
                place = pods[(number + index) % len(pods)]
                way = ends.received(call, envoy_cluster, sender, place)
                found[place.address].append(way)
    return found


def _route_name(call: Call) -> str:
    if len(call.envoy_clusters) > 1:
        return "canary"
    return call.tenant or "all"


def _template(call: Call, fields: Mapping[str, str]) -> str:
    return template({**HTTP, **fields, **_PROTOCOLS[call.protocol]}, is_json=False)
