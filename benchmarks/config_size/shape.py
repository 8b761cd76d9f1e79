"""How large the mesh of the benchmark is."""

from __future__ import annotations

from dataclasses import dataclass

CENTRAL, TENANTS = "central", "tenants"
"""The Kubernetes clusters; the first configures istiod."""


CUSTOMERS = (
    *("acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "wonka", "tyrell"),
    *("cyberdyne", "soylent", "vehement", "massive", "oscorp", "aperture", "gringotts"),
)
"""The names of customers."""
_LEAST = {"customers": 0, "customer_services": 10, "shared_services": 10, "teams": 1, "nodes": 2}


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

    def __post_init__(self) -> None:
        if not 0 <= self.idle < 1:
            raise ValueError(f"idle is a share, from 0 to less than 1, not {self.idle}")
        if self.customers > len(CUSTOMERS):
            raise ValueError(
                f"there are names for {len(CUSTOMERS)} customers, not {self.customers}"
            )
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more, not {getattr(self, name)}")


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
