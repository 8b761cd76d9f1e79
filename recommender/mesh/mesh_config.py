"""Read MeshConfig from the ConfigMap that istiod reads.

Defaults and merging: istio pkg/config/mesh/mesh.go `DefaultMeshConfig`, `ApplyMeshConfig`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from recommender.mesh import fields
from recommender.mesh.capture import capture_of_config
from recommender.mesh.documents import describe
from recommender.mesh.fields import FieldError, Fields
from recommender.mesh.objects import (
    AccessLogFormat,
    ExtensionProvider,
    LabelSelector,
    MeshConfig,
    MeshNote,
    ObjectMeta,
    ServiceEntryVisibility,
)
from recommender.mesh.route_settings import read_retries
from recommender.mesh.yaml_documents import YamlError, read_yaml

ANOTHER: Final = "another MeshConfig that was not used"
LACKING: Final = "no ConfigMap with the MeshConfig, so Istio's defaults are assumed"
REFUSED: Final = "a MeshConfig that istiod would refuse, so defaults are assumed"
DEFAULT_ROOT_NAMESPACE: Final = "istio-system"
BUILT_IN_LOG: Final = "envoy"
BUILT_IN_PROVIDERS: Final = (
    ExtensionProvider("prometheus", "prometheus"),
    ExtensionProvider("stackdriver", "stackdriver"),
    ExtensionProvider(BUILT_IN_LOG, "envoyFileAccessLog"),
)
_LOGS: Final = ("envoyFileAccessLog", "envoyOtelAls")
_JSON: Final = ("JSON", 1)  # an enum may be given as its number
_MAP_NAME: Final = re.compile(r"istio(-.+)?")

# What istiod merges into its defaults it looks for by one name alone.
_MERGED: Final = ("defaultConfig", "defaultProviders")
_UNDERSCORE: Final = re.compile(r"_([a-z0-9])")
_VISIBILITIES: Final = ("", "VISIBILITY_UNSPECIFIED", "NONE", "NAMESPACE", "PUBLIC")

Requirement = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class MeshConfigMap:
    """Hold a ConfigMap that may be istiod's: `istio` or `istio-<revision>` with a `mesh` key."""

    meta: ObjectMeta
    mesh: str


def mesh_config_map(meta: ObjectMeta, document: Fields) -> MeshConfigMap | None:
    """Take a ConfigMap if it may hold a MeshConfig.

    Raises:
        FieldError: Its data is not text.
    """
    mesh = fields.optional_text(fields.mapping(document, "data"), "mesh")
    if mesh is None or not _MAP_NAME.fullmatch(meta.name):
        return None
    return MeshConfigMap(meta, mesh)


def read_mesh_config(
    maps: Sequence[MeshConfigMap], root_namespace: str, revision: str = ""
) -> tuple[MeshConfig, list[MeshNote]]:
    """Read the mesh's configuration, or take istiod's defaults with a note.

    Of several ConfigMaps those in the given root namespace come first, then that of istiod's
    revision, then the first by name: `istio`, the default revision's, if it is there. A root
    namespace that is given overrides the one in the configuration.
    """
    homes, candidates = _homes(root_namespace), candidate_maps(maps, root_namespace, revision)
    notes = [MeshNote(ANOTHER, _named(other)) for other in candidates[1:]]
    if candidates and candidates[0].meta.namespace not in homes:
        notes.append(MeshNote("a MeshConfig outside istio-system was used", _named(candidates[0])))
    if candidates:
        try:
            return _mesh_config(_parsed(candidates[0].mesh), root_namespace), notes
        except FieldError as error:
            notes.append(MeshNote(f"{REFUSED}: {error}", _named(candidates[0]), is_loss=True))
    else:
        notes.append(MeshNote(LACKING, f"ConfigMap {homes[0]}/istio"))
    return _mesh_config({}, root_namespace), notes


