"""What Envoy asks through istiod keeps a namespace."""

from __future__ import annotations

import pytest

from tests.discovery.helpers import decide, kept, needs
from tests.mesh.helpers import Object, obj
from tests.recommendation.helpers import (
    fqdn,
    mesh_config,
)

ISTIO = "networking.istio.io/v1"
GATEWAY_API = "gateway.networking.k8s.io/v1"
OLD = fqdn("old.attic")


def route_to_pool(parent: Object) -> Object:
    """Make a route to an InferencePool of another namespace."""
    pool = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "p"}
    rules = [{"backendRefs": [{**pool, "namespace": "attic"}]}]
    return obj(GATEWAY_API, "HTTPRoute", "r", spec={"parentRefs": [parent], "rules": rules})


@pytest.mark.parametrize(
    ("object_", "need"),
    [
        (
            obj(
                ISTIO,
                "EnvoyFilter",
                "f",
                spec={
                    "targetRefs": [{"kind": "Gateway", "name": "g"}],
                    "configPatches": [{"patch": {"x": f"outbound|8080||{OLD}"}}],
                },
            ),
            {"gateway"},
        ),
        (
            obj(
                "security.istio.io/v1",
                "RequestAuthentication",
                "r",
                spec={"jwtRules": [{"issuer": "i", "jwksUri": f"http://{OLD}:8080/jwks"}]},
            ),
            {"provider"},
        ),
        (route_to_pool({"name": "g"}), {"gateway"}),
        (route_to_pool({"group": "", "kind": "Service", "name": "cart"}), {"gateway"}),
        (
            obj(
                "extensions.istio.io/v1alpha1",
                "WasmPlugin",
                "w",
                spec={"url": f"http://{OLD}:8080/filter.wasm"},
            ),
            set(),
        ),
    ],
)
def test_what_envoy_asks_through_istiod_keeps_a_namespace_and_what_its_agent_fetches_does_not(
    object_: Object, need: set[str]
) -> None:
    """The agent fetches Wasm by itself: istiod names no Envoy cluster for it."""
    assert needs(decide(object_)) == need


TRACED = obj(
    "telemetry.istio.io/v1",
    "Telemetry",
    "t",
    "istio-system",
    spec={"tracing": [{"providers": [{"name": "otel"}]}]},
)


@pytest.mark.parametrize("unread", [[], [mesh_config("1")]])
def test_every_namespace_stays_where_a_provider_is_used_that_no_known_mesh_config_defines(
    unread: list[Object],
) -> None:
    """Its service may be in any of them. A MeshConfig that lacks it leaves it without effect."""
    (need,) = kept(decide(TRACED, *unread)).needs

    assert (need.kind, need.detail.partition(",")[0]) == ("provider", "tracing provider otel")
    assert needs(decide(TRACED, mesh_config("{}"))) == set()
