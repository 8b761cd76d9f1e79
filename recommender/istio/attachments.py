"""What attaches to proxies by label beside Sidecars: Telemetries, policies, filters, extensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from recommender.mesh.label_index import SelectorIndex, selectors_by
from recommender.mesh.objects import (
    EnvoyFilter,
    Extension,
    Labels,
    Mesh,
    RequestAuthentication,
    Telemetry,
)

T = TypeVar("T")

_ByNamespace: TypeAlias = Mapping[str, SelectorIndex[T]]


@dataclass(frozen=True, slots=True)
class Attachments:
    """Hold by namespace what chooses proxies by label.

    `wide` is the Telemetry for a whole namespace: of several the oldest counts. `authorizers` are
    the extension providers of AuthorizationPolicies.
    """

    root_namespace: str
    wide: Mapping[str, Telemetry]
    selecting: _ByNamespace[Telemetry]
    authorizers: _ByNamespace[str]
    envoy_filters: _ByNamespace[EnvoyFilter]
    extensions: _ByNamespace[Extension]
    request_authentications: _ByNamespace[RequestAuthentication]

    def telemetries(self, namespace: str, labels: Labels) -> list[Telemetry]:
        """List the root namespace's Telemetry, the namespace's own, then all that select the pod.

        Source: istio model/telemetry.go `applicableTelemetries`.
        """
        levels = dict.fromkeys((self.root_namespace, namespace))
        found = [self.wide[level] for level in levels if level in self.wide]
        selecting = self.selecting.get(namespace)
        return found + (selecting.selecting(labels) if selecting else [])

    def authorizers_of(self, namespace: str, labels: Labels) -> list[str]:
        """List the extension providers that AuthorizationPolicies ask for a proxy."""
        return self._applying(self.authorizers, namespace, labels)

    def envoy_filters_of(self, namespace: str, labels: Labels) -> list[EnvoyFilter]:
        """List the EnvoyFilters that apply to a proxy, by namespace and name."""
        return self._applying(self.envoy_filters, namespace, labels)

    def extensions_of(self, namespace: str, labels: Labels) -> list[Extension]:
        """List the WasmPlugins and TrafficExtensions that apply to a proxy.

        Source: istio model/push_context.go `TrafficExtensionsByListenerInfo`, which has both.
        """
        return self._applying(self.extensions, namespace, labels)

    def request_authentications_of(
        self, namespace: str, labels: Labels
    ) -> list[RequestAuthentication]:
        """List the RequestAuthentications that apply to a proxy and fetch keys.

        Source: istio model/authentication.go `GetJwtPoliciesForWorkload`.
        """
        return self._applying(self.request_authentications, namespace, labels)

    def signature(self, namespace: str, labels: Labels) -> tuple[int, ...]:
        """Return what proxies have in common to which the same is attached."""
        telemetries = self.telemetries(namespace, labels)
        policies = self.authorizers_of(namespace, labels)
        filters = self.envoy_filters_of(namespace, labels)
        extensions = self.extensions_of(namespace, labels)
        requests = self.request_authentications_of(namespace, labels)
        return tuple(map(id, (*telemetries, *policies, *filters, *extensions, *requests)))

    def _applying(self, objects: _ByNamespace[T], namespace: str, labels: Labels) -> list[T]:
        homes = sorted({self.root_namespace, namespace})
        return [
            each for home in homes if home in objects for each in objects[home].selecting(labels)
        ]


def build_attachments(mesh: Mesh) -> Attachments:
    """Sort what attaches to the proxies of a mesh."""
    oldest_first = sorted(mesh.telemetries, key=lambda t: t.meta.age)
    wide: dict[str, Telemetry] = {}
    for telemetry in oldest_first:
        if not telemetry.selector:
            wide.setdefault(telemetry.meta.namespace, telemetry)
    return Attachments(
        mesh.config.root_namespace,
        wide,
        selectors_by((t.meta.namespace, t.selector, t) for t in oldest_first if t.selector),
        selectors_by(
            (p.meta.namespace, p.selector, p.provider)
            for p in mesh.authorization_policies
            if p.provider
        ),
        selectors_by((f.meta.namespace, f.workload_selector, f) for f in mesh.envoy_filters),
        selectors_by((e.meta.namespace, e.selector, e) for e in mesh.extensions),
        selectors_by(
            (r.meta.namespace, r.selector, r)
            for r in mesh.request_authentications
            if r.jwks_hosts and not r.targeted
        ),
    )
