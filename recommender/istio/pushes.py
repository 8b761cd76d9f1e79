"""Which changes make istiod push to a sidecar proxy.

Source: istio pilot/pkg/xds/proxy_dependencies.go (`DefaultProxyNeedsPush`,
`filterRelevantUpdates`), model/sidecar.go (`DependsOnConfig`, `collectImportedServices`,
`selectDestinationRules`, `selectAuthnPolicies`), model/authentication.go
(`addPeerAuthentication`). Left out: forced pushes (mesh configuration, networks), which reach every
proxy, and proxies with ISTIO_META_ENABLE_SELF_DISCOVERY or a subscription to addresses, of which
sidecars have neither by default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from recommender.istio.registry import RegistryService, ServiceKey
from recommender.istio.sidecar_scope import ScopeRules, SidecarScope
from recommender.mesh.objects import PeerAuthentication, Sidecar

SERVICE, ENDPOINTS = "ServiceEntry", "Endpoints"
VIRTUAL_SERVICE, DESTINATION_RULE = "VirtualService", "DestinationRule"
SIDECAR, PEER_AUTHENTICATION = "Sidecar", "PeerAuthentication"

_SCOPED_KINDS: Final = frozenset(
    (SERVICE, ENDPOINTS, VIRTUAL_SERVICE, DESTINATION_RULE, SIDECAR, PEER_AUTHENTICATION)
)
_NAMESPACED_KINDS: Final = frozenset(
    (
        "AuthorizationPolicy",
        "EnvoyFilter",
        "RequestAuthentication",
        "Telemetry",
        "TrafficExtension",
        "WasmPlugin",
    )
)
_NEVER: Final = frozenset(("Address", "Gateway"))
SCOPED_PEER_AUTHENTICATION: Final = (1, 30)


class ConfigKey(NamedTuple):
    """Name what changed; for the kinds ServiceEntry and Endpoints, `name` is the host.

    A Kubernetes Service is of kind ServiceEntry to istiod.
    """

    kind: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class PushTarget:
    """Describe a sidecar proxy by what decides whether a change is pushed to it.

    `dependencies` are those of its scope after the change, `previous` those before;
    `own_services` the services that select the proxy.
    """

    namespace: str
    dependencies: frozenset[ConfigKey]
    previous: frozenset[ConfigKey] = frozenset()
    own_services: frozenset[ServiceKey] = frozenset()


def push_dependencies(
    rules: ScopeRules, scope: SidecarScope, sidecar: Sidecar | None
) -> frozenset[ConfigKey]:
    """List what a scope, made by a Sidecar or by none, depends on."""
    return frozenset(_dependencies(rules, scope, sidecar))


def needs_push(target: PushTarget, changed: Iterable[ConfigKey], root_namespace: str) -> bool:
    """Tell whether a proxy is sent anything after a change."""
    return any(_is_relevant(target, key, root_namespace) for key in changed)


def relevant_changes(
    target: PushTarget, changed: Iterable[ConfigKey], root_namespace: str
) -> frozenset[ConfigKey]:
    """List the parts of a change that a proxy is sent something for."""
    return frozenset(key for key in changed if _is_relevant(target, key, root_namespace))


def _dependencies(
    rules: ScopeRules, scope: SidecarScope, sidecar: Sidecar | None
) -> Iterator[ConfigKey]:
    if sidecar is not None:
        yield ConfigKey(SIDECAR, sidecar.meta.name, sidecar.meta.namespace)
    for listener in scope.listeners:
        for vs in listener.virtual_services:
            yield ConfigKey(VIRTUAL_SERVICE, vs.meta.name, vs.meta.namespace)
    for service in scope.services.values():
        yield from _service_dependencies(rules, scope.namespace, service)
    for policy in _peer_authentications(rules, scope):
        yield ConfigKey(PEER_AUTHENTICATION, policy.meta.name, policy.meta.namespace)


def _service_dependencies(
    rules: ScopeRules, namespace: str, service: RegistryService
) -> Iterator[ConfigKey]:
    yield ConfigKey(SERVICE, service.hostname, service.namespace)
    yield ConfigKey(ENDPOINTS, service.hostname, service.namespace)
    for rule in rules.destination_rules.candidates(namespace, service):
        for home, name in rule.sources:
            yield ConfigKey(DESTINATION_RULE, name, home)


def _peer_authentications(rules: ScopeRules, scope: SidecarScope) -> Iterator[PeerAuthentication]:
    """Yield those of the proxy's, the root and, from 1.30 on, imported services' namespaces.

    Of several for a whole namespace, the oldest is the only one that counts from then on.
    """
    is_scoped = rules.version >= SCOPED_PEER_AUTHENTICATION
    homes = {scope.namespace, rules.root_namespace}
    if is_scoped:
        homes |= {service.namespace for service in scope.services.values()}
    with_one: set[str] = set()
    for policy in sorted(rules.mesh.peer_authentications, key=lambda p: p.meta.age):
        home = policy.meta.namespace
        if policy.selector or home not in with_one or not is_scoped:
            if home in homes:
                yield policy
            with_one |= set() if policy.selector else {home}


def _is_relevant(target: PushTarget, key: ConfigKey, root_namespace: str) -> bool:
    if key.kind in _NEVER:
        return False
    if key.kind in _NAMESPACED_KINDS:
        return key.namespace in (root_namespace, target.namespace)
    if key.kind not in _SCOPED_KINDS:
        return True
    is_own = key.kind == SERVICE and ServiceKey(key.namespace, key.name) in target.own_services
    return is_own or key in target.dependencies or key in target.previous
