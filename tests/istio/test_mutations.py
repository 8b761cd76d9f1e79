"""A rule that is inverted in the model is noticed by the answers that are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from recommender.istio import (
    binding,
    call,
    delegates,
    destination_rules,
    egress_hosts,
    listeners,
    registry,
    route_match,
    routes,
    sidecar_scope,
    sidecar_selection,
    virtual_hosts,
    virtual_services,
)
from recommender.istio.host_names import overlaps
from recommender.istio.protocols import Protocol
from recommender.istio.resolution import Fate
from tests.istio.conformance_record import Loaded

Wrong = Callable[..., Any]
Invert = Callable[[Wrong], Wrong]


def always(value: object) -> Invert:
    """Answer the same, whatever is asked."""
    return lambda _right: lambda *_args, **_kwargs: value


def _all_patterns(right: Wrong) -> Wrong:
    """Let a host entry import VirtualServices of any namespace."""

    def wrong(rules: Any, namespace: str, patterns: dict[str, Any]) -> Any:
        merged = egress_hosts.HostPatterns()
        for found in patterns.values():
            merged.exact.update(found.exact)
            merged.all.extend(found.all)
            merged.wild.extend(found.wild)
            merged.excluded.extend(found.excluded)
        return right(rules, namespace, {"*": merged})

    return wrong


def _first_met(_right: Wrong) -> Wrong:
    def wrong(services: Any, _namespace: str) -> dict[str, Any]:
        return {service.hostname: service for service in reversed(list(services))}

    return wrong


def _tcp_for_sniffed(right: Wrong) -> Wrong:
    def wrong(port: Any) -> Protocol:
        found: Protocol = right(port)
        return Protocol.TCP if found is Protocol.SNIFFED else found

    return wrong


def _shortest_wildcard(right: Wrong) -> Wrong:
    def wrong(self: Any, authority: str) -> Any:
        return right(replace(self, suffixes=tuple(reversed(self.suffixes))), authority)

    return wrong


def _prefix_anywhere(right: Wrong) -> Wrong:
    """Let a prefix of the Gateway API end within a segment."""

    def wrong(match: Any, path: str | None, ignore_case: bool) -> Any:
        separated = match.kind == "path-separated prefix"
        return right(replace(match, kind="prefix") if separated else match, path, ignore_case)

    return wrong


FAULTS: dict[str, tuple[object, str, Invert]] = {
    "a Sidecar without a selector comes first": (
        sidecar_selection,
        "_precedence",
        lambda right: lambda sidecar: (not right(sidecar)[0], *right(sidecar)[1:]),
    ),
    "the root namespace has no default Sidecar": (
        sidecar_scope,
        "order_sidecars",
        lambda right: lambda sidecars, _root: right(sidecars, "nowhere"),
    ),
    "a host entry matches what merely overlaps it": (
        egress_hosts,
        "is_subset",
        lambda _right: overlaps,
    ),
    "~ excludes nothing": (egress_hosts.HostPatterns, "excludes", always(False)),
    "exportTo hides no service": (
        registry.Registry,
        "visible_from",
        lambda _right: lambda self, _namespace: self.services,
    ),
    "the first namespace of a host wins": (sidecar_scope, "namespace_winners", _first_met),
    "exact hosts are not looked up in the index": (
        sidecar_scope,
        "_exact_candidates",
        always(None),
    ),
    "any namespace's VirtualService is imported": (
        sidecar_scope,
        "_select_virtual_services",
        _all_patterns,
    ),
    "a VirtualService is exported to everybody": (
        virtual_services,
        "_export_targets",
        always({"*"}),
    ),
    "delegates are not merged": (
        virtual_services,
        "_with_delegates",
        lambda _right: lambda root, _delegates, _default: root,
    ),
    "a VirtualService brings no destination along": (sidecar_scope, "destinations", always({})),
    "sourceNamespace does not keep a destination away": (
        virtual_services,
        "_meant_for_others",
        always(False),
    ),
    "a DestinationRule next to the service comes first": (
        destination_rules.DestinationRules,
        "candidates",
        lambda right: lambda self, _ns, service: right(self, service.namespace, service),
    ),
    "discoverySelectors hide nothing": (
        sidecar_scope,
        "discovered",
        lambda _right: lambda mesh: mesh,
    ),
    "ExternalNames stand for nothing": (
        registry,
        "_with_aliases",
        lambda _right: lambda services: services,
    ),
    "the endpoints of a headless service have no listeners": (
        binding,
        "_has_endpoint_listeners",
        always(False),
    ),
    "a port without a protocol is TCP": (
        registry,
        "kubernetes_port_protocol",
        _tcp_for_sniffed,
    ),
    "listeners never conflict": (listeners, "_is_shut_out", always(False)),
    "what is unknown always passes through": (
        call,
        "_unknown_fate",
        always(Fate.PASSTHROUGH),
    ),
    "every route match holds for every proxy": (routes, "matches_source", always(True)),
    "every request takes the first route": (routes, "matches_request", always(True)),
    "a path prefix of the Gateway API ends anywhere": (
        route_match,
        "_path_matches",
        _prefix_anywhere,
    ),
    "the case of a path never counts": (
        route_match,
        "_path_matches",
        lambda right: lambda match, path, _ignored: right(match, path, True),
    ),
    "the case of a path always counts": (
        route_match,
        "_path_matches",
        lambda right: lambda match, path, _ignored: right(match, path, False),
    ),
    "a path is compared with its query": (
        route_match,
        "_path_matches",
        lambda right: lambda match, path, ignored: right(match, path.replace("?", "/"), ignored),
    ),
    "a method is not compared": (route_match, "_text_matches", always(True)),
    "an authority is compared without its port and case": (
        route_match,
        "_authority_matches",
        lambda _right: lambda match, authority: match.value == authority,
    ),
    "a regex ends where it is no longer literal": (
        route_match,
        "_literal_start",
        lambda right: lambda pattern: (right(pattern)[0], ".*"),
    ),
    "a delegate's matches are its own alone": (
        delegates,
        "_merged_matches",
        lambda _right: lambda _outer, inner: inner,
    ),
    "no match of a delegate conflicts with its root's": (delegates, "_conflicts", always(False)),
    "a server name chooses nothing": (
        listeners,
        "_narrowed_by_name",
        lambda _right: lambda chains, _name: chains,
    ),
    "a destination subnet chooses nothing": (
        listeners,
        "_narrowed_by_subnet",
        lambda _right: lambda chains, _address: chains,
    ),
    "the shortest wildcard host wins": (virtual_hosts.VirtualHosts, "find", _shortest_wildcard),
    "a caller's namespace has no short names": (
        virtual_hosts,
        "alternative_names",
        lambda right: lambda host, _namespace, domain: right(host, "", domain),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_inverted_rule_is_noticed(
    monkeypatch: pytest.MonkeyPatch, recorded: list[Loaded], fault: str
) -> None:
    holder, name, invert = FAULTS[fault]
    monkeypatch.setattr(holder, name, invert(getattr(holder, name)))

    assert any(next(each.disagreements(), None) is not None for each in recorded)
