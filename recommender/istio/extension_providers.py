"""Which services a proxy needs that no access log shows: extension providers, EnvoyFilters.

istiod looks these services up in the whole registry, not in the proxy's scope; out of scope the
reference dangles (istio#53701). Source: istio model/telemetry.go (`applicableTelemetries`,
`Tracing`, `mergeLogs`), model/telemetry_logging.go (`LookupCluster`),
security/authz/model (action CUSTOM).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recommender.istio.registry import Registry, ServiceKey
from recommender.istio.sidecar_scope import ScopeRules
from recommender.mesh.objects import (
    ExtensionProvider,
    Labels,
    ObjectMeta,
    Telemetry,
    TelemetryEntry,
)

MODES = ("CLIENT", "SERVER")


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
    config = rules.mesh.config
    levels = list(_applicable_telemetries(rules, namespace, labels))
    tracing = [entry for level in levels for entry in level.tracing]
    for name in _tracing_providers(tracing, config.default_tracing_providers):
        yield "tracing", name
    logging = [level.access_logging for level in levels if level.access_logging]
    for name in _logging_providers(logging, config.default_access_logging_providers):
        yield "access-log", name
    for policy in rules.mesh.authorization_policies:
        if policy.provider and _applies(rules, policy.meta, policy.selector, namespace, labels):
            yield "ext_authz", policy.provider


def _applicable_telemetries(
    rules: ScopeRules, namespace: str, labels: Labels
) -> Iterator[Telemetry]:
    """Yield the root namespace's Telemetry, the namespace's own, then those that select the pod.

    Of several without a selector in one namespace the oldest counts.
    """
    wide: dict[str, Telemetry] = {}
    selecting: list[Telemetry] = []
    for telemetry in sorted(rules.mesh.telemetries, key=lambda t: _age(t.meta)):
        if not telemetry.selector:
            wide.setdefault(telemetry.meta.namespace, telemetry)
        elif telemetry.meta.namespace == namespace and telemetry.selector.items() <= labels.items():
            selecting.append(telemetry)
    for level in dict.fromkeys((rules.root_namespace, namespace)):
        if level in wide:
            yield wide[level]
    yield from selecting[:1]


def _tracing_providers(entries: Iterable[TelemetryEntry], defaults: tuple[str, ...]) -> set[str]:
    """Take the last provider named for each direction, unless its reporting is switched off."""
    provider = dict.fromkeys(MODES, defaults[0] if defaults else None)
    disabled = dict.fromkeys(MODES, False)
    for entry in entries:
        for mode in MODES if entry.mode not in MODES else (entry.mode,):
            if entry.providers:
                provider[mode] = entry.providers[0]
            if entry.disabled is not None:
                disabled[mode] = entry.disabled
    return {name for mode, name in provider.items() if name and not disabled[mode]}


def _logging_providers(
    levels: Iterable[tuple[TelemetryEntry, ...]], defaults: tuple[str, ...]
) -> set[str]:
    """Take the providers of the last level that names any, less those switched off."""
    levels = list(levels)
    names: set[str] = set(defaults)
    for level in levels:
        names = {name for entry in level for name in entry.providers} or names
    in_use = set() if levels else set(defaults)
    inherited = defaults
    for entry in (entry for level in levels for entry in level):
        inherited = entry.providers or inherited
        for name in set(inherited) & names:
            if entry.disabled and entry.mode not in MODES:
                in_use.discard(name)
            elif not entry.disabled:
                in_use.add(name)
    return in_use


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


def _age(meta: ObjectMeta) -> tuple[float, str, str]:
    return (meta.created.timestamp() if meta.created else 0.0, meta.name, meta.namespace)
