"""Recommendations with defaults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from recommender.mesh import WorkloadId
from recommender.recommendation.model import HostReason, Recommendation, RecommendedHost
from recommender.service_graph import Evidence

FIRST = datetime(2026, 11, 17, 6, 30, tzinfo=UTC)
LAST = datetime(2026, 11, 24, 23, 59, 59, 250_000, tzinfo=UTC)
HOSTILE = (
    "\n- '*/*'",
    "\r\nkind: Secret",
    "\x1b[2J\x1b]8;;http://evil.example\x07",
    "\u202emoc.live",
    "\u2028egress: []",
    "\x85x: y",
    "\u05d0\u0627",
    "a\u0301\u200b\u3164",
    "\ud800",
)


def evidence(requests: int = 24, errors: int = 1, days: int = 8) -> Evidence:
    return Evidence(requests, errors, FIRST, LAST, days)


def host(name: str, *reasons: HostReason) -> RecommendedHost:
    """Make a host entry; without a reason it was called."""
    return RecommendedHost(name, reasons or (HostReason("called", "", evidence()),))


def recommendation(
    workload: str | WorkloadId = "shop/Deployment/checkout",
    hosts: Iterable[str | RecommendedHost] = ("shop/cart.shop.svc.cluster.local",),
    **more: Any,
) -> Recommendation:
    """Make a recommendation; its Sidecar bears the workload's name."""
    id_ = WorkloadId(*workload.split("/")) if isinstance(workload, str) else workload
    made = Recommendation(
        workload=id_,
        name=id_.name,
        selector={"app": id_.name},
        hosts=tuple(h if isinstance(h, RecommendedHost) else host(h) for h in hosts),
        evidence=evidence(),
        calls=5,
        services_before=911,
        services_after=3,
        pods=3,
        pods_logged=2,
    )
    return replace(made, **more)
