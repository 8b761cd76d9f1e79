"""Which log formats a mesh configures."""

from __future__ import annotations

import json

from recommender.istio.telemetry import access_log_formats
from recommender.mesh import AccessLogFormat
from tests.mesh.helpers import Object, mesh_of_objects, obj

MESH = "MeshConfig accessLogFormat"


def formats(*objects: Object, **config: object) -> dict[str, AccessLogFormat]:
    data = {"mesh": json.dumps(config)}
    config_map = obj("v1", "ConfigMap", "istio", "istio-system", data=data)
    return access_log_formats(mesh_of_objects(config_map, *objects))


def provider(name: str, text: str | None = None) -> Object:
    log_format = {} if text is None else {"logFormat": {"text": text}}
    return {"name": name, "envoyFileAccessLog": {"path": "/dev/stdout", **log_format}}


def telemetry(*providers: str) -> Object:
    logging = [{"providers": [{"name": name} for name in providers]}]
    spec = {"accessLogging": logging}
    return obj("telemetry.istio.io/v1", "Telemetry", "t", "shop", spec=spec)


def test_a_mesh_that_writes_no_log_has_no_format() -> None:
    assert formats(accessLogFormat="x") == {}


def test_the_format_of_the_mesh_counts_where_it_names_a_file() -> None:
    found = formats(accessLogFile="/dev/stdout", accessLogFormat="x")

    assert found == {MESH: AccessLogFormat("x")}


def test_only_providers_in_use_count() -> None:
    providers = [provider("a", "x"), provider("b", "y"), provider("c")]

    assert formats(telemetry("b"), extensionProviders=providers) == {
        "extension provider b": AccessLogFormat("y")
    }
    defaults = {"accessLogging": ["c"]}
    assert formats(extensionProviders=providers, defaultProviders=defaults) == {
        "extension provider c": AccessLogFormat()
    }


def test_the_built_in_provider_writes_as_the_mesh_says() -> None:
    assert formats(telemetry("envoy"), accessLogFormat="x") == {MESH: AccessLogFormat("x")}


def test_a_provider_that_takes_the_name_of_the_built_in_one_writes_as_it_says() -> None:
    found = formats(telemetry("envoy"), extensionProviders=[provider("envoy", "y")])

    assert found == {"extension provider envoy": AccessLogFormat("y")}
