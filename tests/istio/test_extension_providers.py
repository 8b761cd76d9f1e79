"""Services that a proxy needs although no access log shows them."""

from __future__ import annotations

import json

import pytest

from recommender.istio.extension_providers import provider_services
from tests.istio.helpers import ROOT, at, fqdn, mesh_config, rules_of, service, service_entry
from tests.mesh.helpers import Object, obj

SERVICES = tuple(service(name, "obs", 4317) for name in ("otel", "zipkin", "logs", "authz"))


def providers(**services: str) -> list[Object]:
    return [
        {"name": name, "opentelemetry": {"service": host, "port": 4317}}
        for name, host in services.items()
    ]


def needs(
    *objects: Object,
    defaults: dict[str, list[str]] | None = None,
    namespace: str = "a",
    **labels: str,
) -> dict[str, tuple[str, ...]]:
    """Map the services that a proxy needs to the reasons."""
    known = providers(**{name: fqdn(f"{name}.obs") for name in ("otel", "zipkin", "logs", "authz")})
    config = {"extensionProviders": known, "defaultProviders": defaults or {}}
    rules = rules_of(*SERVICES, *objects, mesh_config(json.dumps(config)))
    found = provider_services(rules, namespace, labels)
    return {key.hostname.split(".")[0]: reasons for key, reasons in found.items()}


def telemetry(name: str, namespace: str, created: int = 0, app: str = "", **spec: object) -> Object:
    if app:
        spec["selector"] = {"matchLabels": {"app": app}}
    version = "telemetry.istio.io/v1"
    return obj(version, "Telemetry", name, namespace, created=at(created), spec=spec)


def tracing(*names: str, **more: object) -> list[Object]:
    used = {"providers": [{"name": name} for name in names]} if names else {}
    return [{**used, **more}]


def test_the_service_that_a_tracer_asks_which_traces_to_keep_is_needed() -> None:
    asked = {"service": f"obs/{fqdn('zipkin.obs')}", "port": 4317, "http": {"path": "/"}}
    tracer = {"service": fqdn("otel.obs"), "dynatraceSampler": {"httpService": asked}}
    config = {
        "extensionProviders": [{"name": "mine", "opentelemetry": tracer}],
        "defaultProviders": {"tracing": ["mine"]},
    }
    rules = rules_of(*SERVICES, mesh_config(json.dumps(config)))
    found = provider_services(rules, "a", {})

    assert [key.hostname for key in found] == [fqdn("otel.obs"), fqdn("zipkin.obs")]


def test_a_provider_that_nothing_uses_is_not_needed() -> None:
    assert needs() == {}


def test_default_providers_are_needed_and_say_why() -> None:
    defaults = {"tracing": ["otel"], "accessLogging": ["logs"]}
    assert needs(defaults=defaults) == {
        "otel": ("tracing provider otel",),
        "logs": ("access-log provider logs",),
    }


def test_the_workload_s_telemetry_wins_over_its_namespace_and_that_over_the_root() -> None:
    levels = [telemetry("root", ROOT, tracing=tracing("otel"))]
    assert set(needs(*levels)) == {"otel"}
    levels.append(telemetry("wide", "a", tracing=tracing("zipkin")))
    assert set(needs(*levels)) == {"zipkin"}
    levels.append(telemetry("mine", "a", app="x", tracing=tracing("logs")))
    assert set(needs(*levels, app="x")) == {"logs"}
    assert set(needs(*levels, app="y")) == {"zipkin"}
    assert set(needs(*levels, namespace="b")) == {"otel"}


def test_of_several_telemetries_for_a_namespace_the_oldest_counts() -> None:
    assert set(
        needs(
            telemetry("a", "a", created=1, tracing=tracing("otel")),
            telemetry("b", "a", created=0, tracing=tracing("zipkin")),
        )
    ) == {"zipkin"}


def test_all_telemetries_that_select_a_workload_count_the_youngest_last() -> None:
    selecting = [
        telemetry("a", "a", created=1, app="x", tracing=tracing("otel")),
        telemetry("b", "a", created=0, app="x", accessLogging=tracing("logs")),
        telemetry("c", "a", created=0, app="x", tracing=tracing("zipkin")),
    ]
    assert set(needs(*selecting, app="x")) == {"otel", "logs"}


def test_switched_off_reporting_needs_no_provider() -> None:
    off = telemetry("off", "a", tracing=tracing(disableSpanReporting=True))
    assert needs(off, defaults={"tracing": ["otel"]}) == {}
    client = tracing(disableSpanReporting=True, match={"mode": "CLIENT"})
    still = telemetry("still", "a", tracing=client)
    assert set(needs(still, defaults={"tracing": ["otel"]})) == {"otel"}


