"""Convert Telemetry, EnvoyFilter, extensions, and policies of AuthorizationPolicy and its like.

All can name a service unseen in logs but a PeerAuthentication, which decides about pushes, and
about mTLS to the pods of its namespace. One with `targetRefs` is attached to Gateways, waypoints or
their Services and never acts in a sidecar (istio model/policyattachment.go `ShouldAttachPolicy`):
it converts to None, or to an object of the edge if it names services.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from recommender.mesh import fields
from recommender.mesh.fields import Fields
from recommender.mesh.objects import (
    AuthorizationPolicy,
    EdgeObject,
    EnvoyFilter,
    Extension,
    Labels,
    ObjectMeta,
    PeerAuthentication,
    RequestAuthentication,
    Telemetry,
    TelemetryEntry,
)

_CLUSTER: Final = re.compile(r"outbound\|\d{1,5}\|[\w.-]*\|[\w*][\w.*-]*", re.ASCII)


def telemetry(meta: ObjectMeta, document: Fields) -> Telemetry | None:
    """Convert a Telemetry.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    spec = fields.mapping(document, "spec")
    if _is_targeted(spec):
        return None
    return Telemetry(
        meta=meta,
        selector=_match_labels(spec),
        tracing=fields.each(spec, "tracing", lambda entry: _entry(entry, "disableSpanReporting")),
        access_logging=fields.each(spec, "accessLogging", lambda entry: _entry(entry, "disabled")),
    )


def authorization_policy(meta: ObjectMeta, document: Fields) -> AuthorizationPolicy | None:
    """Convert an AuthorizationPolicy.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    spec = fields.mapping(document, "spec")
    if _is_targeted(spec):
        return None
    action = fields.text(spec, "action") or "ALLOW"
    provider = fields.text(fields.mapping(spec, "provider"), "name") or None
    return AuthorizationPolicy(
        meta=meta,
        selector=_match_labels(spec),
        action=action,
        provider=provider if action == "CUSTOM" else None,
    )


def envoy_filter(meta: ObjectMeta, document: Fields) -> EnvoyFilter | EdgeObject:
    """Convert an EnvoyFilter, with each outbound cluster that its patches mention anywhere.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    spec = fields.mapping(document, "spec")
    selector = fields.mapping(spec, "workloadSelector")
    clusters = _clusters_within(fields.mappings(spec, "configPatches"))
    if _is_targeted(spec):
        return EdgeObject(meta, "EnvoyFilter", _hosts_of(clusters))
    return EnvoyFilter(meta, fields.labels(selector, "labels"), clusters)


def extension(meta: ObjectMeta, document: Fields, kind: str) -> Extension | EdgeObject:
    """Convert a WasmPlugin or TrafficExtension, with each outbound cluster that it mentions.

    It may be anywhere: in a plugin's own configuration, its environment, or a script.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    spec = fields.mapping(document, "spec")
    clusters = _clusters_within(spec)
    if _is_targeted(spec):
        return EdgeObject(meta, kind, _hosts_of(clusters))
    return Extension(meta, kind, _match_labels(spec), clusters)


def _clusters_within(root: object) -> tuple[str, ...]:
    texts = (text for text in fields.values_within(root) if isinstance(text, str))
    return tuple(sorted({name for text in texts for name in _CLUSTER.findall(text)}))


def _hosts_of(clusters: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({cluster.split("|", 3)[-1] for cluster in clusters}))


def peer_authentication(meta: ObjectMeta, document: Fields) -> PeerAuthentication:
    """Convert a PeerAuthentication.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    return PeerAuthentication(meta, _match_labels(fields.mapping(document, "spec")))


def request_authentication(meta: ObjectMeta, document: Fields) -> RequestAuthentication:
    """Convert a RequestAuthentication, with the hosts that its keys are fetched from.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    spec = fields.mapping(document, "spec")
    rules = fields.mappings(spec, "jwtRules")
    hosts = {_host_of(fields.text(rule, "jwksUri")) for rule in rules}
    found = tuple(sorted(hosts - {""}))
    return RequestAuthentication(meta, found, _match_labels(spec), _is_targeted(spec))


def _host_of(uri: str) -> str:
    """Return the host of a URI, nothing if there is none."""
    try:
        return urlsplit(uri).hostname or ""
    except ValueError:
        return ""


def _entry(entry: Fields, disabled: str) -> TelemetryEntry:
    providers = fields.mappings(entry, "providers")
    match = fields.mapping(entry, "match")
    return TelemetryEntry(
        providers=tuple(fields.required_text(provider, "name") for provider in providers),
        mode=fields.text(match, "mode") or "CLIENT_AND_SERVER",
        disabled=fields.flag(entry, disabled),
        filtered=bool(fields.text(fields.mapping(entry, "filter"), "expression").strip()),
    )


def _is_targeted(spec: Fields) -> bool:
    targets = fields.mappings(spec, "targetRefs")
    return bool(targets) or fields.optional_mapping(spec, "targetRef") is not None


def _match_labels(spec: Fields) -> Labels:
    return fields.labels(fields.mapping(spec, "selector"), "matchLabels")
