"""Which services and VirtualServices of a listener could take an authority.

A route configuration of a large mesh has thousands of virtual hosts, and a call needs one. Only
what can have the authority among its domains decides which: the rest need not be built.
"""

from __future__ import annotations

from collections.abc import Iterator

from recommender.istio.host_names import is_subset, is_wildcard
from recommender.istio.listener_scope import ListenerScope
from recommender.istio.registry import RegistryService
from recommender.istio.virtual_hosts import alternative_names

_Services = dict[int, RegistryService]


def limited_to(
    listener: ListenerScope, authority: str, namespace: str, domain: str
) -> ListenerScope:
    """Return a listener with only what could take an authority, in the same order.

    That is the services of its name; the VirtualServices that concern these or the name itself;
    and the other services of those VirtualServices, without which they would have no routes.
    """
    services = _services(listener, authority, namespace, domain)
    rules = listener.places_for(authority) | _rules(listener, services)
    services |= _concerned(listener, rules)
    rules = rules | _rules(listener, services)
    return ListenerScope(
        listener.listener,
        tuple(services[place] for place in sorted(services)),
        tuple(listener.virtual_services[place] for place in sorted(rules)),
    )


def _services(listener: ListenerScope, authority: str, namespace: str, domain: str) -> _Services:
    found = listener.addressed(authority.strip("[]"))
    for name in _full_names(authority, namespace, domain):
        found |= listener.named(name)
    labels = authority.split(".")
    for cut in range(1, len(labels)):
        # A headless service has every name below its own.
        for name in _full_names(".".join(labels[cut:]), namespace, domain):
            # Of several objects of a name the last counts, so all of them stay.
            below = listener.named(name)
            found |= below if any(map(_is_headless, below.values())) else {}
    for place, service in listener.wildcards().items():
        host = service.hostname.lower()
        patterns = (host, *alternative_names(host, namespace, domain))
        if any(p == authority or is_subset(authority, p) for p in patterns):
            found[place] = service
    return found


def _rules(listener: ListenerScope, services: _Services) -> set[int]:
    """Find the places of the VirtualServices that concern some services."""
    return {p for service in services.values() for p in listener.places_for(service.hostname)}


def _concerned(listener: ListenerScope, rules: set[int]) -> _Services:
    """Find the services that some VirtualServices concern."""
    found: _Services = {}
    for place in rules:
        found |= listener.named_by(listener.virtual_services[place])
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
