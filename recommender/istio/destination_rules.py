"""The DestinationRule that a proxy uses for a service.

No Sidecar can hide one: what decides is the namespaces of the proxy, of the service and the root.
Source: istio model/push_context.go (`setDestinationRules`, `destinationRule`,
`getExportedDestinationRuleFromNamespace`), model/destination_rule.go (`mergeDestinationRule`),
model/sidecar.go (`SidecarScope.DestinationRule`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from recommender.istio.export_to import PRIVATE, PUBLIC
from recommender.istio.host_names import expand_short_name, is_subset, is_wildcard
from recommender.istio.proxy import Proxy
from recommender.istio.registry import RegistryService
from recommender.mesh.objects import DestinationRule, Labels, Mesh


@dataclass(frozen=True, slots=True)
class MergedRule:
    """Hold DestinationRules of one host and namespace put together.

    `sources` are (namespace, name), the oldest first, whose subsets come before those of others;
    `subsets` maps each to the labels of its endpoints. `http_options`, `outlier_detection` and
    `tls_modes` are those of the oldest rule that has a `traffic_policy`.
    """

    namespace: str
    sources: tuple[tuple[str, str], ...]
    subsets: Mapping[str, Labels]
    export_to: frozenset[str]
    workload_selector: Labels | None
    http_options: bool = False
    outlier_detection: bool = False
    traffic_policy: bool = False
    tls_modes: Mapping[int, str] = field(default_factory=dict)

    def tls_mode(self, port: int) -> str:
        """Return how connections to a port are secured, empty where istiod decides."""
        return self.tls_modes.get(port, self.tls_modes.get(0, ""))


_ByHost = dict[str, list[MergedRule]]


@dataclass(frozen=True, slots=True)
class RulesByHost:
    """Hold rules by host; `wildcards` are the hosts that are one, the longest first."""

    by_host: Mapping[str, list[MergedRule]] = field(default_factory=dict)
    wildcards: tuple[str, ...] = ()

    @classmethod
    def of(cls, by_host: Mapping[str, list[MergedRule]]) -> RulesByHost:
        """Index rules."""
        wildcards = filter(is_wildcard, by_host)
        return cls(by_host, tuple(sorted(wildcards, key=lambda host: (-len(host), host))))

    def most_specific(self, host: str) -> Iterable[MergedRule]:
        """Find the rules of the host itself, else of the longest wildcard that covers it."""
        if host in self.by_host:
            return self.by_host[host]
        covering = next((pattern for pattern in self.wildcards if is_subset(host, pattern)), None)
        return () if covering is None else self.by_host[covering]


_NO_RULES = RulesByHost()


@dataclass(frozen=True, slots=True)
class DestinationRules:
    """Hold a mesh's DestinationRules by who may use them."""

    root_namespace: str
    local: Mapping[str, RulesByHost]
    exported: Mapping[str, RulesByHost]
    root_private: RulesByHost

    def selector_labels(self) -> frozenset[tuple[str, str]]:
        """Return every pod label that some rule selects proxies by."""
        return frozenset(
            label
            for rules in self.local.values()
            for alike in rules.by_host.values()
            for rule in alike
            for label in (rule.workload_selector or {}).items()
        )

    def candidates(self, namespace: str, service: RegistryService) -> tuple[MergedRule, ...]:
        """List the rules for a service that a client namespace is sent: of one step only.

        First its own, then those next to the service, then those of the root namespace; a client
        in the root namespace starts with what is private there.
        """
        host = service.hostname
        if namespace == self.root_namespace:
            own = self.root_private.most_specific(host)
        else:
            own = self.local.get(namespace, _NO_RULES).most_specific(host)
        if own:
            return tuple(own)
        for home in (service.namespace, self.root_namespace):
            found = tuple(
                rule
                for rule in self.exported.get(home, _NO_RULES).most_specific(host)
                if not rule.export_to or rule.export_to & {PUBLIC, namespace}
            )
            if found:
                return found
        return ()

    def chosen(self, proxy: Proxy, service: RegistryService) -> MergedRule | None:
        """Choose the rule of an outbound call: one that selects the proxy, else one for all."""
        for_all: MergedRule | None = None
        for rule in self.candidates(proxy.namespace, service):
            if rule.workload_selector is None:
                for_all = rule
            elif rule.namespace == proxy.namespace and _selects(rule, proxy):
                return rule
        return for_all


def build_destination_rules(mesh: Mesh) -> DestinationRules:
    """Merge and group the DestinationRules of a mesh."""
    root = mesh.config.root_namespace
    private_default = PRIVATE in mesh.config.default_destination_rule_export_to
    local: dict[str, _ByHost] = defaultdict(dict)
    exported: dict[str, _ByHost] = defaultdict(dict)
    root_private: _ByHost = {}
    for rule in sorted(mesh.destination_rules, key=_precedence):
        namespace = rule.meta.namespace
        host = expand_short_name(rule.host, namespace, mesh.cluster_domain)
        new = _merged(rule)
        targets = new.export_to
        if not targets or targets & {PUBLIC, PRIVATE, namespace}:
            _merge_into(local[namespace], host, new)
        private = private_default if not targets else targets in ({PRIVATE}, {namespace})
        if not private:
            _merge_into(exported[namespace], host, new)
        elif namespace == root:
            _merge_into(root_private, host, new)
    return DestinationRules(
        root,
        {namespace: RulesByHost.of(rules) for namespace, rules in local.items()},
        {namespace: RulesByHost.of(rules) for namespace, rules in exported.items()},
        RulesByHost.of(root_private),
    )


def _precedence(rule: DestinationRule) -> tuple[bool, datetime, str, str]:
    return (rule.workload_selector is None, *rule.meta.age)


def _merged(rule: DestinationRule) -> MergedRule:
    """Take a rule by itself; one that selects workloads is never exported."""
    meta = rule.meta
    export_to = frozenset(rule.export_to or ())
    if rule.workload_selector is not None:
        export_to = frozenset({PRIVATE})
    source = (meta.namespace, meta.name)
    return MergedRule(
        meta.namespace,
        (source,),
        rule.subsets,
        export_to,
        rule.workload_selector,
        rule.http_options,
        rule.outlier_detection,
        rule.traffic_policy,
        rule.tls_modes,
    )


def _merge_into(rules: _ByHost, host: str, new: MergedRule) -> None:
    """Add a rule to those of its host: into one that is alike, or beside them."""
    there = rules.setdefault(host, [])
    separate = True
    for position, existing in enumerate(there):
        wider = bool(existing.export_to) and new.export_to > existing.export_to
        if new.export_to != existing.export_to and not wider:
            separate = True
            continue
        separate = wider
        both_select = None not in (existing.workload_selector, new.workload_selector)
        if both_select and existing.workload_selector != new.workload_selector:
            separate = True
            continue
        if (existing.workload_selector is None) == (new.workload_selector is None):
            separate = False
        there[position] = _joined(existing, new)
    if separate:
        there.append(new)


def _joined(existing: MergedRule, new: MergedRule) -> MergedRule:
    deciding = existing if existing.traffic_policy else new
    return replace(
        existing,
        traffic_policy=deciding.traffic_policy,
        sources=existing.sources + new.sources,
        subsets={**new.subsets, **existing.subsets},
        http_options=deciding.http_options,
        outlier_detection=deciding.outlier_detection,
        tls_modes=deciding.tls_modes,
    )


def _selects(rule: MergedRule, proxy: Proxy) -> bool:
    return (rule.workload_selector or {}).items() <= proxy.labels.items()
