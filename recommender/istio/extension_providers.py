"""Which services a proxy needs that no access log shows: of providers, extensions and keys.

istiod looks these services up in the whole registry, not in the proxy's scope; out of scope the
reference dangles (istio#53701). Source: istio model/telemetry_logging.go
(`LookupCluster`), security/authz/model (action CUSTOM), security/authn/policy_applier.go
(`convertToEnvoyJwtConfig`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from recommender.istio.registry import Registry, ServiceKey
from recommender.istio.sidecar_scope import ScopeRules
from recommender.istio.telemetry import (
    OutboundLogging,
    access_log_providers,
    outbound_logging,
    tracing_providers,
)
from recommender.mesh.objects import EnvoyFilter, Extension, Labels


def provider_services(
    rules: ScopeRules, namespace: str, labels: Labels
) -> dict[ServiceKey, tuple[str, ...]]:
    """Map each service that an applicable provider, filter or extension names to the reasons."""
    found: dict[ServiceKey, list[str]] = {}
    providers = {p.name: p for p in rules.mesh.config.extension_providers}
    for use, name in sorted(_providers_in_use(rules, namespace, labels)):
        for service in providers[name].services if name in providers else ():
            key = lookup_service(rules.registry, service)
            if key is not None:
                found.setdefault(key, []).append(f"{use} provider {name}")
    for key, reason in _services_of_keys(rules, namespace, labels):
        found.setdefault(key, []).append(reason)
    for key, reason in _services_by_cluster(rules, namespace, labels):
        found.setdefault(key, []).append(reason)
    return {key: tuple(dict.fromkeys(reasons)) for key, reasons in sorted(found.items())}


@dataclass(frozen=True, slots=True)
class ProviderGaps:
    """Hold what a proxy uses but the mesh dump does not tell.

    `unknown` are providers that no MeshConfig defines; `absent` maps (namespace or `*`, host) of
    services that the registry lacks to what names them.
    """

    unknown: tuple[str, ...]
    absent: Mapping[tuple[str, str], str]


def provider_gaps(rules: ScopeRules, namespace: str, labels: Labels) -> ProviderGaps:
    """Find the providers and clusters in use that `provider_services` cannot resolve."""
    providers = {p.name: p for p in rules.mesh.config.extension_providers}
    unknown: list[str] = []
    absent: dict[tuple[str, str], str] = {}
    for use, name in sorted(_providers_in_use(rules, namespace, labels)):
        if name not in providers:
            unknown.append(f"{use} provider {name}")
            continue
        for service in providers[name].services:
            home, slash, hostname = service.rpartition("/")
            if hostname not in rules.registry.by_hostname:
                absent[home if slash else "*", hostname] = f"{use} provider {name}"
    for name, hostname in _named_by_cluster(rules, namespace, labels):
        if hostname not in rules.registry.by_hostname:
            absent["*", hostname] = name
    return ProviderGaps(tuple(unknown), absent)


@dataclass(frozen=True, slots=True)
class Extensions:
    """Hold what Telemetries, policies and EnvoyFilters mean for a proxy."""

    logging: OutboundLogging
    services: Mapping[ServiceKey, tuple[str, ...]]
    gaps: ProviderGaps


@dataclass(frozen=True, slots=True)
class MeshExtensions:
    """Find what is attached to proxies; most have the same, which is worked out once."""

    rules: ScopeRules
    _found: dict[tuple[int, ...], Extensions] = field(default_factory=dict)

    def of(self, namespace: str, labels: Labels) -> Extensions:
        """Return what holds for a proxy."""
        key = self.rules.attachments.signature(namespace, labels)
        found = self._found.get(key)
        if found is None:
            asked = (self.rules, namespace, labels)
            found = Extensions(
                outbound_logging(*asked), provider_services(*asked), provider_gaps(*asked)
            )
            self._found[key] = found
        return found


def lookup_service(registry: Registry, service: str) -> ServiceKey | None:
    """Find a named service as `LookupCluster` does: without a namespace it must be unique."""
    namespace, slash, hostname = service.rpartition("/")
    by_namespace = registry.by_hostname.get(hostname, {})
    if slash:
        return ServiceKey(namespace, hostname) if namespace in by_namespace else None
    return ServiceKey(next(iter(by_namespace)), hostname) if len(by_namespace) == 1 else None


def _providers_in_use(
    rules: ScopeRules, namespace: str, labels: Labels
) -> Iterator[tuple[str, str]]:
    for name in tracing_providers(rules, namespace, labels):
        yield "tracing", name
    for name in access_log_providers(rules, namespace, labels):
        yield "access-log", name
    for name in rules.attachments.authorizers_of(namespace, labels):
        yield "ext_authz", name


def _services_of_keys(
    rules: ScopeRules, namespace: str, labels: Labels
) -> Iterator[tuple[ServiceKey, str]]:
    """Yield the services that keys are fetched from: by Envoy, where a flag of istiod says so."""
    for each in rules.attachments.request_authentications_of(namespace, labels):
        for hostname in each.jwks_hosts:
            key = lookup_service(rules.registry, hostname)
            if key is not None:
                yield key, f"RequestAuthentication {each.meta.namespace}/{each.meta.name}"


def _services_by_cluster(
    rules: ScopeRules, namespace: str, labels: Labels
) -> Iterator[tuple[ServiceKey, str]]:
    for name, hostname in _named_by_cluster(rules, namespace, labels):
        for owner in rules.registry.by_hostname.get(hostname, {}):
            yield ServiceKey(owner, hostname), name


def _named_by_cluster(
    rules: ScopeRules, namespace: str, labels: Labels
) -> Iterator[tuple[str, str]]:
    """Yield each EnvoyFilter and extension that applies with every host whose cluster it names."""
    attached = rules.attachments
    filters = attached.envoy_filters_of(namespace, labels)
    found: list[EnvoyFilter | Extension] = [*filters, *attached.extensions_of(namespace, labels)]
    for each in found:
        name = f"{each.kind} {each.meta.namespace}/{each.meta.name}"
        for cluster in each.clusters:
            yield name, cluster.split("|", 3)[-1]
