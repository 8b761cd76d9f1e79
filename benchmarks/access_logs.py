"""The access logs of a synthetic mesh, as a node keeps them: one file per pod, CRI layout.

Each pod logs what it sends and what it receives. Lines are made from templates, one for each way
of calling, of which only what differs from request to request is filled in.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.plan import Application, Edge, MeshPlan, Outside, Placed
from fixtures.shop.shop import Workload

_MINUTES = [
    f"2026-11-{day}T{hour:02}:{minute:02}"
    for day in (23, 24)
    for hour in range(24)
    for minute in range(60)
]
_MILLISECONDS = len(_MINUTES) * 60_000
_FAILING_SHARE = 0.02
_CRI = "%(start)s%(nano)06dZ stdout F "
_TEXT = (
    '[{start_time}] "{method} {path} {protocol}" {response_code} {response_flags} '
    "{response_code_details} {connection_termination_details} "
    '"{upstream_transport_failure_reason}" {bytes_received} {bytes_sent} {duration} '
    '{upstream_service_time} "{x_forwarded_for}" "{user_agent}" "{request_id}" "{authority}" '
    '"{upstream_host}" {upstream_cluster} {upstream_local_address} {downstream_local_address} '
    "{downstream_remote_address} {requested_server_name} {route_name}"
)
_NUMBERS = ("response_code", "bytes_received", "bytes_sent", "duration")
HTTP = {
    "start_time": "%(start)sZ",
    "method": "GET",
    "path": "/api/v1/items/%(item)d?page=%(page)d",
    "protocol": "HTTP/1.1",
    "response_code": "200",
    "response_flags": "-",
    "response_code_details": "via_upstream",
    "connection_termination_details": "-",
    "upstream_transport_failure_reason": "-",
    "bytes_received": "0",
    "bytes_sent": "%(size)d",
    "duration": "%(duration)d",
    "upstream_service_time": "%(duration)d",
    "x_forwarded_for": "-",
    "user_agent": "Go-http-client/1.1",
    "request_id": "%(id)s",
}
GRPC = {"method": "POST", "path": "/api.v1.Items/Get%(page)d", "protocol": "HTTP/2"}
_NOTHING = dict.fromkeys(("method", "path", "protocol", "response_code_details"), "-")
TCP = _NOTHING | {
    "response_code": "0",
    "upstream_service_time": "-",
    "user_agent": "-",
    "request_id": "-",
    "authority": "-",
    "route_name": "-",
}
_FAILED = {
    "response_code": "503",
    "response_flags": "UF,URX",
    "response_code_details": "upstream_reset_before_response_started",
    "upstream_transport_failure_reason": "delayed_connect_error:_Connection_refused",
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way of calling as its pod logs it: a template, and the other ends to choose from."""

    template: str
    others: tuple[str, ...]
    weight: float


def write_access_logs(plan: MeshPlan, folder: Path) -> None:
    """Write the log of every pod that has one; all lines together are as many as planned."""
    folder.mkdir(parents=True)
    callers = _callers(plan)
    for workload, placed, count in _shares(plan):
        rng = random.Random(f"{plan.sizes.seed} {placed.pod.key}")
        sent = list(_sent(plan, workload, placed))
        received = list(_received(plan, callers[workload.key], placed))
        inbound = count // 2 if sent and received else count if received else 0
        lines = [*_lines(sent, count - inbound, rng), *_lines(received, inbound, rng)]
        lines.sort()
        name = f"{placed.pod.name}_{placed.pod.namespace}_istio-proxy"
        path = folder / f"{name}-{placed.pod.container_id('istio-proxy')}.log"
        path.write_text("".join(lines), encoding="ascii")


def _shares(plan: MeshPlan) -> Iterator[tuple[Workload, Placed, int]]:
    """Share the lines out: the more popular what a pod serves, the more it logs."""
    popularity = {a.service.key: a.popularity for a in plan.applications}
    able = [
        (workload, placed, popularity.get(f"{workload.namespace}/{workload.app}", 0) + 0.02)
        for workload in plan.workloads
        if plan.edges[workload.key]
        for placed in plan.pods[workload.key]
    ]
    total = sum(weight for _, _, weight in able)
    done, reached = 0, 0.0
    for place, (workload, placed, weight) in enumerate(able):
        reached += weight
        last = place == len(able) - 1
        until = plan.sizes.lines if last else round(plan.sizes.lines * reached / total)
        if until > done:
            yield workload, placed, until - done
        done = until


def _lines(ways: Sequence[Way], count: int, rng: random.Random) -> Iterator[str]:
    """Fill in the templates."""
    if not count:
        return
    heights = list(itertools.accumulate(way.weight for way in ways))
    for way in rng.choices(ways, cum_weights=heights, k=count):
        yield filled(way, rng.getrandbits(160))


def filled(way: Way, noise: int) -> str:
    """A line of a way of calling, with what differs taken from 160 bits."""
    bits = f"{noise:040x}"
    at = noise % _MILLISECONDS
    return way.template % {
        "start": f"{_MINUTES[at // 60_000]}:{at % 60_000 / 1000:06.3f}",
        "nano": noise % 999_983,
        "item": noise >> 20 & 0xFFFF,
        "page": noise >> 36 & 7,
        "size": noise >> 40 & 0xFFFF,
        "duration": noise >> 56 & 0x7F,
        "port": 32768 + (noise >> 63 & 0x3FFF),
        "other_port": 32768 + (noise >> 77 & 0x3FFF),
        "other": way.others[(noise >> 91 & 0xFFFF) % len(way.others)],
        "id": f"{bits[:8]}-{bits[8:12]}-9{bits[13:16]}-a{bits[17:20]}-{bits[20:32]}",
    }


