"""Istio's objects that attach to workloads."""

from __future__ import annotations

from dataclasses import dataclass, field

from recommender.mesh.objects.meta import Labels, ObjectMeta


@dataclass(frozen=True, slots=True)
class TelemetryEntry:
    """Describe one entry of a Telemetry's tracing or accessLogging list.

    `mode` is `match.mode`: CLIENT, SERVER or CLIENT_AND_SERVER (also when absent). `disabled` is
    `disableSpanReporting` or `disabled`, None when absent. Without `providers` or `disabled` it
    inherits. `filtered` tells that only some access log lines are written.
    """

    providers: tuple[str, ...] = ()
    mode: str = "CLIENT_AND_SERVER"
    disabled: bool | None = None
    filtered: bool = False


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Describe what decides a Telemetry's extension providers.

    `tracing` and `access_logging` hold one item per entry of those lists, in order.
    """

    meta: ObjectMeta
    selector: Labels = field(default_factory=dict)
    tracing: tuple[TelemetryEntry, ...] = ()
    access_logging: tuple[TelemetryEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorizationPolicy:
    """Describe an AuthorizationPolicy; `provider` is set for action CUSTOM."""

    meta: ObjectMeta
    selector: Labels = field(default_factory=dict)
    action: str = "ALLOW"
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class PeerAuthentication:
    """Describe a PeerAuthentication; without a selector it is for its whole namespace."""

    meta: ObjectMeta
    selector: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequestAuthentication:
    """Describe a RequestAuthentication by the hosts of its `jwksUri`s.

    `targeted` tells that it is for gateways or waypoints, and for no other proxy.
    """

    meta: ObjectMeta
    jwks_hosts: tuple[str, ...] = ()
    selector: Labels = field(default_factory=dict)
    targeted: bool = False


@dataclass(frozen=True, slots=True)
class EnvoyFilter:
    """Describe an EnvoyFilter by the outbound cluster names its patches mention."""

    meta: ObjectMeta
    workload_selector: Labels = field(default_factory=dict)
    clusters: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Return its kind, as an `Extension` has it."""
        return "EnvoyFilter"


@dataclass(frozen=True, slots=True)
class Extension:
    """Describe a WasmPlugin or TrafficExtension by the outbound cluster names that it mentions."""

    meta: ObjectMeta
    kind: str
    selector: Labels = field(default_factory=dict)
    clusters: tuple[str, ...] = ()
