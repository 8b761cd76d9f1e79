"""What a listener imports with the hosts `*/*`, as a proxy without a Sidecar has it.

A mesh may have thousands of services, of which nearly all are there for every namespace alike. So
these are found, indexed and merged once. What differs from one namespace to the next is what is
exported to it alone, and the host names that several namespaces have, of which its own counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from recommender.istio.export_to import PUBLIC
from recommender.istio.listener_scope import ListenerIndex, ListenerScope, ServiceIndex, Services
from recommender.istio.namesakes import add_service, namespace_winners
from recommender.istio.registry import Registry, RegistryService
from recommender.istio.virtual_services import MeshVirtualServices
from recommender.mesh.objects import EgressListener

EVERYTHING = EgressListener(hosts=("*/*",))


@dataclass(frozen=True, slots=True)
class Everything:
    """Hold what all namespaces import alike, and the rest.

    `alike` has the services of host names that one namespace alone has, and everybody sees;
    `merged` is what a scope has of them. `contested` are the other public services. Places are
    those in `Registry.public`, what is exported to a namespace alone comes before them.
    """

    registry: Registry
    virtual_services: MeshVirtualServices
    alike: ServiceIndex
    merged: dict[str, RegistryService]
    contested: Services

    def listener_scope(self, namespace: str) -> ListenerScope:
        """Import everything into a namespace."""
        own = self._own(namespace)
        lost = self.contested.keys() - own.keys()
        public = self.registry.public
        if lost:
            public = tuple(s for place, s in enumerate(public) if place not in lost)
        exported = tuple(service for place, service in own.items() if place < 0)
        visible = self.virtual_services.visible_from(namespace)
        index = ListenerIndex((ServiceIndex(EVERYTHING, own), self.alike), visible)
        return ListenerScope(EVERYTHING, exported + public, visible.ordered, [index])

    def scope_services(self, namespace: str) -> dict[str, RegistryService]:
        """Merge the services of a namespace by host name, as far as listeners import them."""
        services = self.merged.copy()
        for service in self._own(namespace).values():
            add_service(services, service)
        return services

    def _own(self, namespace: str) -> Services:
        """Find what not all namespaces import, by place."""
        exported = self.registry.exported.get(namespace, ())
        places = range(-len(exported), 0)
        found = {**dict(zip(places, exported, strict=True)), **self.contested}
        winners = namespace_winners(found.values(), namespace)
        return {
            place: service
            for place, service in found.items()
            if winners[service.hostname].namespace == service.namespace
        }


def build_everything(registry: Registry, virtual_services: MeshVirtualServices) -> Everything:
    """Find what all namespaces of a mesh import alike."""
    alike: dict[int, RegistryService] = {}
    contested: dict[int, RegistryService] = {}
    merged: dict[str, RegistryService] = {}
    hidden = {s.hostname for s in registry.services if PUBLIC not in s.export_to}
    for place, service in enumerate(registry.public):
        if service.hostname in hidden or len(registry.by_hostname[service.hostname]) > 1:
            contested[place] = service
        else:
            alike[place] = service
            add_service(merged, service)
    index = ServiceIndex(EVERYTHING, alike)
    return Everything(registry, virtual_services, index, merged, contested)
