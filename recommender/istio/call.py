"""Where a call of a proxy goes: listener, route, Envoy clusters.

```
address:port ─> listener ─┬─> HTTP: route configuration ─> virtual host ─> routes ─> clusters
                          ├─> TCP or TLS: filter chain ─> clusters
                          └─> neither: pass-through or black hole
```

Source: istio pilot/pkg/simulation/traffic.go, networking/core/listener_builder.go
(`buildOutboundCatchAllNetworkFilterChains`), httproute.go (`buildCatchAllVirtualHost`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from recommender.istio.filter_chains import FilterChain
from recommender.istio.listeners import OutboundListener, endpoint_listener
from recommender.istio.proxy import ALLOW_ANY, DYNAMIC_DNS
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.registry import ServiceKey
from recommender.istio.resolution import Cluster, Fate, OutboundCall, Resolution
from recommender.istio.route_match import Request
from recommender.istio.routes import possible_routes
from recommender.istio.virtual_hosts import alternative_names
from recommender.mesh.objects import UNKNOWN_SERVICE, Labels

VIRTUAL_OUTBOUND = "virtualOutbound"


def resolve_call(config: ProxyConfig, call: OutboundCall) -> Resolution:
    """Tell where a call goes."""
    found = config.resolved.get(call)
    if found is None:
        if call.headless_host and call.headless_host not in config.rules.registry.headless:
            # It decides nothing then, and most calls name one.
            found = resolve_call(config, replace(call, headless_host=None))
        else:
            found = _resolve(config, call)
        config.resolved[call] = found
    return found


def _resolve(config: ProxyConfig, call: OutboundCall) -> Resolution:
    if config.takes_bound(call.port):
        return Resolution(Fate.NOT_MODELLED, VIRTUAL_OUTBOUND)
    listener = _find_listener(config, call)
    if listener is None:
        return Resolution(_unknown_fate(config), VIRTUAL_OUTBOUND)
    if listener.is_refused:
        service = listener.chains[0].service
        return Resolution(
            Fate.REFUSED_LISTENER, listener.name, service=service, host=service.hostname
        )
    chain = listener.chain_for(
        call.address or listener.address, http=call.http, server_name=call.server_name
    )
    if chain is None:
        return Resolution(_unknown_fate(config), listener.name)
    if chain.route_config is None:
        return _through_chain(config, call, listener, chain)
    if not call.http:
        key = chain.service
        return Resolution(Fate.NO_HTTP, listener.name, service=key, host=key.hostname)
    return _through_routes(config, call, listener, chain)


def _find_listener(config: ProxyConfig, call: OutboundCall) -> OutboundListener | None:
    """Find the listener of the address, then that of an endpoint, then that of any address."""
    if call.address in config.proxy.addresses:
        return None
    found = config.listener(call.address, call.port) if call.address else None
    if found is not None:
        return found
    if call.address and call.headless_host:
        service = config.imported(call.headless_host)
        if service and service.headless and not config.proxy.reachable(service):
            found = endpoint_listener(
                config.scope, config.proxy, service, call.port, call.address, config.domain
            )
            if found is not None:
                return found
    return config.listener(config.proxy.wildcard, call.port)


def _unknown_fate(config: ProxyConfig) -> Fate:
    allowed = config.outbound_traffic_policy in (ALLOW_ANY, DYNAMIC_DNS)
    return Fate.PASSTHROUGH if allowed else Fate.BLACKHOLE


def _through_chain(
    config: ProxyConfig, call: OutboundCall, listener: OutboundListener, chain: FilterChain
) -> Resolution:
    return Resolution(
        Fate.ROUTED,
        listener.name,
        clusters=_clusters(config, chain.clusters),
        service=chain.service,
        host=chain.service.hostname,
        alias=_alias_of(config, chain, call.server_name),
        virtual_service=chain.virtual_service,
    )


def _alias_of(
    config: ProxyConfig, chain: FilterChain, server_name: str | None
) -> ServiceKey | None:
    """Find the ExternalName by whose name alone a service takes a TLS connection.

    Source: `buildSidecarOutboundTLSFilterChainOpts`.
    """
    service = config.imported(chain.service.hostname)
    if server_name not in chain.server_names or chain.virtual_service or service is None:
        return None
    for alias in service.aliases if service.key == chain.service else ():
        others = alternative_names(alias.hostname, config.proxy.namespace, config.domain)
        if server_name in (alias.hostname, *others):
            return alias
    return None


def _through_routes(
    config: ProxyConfig, call: OutboundCall, listener: OutboundListener, chain: FilterChain
) -> Resolution:
    name = chain.route_config or ""
    authority = call.authority or ""
    own_host, own, _ = name.rpartition(":")
    if own:
        # The route configuration of one sniffed virtual IP: its service takes any authority.
        lower = own_host.lower()
        found = config.virtual_hosts(call.port, lower).with_domain(lower)
        if found is None:
            return Resolution(
                Fate.NO_ROUTE,
                listener.name,
                http=True,
                route_config=name,
                service=chain.service,
                host=chain.service.hostname,
            )
    else:
        found = config.virtual_hosts(call.port, authority).find(authority)
        if found is None:
            fate = _unknown_fate(config)
            return Resolution(fate, listener.name, http=True, route_config=name)
    request = Request(call.authority, call.method, call.path)
    routes, is_taken = possible_routes(found.routes, request)
    names = [cluster for r in routes for cluster in (*r.clusters, *r.mirrors)]
    fate = Fate.ROUTED if names else Fate.ANSWERED
    clusters = _clusters(config, names)
    is_resolved = _is_resolved(config, clusters)
    return Resolution(
        fate if routes else Fate.NO_ROUTE,
        listener.name,
        http=True,
        route_config=name,
        virtual_host=found.name,
        routes=routes,
        clusters=clusters,
        service=found.service,
        host=found.host,
        alias=None if own else found.aliases.get(authority),
        virtual_service=found.virtual_service,
        first=chain.service,
        filters=chain.filters.for_call(is_resolved=is_resolved),
        is_resolved=is_resolved,
        by_chance=not own and authority in found.contested,
        may_miss=not is_taken,
    )


def _is_resolved(config: ProxyConfig, clusters: Iterable[Cluster]) -> bool:
    keys = (cluster.service for cluster in clusters)
    return any(config.scope.services[key.hostname].resolves_names for key in keys if key)


def looks_for_http(config: ProxyConfig, call: OutboundCall) -> bool:
    """Tell whether plain HTTP at a call's address would be treated unlike other bytes."""
    listener = _find_listener(config, call)
    if listener is None:
        return False
    address = call.address or listener.address
    chains = (listener.chain_for(address, http=http, server_name=None) for http in (True, False))
    as_http, as_bytes = chains
    return as_http is not as_bytes


def _clusters(config: ProxyConfig, names: Iterable[str]) -> frozenset[Cluster]:
    return frozenset(Cluster(name, _service_behind(config, name)) for name in names)


def _service_behind(config: ProxyConfig, cluster: str) -> ServiceKey | None:
    """Find the service that has a cluster: the host in scope, with that port and subset.

    One resolved by DNS has none without an endpoint (networking/core `buildCluster`).
    """
    if cluster == UNKNOWN_SERVICE:
        return None
    _, port, subset, host = cluster.split("|", 3)
    service = config.scope.services.get(host)
    if service is None or service.alias_for is not None or service.port(int(port)) is None:
        return None
    labels: Labels = {}
    if subset:
        rule = config.rules.destination_rules.chosen(config.proxy, service)
        if rule is None or subset not in rule.subsets:
            return None
        labels = rule.subsets[subset]
    resolved = service.resolved_labels
    if resolved is not None and not any(labels.items() <= each.items() for each in resolved):
        return None
    return service.key
