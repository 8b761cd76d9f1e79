"""What a proxy reports of the calls that it makes (`mergeLogs`, `accessLogFile`)."""

from __future__ import annotations

import json

import pytest

from recommender.istio.telemetry import OutboundTelemetry, outbound_telemetry
from tests.istio.helpers import ROOT, mesh_config, rules_of
from tests.mesh.helpers import Object, obj

PROVIDERS: list[Object] = [
    {"name": "text", "envoyFileAccessLog": {"path": "/dev/stdout"}},
    {"name": "json", "envoyFileAccessLog": {"path": "/dev/stdout", "logFormat": {"labels": {}}}},
    {"name": "spans", "opentelemetry": {"service": "otel.obs.svc.cluster.local", "port": 4317}},
]


def reported(*telemetries: Object, **settings: object) -> OutboundTelemetry:
    config = {"extensionProviders": PROVIDERS, **settings}
    rules = rules_of(*telemetries, mesh_config(json.dumps(config)))
    return outbound_telemetry(rules, "a", {"app": "x"})


def telemetry(namespace: str, **spec: object) -> Object:
    return obj("telemetry.istio.io/v1", "Telemetry", "all", namespace, spec=spec)


def logging(*names: str, **more: object) -> list[Object]:
    return [{"providers": [{"name": name} for name in names], **more}]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, OutboundTelemetry(0, 0, tracing=False)),
        ({"accessLogFile": "/dev/stdout"}, OutboundTelemetry(1, 0, tracing=False)),
        (
            {"accessLogFile": "/dev/stdout", "accessLogEncoding": "JSON"},
            OutboundTelemetry(0, 1, tracing=False),
        ),
        (
            {"accessLogFile": "/dev/stdout", "defaultProviders": {"accessLogging": ["json"]}},
            OutboundTelemetry(0, 1, tracing=False),
        ),
        ({"defaultProviders": {"tracing": ["spans"]}}, OutboundTelemetry(0, 0, tracing=True)),
    ],
)
def test_the_mesh_decides_where_no_telemetry_does(
    settings: dict[str, object], expected: OutboundTelemetry
) -> None:
    assert reported(**settings) == expected


def test_a_telemetry_decides_instead_of_the_mesh() -> None:
    for_all = telemetry(ROOT, accessLogging=logging("text", "json"))
    own = telemetry("a", accessLogging=logging("json"))
    silent = telemetry("a", accessLogging=[{"disabled": True}])
    of_servers = telemetry("a", accessLogging=logging("json", match={"mode": "SERVER"}))
    file = {"accessLogFile": "/dev/stdout"}

    assert reported(for_all, **file) == OutboundTelemetry(1, 1, tracing=False)
    assert reported(for_all, own, **file) == OutboundTelemetry(0, 1, tracing=False)
    assert reported(for_all, silent, **file) == OutboundTelemetry(0, 0, tracing=False)
    assert reported(of_servers, **file) == OutboundTelemetry(0, 0, tracing=False)


def test_a_malformed_log_format_is_taken_for_text() -> None:
    provider = {"name": "odd", "envoyFileAccessLog": {"logFormat": "%REQ(:METHOD)%"}}
    config = mesh_config(json.dumps({"extensionProviders": [provider]}))
    rules = rules_of(telemetry("a", accessLogging=logging("odd")), config)

    assert outbound_telemetry(rules, "a", {}) == OutboundTelemetry(1, 0, tracing=False)
