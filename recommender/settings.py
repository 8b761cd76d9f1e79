"""The settings of a run: one frozen object, made from `recommender.toml` and flags."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from recommender.errors import UsageError

_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_VERSION = re.compile(r"([0-9]{1,3}\.[0-9]{1,3})?")
OWN_LABEL = "app.kubernetes.io/managed-by"
OWN_LABEL_VALUE = "recommend-sidecars"
GRANULARITIES = ("workload", "namespace", "auto")
ADOPTED_ANNOTATION = "recommend-sidecars/adopted"


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold what a user can choose.

    Attributes:
        strict: Fail when any log line or mesh object could not be used.
        adopt: Take over hand-made Sidecars that select a workload.
        cluster_domain: The DNS domain of the Kubernetes cluster.
        root_namespace: Istio's root namespace; empty means what MeshConfig says.
        api_version: The `apiVersion` written into Sidecars.
        pinned_hosts: Hosts (`namespace/dnsName`) that every Sidecar keeps.
        istio_version: The version of istiod, such as "1.30"; empty means what the dump says.
        accept_filtered_logs: Take the logs for whole where a Telemetry filters them.
        log_format: The only format that log lines may have, by name or as a format string; empty
            means those that the dump configures, and the known defaults.
        granularity: "workload" for a Sidecar per workload, "namespace" for one per namespace where
            that is proved, "auto" for what costs istiod less in each namespace.
    """

    strict: bool = False
    adopt: bool = False
    cluster_domain: str = "cluster.local"
    root_namespace: str = ""
    api_version: str = "networking.istio.io/v1"
    pinned_hosts: tuple[str, ...] = ()
    accept_filtered_logs: bool = False
    istio_version: str = ""
    log_format: str = ""
    granularity: str = "workload"

    @property
    def istio(self) -> tuple[int, int] | None:
        """Return the version of istiod as numbers, None if it is to be read from the dump."""
        if not self.istio_version:
            return None
        major, _, minor = self.istio_version.partition(".")
        return (int(major), int(minor))


def load_settings(path: Path | None = None, **flags: object) -> Settings:
    """Build the settings from a TOML file and flags; a flag that is None leaves the file's value.

    Raises:
        UsageError: The file cannot be read or parsed, or has an unknown key or a wrong type.
    """
    values = _read_toml(path) if path else {}
    for key, value in values.items():
        _check(key, value, str(path))
    given = {key: value for key, value in flags.items() if value is not None}
    for key, value in given.items():
        _check(key, value, f"--{key.replace('_', '-')}")
    values |= given
    known: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in values.items()
    }
    return replace(Settings(), **known)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(
            f"cannot read the settings: {error.strerror}", where=str(path), hint="check --settings"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the settings are not valid TOML: {error}", where=str(path), hint="see the README"
        ) from error


def _check(key: str, value: object, where: str) -> None:
    default = {f.name: f.default for f in fields(Settings)}
    if key not in default:
        raise UsageError(
            f"unknown setting {key!r}", where=where, hint=f"known are {', '.join(sorted(default))}"
        )
    if isinstance(default[key], tuple):
        valid = isinstance(value, list) and all(isinstance(item, str) for item in value)
        wanted = "a list of strings"
    else:
        valid = type(value) is type(default[key])
        wanted = "true or false" if isinstance(default[key], bool) else "a string"
    if key == "api_version" and not str(value).startswith("networking.istio.io/v1"):
        valid, wanted = False, "networking.istio.io/v1 or a beta of it"
    if key == "istio_version" and not _VERSION.fullmatch(str(value)):
        valid, wanted = False, 'a version of Istio such as "1.30"'
    if key == "granularity" and value not in GRANULARITIES:
        valid, wanted = False, f"one of {', '.join(GRANULARITIES)}"
    if key == "cluster_domain" and not _DOMAIN.fullmatch(str(value)):
        valid, wanted = False, "a DNS domain such as cluster.local"
    if not valid:
        raise UsageError(f"setting {key!r} must be {wanted}", where=where)
