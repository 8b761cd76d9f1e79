"""Convert what brings calls into a mesh from outside, as far as it binds namespaces.

Which Ingresses istiod reads: istio pilot/pkg/config/kube/ingress `shouldProcessIngressWithClass`.
One of another class is none of its matters; without any the mesh's mode decides, so it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from recommender.mesh import fields
from recommender.mesh.credentials import config_map_namespaces
from recommender.mesh.fields import Fields
from recommender.mesh.gateway_api import GatewayRoute
from recommender.mesh.objects import EdgeObject, ObjectMeta

_CLASS: Final = "kubernetes.io/ingress.class"
_ISTIO: Final = "istio"
_CONTROLLER: Final = "istio.io/ingress-controller"


def edge_object(meta: ObjectMeta, _document: Fields, kind: str) -> EdgeObject:
    """Convert an object of which its being there is all that counts."""
    return EdgeObject(meta, kind)


def istio_gateway(meta: ObjectMeta, document: Fields) -> EdgeObject:
    """Convert a Gateway of Istio; its clients' authorities may be of other namespaces.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    named = config_map_namespaces(fields.mapping(document, "spec"))
    return EdgeObject(meta, "Gateway", namespaces=named)


def gateway(meta: ObjectMeta, document: Fields, kind: str) -> EdgeObject:
    """Convert a Gateway or ListenerSet of the Gateway API.

    Its certificates, its clients' authorities and its Gateway may be of other namespaces.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    spec = fields.mapping(document, "spec")
    references = [fields.mapping(spec, "parentRef")]
    for listener in fields.mappings(spec, "listeners"):
        references += fields.mappings(fields.mapping(listener, "tls"), "certificateRefs")
    frontend = fields.mapping(fields.mapping(spec, "tls"), "frontend")
    ports = [fields.mapping(each, "tls") for each in fields.mappings(frontend, "perPort")]
    for tls in (fields.mapping(frontend, "default"), *ports):
        references += fields.mappings(fields.mapping(tls, "validation"), "caCertificateRefs")
    named = {fields.text(each, "namespace") or meta.namespace for each in references}
    return EdgeObject(meta, kind, namespaces=tuple(sorted(named - {meta.namespace})))


@dataclass(frozen=True, slots=True)
class Ingress:
    """Hold the class of an Ingress: the one of its annotation, None without, and of its spec."""

    meta: ObjectMeta
    noted: str | None
    named: str


@dataclass(frozen=True, slots=True)
class IngressClass:
    """Hold who serves the Ingresses of a class."""

    meta: ObjectMeta
    controller: str


def ingress(meta: ObjectMeta, document: Fields) -> Ingress:
    """Convert an Ingress.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    named = fields.text(fields.mapping(document, "spec"), "ingressClassName")
    return Ingress(meta, meta.annotations.get(_CLASS), named)


def ingress_class(meta: ObjectMeta, document: Fields) -> IngressClass:
    """Convert an IngressClass.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    return IngressClass(meta, fields.text(fields.mapping(document, "spec"), "controller"))


def ingresses_of_istio(
    ingresses: Iterable[Ingress], classes: Iterable[IngressClass], mesh_class: str
) -> Iterator[EdgeObject]:
    """Yield the Ingresses that istiod reads, `mesh_class` being the MeshConfig's `ingressClass`.

    Of a class that the dump lacks the name tells.
    """
    controllers = {(c.meta.kubernetes_cluster, c.meta.name): c.controller for c in classes}
    for each in ingresses:
        controller = controllers.get((each.meta.kubernetes_cluster, each.named))
        name = each.named if each.noted is None else each.noted
        if each.noted is None and controller is not None:
            counts = controller == _CONTROLLER
        else:
            counts = name in ("", mesh_class) or _ISTIO in name
        if counts:
            yield EdgeObject(each.meta, "Ingress")


def routes_of_gateways(routes: Iterable[GatewayRoute]) -> Iterator[EdgeObject]:
    """Yield the routes that are attached to a Gateway, with what they lead to.

    So are others that lead to what is no Service.
    """
    for route in routes:
        if route.gateways or route.others:
            hosts = {d.host for each in route.routes for d in (*each.destinations, *each.mirrors)}
            namespaces = tuple(sorted({*route.gateways, *route.others} - {route.meta.namespace}))
            yield EdgeObject(route.meta, route.kind, tuple(sorted(hosts)), namespaces)
