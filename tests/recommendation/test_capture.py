"""What a proxy captures is what its pod was injected with, else what the mesh asks for."""

from __future__ import annotations

import pytest

from tests.mesh.helpers import Object
from tests.recommendation.helpers import (
    decide,
    deployment,
    fqdn,
    hosts,
    http_call,
    left_out,
    mesh_config,
    pod_name,
    service,
    service_entry,
)

CALL = http_call(f"shop/{pod_name('web')}", "cart", fqdn("cart.shop"))
NONE = {"name": "ISTIO_META_INTERCEPTION_MODE", "value": "NONE"}
REDIRECT = {"name": "ISTIO_META_INTERCEPTION_MODE", "value": "REDIRECT"}
DNS = {"name": "ISTIO_META_DNS_CAPTURE", "value": "true"}
CAPTURES = "defaultConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true'}}"


def web(*environment: Object, annotation: str = "") -> list[Object]:
    made = deployment("web")
    made[-1]["spec"]["containers"] = [{"name": "istio-proxy", "env": list(environment)}]
    if annotation:
        made[-1]["metadata"]["annotations"] = {"proxy.istio.io/config": annotation}
    return made


def with_address(protocol: str = "TCP", **spec: object) -> Object:
    port = {"number": 3306, "name": "db", "protocol": protocol}
    made = service_entry("db", "data", ["db.example"], ports=[port], **spec)
    return {**made, "status": {"addresses": [{"host": "db.example", "value": "240.240.0.1"}]}}


def reason(*objects: Object) -> str:
    answer = decide([*objects, service("cart")], [CALL])
    if not answer.left_out or answer.left_out[0].workload.name != "web":
        assert hosts(answer, "web") == [f"shop/{fqdn('cart.shop')}"]
        return ""
    return left_out(answer, "web").reason


@pytest.mark.parametrize(
    "mesh",
    [
        web(NONE),
        web(annotation="interceptionMode: NONE"),
        [*web(), mesh_config("defaultConfig: {interceptionMode: NONE}")],
        [*web(), mesh_config("defaultConfig: {interception_mode: 2}")],
    ],
    ids=["environment", "annotation", "mesh", "number"],
)
def test_proxies_that_intercept_nothing_get_no_sidecar(mesh: list[Object]) -> None:
    assert reason(*mesh) == "calls not captured"


def test_a_pod_without_a_proxy_captures_nothing_to_speak_of() -> None:
    answer = decide(
        [*deployment("web", proxy=False), mesh_config("defaultConfig: {interceptionMode: NONE}")],
        [],
    )
    assert left_out(answer, "web").reason == "no proxy"


def test_a_pod_goes_before_the_mesh() -> None:
    """A pod knows what it was injected with; the workload's next pods may differ."""
    every = web(REDIRECT)
    every[0]["spec"]["template"]["metadata"]["annotations"] = {
        "sidecar.istio.io/interceptionMode": "REDIRECT"
    }
    assert reason(*every, mesh_config("defaultConfig: {interceptionMode: NONE}")) == ""
    assert reason(*web(REDIRECT, NONE), mesh_config("")) == "calls not captured"


@pytest.mark.parametrize(
    "mesh",
    [
        [*web(REDIRECT, DNS), mesh_config("")],
        [*web(annotation="proxyMetadata: {ISTIO_META_DNS_CAPTURE: 'true'}"), mesh_config("")],
        [*web(REDIRECT), mesh_config(CAPTURES)],
    ],
    ids=["environment", "annotation", "mesh alone"],
)
def test_proxies_that_know_other_addresses_than_the_model_get_no_sidecar(
    mesh: list[Object],
) -> None:
    assert reason(*mesh, with_address()) == "another DNS capture"
    assert reason(*mesh, with_address("HTTP")) == ""
    assert reason(*mesh, with_address(addresses=["10.9.9.9"])) == ""
    assert reason(*mesh) == ""


@pytest.mark.parametrize(
    "mesh",
    [
        [*web(REDIRECT, DNS), mesh_config(CAPTURES)],
        [*web(REDIRECT), mesh_config("")],
        [*web(), mesh_config(CAPTURES)],
        [*web(annotation="proxyMetadata: ["), mesh_config(CAPTURES)],
    ],
    ids=["both", "neither", "as the mesh", "not injected"],
)
def test_proxies_that_know_the_addresses_of_the_model_are_recommended(mesh: list[Object]) -> None:
    assert reason(*mesh, with_address()) == ""
