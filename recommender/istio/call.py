"""Which host of a scope a call was addressed to, before any VirtualService moved it.

An access log names the Envoy cluster that was chosen in the end. The caller's own words are the
authority, the server name and the address it connected to; from these istiod's listeners and
virtual hosts find the service and the VirtualService. Source: istio networking/core
listener.go (`buildSidecarOutboundListener`), httproute.go (`generateVirtualHostDomains`),
route/route.go (`separateVSHostsAndServices`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address

from recommender.istio.host_names import is_subset, is_wildcard
from recommender.istio.protocols import Protocol
from recommender.istio.registry import RegistryService
from recommender.istio.sidecar_scope import ScopeRules, SidecarScope
from recommender.mesh.objects import VirtualService

VIRTUAL_SERVICE_ONLY_PORT = 80


@dataclass(frozen=True, slots=True)
class CalledHost:
    """Name the host a call was addressed to.

    At least one of `service` and `virtual_service` is set; `host` is the name to import a
    VirtualService by: the service's host name, or the VirtualService's own host. `alias` is the
    ExternalName that the caller used for the service.
    """

    host: str
    service: RegistryService | None
    virtual_service: VirtualService | None
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Addressed:
    """Hold a caller's own words: lower-case authority and server name, address and port."""

    authority: str | None = None
    server_name: str | None = None
    address: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class ScopeIndex:
    """Hold one scope's listener services and VirtualService hosts, ready to be looked up."""

    scope: SidecarScope
    domain: str
    services: Mapping[str, RegistryService]
    addresses: Mapping[str, tuple[RegistryService, ...]]
    aliases: Mapping[str, RegistryService]
    virtual_services: tuple[VirtualService, ...]
    exact_hosts: Mapping[str, VirtualService]
    wildcard_hosts: tuple[tuple[str, VirtualService], ...]

    def virtual_service_of(self, host: str) -> VirtualService | None:
        """Return the VirtualService that decides for a host: exact first, else most specific."""
        found = self.exact_hosts.get(host.lower())
        if found is not None:
            return found
        return next((vs for p, vs in self.wildcard_hosts if is_subset(host.lower(), p)), None)


def index_scope(rules: ScopeRules, scope: SidecarScope) -> ScopeIndex:
    """Prepare a scope for looking up called hosts."""
    services = {name.lower(): s for name, s in scope.listener_services().items()}
    addresses: dict[str, list[RegistryService]] = defaultdict(list)
    for listener in scope.listeners:
        for service in listener.services:
            for address in service.addresses:
                addresses[address].append(service)
    exact: dict[str, VirtualService] = {}
    wildcard: dict[str, VirtualService] = {}
    for vs in scope.virtual_services():
        for host in vs.hosts:
            (wildcard if is_wildcard(host) else exact).setdefault(host.lower(), vs)
    return ScopeIndex(
        scope,
        rules.mesh.cluster_domain,
        services,
        {address: tuple(found) for address, found in addresses.items()},
        {a.hostname.lower(): s for s in services.values() for a in s.aliases},
        scope.virtual_services(),
        exact,
        tuple(sorted(wildcard.items(), key=lambda item: -len(item[0]))),
    )


def find_called(index: ScopeIndex, addressed: Addressed) -> CalledHost | None:
    """Find the host a call was addressed to, None when the scope has no such host.

    A virtual IP with a listener of its own (TCP, TLS, sniffed) decides before any name; on a
    shared HTTP listener the authority decides, and the address does not matter.
    """
    own_listener = _by_address(index, addressed)
    if own_listener is not None:
        return _called(index, own_listener)
    if addressed.authority is not None:
        return _by_authority(index, addressed.authority, addressed.port)
    if addressed.server_name is not None:
        return _by_name(index, addressed.server_name, addressed.port, http=False)
    return None


def _called(index: ScopeIndex, service: RegistryService) -> CalledHost:
    return CalledHost(service.hostname, service, index.virtual_service_of(service.hostname))


def _by_address(index: ScopeIndex, addressed: Addressed) -> RegistryService | None:
    for service in index.addresses.get(addressed.address or "", ()):
        port = service.port(addressed.port or 0)
        if port is None or port.protocol in (Protocol.HTTP, Protocol.HTTP_PROXY, Protocol.UDP):
            continue
        shared = len(index.addresses[addressed.address or ""]) > 1
        if shared and addressed.server_name and not _covers(service, addressed.server_name):
            continue
        return service
    return None


def _covers(service: RegistryService, name: str) -> bool:
    return is_subset(name, service.hostname.lower())


def _by_authority(index: ScopeIndex, authority: str, port: int | None) -> CalledHost | None:
    for service in index.addresses.get(authority, ()):
        if _serves(service, port, http=True):
            return _called(index, service)
    for name in _full_names(index, authority):
        found = _by_name(index, name, port, http=True)
        if found is not None:
            return found
    return None


def _by_name(index: ScopeIndex, name: str, port: int | None, *, http: bool) -> CalledHost | None:
    service = index.services.get(name)
    if service is not None and _serves(service, port, http=http):
        return _called(index, service)
    target = index.aliases.get(name)
    if target is not None and _serves(target, port, http=http):
        return replace(_called(index, target), alias=name)
    vs = index.exact_hosts.get(name)
    covering = _covering_service(index, name, port, http=http)
    if vs is not None and (covering or not http or port in (None, VIRTUAL_SERVICE_ONLY_PORT)):
        return CalledHost(name, covering, vs)
    if covering is not None:
        return _called(index, covering)
    vs = index.virtual_service_of(name)
    if vs is not None and port in (None, VIRTUAL_SERVICE_ONLY_PORT):
        return CalledHost(name, None, vs)
    return None


def _covering_service(
    index: ScopeIndex, name: str, port: int | None, *, http: bool
) -> RegistryService | None:
    """Find the longest wildcard host, or the headless service, that a name lies under."""
    labels = name.split(".")
    for cut in range(1, len(labels)):
        parent = ".".join(labels[cut:])
        for host in (f"*.{parent}", *_full_names(index, parent)):
            service = index.services.get(host)
            if service is None or not _serves(service, port, http=http):
                continue
            if is_wildcard(host) or (service.kubernetes and service.headless):
                return service
    everything = index.services.get("*")
    return everything if everything and _serves(everything, port, http=http) else None


def _serves(service: RegistryService, port: int | None, *, http: bool) -> bool:
    if service.alias_for is not None:
        return False
    if port is None:
        return True
    found = service.port(port)
    return found is not None and (found.protocol.may_be_http if http else True)


def _full_names(index: ScopeIndex, name: str) -> Iterator[str]:
    """Yield what a name may stand for: itself, and the Kubernetes short forms of a service.

    Short names are relative to the client's namespace, as in `generateVirtualHostDomains`.
    """
    yield name
    if _is_address(name):
        return
    labels = name.count(".")
    if labels == 0:
        yield f"{name}.{index.scope.namespace}.svc.{index.domain}"
    elif labels == 1:
        yield f"{name}.svc.{index.domain}"
    elif labels == 2 and name.endswith(".svc"):
        yield f"{name}.{index.domain}"


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
