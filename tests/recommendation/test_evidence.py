"""Logs that cannot show every call are no evidence of calling nobody."""

from __future__ import annotations

import pytest

from tests.mesh.helpers import Object, obj
from tests.recommendation.helpers import (
    decide,
    deployment,
    fqdn,
    hosts,
    http_call,
    left_out,
    of,
    pod_name,
    received,
    service,
    sidecar,
)

WEB = f"shop/{pod_name('web')}"
CALL = http_call(WEB, "cart", fqdn("cart.shop"))
MESH = [*deployment("web"), service("cart")]
ENVOY: Object = {"providers": [{"name": "envoy"}]}


def logging(*entries: Object) -> Object:
    spec = {"accessLogging": list(entries)}
    return obj("telemetry.istio.io/v1", "Telemetry", "logs", "istio-system", spec=spec)


@pytest.mark.parametrize(
    "telemetry",
    [
        logging({**ENVOY, "match": {"mode": "SERVER"}}),
        logging(ENVOY, {"match": {"mode": "CLIENT"}, "disabled": True}),
    ],
)
def test_where_the_calls_are_not_logged_there_is_no_sidecar(telemetry: Object) -> None:
    answer = decide([*MESH, telemetry], [received(WEB)])

    assert left_out(answer, "web").reason == "calls not logged"


def test_calls_that_are_in_the_log_were_logged_whatever_telemetry_says_today() -> None:
    telemetry = logging({**ENVOY, "match": {"mode": "SERVER"}})

    assert hosts(decide([*MESH, telemetry], [CALL]), "web") == [f"shop/{fqdn('cart.shop')}"]


def test_filtered_logs_are_no_evidence_unless_the_settings_say_so() -> None:
    telemetry = logging({**ENVOY, "filter": {"expression": "response.code >= 400"}})

    assert left_out(decide([*MESH, telemetry], [CALL]), "web").reason == "logs filtered"
    accepted = decide([*MESH, telemetry], [CALL], accept_filtered_logs=True)
    assert hosts(accepted, "web") == [f"shop/{fqdn('cart.shop')}"]


def test_a_proxy_that_captures_nothing_gets_no_sidecar() -> None:
    pods = deployment("web")
    pods[-1]["metadata"] |= {  # type: ignore[operator]
        "annotations": {"sidecar.istio.io/interceptionMode": "NONE"}
    }

    assert left_out(decide([*pods, service("cart")], [CALL]), "web").reason == "calls not captured"


def test_a_younger_sidecar_that_istiod_ignores_is_named() -> None:
    own = sidecar("web", hosts=["./*"], selector={"app": "web"}, own=True)
    mine = sidecar("young", hosts=["./*"], selector={"app": "web"})
    answer = decide([*MESH, own, mine], [CALL])

    assert [n.name for n in of(answer, "web").notes] == ["shadowed Sidecar"]