def _sent(plan: MeshPlan, workload: Workload, placed: Placed) -> Iterator[Way]:
    """The calls of a pod."""
    is_json = plan.logs_json(workload.namespace)
    own = {
        "upstream_local_address": f"{placed.address}:%(port)d",
        "downstream_remote_address": f"{placed.address}:%(other_port)d",
        "requested_server_name": "-",
        "upstream_host": "%(other)s",
    }
    for edge in plan.edges[workload.key]:
        if isinstance(edge.target, Outside):
            fields = HTTP | own | _outside_fields(edge.target)
            there = f"{edge.target.address}:{443 if edge.target.known else 80}"
            yield Way(template(fields, is_json), (there,), edge.weight)
            continue
        for changes, others, share in _service_fields(plan, workload, edge.target):
            fields = HTTP | own | changes
            yield Way(template(fields, is_json), others, edge.weight * share)
            if fields["authority"] != "-":
                failed = fields | _FAILED
                weight = edge.weight * share * _FAILING_SHARE
                yield Way(template(failed, is_json), others, weight)


def _service_fields(
    plan: MeshPlan, workload: Workload, called: Application
) -> Iterator[tuple[dict[str, str], tuple[str, ...], float]]:
    """How a call to a service is logged: once, or once for each subset."""
    answering = called.moved_to or called
    target = answering.port.target or answering.port.number
    fields = {
        "authority": _authority(workload, called),
        "downstream_local_address": f"{called.address}:{called.port.number}",
        "route_name": "moved" if called.moved_to else "default",
    }
    if called.kind == "headless":
        fields["downstream_local_address"] = "%(other)s"
    fields |= _protocol_fields(called)
    shares = {"v1": 0.9, "v2": 0.1} if called.kind == "subsets" else {"": 1.0}
    for subset, share in shares.items():
        chosen = [p for p in plan.endpoints(answering) if subset in ("", p.pod.workload.version)]
        if chosen:
            cluster = f"outbound|{answering.port.number}|{subset}|{answering.host}"
            route = {"route_name": "split"} if subset else {}
            others = tuple(f"{placed.address}:{target}" for placed in chosen)
            yield fields | {"upstream_cluster": cluster} | route, others, share


def _protocol_fields(called: Application) -> Mapping[str, str]:
    if called.kind == "grpc":
        return GRPC
    return TCP if called.kind in ("tcp", "headless") else {}


def _authority(workload: Workload, called: Application) -> str:
    """What a workload calls a service: never the same way everywhere."""
    service, port = called.service, called.port.number
    names = [f"{service.name}.{service.namespace}", called.host]
    if service.namespace == workload.namespace:
        names.append(service.name)
    name = names[len(workload.name) % len(names)]
    return name if port == 80 else f"{name}:{port}"


def _outside_fields(outside: Outside) -> dict[str, str]:
    """TLS to what a ServiceEntry knows, plain HTTP to what nobody knows."""
    if outside.known:
        return TCP | {
            "upstream_cluster": f"outbound|443||{outside.host}",
            "downstream_local_address": f"{outside.address}:443",
            "requested_server_name": outside.host,
        }
    return {
        "authority": outside.host,
        "upstream_cluster": "PassthroughCluster",
        "downstream_local_address": f"{outside.address}:80",
        "route_name": "allow_any",
    }


_Caller = tuple[Workload, Application, Edge]


def _callers(plan: MeshPlan) -> Mapping[str, list[_Caller]]:
    """Who calls the pods of each workload."""
    callers: dict[str, list[_Caller]] = defaultdict(list)
    for workload in plan.workloads:
        for edge in plan.edges[workload.key]:
            if not isinstance(edge.target, Outside) and plan.pods[workload.key]:
                answering = edge.target.moved_to or edge.target
                for key in {p.pod.workload.key for p in plan.endpoints(answering)}:
                    callers[key].append((workload, edge.target, edge))
    return callers


def _received(plan: MeshPlan, callers: Sequence[_Caller], placed: Placed) -> Iterator[Way]:
    """The requests that a pod receives."""
    is_json = plan.logs_json(placed.pod.namespace)
    for workload, called, edge in callers:
        answering = called.moved_to or called
        target = answering.port.target or answering.port.number
        fields = HTTP | {
            "authority": _authority(workload, called),
            "upstream_host": f"{placed.address}:{target}",
            "upstream_cluster": f"inbound|{target}||",
            "upstream_local_address": "127.0.0.6:%(port)d",
            "downstream_local_address": f"{placed.address}:{target}",
            "downstream_remote_address": "%(other)s:%(other_port)d",
            "requested_server_name": f"outbound_.{answering.port.number}_._.{answering.host}",
            "route_name": "default",
        }
        fields |= _protocol_fields(called)
        others = tuple(other.address for other in plan.pods[workload.key])
        yield Way(template(fields, is_json), others, edge.weight)


def template(fields: Mapping[str, str], is_json: bool) -> str:
    """The line of some fields, in Istio's default text or JSON."""
    if not is_json:
        return f"{_CRI}{_TEXT.format_map(fields)}\n"
    # response_flags is text even where there is none
    values = {
        key: None if value == "-" and key != "response_flags" else value
        for key, value in sorted(fields.items())
    }
    line = json.dumps(values, separators=(",", ":"))
    for key in _NUMBERS:
        line = line.replace(f'"{key}":"{fields[key]}"', f'"{key}":{fields[key]}')
    return f"{_CRI}{line}\n"
