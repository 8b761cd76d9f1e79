import pytest

from recommender.mesh import AccessLogFormat, ExtensionProvider, MeshConfig
from recommender.mesh.mesh_config import BUILT_IN_PROVIDERS
from recommender.mesh.route_settings import Retries
from tests.mesh.helpers import Object, mesh_of, mesh_of_objects, notes_of, obj

FULL = """
rootNamespace: istio-root
trustDomain: shop.example
outboundTrafficPolicy: {mode: REGISTRY_ONLY}
defaultServiceExportTo: ["."]
defaultVirtualServiceExportTo: ["."]
defaultDestinationRuleExportTo: [".", istio-system]
defaultProviders:
  tracing: [otel]
  accessLogging: [envoy]
  metrics: [prometheus]
defaultConfig:
  proxyMetadata:
    ISTIO_META_DNS_CAPTURE: "true"
defaultHttpRetryPolicy: {attempts: 3, retryOn: 5xx}
discoverySelectors:
- matchLabels: {mesh: "on"}
- matchExpressions:
  - {key: env, operator: In, values: [prod, test]}
  - {key: "off", operator: DoesNotExist}
extensionProviders:
- name: otel
  opentelemetry: {service: observability/otel.example, port: 4317}
- name: authz
  envoyExtAuthzGrpc: {service: authz.sec.svc.cluster.local, port: 9000}
- name: envoy
  envoyFileAccessLog: {path: /dev/stderr}
"""


def config_map(mesh: str, name: str = "istio", namespace: str = "istio-system") -> Object:
    return obj("v1", "ConfigMap", name, namespace, data={"mesh": mesh, "meshNetworks": "{}"})


def config(mesh: str) -> MeshConfig:
    return mesh_of_objects(config_map(mesh)).config


def test_every_field_that_decides_scope_or_its_size_is_read() -> None:
    assert config(FULL) == MeshConfig(
        root_namespace="istio-root",
        trust_domain="shop.example",
        outbound_traffic_policy="REGISTRY_ONLY",
        default_service_export_to=(".",),
        default_virtual_service_export_to=(".",),
        default_destination_rule_export_to=(".", "istio-system"),
        extension_providers=(
            *BUILT_IN_PROVIDERS,
            ExtensionProvider("otel", "opentelemetry", "observability/otel.example", 4317),
            ExtensionProvider("authz", "envoyExtAuthzGrpc", "authz.sec.svc.cluster.local", 9000),
        ),
        default_tracing_providers=("otel",),
        default_access_logging_providers=("envoy",),
        dns_capture=True,
        discovery_selectors=(
            (("mesh", "In", ("on",)),),
            (("env", "In", ("prod", "test")), ("off", "DoesNotExist", ())),
        ),
        default_retries=Retries(3, "5xx"),
    )


def test_without_a_config_map_istios_defaults_count_with_a_note() -> None:
    mesh = mesh_of_objects()

    assert mesh.config == MeshConfig(extension_providers=BUILT_IN_PROVIDERS) == config("")
    assert notes_of(mesh, "no ConfigMap") == ["ConfigMap istio-system/istio"]


def test_a_provider_of_a_built_in_name_replaces_it() -> None:
    mesh = 'extensionProviders: [{name: envoy, zipkin: {service: "z.example", port: 9411}}]'

    assert config(mesh).extension_providers[2] == ExtensionProvider(
        "envoy", "zipkin", "z.example", 9411
    )


@pytest.mark.parametrize(
    ("mesh", "selectors"),
    [
        ("discovery_selectors: [{matchLabels: {a: b}}]", ((("a", "In", ("b",)),),)),
        ("discoverySelectors: [null, {}]", ((), ())),
        ("discoverySelectors: [{matchLabels: {a: null}}]", ((("a", "In", ("",)),),)),
        ("discoverySelectors: [{matchExpressions: [null]}]", ((("", "", ()),),)),
        (
            "discoverySelectors: [{matchExpressions: [{key: a, operator: In, values: [null]}]}]",
            ((("a", "In", ("",)),),),
        ),
    ],
)
def test_selectors_are_read_as_istiod_reads_them(mesh: str, selectors: object) -> None:
    assert config(mesh).discovery_selectors == selectors


def test_fields_may_have_the_names_of_the_protobuf_message_but_for_those_that_are_merged() -> None:
    given = "default_providers: {tracing: [otel]}\ntrust_domain: a\nroot_namespace: b"
    found = config(f"{given}\nrootNamespace: c")

    assert (found.trust_domain, found.root_namespace) == ("a", "c")
    assert found.default_tracing_providers == ()


