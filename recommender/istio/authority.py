"""Which services and VirtualServices of a listener could take an authority.

A route configuration of a large mesh has thousands of virtual hosts, and a call needs one. Only
what can have the authority among its domains decides which: the rest need not be built.
"""

from __future__ import annotations

from collections.abc import Iterator

from recommender.istio.host_names import is_subset, is_wildcard
from recommender.istio.registry import RegistryService
from recommender.istio.sidecar_scope import ListenerScope

_Places = set[int]


def limited_to(
    listener: ListenerScope, authority: str, namespace: str, domain: str
) -> ListenerScope:
    """Return a listener with only what could take an authority, in the same order."""
    services = [
        listener.services[place]
        for place in sorted(_services(listener, authority, namespace, domain))
    ]
    places: _Places = set()
    for service in services:
        places |= listener.places_for(service.hostname)
    places |= listener.places_for(authority)
    return ListenerScope(
        listener.listener,
        tuple(services),
        tuple(listener.virtual_services[place] for place in sorted(places)),
    )


def _services(listener: ListenerScope, authority: str, namespace: str, domain: str) -> _Places:
    index = listener.index()
    found: _Places = set(index.by_address.get(authority.strip("[]"), ()))
    for name in _full_names(authority, namespace, domain):
        found |= index.by_name.get(name, set())
    labels = authority.split(".")
    for cut in range(1, len(labels)):
        # A headless service has every name below its own.
        for name in _full_names(".".join(labels[cut:]), namespace, domain):
            found |= {p for p in index.by_name.get(name, ()) if _is_headless(listener.services[p])}
    return found | {
        place for place, host in index.wildcards if host == authority or is_subset(authority, host)
    }


def _is_headless(service: RegistryService) -> bool:
    return service.kubernetes and service.headless


def _full_names(name: str, namespace: str, domain: str) -> Iterator[str]:
    """Yield the host names that a name may stand for (see `alternative_names`)."""
    yield name
    yield f"{name}.svc.{domain}"
    if name.endswith(".svc"):
        yield f"{name}.{domain}"
    if "." not in name and not is_wildcard(name):
        yield f"{name}.{namespace}.svc.{domain}"