def test_logs_of_one_direction_are_switched_off_alone() -> None:
    def off(*modes: str) -> Object:
        entries = [{"disabled": True, "match": {"mode": mode}} for mode in modes]
        return telemetry("off", "a", accessLogging=entries)

    defaults = {"accessLogging": ["logs"]}
    wide = telemetry("on", ROOT, accessLogging=[{"providers": [{"name": "logs"}]}])
    assert set(needs(wide, off("CLIENT"), defaults=defaults)) == {"logs"}
    assert set(needs(wide, off("CLIENT", "SERVER"), defaults=defaults)) == set()


def test_an_authorization_policy_needs_its_authorizer() -> None:
    spec: Object = {"action": "CUSTOM", "provider": {"name": "authz"}, "rules": [{}]}
    selecting = {**spec, "selector": {"matchLabels": {"app": "x"}}}
    version = "security.istio.io/v1"
    policy = obj(version, "AuthorizationPolicy", "p", "a", spec=selecting)
    assert needs(policy, app="x") == {"authz": ("ext_authz provider authz",)}
    assert needs(policy, app="y") == needs(policy, app="x", namespace="b") == {}
    everywhere = obj(version, "AuthorizationPolicy", "p", ROOT, spec=spec)
    assert set(needs(everywhere, namespace="b")) == {"authz"}


def test_an_envoy_filter_needs_the_clusters_it_names() -> None:
    patch = {"patch": {"value": {"cluster": f"outbound|4317||{fqdn('otel.obs')}"}}}
    spec = {"configPatches": [patch], "workloadSelector": {"labels": {"app": "x"}}}
    found = obj("networking.istio.io/v1alpha3", "EnvoyFilter", "f", "a", spec=spec)
    assert needs(found, app="x") == {"otel": ("EnvoyFilter a/f",)}
    assert needs(found, app="y") == {}


@pytest.mark.parametrize("kind", ["WasmPlugin", "TrafficExtension"])
def test_an_extension_needs_the_clusters_it_names(kind: str) -> None:
    def extension(namespace: str, **selector: str) -> Object:
        plugin = {"pluginConfig": {"cluster": f"outbound|4317||{fqdn('otel.obs')}"}}
        spec: Object = {**plugin} if kind == "WasmPlugin" else {"wasm": plugin}
        spec |= {"selector": {"matchLabels": selector}} if selector else {}
        return obj("extensions.istio.io/v1alpha1", kind, "w", namespace, spec=spec)

    found = extension("a", app="x")
    assert needs(found, app="x") == {"otel": (f"{kind} a/w",)}
    assert needs(found, app="y") == needs(found, app="x", namespace="b") == {}
    assert needs(extension(ROOT), namespace="b") == {"otel": (f"{kind} {ROOT}/w",)}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (fqdn("otel.obs"), True),
        (f"obs/{fqdn('otel.obs')}", True),
        (f"other/{fqdn('otel.obs')}", False),
        ("otel", False),
        ("otel.example", False),
    ],
)
def test_a_provider_names_its_service_by_host_perhaps_with_a_namespace(
    written: str, expected: bool
) -> None:
    config = {
        "extensionProviders": providers(mine=written),
        "defaultProviders": {"tracing": ["mine"]},
    }
    rules = rules_of(*SERVICES, mesh_config(json.dumps(config)))
    assert bool(provider_services(rules, "a", {})) is expected


def test_without_a_namespace_a_host_of_several_namespaces_is_not_found() -> None:
    twin = service_entry("twin", "b", fqdn("otel.obs"))
    assert needs(twin, defaults={"tracing": ["otel"]}) == {}


def test_a_request_authentication_needs_the_services_that_keys_are_fetched_from() -> None:
    """Where a flag of istiod has Envoy fetch them, and the dump does not tell flags."""

    def authentication(namespace: str, host: str, **more: object) -> Object:
        spec = {"jwtRules": [{"issuer": "i", "jwksUri": f"http://{host}:4317/keys"}], **more}
        return obj("security.istio.io/v1", "RequestAuthentication", "r", namespace, spec=spec)

    found = authentication("a", fqdn("authz.obs"), selector={"matchLabels": {"app": "x"}})
    assert needs(found, app="x") == {"authz": ("RequestAuthentication a/r",)}
    assert needs(found, app="y") == needs(found, app="x", namespace="b") == {}
    assert set(needs(authentication(ROOT, fqdn("authz.obs")), namespace="b")) == {"authz"}
    assert needs(authentication("a", "keys.example")) == {}
    gateway = {"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "g"}
    assert needs(authentication("a", fqdn("authz.obs"), targetRefs=[gateway])) == {}