@pytest.mark.parametrize(
    ("mesh", "mode"),
    [
        ("outboundTrafficPolicy: null", "ALLOW_ANY"),
        ("outboundTrafficPolicy: {}", "REGISTRY_ONLY"),
        ("outboundTrafficPolicy: {mode: ALLOW_ANY}", "ALLOW_ANY"),
    ],
)
def test_a_policy_without_a_mode_is_registry_only(mesh: str, mode: str) -> None:
    assert config(mesh).outbound_traffic_policy == mode


@pytest.mark.parametrize(
    "mesh",
    [
        "a: [",
        "just text",
        "rootNamespace: [a]",
        "defaultServiceExportTo: '*'",
        "extensionProviders: [{name: a}]",
        "extensionProviders: [{name: a, zipkin: {port: x}}]",
        "defaultConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: true}}",
        "defaultHttpRetryPolicy: {attempts: [3]}",
    ],
)
def test_a_mesh_config_that_istiod_would_refuse_is_not_used_with_a_note(mesh: str) -> None:
    found = mesh_of_objects(config_map(mesh))

    assert found.config == MeshConfig(extension_providers=BUILT_IN_PROVIDERS)
    assert notes_of(found, "istiod would refuse") == ["ConfigMap istio-system/istio"]


def test_of_several_config_maps_the_default_revisions_counts() -> None:
    maps = [
        config_map("trustDomain: canary", "istio-1-31"),
        config_map("trustDomain: default", "istio"),
        config_map("trustDomain: elsewhere", "istio", "other"),
        config_map("trustDomain: unrelated", "mesh"),
    ]
    mesh = mesh_of_objects(*maps)

    assert mesh.config.trust_domain == "default"
    assert notes_of(mesh, "another MeshConfig") == ["ConfigMap istio-system/istio-1-31"]
    assert mesh_of_objects(maps[0]).config.trust_domain == "canary"


def test_a_given_root_namespace_holds_the_config_map_and_counts() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: root}\n"
    mesh = mesh_of(
        f"{text}data: {{mesh: 'trustDomain: root'}}",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n"
        "data: {mesh: 'rootNamespace: istio-system'}",
        root_namespace="root",
    )

    assert (mesh.config.root_namespace, mesh.config.trust_domain) == ("root", "root")


@pytest.mark.parametrize(
    ("mesh", "expected"),
    [
        ("accessLogFormat: ''", AccessLogFormat()),
        ("accessLogFormat: '%START_TIME%'", AccessLogFormat("%START_TIME%")),
        ("{accessLogFormat: '{\"a\": 1}', accessLogEncoding: TEXT}", AccessLogFormat('{"a": 1}')),
        ("accessLogEncoding: JSON", AccessLogFormat(labels={})),
        ("accessLogEncoding: 1", AccessLogFormat(labels={})),
        (
            '{accessLogFormat: \'{"a": {"b": "%PROTOCOL%"}}\', accessLogEncoding: JSON}',
            AccessLogFormat(labels={"a": {"b": "%PROTOCOL%"}}),
        ),
        ("{accessLogFormat: '{', accessLogEncoding: JSON}", AccessLogFormat(labels={})),
        ("{accessLogFormat: '[1]', accessLogEncoding: JSON}", AccessLogFormat(labels={})),
    ],
)
def test_the_log_format_of_the_mesh_is_read_as_istiod_takes_it(
    mesh: str, expected: AccessLogFormat
) -> None:
    assert config(mesh).access_log_format == expected


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("name: a, envoyFileAccessLog: {}", AccessLogFormat()),
        ("name: envoy, envoyFileAccessLog: {path: /dev/stdout}", None),
        (
            "name: envoy, envoyFileAccessLog: {omitEmptyValues: true}",
            AccessLogFormat(None, None, True),
        ),
        ("name: a, envoyFileAccessLog: {logFormat: {text: x}}", AccessLogFormat("x")),
        ("name: a, envoyFileAccessLog: {logFormat: {labels: {}}}", AccessLogFormat(labels={})),
        (
            "name: a, envoyOtelAls: {service: s, port: 1, logFormat: {text: x, labels: {k: v}}}",
            AccessLogFormat("x", {"k": "v"}),
        ),
        ("name: a, zipkin: {service: s, port: 1}", None),
    ],
)
def test_the_log_format_of_a_provider_is_read(
    provider: str, expected: AccessLogFormat | None
) -> None:
    found = config(f"extensionProviders: [{{{provider}}}]").extension_providers
    name = provider.split(",")[0].removeprefix("name: ")

    assert [p.log_format for p in found if p.name == name] == [expected]
