"""Connections that no listener looked into: their log says bytes, but they may have been HTTP.

Without any HTTP service at a port a proxy has no listener there, and `virtualOutbound` takes what
is sent as it is. So where a Sidecar lacks the service of a request, the log lacks its authority.
"""

from __future__ import annotations

from dataclasses import replace

from recommender.istio.call import VIRTUAL_OUTBOUND, looks_for_http, resolve_call
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.resolution import OutboundCall
from recommender.recommendation.views import View
from recommender.service_graph import Call


def perhaps_http(
    call: Call, outbound: OutboundCall, view: View, config: ProxyConfig
) -> OutboundCall:
    """Return a connection as a request to the service whose address it went to, in a scope.

    Any authority may have been sent. The virtual IP is one that the service answers to as well
    (istio networking/core/httproute.go `generateVirtualHostDomains`), or its host name where it is
    headless. What is nobody's address, or is taken as bytes there too, is returned as it is.
    """
    address = outbound.address
    is_bytes = not (outbound.http or outbound.server_name or call.destination_host)
    if address is None or not is_bytes or not looks_for_http(config, outbound):
        return outbound
    if resolve_call(view.today, outbound).listener != VIRTUAL_OUTBOUND:
        return outbound
    for authority in (_in_brackets(address), _headless_host(config, address, outbound.port)):
        as_http = replace(outbound, http=True, authority=authority)
        if resolve_call(config, as_http).service is not None:
            return as_http
    return outbound


def _headless_host(config: ProxyConfig, address: str, port: int) -> str:
    """Name the only headless HTTP service that has an endpoint at an address and port."""
    services = config.http_services_at(port)
    found = [each.hostname for each in services if address in each.endpoints.get(port, ())]
    return found[0] if len(found) == 1 else ""


def _in_brackets(address: str) -> str:
    return f"[{address}]" if ":" in address else address
