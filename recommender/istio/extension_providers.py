"""Which services a proxy needs that no access log shows: extension providers, EnvoyFilters.

istiod looks these services up in the whole registry, not in the proxy's scope; out of scope the
reference dangles (istio#53701). Source: istio model/telemetry_logging.go
(`LookupCluster`), security/authz/model (action CUSTOM).
"""

from __future__ import annotations

from collections.abc import Iterator

from recommender.istio.registry import Registry, ServiceKey
from recommender.istio.sidecar_scope import ScopeRules
from recommender.istio.telemetry import access_log_providers, tracing_providers
from recommender.mesh.objects import ExtensionProvider, Labels, ObjectMeta


def provider_services(
    rules: ScopeRules, namespace: str, labels: Labels
) -> dict[ServiceKey, tuple[str, ...]]:
    """Map each service that an applicable provider or EnvoyFilter names to the reasons."""
    found: dict[ServiceKey, list[str]] = {}
    providers = {p.name: p for p in rules.mesh.config.extension_providers}
    for use, name in sorted(_providers_in_use(rules, namespace, labels)):
        key = lookup_service(rules.registry, providers[name]) if name in providers else None
        if key is not None:
            found.setdefault(key, []).append(f"{use} provider {name}")
    for key, reason in _envoy_filter_services(rules, namespace, labels):
        found.setdefault(key, []).append(reason)
    return {key: tuple(dict.fromkeys(reasons)) for key, reasons in sorted(found.items())}


def lookup_service(registry: Registry, provider: ExtensionProvider) -> ServiceKey | None:
    """Find a provider's service as `LookupCluster` does: without a namespace it must be unique."""
    namespace, slash, hostname = provider.service.rpartition("/")
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
    for policy in rules.mesh.authorization_policies:
        if policy.provider and _applies(rules, policy.meta, policy.selector, namespace, labels):
            yield "ext_authz", policy.provider


def _envoy_filter_services(
    rules: ScopeRules, namespace: str, labels: Labels
) -> Iterator[tuple[ServiceKey, str]]:
    for envoy_filter in rules.mesh.envoy_filters:
        meta = envoy_filter.meta
        if not _applies(rules, meta, envoy_filter.workload_selector, namespace, labels):
            continue
        for cluster in envoy_filter.clusters:
            for owner in rules.registry.by_hostname.get(cluster.split("|", 3)[-1], {}):
                key = ServiceKey(owner, cluster.split("|", 3)[-1])
                yield key, f"EnvoyFilter {meta.namespace}/{meta.name}"


def _applies(
    rules: ScopeRules, meta: ObjectMeta, selector: Labels, namespace: str, labels: Labels
) -> bool:
    return (
        meta.namespace in (namespace, rules.root_namespace) and selector.items() <= labels.items()
    )
