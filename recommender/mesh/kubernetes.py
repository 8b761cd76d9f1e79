"""Convert metadata and the core Kubernetes objects that istiod's registry is made of."""

from __future__ import annotations

from typing import Final

from recommender.mesh import fields
from recommender.mesh.fields import FieldError, Fields
from recommender.mesh.objects import (
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Namespace,
    Node,
    ObjectMeta,
    Service,
    ServicePort,
)

SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"
# Region, zone and subzone, each by its label and by what it was called before.
_LOCALITY: Final = (
    ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"),
    ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"),
    ("topology.istio.io/subzone",),
)
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def object_meta(
    document: Fields, origin: str, *, namespaced: bool = True, kubernetes_cluster: str = ""
) -> ObjectMeta:
    """Convert `metadata`; a namespaced object without a namespace is in `default`.

    The copy of the whole object that `kubectl apply` keeps in an annotation is dropped.

    Raises:
        FieldError: A field has the wrong type, or the name is missing.
    """
    metadata = fields.mapping(document, "metadata")
    annotations = fields.labels(metadata, "annotations")
    annotations.pop(_LAST_APPLIED, None)
    namespace = fields.text(metadata, "namespace") or "default"
    return ObjectMeta(
        namespace=namespace if namespaced else "",
        name=fields.required_text(metadata, "name"),
        labels=fields.labels(metadata, "labels"),
        annotations=annotations,
        created=fields.time(metadata, "creationTimestamp"),
        origin=origin,
        kubernetes_cluster=kubernetes_cluster,
    )


def namespace(meta: ObjectMeta, _document: Fields) -> Namespace:
    """Convert a Namespace."""
    return Namespace(meta)


def service(meta: ObjectMeta, document: Fields) -> Service:
    """Convert a Service.

    Raises:
        FieldError: A field has a type or value that Kubernetes refuses.
    """
    spec = fields.mapping(document, "spec")
    kind = fields.text(spec, "type") or "ClusterIP"
    external = kind == "ExternalName"
    addresses = _cluster_ips(spec)
    headless = not external and addresses[0] == "None"
    return Service(
        meta=meta,
        type=kind,
        cluster_ips=() if headless or external else tuple(a for a in addresses if a),
        headless=headless,
        selector=fields.labels(spec, "selector"),
        ports=fields.each(spec, "ports", _service_port),
        external_name=fields.required_text(spec, "externalName") if external else None,
    )


def node(meta: ObjectMeta, _: Fields) -> Node:
    """Convert a Node: its labels tell its locality.

    Source: istio serviceregistry/kube/controller/controller.go (`getPodLocality`).
    """
    found = [next((meta.labels[k] for k in keys if meta.labels.get(k)), "") for keys in _LOCALITY]
    return Node(meta, "/".join(found) if any(found) else "")


def endpoint_slice(meta: ObjectMeta, document: Fields) -> EndpointSlice:
    """Convert an EndpointSlice; a port that stands for every port is left out.

    Raises:
        FieldError: A field has a type or value that Kubernetes refuses.
    """
    ports = fields.each(document, "ports", _endpoint_port)

    def endpoint(entry: Fields) -> Endpoint:
        return _endpoint(entry, meta.namespace)

    return EndpointSlice(
        meta=meta,
        service=meta.labels.get(SERVICE_NAME_LABEL, ""),
        ports=tuple(port for port in ports if port is not None),
        endpoints=fields.each(document, "endpoints", endpoint),
    )


def _cluster_ips(spec: Fields) -> tuple[str, ...]:
    """Read the virtual IPs, `("None",)` for a headless Service."""
    name = "clusterIPs" if fields.texts(spec, "clusterIPs") else "clusterIP"
    found = fields.texts(spec, name) if name == "clusterIPs" else (fields.text(spec, name),)
    fields.addresses({name: [ip for ip in found if ip not in ("", "None")]}, name)
    return found


def _service_port(entry: Fields) -> ServicePort:
    return ServicePort(
        number=fields.required_port(entry, "port"),
        name=fields.text(entry, "name"),
        protocol=fields.text(entry, "protocol") or "TCP",
        app_protocol=fields.optional_text(entry, "appProtocol"),
        target_port=_target_port(entry),
    )


def _target_port(entry: Fields) -> int | str | None:
    value = entry.get("targetPort")
    if isinstance(value, str):
        return value or None
    return fields.port(entry, "targetPort") or None


def _endpoint_port(entry: Fields) -> EndpointPort | None:
    number = fields.port(entry, "port")
    if not number:
        return None
    protocol = fields.text(entry, "protocol") or "TCP"
    return EndpointPort(number, fields.text(entry, "name"), protocol)


def _endpoint(entry: Fields, namespace: str) -> Endpoint:
    target = fields.mapping(entry, "targetRef")
    pod = None
    if fields.text(target, "kind") == "Pod":
        owner = fields.text(target, "namespace") or namespace
        pod = (owner, fields.required_text(target, "name"))
    addresses = fields.texts(entry, "addresses")
    if not addresses:
        raise FieldError("addresses is missing")
    conditions = fields.mapping(entry, "conditions")
    ready = fields.flag(conditions, "ready") is not False
    # Unknown counts as true (istio serviceregistry/kube/controller `endpointHealthStatus`).
    terminating = not ready and fields.flag(conditions, "terminating") is not False
    zone = fields.text(entry, "zone")
    return Endpoint(addresses, ready=ready, terminating=terminating, pod=pod, zone=zone)
