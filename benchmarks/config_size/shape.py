"""How large the mesh of the benchmark is."""

from __future__ import annotations

from dataclasses import dataclass

CENTRAL, TENANTS = "central", "tenants"
"""The Kubernetes clusters; the first configures istiod."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Say how large a mesh is.

    Each of the `customers` has three namespaces with the same `customer_services`. For all
    customers are the `shared_services` in the namespaces of `teams`. `idle` is the share of
    namespaces whose services and pods nobody calls, and where no proxy is; they come on top of the
    services and pods. With `discovery_label`, namespaces in use have a label that idle ones lack.
    """

    customers: int = 9
    customer_services: int = 75
    shared_services: int = 372
    teams: int = 24
    pods: int = 2500
    nodes: int = 150
    hub_services: int = 60
    idle: float = 0.0
    discovery_label: bool = False
    seed: int = 1


FULL = Shape()
SMALL = Shape(
    customers=2,
    customer_services=14,
    shared_services=24,
    teams=4,
    pods=110,
    nodes=8,
    hub_services=12,
)
SHAPES = {"full": FULL, "small": SMALL}
