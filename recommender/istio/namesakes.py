"""Services of one host name: which of them counts, and how they are put together.

Source: istio model/sidecar.go (`selectServices`, `appendSidecarServices`, `canMergeServices`).
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import replace

from recommender.istio.registry import RegistryPort, RegistryService


def namespace_winners(
    services: Iterable[RegistryService], namespace: str
) -> dict[str, RegistryService]:
    """Choose one namespace per host name: the client's, else Kubernetes, else the first met."""
    winners: dict[str, RegistryService] = {}
    for service in services:
        current = winners.get(service.hostname)
        if (
            current is None
            or service.namespace == namespace
            or (service.kubernetes and not current.kubernetes and current.namespace != namespace)
        ):
            winners[service.hostname] = service
    return winners


def add_service(services: MutableMapping[str, RegistryService], new: RegistryService) -> None:
    """Merge a service into the scope as `appendSidecarServices` does."""
    current = services.get(new.hostname)
    if current is None or (new.kubernetes and not current.kubernetes):
        services[new.hostname] = new
        return
    if _may_merge(current, new) and new.ports != current.ports:
        services[new.hostname] = replace(current, ports=_joined(current.ports, new.ports))


def _may_merge(current: RegistryService, new: RegistryService) -> bool:
    """Tell whether two services of a host name are alike but for their ports.

    What counts is what the objects declare. Source: `canMergeServices`.
    """

    def compared(service: RegistryService) -> tuple[object, ...]:
        declared = (service.declared_export_to or frozenset(), service.selector or {})
        return (service.namespace, service.resolution, service.kubernetes, service.labels, declared)

    return compared(current) == compared(new)


def _joined(
    first: tuple[RegistryPort, ...], second: tuple[RegistryPort, ...]
) -> tuple[RegistryPort, ...]:
    """Add the ports of new numbers: of several with one number the first."""
    added: dict[int, RegistryPort] = {}
    for port in second:
        added.setdefault(port.number, port)
    known = {port.number for port in first}
    return first + tuple(port for number, port in added.items() if number not in known)
