"""Convert Telemetry, AuthorizationPolicy, EnvoyFilter and PeerAuthentication.

The first three can name a service unseen in logs; the last decides only pushes. One with
`targetRefs` is attached to Gateways, waypoints or their Services and never acts in a sidecar
(istio model/policyattachment.go `ShouldAttachPolicy`): it converts to None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from recommender.mesh import fields
from recommender.mesh.fields import Fields
from recommender.mesh.objects import (
    AuthorizationPolicy,
    EnvoyFilter,
    Labels,
    ObjectMeta,
    PeerAuthentication,
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


def envoy_filter(meta: ObjectMeta, document: Fields) -> EnvoyFilter | None:
    """Convert an EnvoyFilter, with each outbound cluster that its patches mention anywhere.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    spec = fields.mapping(document, "spec")
    if _is_targeted(spec):
        return None
    selector = fields.mapping(spec, "workloadSelector")
    patches = fields.mappings(spec, "configPatches")
    clusters = {name for text in _texts_within(patches) for name in _CLUSTER.findall(text)}
    return EnvoyFilter(meta, fields.labels(selector, "labels"), tuple(sorted(clusters)))


def peer_authentication(meta: ObjectMeta, document: Fields) -> PeerAuthentication:
    """Convert a PeerAuthentication.

    Raises:
        FieldError: A field has a type that the resource's schema refuses.
    """
    return PeerAuthentication(meta, _match_labels(fields.mapping(document, "spec")))


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


def _texts_within(root: object) -> Iterator[str]:
    """Yield every string inside a value, keys too; what aliases share is visited once."""
    waiting, visited = [root], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list) and id(value) not in visited:
            visited.add(id(value))
            waiting += value.values() if isinstance(value, dict) else value
            yield from value if isinstance(value, dict) else ()
