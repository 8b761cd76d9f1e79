"""Random Sidecars that compete for a proxy and import hosts in every form."""

from __future__ import annotations

from tests.istio.random_draw import (
    KUBERNETES,
    LABELS,
    NAMESPACES,
    OUTSIDE,
    PORTS,
    ROOT_NAMESPACE,
    WILDCARDS,
    Draw,
    protocol_of,
)
from tests.mesh.helpers import Object


def sidecars(draw: Draw) -> list[Object]:
    """Make up to three Sidecars in each namespace."""
    made: list[Object] = []
    for namespace in NAMESPACES:
        if not draw.on("Sidecar", 40 if namespace == ROOT_NAMESPACE else 60):
            continue
        found = [_sidecar(draw, namespace) for _ in range(draw.between(1, 3))]
        if len(found) > 1:
            draw.used["several Sidecars in a namespace"] += 1
        made += found
    return made


def _sidecar(draw: Draw, namespace: str) -> Object:
    spec: dict[str, object] = {}
    root = namespace == ROOT_NAMESPACE
    if draw.on("Sidecar workloadSelector", 60):
        labels = draw.one((*LABELS, {}, {"tier": "web"}))
        spec["workloadSelector"] = {"labels": labels} if labels else {}
    else:
        draw.used["default Sidecar of the root" if root else "default Sidecar of a namespace"] += 1
    if draw.chance(90):
        spec["egress"] = _egress(draw)
    if not spec.get("egress") or draw.on("outboundTrafficPolicy of a Sidecar", 20):
        modes: tuple[dict[str, str], ...] = ({"mode": "ALLOW_ANY"}, {"mode": "REGISTRY_ONLY"}, {})
        spec["outboundTrafficPolicy"] = draw.one(modes)
    return draw.istio("Sidecar", "sc", spec, namespace=namespace)


def _egress(draw: Draw) -> list[dict[str, object]]:
    """Make listeners with distinct ports, and perhaps a catch-all at the end."""
    ports = draw.random.sample(PORTS, draw.one((0, 0, 0, 1, 2)))
    listeners: list[dict[str, object]] = []
    for number, name in ports:
        if not draw.on("egress listener with a port", 100):
            break
        protocol = "HTTP_PROXY" if draw.on("HTTP_PROXY listener", 10) else protocol_of(name)
        port = {"number": number, "name": f"p{number}", "protocol": protocol or "TCP"}
        listeners.append({"port": port, "hosts": _hosts(draw)})
    if not listeners or draw.chance(60):
        listeners.append({"hosts": _hosts(draw)})
    return listeners


def _hosts(draw: Draw) -> list[str]:
    exact = draw.on("exact hosts only", 40)
    namespaces = ["a", "b", "c", ".", ROOT_NAMESPACE, *([] if exact else ["*", "*", "*"])]
    names = [*KUBERNETES, *OUTSIDE, *WILDCARDS[:1], *([] if exact else WILDCARDS)]
    entries = [f"{draw.one(namespaces)}/{draw.one(names)}" for _ in range(draw.between(1, 4))]
    known = [entry for entry in draw.known if not (exact and "*" in entry)]
    entries += draw.some(known, 8, least=0)
    if draw.on("everything of a namespace", 30) and not exact:
        entries.append(f"{draw.one(namespaces)}/*")
    if draw.on("exclusion", 25):
        excluded = draw.one(("~", "~a", "~b", "~."))
        entries.append(f"{excluded}/{draw.one((*KUBERNETES, *WILDCARDS))}")
    for entry in entries:
        namespace, _, name = entry.partition("/")
        draw.used["hosts of any namespace"] += namespace == "*"
        draw.used["hosts of the own namespace"] += namespace == "."
        draw.used["wildcard host entry"] += name.startswith("*")
    return list(dict.fromkeys(entries))
