"""What a call exercised, in words, so that none is left out unseen."""

from __future__ import annotations

from collections.abc import Iterator

from recommender.istio.call import Fate, Resolution
from tests.istio.judge import JudgedCall
from tests.istio.random_calls import NOWHERE
from tests.istio.verdicts import Resolution as Judged

CALL_KINDS = (
    *(f"a call {fate.value}" for fate in Fate if fate is not Fate.NO_ROUTE),
    *(f"sent as {protocol}" for protocol in ("http", "http2", "tcp", "tls")),
    "at a listener of its own address",
    "at the listener of all addresses",
    "by a VirtualService",
    "by an ExternalName",
    "by server name",
    "by a wildcard host",
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


def call_kinds(call: JudgedCall, ours: Resolution, istiod: Judged) -> Iterator[str]:
    """Yield the kinds that a call is of."""
    yield f"a call {ours.fate.value}"
    yield f"sent as {call.protocol}"
    yield from _addressed(call)
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