def candidate_maps(
    maps: Sequence[MeshConfigMap], root_namespace: str, revision: str = ""
) -> list[MeshConfigMap]:
    """Put the ConfigMaps that may hold the mesh's configuration in order; the first does.

    Source: istio pilot/pkg/bootstrap/mesh.go `getMeshConfigMapName`.
    """
    homes, name = _homes(root_namespace), f"istio-{revision}"
    by_name = sorted(maps, key=lambda m: (m.meta.name != name, m.meta.name))
    near = [m for m in by_name if m.meta.namespace in homes]
    # A managed Istio may live in a namespace of its own; what stands in the usual one comes first.
    if near:
        return sorted(near, key=lambda m: homes.index(m.meta.namespace))
    return sorted(by_name, key=lambda m: m.meta.namespace)


def _homes(root_namespace: str) -> list[str]:
    return [root_namespace, DEFAULT_ROOT_NAMESPACE] if root_namespace else [DEFAULT_ROOT_NAMESPACE]


def is_assumed(notes: Iterable[MeshNote]) -> bool:
    """Tell by the notes on a mesh whether its configuration is made of defaults alone."""
    return any(note.reason.startswith((LACKING, REFUSED)) for note in notes)


def _parsed(mesh: str) -> Fields:
    try:
        documents = list(read_yaml(mesh.encode("utf-8", "replace")))
    except YamlError as error:
        raise FieldError(f"line {error.line} of its YAML: {error.what}") from error
    value = documents[0].value if documents else {}
    if not isinstance(value, dict):
        raise FieldError(f"its YAML is {describe(value)}, expected an object")
    return value


def _mesh_config(given: Fields, root_namespace: str) -> MeshConfig:
    default, config = MeshConfig(), _by_json_names(given)
    providers = fields.mapping(config, "defaultProviders")
    capture = capture_of_config(fields.mapping(config, "defaultConfig"))
    return MeshConfig(
        root_namespace=root_namespace
        or fields.text(config, "rootNamespace")
        or default.root_namespace,
        trust_domain=fields.text(config, "trustDomain") or default.trust_domain,
        outbound_traffic_policy=_outbound_traffic_policy(config, default.outbound_traffic_policy),
        default_service_export_to=_export_to(config, "defaultServiceExportTo"),
        default_virtual_service_export_to=_export_to(config, "defaultVirtualServiceExportTo"),
        default_destination_rule_export_to=_export_to(config, "defaultDestinationRuleExportTo"),
        extension_providers=_extension_providers(config),
        default_tracing_providers=fields.texts(providers, "tracing"),
        default_access_logging_providers=fields.texts(providers, "accessLogging"),
        access_log_file=fields.text(config, "accessLogFile"),
        access_log_format=_access_log_format(config),
        dns_capture=capture.dns or False,
        interception_mode=capture.interception_mode,
        discovery_selectors=fields.each(
            _filled(config, "discoverySelectors", {}), "discoverySelectors", label_selector
        ),
        ingress_class=fields.text(config, "ingressClass") or default.ingress_class,
        service_entry_visibility=_service_entry_visibility(config),
        default_retries=read_retries(config, "defaultHttpRetryPolicy"),
    )


def _service_entry_visibility(config: Fields) -> ServiceEntryVisibility:
    found = fields.mapping(config, "serviceEntryVisibility")
    return ServiceEntryVisibility(
        applies_to_sidecars=fields.flag(found, "applyToSidecars") or False,
        default=_visibility(found, "defaultVisibility"),
        policies=fields.each(
            found,
            "policies",
            lambda entry: (
                _visibility(entry, "visibility"),
                fields.each(entry, "matchingRules", _namespace_selector),
            ),
        ),
    )


def _visibility(entry: Fields, name: str) -> str:
    visibility = fields.text(entry, name)
    if visibility not in _VISIBILITIES:
        raise FieldError(f"{name} is none of {', '.join(_VISIBILITIES[1:])}")
    return visibility


def _namespace_selector(rule: Fields) -> LabelSelector | None:
    selector = fields.optional_mapping(rule, "namespaceSelector")
    return None if selector is None else label_selector(selector)


def _outbound_traffic_policy(config: Fields, default: str) -> str:
    """Read the mode; a policy without one replaces the default by the enum's zero value."""
    policy = fields.optional_mapping(config, "outboundTrafficPolicy")
    return default if policy is None else fields.text(policy, "mode") or "REGISTRY_ONLY"


