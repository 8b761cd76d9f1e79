"""Istio's settings for a whole mesh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from recommender.mesh.objects.meta import LabelSelector
from recommender.mesh.route_settings import Retries


@dataclass(frozen=True, slots=True)
class AccessLogFormat:
    """Describe the format of an access log as configured.

    `text` is its format string and `labels` its JSON; istiod has a default of either for an
    empty one, and of text for neither.
    """

    text: str | None = None
    labels: Mapping[str, object] | None = None
    omits_empty: bool = False


@dataclass(frozen=True, slots=True)
class ExtensionProvider:
    """Describe an entry of MeshConfig extensionProviders.

    `kind` is the API's field name (`opentelemetry`, `envoyExtAuthzGrpc`, `envoyFileAccessLog`
    …); `service` is `[<namespace>/]<hostname>`, empty for a provider without a service;
    `log_format` is None where no access log with a format is written, and for the built-in
    provider that writes as MeshConfig says. `sampler` is the service that a tracer asks which
    traces to keep, empty where that is `service` or nobody.
    """

    name: str
    kind: str
    service: str = ""
    port: int = 0
    log_format: AccessLogFormat | None = None
    sampler: str = ""

    @property
    def services(self) -> tuple[str, ...]:
        """Return the services that a proxy calls for it."""
        return tuple(service for service in (self.service, self.sampler) if service)

    @property
    def json_log(self) -> bool:
        """Tell whether an access log is written as JSON."""
        return self.log_format is not None and self.log_format.labels is not None


@dataclass(frozen=True, slots=True)
class ServiceEntryVisibility:
    """Describe MeshConfig serviceEntryVisibility.

    A visibility is the API's word. Each of the `policies` has one, and the selectors of namespaces
    that must all match; None stands for a rule of another kind, which none matches.
    """

    applies_to_sidecars: bool = False
    default: str = ""
    policies: tuple[tuple[str, tuple[LabelSelector | None, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """Describe the parts of MeshConfig that decide scope, or its size.

    `outbound_traffic_policy` is the mode; the export lists are the mesh's defaults, as are
    `default_retries` those of routes without any of their own.
    """

    root_namespace: str = "istio-system"
    trust_domain: str = "cluster.local"
    outbound_traffic_policy: str = "ALLOW_ANY"
    default_service_export_to: tuple[str, ...] = ("*",)
    default_virtual_service_export_to: tuple[str, ...] = ("*",)
    default_destination_rule_export_to: tuple[str, ...] = ("*",)
    extension_providers: tuple[ExtensionProvider, ...] = ()
    default_tracing_providers: tuple[str, ...] = ()
    default_access_logging_providers: tuple[str, ...] = ()
    access_log_file: str = ""
    access_log_format: AccessLogFormat = field(default_factory=AccessLogFormat)
    dns_capture: bool = False
    interception_mode: str = ""
    discovery_selectors: tuple[LabelSelector, ...] = ()
    ingress_class: str = "istio"
    service_entry_visibility: ServiceEntryVisibility = field(default_factory=ServiceEntryVisibility)
    default_retries: Retries | None = None

    @property
    def access_log(self) -> Literal["", "TEXT", "JSON"]:
        """Return the encoding of what every proxy logs where no Telemetry says otherwise."""
        if not self.access_log_file:
            return ""
        return "TEXT" if self.access_log_format.labels is None else "JSON"
