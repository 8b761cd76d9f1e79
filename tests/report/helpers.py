"""Reports with defaults, and one of a mesh as it may look some night."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from recommender.access_logs import LineCounts, SkippedLines
from recommender.mesh import MeshNote, WorkloadId
from recommender.received import BlindSpot, Called, CalledPort
from recommender.recommendation.model import (
    EMPTY_SCOPE,
    LeftOut,
    Note,
    Recommendation,
    Recommendations,
)
from recommender.report import Report
from recommender.service_graph import Received, UnknownPod
from recommender.sidecars import WrittenFiles
from tests.sidecars.helpers import evidence, recommendation

LEGACY = "payments/Deployment/legacy-billing-adapter"


def report(*workloads: str, **more: Any) -> Report:
    """Make a report in which all is well, of some workloads."""
    made = Report(
        recommendations=Recommendations(tuple(recommendation(w) for w in workloads)),
        lines=LineCounts(24, 24),
        mesh_notes=(),
        istio_version=(1, 30),
        istio_version_known=True,
        out="sidecars",
        written=WrittenFiles(unchanged=tuple(f"{w}.yaml" for w in workloads)),
    )
    return replace(made, **more)


def workload(text: str) -> WorkloadId:
    return WorkloadId(*text.split("/"))


_PLAIN = {
    "data/StatefulSet/kafka": (1, 14, 220_100),
    "data/Deployment/inventory": (2, 4, 90_214),
    "loyalty/Deployment/cart-v2": (3, 9, 12_200),
    "loyalty/Deployment/points": (1, 2, 600),
    "payments/Deployment/fraud": (4, 6, 48_011),
    "shop/Deployment/catalog-v1": (2, 2, 310_554),
    "shop/Deployment/catalog-v2": (2, 2, 310_001),
    "shop/Deployment/frontend": (11, 15, 2_204_113),
    "shop/Deployment/notifier": (1, 1, 92),
}
"""Workload -> hosts, services in scope, requests."""


def example() -> Report:
    """Make a report that has everything a report can have."""
    pods = (UnknownPod("shop", "canary-7d9f8b6c5-x2x4z", 1204), UnknownPod("tmp", "debug", 3))
    spots = (
        BlindSpot("the peer's address is of a node", 312),
        BlindSpot("the peer's address is of no pod in the mesh dump", 48_201),
    )
    skipped = (
        SkippedLines("not an access log line", 14_001, "logs/shop/frontend.log:17"),
        SkippedLines("cut short", 2, "logs/data/kafka-0.log.gz:99120"),
    )
    notes = (
        MeshNote("objects of a kind that plays no part", "Event", 1733),
        MeshNote("objects of a kind that plays no part", "Secret", 12),
        MeshNote("left out, since istiod would refuse it", "VirtualService a/b", 1, is_loss=True),
    )
    return Report(
        recommendations=Recommendations(
            tuple(sorted(_recommended(), key=lambda r: r.workload)), _left_out(), pods, spots
        ),
        lines=LineCounts(3_214_003, 3_200_000, skipped),
        mesh_notes=tuple(sorted(notes)),
        istio_version=(1, 30),
        istio_version_known=False,
        out="sidecars",
        written=WrittenFiles(
            created=("data/kafka.yaml", "shop/noop.yaml"),
            changed=("shop/checkout.yaml",),
            refreshed=tuple(f"shop/{i}.yaml" for i in range(8)),
            unchanged=tuple(f"shop/u{i}.yaml" for i in range(3)),
            removed=("shop/search.yaml",),
        ),
    )


def _recommended() -> list[Recommendation]:
    silent = Note("silent pods", "1 of 3 pods logged nothing")
    widened = Note("widened", "*/db.example: two ServiceEntries have this host")
    missed = Note("missed call", "today's Sidecar lacks ledger.payments, which was called")
    passes = [
        Note("unknown destination", f"{name} passes through, before and after")
        for name in ("api.partner.example", "\x1b[31mevil\u202e", "10.20.30.40")
    ]
    made = [
        recommendation(
            name,
            [f"h{i}/s{i}.example" for i in range(hosts)],
            services_after=after,
            evidence=evidence(requests),
            pods_logged=3,
        )
        for name, (hosts, after, requests) in _PLAIN.items()
    ]
    made += [
        recommendation("shop/Deployment/checkout", notes=(missed, widened), origin="own"),
        recommendation("shop/CronJob/stock-sync", notes=(silent,), evidence=evidence(12, 0, 1)),
        recommendation("payments/Deployment/users", notes=(silent, widened)),
        recommendation(LEGACY, notes=tuple(passes), origin="adopted"),
        recommendation("shop/Job/noop", [EMPTY_SCOPE], evidence=None, services_after=0),
    ]
    return made


def received_by(receiver: str | WorkloadId, host: str) -> Received:
    """Make what a workload received, by a call to a host or to an alias of it."""
    by = workload(receiver) if isinstance(receiver, str) else receiver
    services = (CalledPort(host, 9092), CalledPort(f"alias.{host}", 9093))
    return Received(Called(by, 19092, services, f"asked.{host}"), evidence(731))


def _left_out() -> tuple[LeftOut, ...]:
    hand_made = "Sidecar data/default selects it too; merge them or run with --adopt"
    return (
        LeftOut(workload("data/StatefulSet/postgres"), "hand-made Sidecar", hand_made),
        LeftOut(
            workload("payments/Deployment/ledger"),
            "calls only received",
            "others received its calls to kafka.data.svc.cluster.local; it logged nothing",
            received=(received_by("data/StatefulSet/kafka", "kafka.data.svc.cluster.local"),),
        ),
        LeftOut(workload("payments/Deployment/payment"), "logged nothing"),
        LeftOut(workload("shop/DaemonSet/agent"), "logged nothing"),
        LeftOut(workload("shop/Deployment/search"), "not proved", "a call to x.example"),
    )
