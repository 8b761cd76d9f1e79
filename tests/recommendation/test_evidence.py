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
    mesh_config,
    notes,
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


def test_some_calls_in_the_log_are_no_proof_that_all_were_logged() -> None:
    telemetry = logging({**ENVOY, "match": {"mode": "SERVER"}})

    assert left_out(decide([*MESH, telemetry], [CALL]), "web").reason == "calls not logged"


def test_only_what_is_written_to_files_counts_as_logged() -> None:
    """A provider that sends logs elsewhere leaves the container's log without them."""
    config = mesh_config(
        "extensionProviders: [{name: far, envoyOtelAls: {service: o.obs.svc, port: 4317}}]"
    )
    server = {**ENVOY, "match": {"mode": "SERVER"}}
    telemetry = logging(server, {"providers": [{"name": "far"}]})

    answer = decide([*MESH, config, telemetry], [received(WEB)])
    assert left_out(answer, "web").reason == "calls not logged"


def test_logs_without_any_call_are_doubted_aloud() -> None:
    assert notes(decide(MESH, [received(WEB)]), "web") == {"calls unseen"}


def test_a_provider_that_no_mesh_config_defines_leaves_the_workload_out() -> None:
    """Without its service an authorizer would deny every request."""
    spec = {"action": "CUSTOM", "provider": {"name": "authz"}, "rules": [{}]}
    policy = obj("security.istio.io/v1", "AuthorizationPolicy", "p", spec=spec)

    assert left_out(decide([*MESH, policy], [CALL]), "web").reason == "provider unknown"


def test_the_service_of_a_provider_that_the_dump_lacks_is_kept_unproved() -> None:
    config = mesh_config(
        "extensionProviders: [{name: otel, opentelemetry: {service: obs/otel.example.com,"
        " port: 4317}}]\ndefaultProviders: {tracing: [otel]}"
    )
    answer = decide([*MESH, config], [CALL])

    assert "obs/otel.example.com" in hosts(answer, "web")
    assert notes(answer, "web") == {"gone"}


def test_pods_without_a_proxy_beside_others_are_named() -> None:
    bare = deployment("web", pods=2, proxy=False)[-1]
    answer = decide([*MESH, bare], [CALL])

    assert notes(answer, "web") == {"unproxied pods"}


def test_filtered_logs_are_no_evidence_unless_the_settings_say_so() -> None:
    telemetry = logging({**ENVOY, "filter": {"expression": "response.code >= 400"}})

    assert left_out(decide([*MESH, telemetry], [CALL]), "web").reason == "logs filtered"
    accepted = decide([*MESH, telemetry], [CALL], accept_filtered_logs=True)
    assert hosts(accepted, "web") == [f"shop/{fqdn('cart.shop')}"]


def test_a_proxy_that_captures_nothing_gets_no_sidecar() -> None:
    pods = deployment("web")
    pods[-1]["metadata"] |= {"annotations": {"sidecar.istio.io/interceptionMode": "NONE"}}

    assert left_out(decide([*pods, service("cart")], [CALL]), "web").reason == "calls not captured"


def test_a_younger_sidecar_that_istiod_ignores_is_named() -> None:
    own = sidecar("web", hosts=["./*"], selector={"app": "web"}, own=True)
    mine = sidecar("young", hosts=["./*"], selector={"app": "web"})
    answer = decide([*MESH, own, mine], [CALL])

    assert [n.name for n in of(answer, "web").notes] == ["shadowed Sidecar"]
