"""What a call exercised, in words, so that none is left out unseen."""

from __future__ import annotations

from collections.abc import Iterator

from recommender.istio.resolution import Fate, Resolution
from recommender.istio.sidecar_scope import ScopeRules
from recommender.mesh import RequestMatch
from tests.istio.conformance_compare import resolve
from tests.istio.judge import JudgedCall
from tests.istio.random_calls import NOWHERE
from tests.istio.verdicts import Resolution as Judged

CALL_KINDS = (
    # What is not modelled is left out of recommendations: nothing is to be compared.
    *(f"a call {fate.value}" for fate in Fate if fate is not Fate.NOT_MODELLED),
    *(f"sent as {protocol}" for protocol in ("http", "http2", "tcp", "tls")),
    "at a listener of its own address",
    "at the listener of all addresses",
    "by a VirtualService",
    "by a method",
    "by a path, exact",
    "by a path, path-separated prefix",
    "by a path, prefix",
    "by a path, regex",
    "by a path, whatever its case",
    "by a wildcard host",
    "by an ExternalName",
    "by an authority",
    "by server name",
    "left no route by its request",
    "left one route by its request",
    "left several routes by its request",
    "of a Gateway API route",
    "of a sniffed virtual IP",
    "to a cluster that is not there",
    "to a pod",
    "to a subset",
    "to a virtual IP",
    "to an unknown address",
    "with a direct response",
    "with a mirror",
    "with a port in the host",
    "with a redirect",
    "with a short name",
    "with capitals in the host",
    "with several clusters",
)


def call_kinds(rules: ScopeRules, call: JudgedCall, istiod: Judged) -> Iterator[str]:
    """Yield the kinds that a call is of."""
    ours, flow = resolve(rules, call)
    yield f"a call {ours.fate.value}"
    yield f"sent as {call.protocol}"
    yield from _addressed(call)
    yield from _left(ours, flow)
    if 0 < istiod.route_number <= len(flow.routes):
        yield from _matched(flow.routes[istiod.route_number - 1].match)
    if istiod.listener.startswith("0.0.0.0_"):
        yield "at the listener of all addresses"
    elif istiod.listener.endswith(f"_{call.port}"):
        yield "at a listener of its own address"
    names = {
        "by a VirtualService": ours.virtual_service is not None,
        "by an ExternalName": ours.alias is not None,
        "by server name": bool(call.sni) and ours.fate is Fate.ROUTED,
        "by a wildcard host": (ours.host or "").startswith("*"),
        "of a Gateway API route": bool(ours.virtual_service and ours.virtual_service.gateway_api),
        "of a sniffed virtual IP": ":" in istiod.route_config,
        "to a cluster that is not there": any(not c.exists for c in istiod.clusters),
        "to a subset": any(c.name.split("|")[2:3] > [""] for c in istiod.clusters),
        "with a direct response": istiod.status > 0,
        "with a mirror": bool(istiod.mirrors),
        "with a redirect": istiod.redirect,
        "with several clusters": len(istiod.clusters) > 1,
    }
    yield from (name for name, is_so in names.items() if is_so)


def _left(ours: Resolution, flow: Resolution) -> Iterator[str]:
    """Tell how many of several routes a request may take."""
    if len(flow.routes) > 1 and not ours.routes:
        yield "left no route by its request"
    if len(flow.routes) > 1 and len(ours.routes) == 1 and not ours.may_miss:
        yield "left one route by its request"
    if len(ours.routes) > 1:
        yield "left several routes by its request"


def _matched(match: RequestMatch) -> Iterator[str]:
    """Tell what the route that istiod chose asks of a request."""
    if match.uri is not None:
        yield f"by a path, {match.uri.kind}"
        if match.ignore_uri_case:
            yield "by a path, whatever its case"
    if match.method is not None:
        yield "by a method"
    if match.authority is not None:
        yield "by an authority"


def _addressed(call: JudgedCall) -> Iterator[str]:
    if call.address in NOWHERE:
        yield "to an unknown address"
    else:
        yield "to a pod" if call.address.startswith("10.24") else "to a virtual IP"
    if ":" in call.host:
        yield "with a port in the host"
    if call.host != call.host.lower():
        yield "with capitals in the host"
    if call.host and "." not in call.host:
        yield "with a short name"