def _export_to(config: Fields, name: str) -> tuple[str, ...]:
    return fields.texts(config, name) or ("*",)


def _extension_providers(config: Fields) -> tuple[ExtensionProvider, ...]:
    """Add the mesh's providers to the built-in ones; one of the same name replaces it."""
    found = {provider.name: provider for provider in BUILT_IN_PROVIDERS}
    for provider in fields.each(config, "extensionProviders", _extension_provider):
        found[provider.name] = provider
    return tuple(found.values())


def _extension_provider(entry: Fields) -> ExtensionProvider:
    """Read a provider: beside its name it has one field, named after its kind.

    The kinds that call a service have `service` and `port` (istio model/push_context.go
    `extraServicesForProxy` lists them); file logs, Prometheus and Stackdriver have neither. A
    sampler of traces may have them too (networking/core/tracing.go `configureDynatraceSampler`).
    """
    name = fields.required_text(entry, "name")
    kinds = sorted(kind for kind in entry if kind != "name")
    if len(kinds) != 1:
        raise FieldError(f"{name[:60]} has {len(kinds)} kinds of provider, expected one")
    provider = fields.mapping(entry, kinds[0])
    service = fields.text(provider, "service")
    port = fields.port(provider, "port") or 0
    log_format = _log_format(name, kinds[0], provider)
    sampler = fields.mapping(fields.mapping(provider, "dynatraceSampler"), "httpService")
    asked = fields.text(sampler, "service")
    return ExtensionProvider(name, kinds[0], service, port, log_format, asked)


def _access_log_format(config: Fields) -> AccessLogFormat:
    """Read the format of the mesh: JSON that cannot be read stands for the default."""
    text = fields.text(config, "accessLogFormat")
    if config.get("accessLogEncoding") not in _JSON:
        return AccessLogFormat(text or None)
    try:
        labels = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        labels = {}
    return AccessLogFormat(labels=labels if isinstance(labels, dict) else {})


def _log_format(name: str, kind: str, provider: Fields) -> AccessLogFormat | None:
    """Read the format of a provider that writes lines, to a file or for OpenTelemetry.

    Source: istio model/telemetry_logging.go (`telemetryAccessLog`).
    """
    if kind not in _LOGS:
        return None
    log_format = fields.optional_mapping(provider, "logFormat")
    omits_empty = fields.flag(provider, "omitEmptyValues") or False
    if log_format is None and name == BUILT_IN_LOG and not omits_empty:
        return None
    log_format = log_format or {}
    text, labels = (
        fields.optional_text(log_format, "text"),
        fields.optional_mapping(log_format, "labels"),
    )
    return AccessLogFormat(text, labels, omits_empty)


def _by_json_names(config: Fields) -> Fields:
    """Give fields the names that JSON has for them; those of the protobuf message do as well."""
    named = {_UNDERSCORE.sub(lambda m: m[1].upper(), name): name for name in config}
    merged = [name for name in named if name in _MERGED and name not in config]
    return {n: config.get(n, config[given]) for n, given in named.items() if n not in merged}


def label_selector(entry: Fields) -> LabelSelector:
    """Read a selector, also one that nobody can use.

    Raises:
        FieldError: A field has another type than it may.
    """
    labels = fields.labels(entry, "matchLabels")
    expressions = _filled(entry, "matchExpressions", {})
    return (
        *((key, "In", (value,)) for key, value in labels.items()),
        *fields.each(expressions, "matchExpressions", _requirement),
    )


def _requirement(entry: Fields) -> Requirement:
    values = fields.texts(_filled(entry, "values", ""), "values")
    return (fields.text(entry, "key"), fields.text(entry, "operator"), values)


def _filled(entry: Fields, name: str, empty: object) -> Fields:
    """Let null in a list stand for an empty value, as it does to istiod."""
    value = entry.get(name)
    if not isinstance(value, list):
        return entry
    return {**entry, name: [empty if each is None else each for each in value]}


def _named(config_map: MeshConfigMap) -> str:
    meta = config_map.meta
    return f"ConfigMap {meta.namespace}/{meta.name}"
