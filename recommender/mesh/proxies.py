"""Which kind of Istio proxy a pod, or a pod template, has.

The proxy is the container `istio-proxy`, or the init container of that name which is restarted
always (a native sidecar). Its first arguments are `proxy <type>`. Source: the injection templates
in istio manifests/charts (sidecar, gateway, kube-gateway, waypoint, ztunnel).
"""

from __future__ import annotations

from typing import Final

from recommender.mesh import fields
from recommender.mesh.fields import Fields
from recommender.mesh.objects import Labels, ProxyKind

PROXY_CONTAINER: Final = "istio-proxy"
INJECT: Final = "sidecar.istio.io/inject"
TEMPLATES_ANNOTATION: Final = "inject.istio.io/templates"
GATEWAY_NAME_LABEL: Final = "gateway.networking.k8s.io/gateway-name"
MANAGED_LABEL: Final = "gateway.istio.io/managed"
_WAYPOINT_CONTROLLER: Final = "istio.io-mesh-controller"
_TYPES: Final[dict[str, ProxyKind]] = {
    "sidecar": "sidecar",
    "router": "gateway",
    "waypoint": "waypoint",
    "ztunnel": "ztunnel",
}


def proxy_kind(labels: Labels, annotations: Labels, spec: Fields) -> ProxyKind | None:
    """Tell the kind of proxy from a pod's (or template's) labels, annotations and spec.

    A container without the usual arguments is a gateway where the labels or annotations of one
    are there (a template before injection), else a sidecar.

    Raises:
        FieldError: A field has a type that Kubernetes refuses.
    """
    container = proxy_container(spec)
    if container is None:
        return None
    arguments = (*fields.texts(container, "command"), *fields.texts(container, "args"))
    named = _TYPES.get(_after(arguments, "proxy"))
    if named in ("waypoint", "ztunnel"):
        return named
    if labels.get(GATEWAY_NAME_LABEL):
        return "waypoint" if labels.get(MANAGED_LABEL) == _WAYPOINT_CONTROLLER else "gateway"
    templates = annotations.get(TEMPLATES_ANNOTATION, "").split(",")
    if "gateway" in (template.strip() for template in templates):
        return "gateway"
    return named or "sidecar"


def proxy_container(spec: Fields) -> Fields | None:
    """Find the proxy's container in a pod's spec.

    Raises:
        FieldError: A field has a type that Kubernetes refuses.
    """
    for container in fields.mappings(spec, "containers"):
        if container.get("name") == PROXY_CONTAINER:
            return container
    for container in fields.mappings(spec, "initContainers"):
        if container.get("name") == PROXY_CONTAINER and container.get("restartPolicy") == "Always":
            return container
    return None


def injection(labels: Labels, annotations: Labels) -> str | None:
    """Read the pod's own word on injection; the label beats the annotation (`injectRequired`)."""
    return labels.get(INJECT, annotations.get(INJECT))


def _after(arguments: tuple[str, ...], word: str) -> str:
    if word not in arguments[:-1]:
        return ""
    return arguments[arguments.index(word) + 1]
