"""Which services and VirtualServices of a listener could take an authority.

A route configuration of a large mesh has thousands of virtual hosts, and a call needs one. Only
what can have the authority among its domains decides which: the rest need not be built.
"""

from __future__ import annotations

from collections.abc import Iterator

from recommender.istio.host_names import is_subset, is_wildcard, overlaps
from recommender.istio.listener_scope import ListenerScope
from recommender.istio.registry import RegistryService
from recommender.istio.virtual_hosts import alternative_names

_Places = set[int]


def limited_to(
    listener: ListenerScope, authority: str, namespace: str, domain: str
) -> ListenerScope:
    """Return a listener with only what could take an authority, in the same order.

    That is the services of its name; the VirtualServices that concern these or the name itself;
    and the other services of those VirtualServices, without which they would have no routes.
    """
    services = _services(listener, authority, namespace, domain)
    rules = listener.places_for(authority) | _rules(listener, services)
    services = services | _concerned(listener, rules)
    rules = rules | _rules(listener, services)
    return ListenerScope(
        listener.listener,
        tuple(listener.services[place] for place in sorted(services)),
        tuple(listener.virtual_services[place] for place in sorted(rules)),
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
            # Of several objects of a name the last counts, so all of them stay.
            places = index.by_name.get(name, set())
            found |= places if any(_is_headless(listener.services[p]) for p in places) else set()
    for place, host in index.wildcards:
        patterns = (host, *alternative_names(host, namespace, domain))
        if any(p == authority or is_subset(authority, p) for p in patterns):
            found.add(place)
    return found


def _rules(listener: ListenerScope, services: _Places) -> _Places:
    """Find the VirtualServices that concern some services."""
    return {p for place in services for p in listener.places_for(listener.services[place].hostname)}


def _concerned(listener: ListenerScope, rules: _Places) -> _Places:
    """Find the services that some VirtualServices concern."""
    index = listener.index()
    found: _Places = set()
    for host in {
        host.lower() for place in rules for host in listener.virtual_services[place].hosts
    }:
        found |= index.by_name.get(host, set())
        found |= {place for place, wildcard in index.wildcards if overlaps(host, wildcard)}
        if is_wildcard(host):
            near = (places for name, places in index.by_name.items() if overlaps(name, host))
            found = found.union(*near)
    return found


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
