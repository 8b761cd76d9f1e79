"""What Telemetry resources say of a proxy: who is told its traces and access logs.

Source: istio model/telemetry.go (`Tracing`, `mergeLogs`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from recommender.istio.sidecar_scope import ScopeRules
from recommender.mesh.objects import AccessLogFormat, Labels, Mesh, TelemetryEntry

CLIENT, SERVER = "CLIENT", "SERVER"
_FILE_LOG: Final = "envoyFileAccessLog"
MODES: Final = (CLIENT, SERVER)


class OutboundLogging(Enum):
    """Say whether a proxy logs the calls that it makes."""

    ALL = "all"
    FILTERED = "filtered"
    NONE = "none"


def tracing_providers(rules: ScopeRules, namespace: str, labels: Labels) -> set[str]:
    """Take the last provider named for each direction, unless its reporting is switched off."""
    defaults = rules.mesh.config.default_tracing_providers
    provider = dict.fromkeys(MODES, defaults[0] if defaults else None)
    disabled = dict.fromkeys(MODES, False)
    for level in rules.attachments.telemetries(namespace, labels):
        for entry in level.tracing:
            for mode in MODES if entry.mode not in MODES else (entry.mode,):
                if entry.providers:
                    provider[mode] = entry.providers[0]
                if entry.disabled is not None:
                    disabled[mode] = entry.disabled
    return {name for mode, name in provider.items() if name and not disabled[mode]}


def access_log_providers(rules: ScopeRules, namespace: str, labels: Labels) -> set[str]:
    """Take the providers of access logs of either direction."""
    levels = _logging_levels(rules, namespace, labels)
    defaults = rules.mesh.config.default_access_logging_providers
    return {name for mode in MODES for name in _logging_in(levels, defaults, mode)}


def outbound_logging(rules: ScopeRules, namespace: str, labels: Labels) -> OutboundLogging:
    """Tell whether a proxy logs the calls that it makes, by Telemetry and MeshConfig.

    What counts is what is written to files, as logs of containers are. Without a Telemetry the
    log itself is the only witness: then it is taken for whole.
    """
    levels = _logging_levels(rules, namespace, labels)
    defaults = rules.mesh.config.default_access_logging_providers
    if not levels:
        return OutboundLogging.ALL
    to_file = {p.name for p in rules.mesh.config.extension_providers if p.kind == _FILE_LOG}
    known = {p.name for p in rules.mesh.config.extension_providers}
    in_use = {
        name: filtered
        for name, filtered in _logging_in(levels, defaults, CLIENT).items()
        if name in to_file or name not in known
    }
    if not in_use:
        return OutboundLogging.NONE
    return OutboundLogging.FILTERED if all(in_use.values()) else OutboundLogging.ALL


@dataclass(frozen=True, slots=True)
class OutboundTelemetry:
    """Count the access logs of a proxy's outbound calls by format; say whether they are traced."""

    text_logs: int
    json_logs: int
    tracing: bool


def outbound_telemetry(rules: ScopeRules, namespace: str, labels: Labels) -> OutboundTelemetry:
    """Tell what a proxy reports of the calls that it makes."""
    levels = _logging_levels(rules, namespace, labels)
    config = rules.mesh.config
    in_json = {p.name for p in config.extension_providers if p.json_log}
    used = set(_logging_in(levels, config.default_access_logging_providers, CLIENT))
    by_telemetry = bool(levels or config.default_access_logging_providers)
    text, json = (
        (len(used - in_json), len(used & in_json))
        if by_telemetry
        else (int(config.access_log == "TEXT"), int(config.access_log == "JSON"))
    )
    return OutboundTelemetry(text, json, bool(tracing_providers(rules, namespace, labels)))


def access_log_formats(mesh: Mesh) -> dict[str, AccessLogFormat]:
    """Map where the format of an access log is configured to the format, for all in use.

    In use are MeshConfig's where it names a file, and those of providers that a Telemetry or the
    defaults name, whatever the proxy: a log does not tell which Telemetry it is due to.
    Source: istio model/telemetry_logging.go (`telemetryAccessLog`).
    """
    config = mesh.config
    entries = (entry for telemetry in mesh.telemetries for entry in telemetry.access_logging)
    named = {name for entry in entries for name in entry.providers}
    named.update(config.default_access_logging_providers)
    used = [provider for provider in config.extension_providers if provider.name in named]
    as_mesh = [p for p in used if p.kind == _FILE_LOG and p.log_format is None]
    formats = {
        f"extension provider {provider.name}": provider.log_format
        for provider in sorted(used, key=lambda provider: provider.name)
        if provider.log_format is not None
    }
    if config.access_log_file or as_mesh:
        return {"MeshConfig accessLogFormat": config.access_log_format, **formats}
    return formats


_Levels = list[tuple[TelemetryEntry, ...]]


def _logging_levels(rules: ScopeRules, namespace: str, labels: Labels) -> _Levels:
    applicable = rules.attachments.telemetries(namespace, labels)
    return [level.access_logging for level in applicable if level.access_logging]


def _logging_in(levels: _Levels, defaults: tuple[str, ...], mode: str) -> dict[str, bool]:
    """Map the providers of one direction to whether only some lines are written.

    The last level that names any decides which count; an entry without a name means those
    named before it (`mergeLogs`).
    """
    if not levels:
        return dict.fromkeys(defaults, False)
    last = set(defaults)
    for level in levels:
        last = {name for e in _meant(level, mode) for name in e.providers} or last
    in_use: dict[str, bool] = {}
    inherited = defaults
    for entry in (entry for level in levels for entry in level):
        inherited = entry.providers or inherited
        if entry.mode in MODES and entry.mode != mode:
            continue
        for name in last.intersection(inherited):
            if entry.disabled:
                in_use.pop(name, None)
            else:
                in_use[name] = entry.filtered
    return in_use


def _meant(level: Iterable[TelemetryEntry], mode: str) -> Iterator[TelemetryEntry]:
    return (entry for entry in level if entry.mode not in MODES or entry.mode == mode)
