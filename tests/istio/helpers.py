"""Objects and scopes for the unit tests of the scope rules."""

from __future__ import annotations

from dataclasses import replace

from recommender.istio.proxy import Proxy
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.sidecar_scope import (
    ScopeRules,
    SidecarScope,
    build_scope_rules,
    select_sidecar,
    sidecar_scope,
)
from recommender.mesh.objects import EgressListener, Labels
from tests.mesh.helpers import Object, mesh_of_objects, obj

ISTIO = "networking.istio.io/v1"
ROOT = "istio-system"


def at(second: int) -> str:
    """Return a creation time."""
    return f"2026-01-01T00:00:{second:02}Z"


def fqdn(name: str) -> str:
    """Complete `name.namespace`."""
    return f"{name}.svc.cluster.local"


def ports(*numbers: int) -> list[Object]:
    """Make HTTP ports."""
    return [{"name": f"http-{n}", "number": n, "port": n, "protocol": "HTTP"} for n in numbers]


def service(
    name: str,
    namespace: str = "a",
    *numbers: int,
    export_to: str = "",
    created: int = 0,
    **spec: object,
) -> Object:
    """Make a Service with HTTP ports, by default 80."""
    spec = {"clusterIP": "10.0.0.1", **spec}
    kubernetes = [{"name": p["name"], "port": p["port"]} for p in ports(*(numbers or (80,)))]
    notes = {"networking.istio.io/exportTo": export_to} if export_to else {}
    return obj(
        "v1",
        "Service",
        name,
        namespace,
        annotations=notes,
        created=at(created),
        spec={"ports": kubernetes, **spec},
    )


def external_name(name: str, namespace: str, target: str) -> Object:
    """Make a Service that stands for another host."""
    return service(name, namespace, type="ExternalName", externalName=target, clusterIP="")


def service_entry(
    name: str, namespace: str, host: str, *numbers: int, created: int = 0, **spec: object
) -> Object:
    """Make a ServiceEntry with HTTP ports, by default 80."""
    listed = [{k: p[k] for k in ("name", "number", "protocol")} for p in ports(*(numbers or (80,)))]
    spec = {"hosts": [host], "ports": listed, **spec}
    return obj(ISTIO, "ServiceEntry", name, namespace, created=at(created), spec=spec)


def virtual_service(
    name: str, namespace: str, hosts: list[str], *to: object, created: int = 0, **spec: object
) -> Object:
    """Make a VirtualService whose one http route has destinations: host names or objects."""
    destinations = [{"host": d} if isinstance(d, str) else d for d in to]
    http = [{"route": [{"destination": d, "weight": 1} for d in destinations]}] if to else []
    spec = {"hosts": hosts, "http": http, **spec}
    return obj(ISTIO, "VirtualService", name, namespace, created=at(created), spec=spec)


def sidecar(
    name: str,
    namespace: str,
    *hosts: str,
    selector: Labels | None = None,
    created: int = 0,
) -> Object:
    """Make a Sidecar with one catch-all listener; `selector` {} is an empty selector."""
    spec: dict[str, object] = {"egress": [{"hosts": list(hosts or ("*/*",))}]}
    if selector is not None:
        spec["workloadSelector"] = {"labels": dict(selector)} if selector else {}
    return obj(ISTIO, "Sidecar", name, namespace, created=at(created), spec=spec)


def mesh_config(text: str) -> Object:
    """Make the ConfigMap of the MeshConfig."""
    return obj("v1", "ConfigMap", "istio", ROOT, data={"mesh": text})


def rules_of(*objects: Object, version: tuple[int, int] = (1, 31)) -> ScopeRules:
    """Compute the rules of a mesh, as a version of istiod has them."""
    return build_scope_rules(replace(mesh_of_objects(*objects), istio_version=version))


def scope_of(rules: ScopeRules, namespace: str, *hosts: str) -> SidecarScope:
    """Compute the scope of a proxy with one catch-all listener."""
    return sidecar_scope(rules, namespace, [EgressListener(hosts=hosts)])


def proxy_config(
    *objects: Object, hosts: tuple[str, ...] = ("*/*",), policy: str = "ALLOW_ANY"
) -> ProxyConfig:
    """Make what istiod makes a proxy in namespace `a` its configuration of."""
    rules = rules_of(*objects)
    return ProxyConfig(rules, scope_of(rules, "a", *hosts), Proxy("a"), policy)


def imported(scope: SidecarScope) -> list[str]:
    """List what the listeners import as `namespace/host`, in order."""
    return [str(s.key) for listener in scope.listeners for s in listener.services]


def held(scope: SidecarScope) -> dict[str, list[int]]:
    """Map `namespace/host` of everything with clusters to its ports."""
    return {str(s.key): [p.number for p in s.ports] for s in scope.services.values()}


def virtual_services(scope: SidecarScope) -> list[str]:
    """List the VirtualServices in order of precedence."""
    return [f"{v.meta.namespace}/{v.meta.name}" for v in scope.virtual_services()]


def selected(rules: ScopeRules, namespace: str, **labels: str) -> str | None:
    """Name the Sidecar of a proxy."""
    found = select_sidecar(rules, namespace, labels)
    return f"{found.meta.namespace}/{found.meta.name}" if found else None
