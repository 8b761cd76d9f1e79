"""What random meshes are made of: few names, so that they collide, and counted features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from tests.mesh.helpers import Object, obj

ISTIO = "networking.istio.io/v1"
ROOT_NAMESPACE = "istio-system"
NAMESPACES = ("a", "b", "c", ROOT_NAMESPACE)
HOMES = NAMESPACES[:3]
NAMES = ("s0", "s1", "s2", "s3")
OUTSIDE = ("api.ext.example", "www.ext.example", "db.example")
WILDCARDS = ("*.ext.example", "*.example", "*.a.svc.cluster.local", "*.svc.cluster.local", "*")
KUBERNETES = tuple(f"{name}.{ns}.svc.cluster.local" for ns in HOMES for name in NAMES)
EXPORTS = (["*"], ["."], ["a"], ["b", "c"], [".", "d"])
HIDDEN = (["~"], ["~", "c"])  # only for Services: istiod refuses the latter elsewhere
LABELS = ({"app": "x"}, {"app": "y"}, {"app": "x", "tier": "web"})
CALLERS = ({"app": "x", "tier": "api"}, {"app": "y"}, {"app": "x", "tier": "web"})
"""The labels of pods that call: a selector may choose one of them or two."""
PORTS: tuple[tuple[int, str], ...] = (
    (80, "http"),
    (8080, "http-web"),
    (9000, "grpc"),
    (5432, "tcp-db"),
    (443, "https"),
    (7000, "rest"),
    (3306, "sql"),
)
SUBSETS = ("v1", "v2")

T = TypeVar("T")


@dataclass
class Draw:
    """Draw at random from what a mesh may have; `used` counts the features it came to have.

    Most routes and DestinationRules are about a few `popular` Services, so that they meet; `known`
    are the namespaces and hosts of what there is, as a Sidecar would import it. What is asked of
    requests is drawn from the randomness `aside`.
    """

    random: Random
    features: frozenset[str]
    ties: bool
    used: Counter[str] = field(default_factory=Counter)
    number: int = 0
    popular: list[str] = field(default_factory=lambda: list(KUBERNETES[:1]))
    known: list[str] = field(default_factory=list)
    aside: Random = field(default_factory=Random)

    def of_requests(self) -> Draw:
        """Draw from randomness aside, so that nothing else is drawn otherwise."""
        return Draw(self.aside, self.features, self.ties, self.used)

    def on(self, feature: str, percent: int) -> bool:
        """Tell whether to use a feature here, and count it."""
        used = self.chance(percent) and feature in self.features
        if used:
            self.used[feature] += 1
        return used

    def chance(self, percent: int) -> bool:
        """Draw with a chance in a hundred."""
        return self.random.randrange(100) < percent

    def one(self, values: Sequence[T]) -> T:
        """Draw one."""
        return self.random.choice(values)

    def some(self, values: Sequence[T], most: int, least: int = 1) -> list[T]:
        """Draw distinct ones."""
        return self.random.sample(values, self.random.randint(least, min(most, len(values))))

    def between(self, least: int, most: int) -> int:
        """Draw a number."""
        return self.random.randint(least, most)

    def created(self) -> str:
        """Return one of few moments: objects of the same second are told apart by name."""
        return f"2026-01-01T00:00:0{self.random.randrange(4)}Z"

    def name(self, prefix: str) -> str:
        """Make a name whose order says nothing about its age."""
        self.number += 1
        return f"{prefix}{self.random.randrange(10)}-{self.number}"

    def address(self, shape: str = "{}") -> str:
        """Make an address, or a network, that nothing else has."""
        self.number += 1
        return shape.format(self.number if ":" in shape else f"10.0.0.{self.number}")

    def istio(self, kind: str, prefix: str, spec: dict[str, object], **more: object) -> Object:
        """Make an Istio object, perhaps with `exportTo`."""
        if kind != "Sidecar" and "exportTo" not in spec and self.on(f"exportTo of a {kind}", 35):
            hidden = HIDDEN[:1] if kind == "ServiceEntry" else ()
            spec["exportTo"] = self.one((*EXPORTS, *hidden))
        if self.chance(15):
            more["labels"] = {"team": "red"}
        created = more.pop("created", None) or self.created()
        namespace = more.pop("namespace", None) or self.one(NAMESPACES)
        return obj(
            ISTIO, kind, self.name(prefix), str(namespace), created=created, spec=spec, **more
        )


def protocol_of(port_name: str) -> str:
    """Return the protocol of a port's name, none for one to be sniffed."""
    prefix = port_name.split("-")[0].upper()
    return prefix if prefix in ("HTTP", "GRPC", "TCP", "HTTPS") else ""
