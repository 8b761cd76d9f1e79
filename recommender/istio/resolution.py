"""What is known of a call, and where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from recommender.istio.http_filters import NO_FILTERS, HttpFilters
from recommender.istio.registry import ServiceKey
from recommender.istio.routes import BuiltRoute
from recommender.mesh.objects import VirtualService


class Fate(Enum):
    """Name what becomes of a call."""

    ROUTED = "routed"
    ANSWERED = "answered by the proxy"
    PASSTHROUGH = "passes through"
    BLACKHOLE = "is refused"
    NO_ROUTE = "finds no route"
    NO_HTTP = "is not the HTTP that is expected"
    REFUSED_LISTENER = "meets a listener that Envoy refuses"
    NOT_MODELLED = "goes through a bound listener of a Sidecar, which is not modelled"


_UNTOLD = (Fate.NOT_MODELLED, Fate.REFUSED_LISTENER)


@dataclass(frozen=True, slots=True)
class OutboundCall:
    """Describe a call as its caller makes it: names in lower case, no port in `authority`.

    None means that something is not known. `headless_host` names a headless service whose
    endpoint the address once was, where a log tells so. Without `method` and `path`, which is as
    Envoy logs it, the call stands for every request of its authority.
    """

    address: str | None
    port: int
    http: bool
    authority: str | None = None
    server_name: str | None = None
    headless_host: str | None = None
    method: str | None = None
    path: str | None = None


class Cluster(NamedTuple):
    """Name an Envoy cluster and the service behind it, None where the proxy lacks the cluster."""

    name: str
    service: ServiceKey | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """Say where a call goes.

    `service` is whose listener or virtual host took the call, None for a VirtualService's own
    host; `host` the host name of that; `alias` the ExternalName the caller used. `first` is the
    service that an HTTP listener has its filters for, `filters` what of them the call meets,
    `is_resolved` that Envoy looks up the name that is called. `by_chance` tells that another
    service could have taken it, as istiod leaves it to the order of a Go map.
    `routes` are those that the request may take, the first of them that matches; `may_miss` tells
    that perhaps none does, which Envoy answers with 404.
    """

    fate: Fate
    listener: str
    http: bool = False
    route_config: str | None = None
    virtual_host: str | None = None
    routes: tuple[BuiltRoute, ...] = ()
    clusters: frozenset[Cluster] = frozenset()
    service: ServiceKey | None = None
    host: str | None = None
    alias: ServiceKey | None = None
    virtual_service: VirtualService | None = None
    first: ServiceKey | None = None
    filters: HttpFilters = NO_FILTERS
    is_resolved: bool = False
    by_chance: bool = False
    may_miss: bool = False

    def same_outcome(self, other: Resolution) -> bool:
        """Tell whether a caller would see no difference.

        Calls that are not routed are alike when they end alike: at which listener a call passes
        through changes what the access log can name, not where the call goes. Where one went at a
        refused listener depends on what the proxy had before, so none is like another.
        """
        if self.fate is not other.fate or self.fate in _UNTOLD:
            return False
        if self.fate not in (Fate.ROUTED, Fate.ANSWERED):
            return True
        return self._outcome() == other._outcome()

    def _outcome(self) -> tuple[object, ...]:
        vs = self.virtual_service
        decided_by = (vs.meta.namespace, vs.meta.name) if vs else None
        named = (self.http, self.virtual_host, self.service, self.alias, decided_by)
        return (*named, self.routes, self.clusters, self.filters)
