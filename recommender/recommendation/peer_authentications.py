"""PeerAuthentications that decide about endpoints in other namespaces than their Service's.

Whether a proxy uses mTLS to an endpoint, istiod asks in the namespace of its pod; but it heeds only
the policies of namespaces that a proxy has a service of, beside the proxy's own and the root.
Source: istio model/sidecar.go (`selectAuthnPolicies`), xds/endpoints/mtls_checker.go
(`checkMtlsEnabled`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from recommender.istio.pushes import SCOPED_PEER_AUTHENTICATION
from recommender.istio.registry import ServiceKey
from recommender.istio.sidecar_scope import ScopeRules
from recommender.recommendation.host_needs import HostNeed, service_host
from recommender.recommendation.model import HostReason
from recommender.recommendation.needs import CallNeeds
from recommender.recommendation.views import View


@dataclass(frozen=True, slots=True)
class EndpointPolicies:
    """Hold the other namespaces with a policy in which services have endpoints."""

    namespaces: Mapping[ServiceKey, frozenset[str]]

    @classmethod
    def of(cls, rules: ScopeRules) -> EndpointPolicies:
        """Collect them; before 1.30 istiod heeds every policy, and there are none."""
        mesh = rules.mesh
        found: dict[ServiceKey, frozenset[str]] = defaultdict(frozenset)
        if rules.version < SCOPED_PEER_AUTHENTICATION:
            return cls(found)
        homes = {policy.meta.namespace for policy in mesh.peer_authentications}
        for slice_ in mesh.endpoint_slices if homes else ():
            home = slice_.meta.namespace
            pods = {endpoint.pod[0] for endpoint in slice_.endpoints if endpoint.pod}
            others = homes & pods - {home, rules.root_namespace}
            if others:
                key = ServiceKey(home, f"{slice_.service}.{home}.svc.{mesh.cluster_domain}")
                found[key] |= others
        return cls(found)

    def needs(
        self, view: View, calls: Iterable[CallNeeds], others: Iterable[HostNeed]
    ) -> Iterator[HostNeed]:
        """Keep a service of each namespace whose policies decide about endpoints of what is called.

        `others` are hosts that are needed beside those of the calls.
        """
        if not self.namespaces:
            return
        services = view.baseline.scope.services
        named = {key: services.get(key.hostname) for key in _called(calls, others)}
        called = [key for key, service in named.items() if service and service.key == key]
        there = {key.namespace for key in called} | {view.proxy.namespace}
        wanted = (self.namespaces.get(key, frozenset()) for key in called)
        for namespace in sorted(frozenset[str]().union(*wanted) - there):
            service = _first_of(view, namespace)
            if service is not None:
                detail = f"with it istiod heeds the policies of {namespace}, where endpoints are"
                yield HostNeed(service_host(service), HostReason("peer authentication", detail))


def _called(calls: Iterable[CallNeeds], others: Iterable[HostNeed]) -> Iterator[ServiceKey]:
    """Yield the services that calls may reach, and those that entries name."""
    entries: list[Iterable[HostNeed]] = [others]
    for need in calls:
        yield from (service for _, service in need.baseline.clusters if service is not None)
        entries += (need.hosts, need.perhaps)
    for entry in chain.from_iterable(entries):
        namespace, _, hostname = entry.host.partition("/")
        yield ServiceKey(namespace, hostname)


def _first_of(view: View, namespace: str) -> ServiceKey | None:
    """Find a service of a namespace that a view's proxies have, None where they have none."""
    services = view.baseline.scope.services.values()
    return min(
        (s.key for s in services if s.namespace == namespace and s.alias_for is None), default=None
    )
