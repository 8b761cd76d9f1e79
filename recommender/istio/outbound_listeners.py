"""Everything that a proxy is sent for listening to outbound calls (LDS and RDS).

Source: istio networking/core/listener.go (`buildSidecarOutboundListeners`), httproute.go
(`buildSidecarOutboundHTTPRouteConfig`, `getVirtualHostsForSniffedServicePort`).
"""

from __future__ import annotations

from collections.abc import Iterable

from recommender.istio.http_proxy_hosts import http_proxy_hosts, is_http_proxy
from recommender.istio.listeners import OutboundListener
from recommender.istio.proxy_config import ProxyConfig, listener_for_routes
from recommender.istio.virtual_hosts import VirtualHost, virtual_hosts


def outbound_listeners(config: ProxyConfig) -> list[OutboundListener]:
    """List the listeners of a proxy for the calls it makes, but for `virtualOutbound`.

    One with further addresses is listed once.
    """
    return [
        listener
        for port in sorted({port for each in config.scope.listeners for port in each.ports()})
        for address in sorted(_addresses(config, port))
        if (listener := config.listener(address, port)) and listener.address == address
    ]


def route_configurations(
    config: ProxyConfig, listeners: Iterable[OutboundListener]
) -> dict[str, tuple[VirtualHost, ...]]:
    """Map the names of the route configurations that listeners ask for to their virtual hosts.

    The last of each, for hosts that nothing else takes, is left out.
    """
    by_port: dict[int, tuple[VirtualHost, ...]] = {}
    by_domain: dict[int, dict[str, VirtualHost]] = {}
    found: dict[str, tuple[VirtualHost, ...]] = {}
    for listener in listeners:
        port = listener.port
        for name in (chain.route_config for chain in listener.chains):
            if name is None or name in found:
                continue
            host, own, _ = name.rpartition(":")
            if port not in by_port:
                by_port[port] = _virtual_hosts(config, port)
                by_domain[port] = {d: each for each in by_port[port] for d in each.domains}
            only = by_domain[port].get(host.lower()) or by_domain[port].get(name.lower())
            found[name] = by_port[port] if not own else (only,) if only else ()
    return found


def _addresses(config: ProxyConfig, port: int) -> set[str]:
    each = (imported.addresses_at(config.proxy, port) for imported in config.scope.listeners)
    return {address for found in each for address in found}


def _virtual_hosts(config: ProxyConfig, port: int) -> tuple[VirtualHost, ...]:
    imported = listener_for_routes(config.scope, port)
    if imported is None:
        return ()
    if is_http_proxy(imported.listener):
        return http_proxy_hosts(imported, config.proxy, config.domain)
    return virtual_hosts(imported, config.proxy, port, config.domain)


def passes_through(listener: OutboundListener) -> bool:
    """Tell whether a filter chain for what no other takes is added to a listener."""
    return not any(chain.matches_all for chain in listener.chains)


def has_catch_all(route_configuration: str) -> bool:
    """Tell the routes of a port, which end with a virtual host for all, from those of a service."""
    return ":" not in route_configuration
