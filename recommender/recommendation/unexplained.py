"""Calls whose destination in the log the mesh does not explain: keep everything that may.

Configuration may have changed since, or an EnvoyFilter or a rewrite may be behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from recommender.istio.proxy import PASSTHROUGH_CLUSTERS
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.resolution import Fate, OutboundCall, Resolution
from recommender.istio.routes import cluster_name
from recommender.istio.virtual_service_index import without_port
from recommender.mesh import VirtualService
from recommender.recommendation.host_needs import (
    HostNeed,
    alias_host,
    host_entry,
    listener_at,
    name_of,
    need_of,
    service_host,
)
from recommender.recommendation.model import Note
from recommender.service_graph import Call

_KUBERNETES_NAME = re.compile(r"[^.]+\.([^.]+)\.svc\..+")


def explains(resolution: Resolution, call: Call) -> bool:
    """Tell whether the Envoy cluster that a log names is one a call can reach."""
    named = _named_cluster(call)
    return any(name == named for name, _ in resolution.clusters)


def _named_cluster(call: Call) -> str:
    """Name the Envoy cluster that a log names, as istiod does."""
    host, port, subset = call.destination_host, call.destination_port, call.destination_subset
    return cluster_name(host or "", port or 0, subset or "")


def possible_causes(
    call: Call, port: int, baseline: Resolution, config: ProxyConfig
) -> tuple[list[HostNeed], Note]:
    """Keep everything that may have led to a destination that the mesh does not explain."""
    destination = call.destination_host or ""
    service = config.scope.services.get(destination)
    target = baseline.host or call.authority or call.server_name or call.address or "a host"
    if service is None:
        return _absent(call, config)
    detail = "named by the log as the destination"
    hosts = [need_of(service_host(service.key), "possible", detail, call)]
    hosts += _through_virtual_services(call, port, config, destination)
    logged, modelled = _ends_in_words(call, baseline)
    note = Note(
        "disagreement",
        f"a call to {target} went to {logged}, the mesh dump says it {modelled}: "
        "configuration changed since, or the model is wrong; both stay in scope",
    )
    return hosts, note


def _ends_in_words(call: Call, baseline: Resolution) -> tuple[str, str]:
    """Say where a call went and where the mesh has it go, by Envoy clusters if the host is one."""
    host = call.destination_host or ""
    clusters = sorted({name for name, _ in baseline.clusters})
    if baseline.fate is not Fate.ROUTED or host not in map(_host_of, clusters):
        return host, goes(baseline)
    return f"the Envoy cluster {_named_cluster(call)}", f"goes to {', '.join(clusters)}"


def _absent(call: Call, config: ProxyConfig) -> tuple[list[HostNeed], Note]:
    """Tell of a destination that is not in scope; one that the dump lacks is kept unproved.

    It may be gone, or the dump may not be whole: then its host is needed, else it does no harm.
    """
    destination = call.destination_host or ""
    if destination in config.rules.registry.by_hostname:
        detail = f"{destination} was called but is not in today's scope: no host for it"
        return [], Note("out of scope", detail)
    found = _KUBERNETES_NAME.fullmatch(destination)
    entry = host_entry(found[1] if found else "*", destination)
    detail = f"{destination} was called but the mesh dump lacks it: kept unproved, as {entry}"
    return [need_of(entry, "called", "not in the mesh dump", call)], Note("gone", detail)


def taken_by_a_listener(
    call: Call, outbound: OutboundCall, baseline: Resolution, config: ProxyConfig
) -> Iterator[HostNeed]:
    """Keep the listener of an HTTP call whose route nothing in the mesh explains.

    What an EnvoyFilter adds to the routes of a port is nowhere without that listener.
    """
    service = config.scope.services.get(call.destination_host or "")
    port = service.port(outbound.port) if service is not None else None
    has_own = port is not None and port.protocol.is_http
    is_routed = baseline.fate in (Fate.ROUTED, Fate.ANSWERED)  # then the proof keeps a listener
    if outbound.http and not is_routed and not has_own:
        yield from listener_at(config, outbound.port)


def is_elsewhere(call: Call) -> bool:
    """Tell whether a request went to an Envoy cluster that istiod does not make."""
    made = (None, "BlackHoleCluster", *PASSTHROUGH_CLUSTERS)
    return call.protocol == "http" and call.cluster not in made


def gone_elsewhere(call: Call, baseline: Resolution) -> Note:
    """Note that a request went to an Envoy cluster that istiod does not make."""
    target = call.authority or call.address or "a host"
    return Note(
        "disagreement",
        f"a call to {target} went to the Envoy cluster {call.cluster}, the mesh dump says it "
        f"{goes(baseline)}: an EnvoyFilter may do that; the listener stays in scope",
    )


def goes(resolution: Resolution) -> str:
    """Say in words where a call goes."""
    if resolution.fate is Fate.ROUTED and resolution.clusters:
        return f"goes to {', '.join(sorted({_host_of(name) for name, _ in resolution.clusters}))}"
    return resolution.fate.value


def _host_of(cluster: str) -> str:
    return cluster.split("|", 3)[-1]


def _through_virtual_services(
    call: Call, port: int, config: ProxyConfig, destination: str
) -> Iterator[HostNeed]:
    """Yield every host whose VirtualService can send a call to the destination."""
    for vs in config.scope.leading_to(*_names_of(destination, config)):
        yield from _of_virtual_service(vs, call, port, config, f"can lead to {destination}")


def leading_to(destination: str, config: ProxyConfig) -> Iterator[tuple[str, str]]:
    """Yield entries of each VirtualService that can lead to a destination, with its name."""
    for vs in config.scope.leading_to(*_names_of(destination, config)):
        for entry in _taking_calls(vs, min(vs.hosts), config):
            yield entry, name_of(vs)


def rewriting(call: Call, port: int, config: ProxyConfig) -> Iterator[HostNeed]:
    """Yield hosts whose VirtualService may have put the logged authority in place of another.

    Envoy logs the authority after a rewrite, so such a call looks like one to the destination.
    """
    found = config.scope.rewriting_to(call.authority or "")
    names = _names_of(call.destination_host or "", config) if found else ()
    for vs in found:
        if any(
            (call.authority or "") in map(without_port, route.authorities)
            and any(d.host in names for d in route.destinations)
            for route in vs.routes
        ):
            yield from _of_virtual_service(vs, call, port, config, f"rewrites to {call.authority}")


def _names_of(destination: str, config: ProxyConfig) -> tuple[str, ...]:
    """List what a route may call a destination: by its name, or by an ExternalName's."""
    service = config.scope.services.get(destination)
    aliases = service.aliases if service is not None else ()
    return (destination, *(alias.hostname for alias in aliases))


def _of_virtual_service(
    vs: VirtualService, call: Call, port: int, config: ProxyConfig, does: str
) -> Iterator[HostNeed]:
    """Yield a host of a VirtualService, and the services that it takes the calls to.

    The host is the one that the log names as the authority, else the first.
    """
    named = [host for host in vs.hosts if host == call.authority]
    host = (named or sorted(vs.hosts))[0]
    for entry in _taking_calls(vs, host, config, port):
        yield need_of(entry, "possible", f"{name_of(vs)} {does}", call)


def _taking_calls(
    vs: VirtualService, host: str, config: ProxyConfig, port: int | None = None
) -> Iterator[str]:
    """Yield what brings a VirtualService and the calls that it takes, at a port or any.

    One host brings the VirtualService. But it takes calls to the names of services alone that are
    imported too, each at its ports (`separateVSHostsAndServices`), and a caller may have used any,
    or an ExternalName that stands for one.
    """
    yield host_entry(vs.meta.namespace, host)
    for service in config.scope.named_by(vs, port):
        yield service_host(service.key)
        for alias in service.aliases:
            yield alias_host(service.key, alias)
