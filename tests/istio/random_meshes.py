"""Small random meshes in which host names collide, hide and stand for each other.

A mesh has every other feature of `FEATURES` on average; `features_of` tells which it came to have.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

from tests.istio import random_requests
from tests.istio.judge import JudgedProxy
from tests.istio.random_draw import CALLERS, EXPORTS, NAMESPACES, ROOT_NAMESPACE, Draw
from tests.istio.random_routes import destination_rules, routes
from tests.istio.random_services import caller, caller_name, service_entries, services
from tests.istio.random_sidecars import sidecars
from tests.mesh.helpers import Object, obj

FEATURES = (
    "DestinationRule",
    "DestinationRule workloadSelector",
    "ExternalName",
    "GRPCRoute",
    "HTTPRoute",
    "HTTPRoute mirror",
    "HTTPRoute redirect",
    "HTTP_PROXY listener",
    "HTTP_PROXY port",
    "ServiceEntry addresses",
    "ServiceEntry workloadSelector",
    "Sidecar",
    "Sidecar workloadSelector",
    "VirtualService gateways",
    "WorkloadEntry",
    "appProtocol and odd port names",
    "delegate",
    "destination port",
    "destination subset",
    "direct response",
    "discoverySelectors",
    "dynamic DNS",
    "egress listener with a port",
    "everything of a namespace",
    "exact hosts only",
    "exclusion",
    "exportTo of a DestinationRule",
    "exportTo of a Service",
    "exportTo of a ServiceEntry",
    "exportTo of a VirtualService",
    "exportTo of a delegate",
    "headless Service",
    "listener conflict",
    "match gateways",
    "match headers",
    "match method or query",
    "match port",
    "match uri",
    "mesh default exportTo",
    "mesh outboundTrafficPolicy",
    "mirror",
    "mirrors",
    "outboundTrafficPolicy of a Sidecar",
    "own Service",
    "parentRef port",
    "redirect",
    "rewrite",
    "route names",
    "shared address",
    "sourceLabels",
    "sourceNamespace",
    "subsets",
    "tcp destinationSubnets",
    "tls destinationSubnets",
    "weights",
    "wildcard VirtualService host",
)

# Every feature that is counted: those above, and what comes along with them.
COUNTED = (
    *FEATURES,
    *random_requests.FEATURES,
    "ServiceEntry CIDR",
    "ServiceEntry resolution DNS",
    "ServiceEntry resolution DNS_ROUND_ROBIN",
    "ServiceEntry resolution DYNAMIC_DNS",
    "ServiceEntry resolution NONE",
    "ServiceEntry resolution STATIC",
    "default Sidecar of a namespace",
    "default Sidecar of the root",
    "endpoints of a headless Service",
    "hosts of any namespace",
    "hosts of the own namespace",
    "several Sidecars in a namespace",
    "tcp route",
    "tls sniHosts",
    "wildcard DestinationRule",
    "wildcard ServiceEntry",
    "wildcard host entry",
    "zero weight",
)

_DEFAULTS = (
    "defaultServiceExportTo",
    "defaultVirtualServiceExportTo",
    "defaultDestinationRuleExportTo",
)
# Those without which most others would show nothing are on in most meshes.
_USUAL = ("Sidecar", "DestinationRule", "subsets", "match uri")


def random_mesh(seed: int) -> list[Object]:
    """Make the objects of a mesh; equal seeds make equal meshes.

    Every fourth has hosts of the same age in several namespaces, but no VirtualService: which of
    them a VirtualService's destination pulls in istiod leaves to chance.
    """
    return _draw_mesh(seed)[0]


def features_of(seed: int) -> Counter[str]:
    """Count what a mesh came to have."""
    return _draw_mesh(seed)[1]


def proxies() -> list[JudgedProxy]:
    """List a proxy of each namespace with each set of labels."""
    return [
        JudgedProxy(namespace, labels, caller_name(labels), (f"10.243.{home}.{kind + 1}",))
        for home, namespace in enumerate(NAMESPACES)
        for kind, labels in enumerate(CALLERS)
    ]


def write_mesh(folder: Path, objects: list[Object]) -> None:
    """Write objects as a mesh dump."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=1)
    Path(folder, "mesh.json").write_text(text, encoding="utf-8")


def _draw_mesh(seed: int) -> tuple[list[Object], Counter[str]]:
    random = Random(seed)  # noqa: S311 - nothing here is secret
    features = frozenset(f for f in FEATURES if random.randrange(100) < (90 if f in _USUAL else 50))
    if "destination subset" in features:
        features |= {"DestinationRule", "subsets"}
    aside = Random(f"{seed} requests")  # noqa: S311
    features |= {f for f in random_requests.FEATURES if aside.randrange(100) < 75}
    draw = Draw(random, features, ties=seed % 4 == 0, aside=aside)
    made = _namespaces(draw)
    made += services(draw)
    made += [caller(labels, namespace) for namespace in NAMESPACES for labels in CALLERS]
    made += service_entries(draw)
    if not draw.ties:
        made += routes(draw)
    made += destination_rules(draw)
    made += sidecars(draw)
    return made, +draw.used


def _namespaces(draw: Draw) -> list[Object]:
    """Make the namespaces and the mesh's configuration."""
    config: dict[str, object] = {"rootNamespace": ROOT_NAMESPACE}
    for key in _DEFAULTS:
        if draw.on("mesh default exportTo", 50):
            config[key] = draw.one(EXPORTS[:3])
    if draw.on("mesh outboundTrafficPolicy", 70):
        config["outboundTrafficPolicy"] = {"mode": draw.one(("REGISTRY_ONLY", "ALLOW_ANY"))}
    labels: dict[str, dict[str, str]] = {}
    if draw.on("discoverySelectors", 30):
        hidden = draw.one(NAMESPACES[:3])
        labels = {name: {"discover": "yes"} for name in NAMESPACES if name != hidden}
        config["discoverySelectors"] = draw.one(
            (
                [{"matchLabels": {"discover": "yes"}}],
                [{"matchExpressions": [{"key": "discover", "operator": "Exists"}]}],
            )
        )
    made = [
        obj("v1", "Namespace", namespace, "", labels=labels.get(namespace, {}))
        for namespace in NAMESPACES
    ]
    data = {"mesh": json.dumps(config)}
    return [*made, obj("v1", "ConfigMap", "istio", ROOT_NAMESPACE, data=data)]
