"""Which services and VirtualServices of a listener could take an authority.

A route configuration of a large mesh has thousands of virtual hosts, and a call needs one. Only
what can have the authority among its domains decides which: the rest need not be built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recommender.istio.host_names import is_subset, is_wildcard
from recommender.istio.listener_scope import ListenerScope
from recommender.istio.registry import RegistryService
from recommender.istio.virtual_hosts import alternative_names

_Services = dict[int, RegistryService]


@dataclass(frozen=True, slots=True)
class Authority:
    """Hold an authority with the host names by which it may mean a service to a namespace.

    `names` are those it may be itself, `above` those that it is below: a headless service has
    every name below its own.
    """

    text: str
    namespace: str
    domain: str
    names: tuple[str, ...]
    above: frozenset[str]

    @classmethod
    def of(cls, text: str, namespace: str, domain: str) -> Authority:
        """Work out the names."""
        above: set[str] = set()
        parent = text
        while "." in parent:
            parent = parent.partition(".")[2]
            above.update(_full_names(parent, namespace, domain))
        names = tuple(_full_names(text, namespace, domain))
        return cls(text, namespace, domain, names, frozenset(above))


def limited_to(listener: ListenerScope, authority: Authority) -> ListenerScope:
    """Return a listener with only what could take an authority, in the same order.

    That is the services of its name; the VirtualServices that concern these or the name itself;
    and the other services of those VirtualServices, without which they would have no routes.
    """
    services = _services(listener, authority)
    if not listener.virtual_services:
        return _part(listener, services, ())
    rules = listener.places_for(authority.text) | _rules(listener, services)
    if rules:
        services |= _concerned(listener, rules)
        rules |= _rules(listener, services)
    return _part(listener, services, rules)


def _part(listener: ListenerScope, services: _Services, rules: Iterable[int]) -> ListenerScope:
    return ListenerScope(
        listener.listener,
        tuple(services[place] for place in sorted(services)),
        tuple(listener.virtual_services[place] for place in sorted(rules)),
    )


def _services(listener: ListenerScope, authority: Authority) -> _Services:
    # Of several objects of a name the last counts, so all of them stay.
    names = (*authority.names, *listener.headless_among(authority.above))
    found = listener.reached(authority.text.strip("[]"), names)
    for place, service in listener.wildcards().items():
        host = service.hostname.lower()
        patterns = (host, *alternative_names(host, authority.namespace, authority.domain))
        if any(p == authority.text or is_subset(authority.text, p) for p in patterns):
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


def _full_names(name: str, namespace: str, domain: str) -> Iterator[str]:
    """Yield the host names that a name may stand for (see `alternative_names`)."""
    yield name
    yield f"{name}.svc.{domain}"
    if name.endswith(".svc"):
        yield f"{name}.{domain}"
    if "." not in name and not is_wildcard(name):
        yield f"{name}.{namespace}.svc.{domain}"
