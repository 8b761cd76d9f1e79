"""How many proxies each change of a mesh is pushed to (push fan-out)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.pushes import (
    DESTINATION_RULE,
    ENDPOINTS,
    SERVICE,
    VIRTUAL_SERVICE,
    ConfigKey,
    push_dependencies,
)
from recommender.istio.registry import ServiceKey
from recommender.istio.sidecar_scope import ScopeRules

COUNTED_KINDS = (SERVICE, ENDPOINTS, VIRTUAL_SERVICE, DESTINATION_RULE)
"""The kinds of changes whose reach a Sidecar decides, and that are counted."""


def changes_of(rules: ScopeRules) -> Iterator[ConfigKey]:
    """Yield each change that the objects of a mesh may have: one of each, one at a time.

    A route of the Gateway API is none of them: istiod has names of its own for what it makes of it.
    """
    for key in dict.fromkeys(service.key for service in rules.registry.services):
        yield ConfigKey(SERVICE, key.hostname, key.namespace)
        yield ConfigKey(ENDPOINTS, key.hostname, key.namespace)
    for vs in rules.mesh.virtual_services:
        if not vs.gateway_api:
            yield ConfigKey(VIRTUAL_SERVICE, vs.meta.name, vs.meta.namespace)
    for rule in rules.mesh.destination_rules:
        yield ConfigKey(DESTINATION_RULE, rule.meta.name, rule.meta.namespace)


@dataclass(slots=True)
class FanOut:
    """Count the proxies that depend on what may change.

    Proxies are added by their configuration, for which what it depends on is worked out once.
    """

    reached: Counter[ConfigKey] = field(default_factory=Counter)
    _proxies: dict[int, tuple[frozenset[ConfigKey], int]] = field(default_factory=dict)

    def add(self, config: ProxyConfig, own: Iterable[ServiceKey], proxies: int) -> None:
        """Add proxies; `own` are the services that select them (`needs_push`)."""
        known = self._proxies.get(id(config))
        depends = known[0] if known else push_dependencies(config.rules, config.scope, None)
        self._proxies[id(config)] = (depends, (known[1] if known else 0) + proxies)
        for service in own:
            key = ConfigKey(SERVICE, service.hostname, service.namespace)
            if key not in depends:
                self.reached[key] += proxies

    def settle(self) -> None:
        """Count what was added; configurations may be forgotten afterwards."""
        for depends, proxies in self._proxies.values():
            for key in depends:
                self.reached[key] += proxies
        self._proxies.clear()
