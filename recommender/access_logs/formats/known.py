"""The log formats that have names: the defaults of Istio, ASM and Envoy.

Source: istio pilot/pkg/model/telemetry_logging.go, before 1.10
pilot/pkg/networking/core/v1alpha3/{listener,accesslog}.go; Envoy
source/common/formatter/http_specific_formatter.cc; the fields that ASM documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from recommender.access_logs.formats.format_string import Operator, Token, tokens_of
from recommender.access_logs.formats.json_format import JsonFormat, json_format
from recommender.access_logs.formats.text_format import TextFormat, format_of_tokens, text_format

LogFormat = TextFormat | JsonFormat

_REQUEST: Final = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" '
    "%RESPONSE_CODE% %RESPONSE_FLAGS%"
)
_COUNTS: Final = (
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
    '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%"'
)
_AUTHORITY: Final = '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"'
_DETAILS: Final = "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%"
_MIXER: Final = '"%DYNAMIC_METADATA(istio.mixer:status)%"'
_FAILURE: Final = '"%UPSTREAM_TRANSPORT_FAILURE_REASON%"'
_OLD_ENDS: Final = (
    "%UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% "
    "%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME%"
)
_ENDS: Final = f"{_OLD_ENDS} %ROUTE_NAME%"
_RAW_ENDS: Final = _ENDS.replace("%UPSTREAM_CLUSTER%", "%UPSTREAM_CLUSTER_RAW%")

ENVOY: Final = "envoy"
_TEXTS: Final = {
    "istio-1.1": f"{_REQUEST} {_MIXER} {_COUNTS} {_AUTHORITY} {_OLD_ENDS}",
    "istio-1.2": f"{_REQUEST} {_MIXER} {_FAILURE} {_COUNTS} {_AUTHORITY} {_OLD_ENDS}",
    "istio-1.3": f"{_REQUEST} {_MIXER} {_FAILURE} {_COUNTS} {_AUTHORITY} {_ENDS}",
    "istio-1.8": f"{_REQUEST} {_FAILURE} {_COUNTS} {_AUTHORITY} {_ENDS}",
    "istio-1.9": f"{_REQUEST} {_DETAILS} {_FAILURE} {_COUNTS} {_AUTHORITY} {_ENDS}",
    "istio-1.23": f"{_REQUEST} {_DETAILS} {_FAILURE} {_COUNTS} {_AUTHORITY} {_RAW_ENDS}",
    ENVOY: f"{_REQUEST} {_COUNTS} {_AUTHORITY}",
}
# What all texts of Istio have in common.
_ANYTHING: Final = Operator("ANYTHING")
_ISTIO_TEXT: Final = (*tokens_of(f"{_REQUEST} "), _ANYTHING, *tokens_of(f" {_AUTHORITY} {_ENDS}"))
_OLD_ISTIO_TEXT: Final = (
    *tokens_of(f"{_REQUEST} "),
    _ANYTHING,
    *tokens_of(f" {_AUTHORITY} {_OLD_ENDS}"),
)

_KEYS: Final = {
    "start_time": "%START_TIME%",
    "route_name": "%ROUTE_NAME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "x_forwarded_for": "%REQ(X-FORWARDED-FOR)%",
    "user_agent": "%REQ(USER-AGENT)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "upstream_local_address": "%UPSTREAM_LOCAL_ADDRESS%",
    "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "requested_server_name": "%REQUESTED_SERVER_NAME%",
    "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
}
_ISTIO_KEYS: Final = {
    **_KEYS,
    "authority": "%REQ(:AUTHORITY)%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
}
_ASM_KEYS: Final = {
    **_KEYS,
    "authority_for": "%REQ(:AUTHORITY)%",
    "istio_policy_status": "%DYNAMIC_METADATA(istio.mixer:status)%",
    "trace_id": "%REQ(X-B3-TRACEID)%",
}


def known_formats() -> Mapping[str, LogFormat]:
    """Return the formats that have names."""
    return _known()


def assumed_formats() -> tuple[LogFormat, ...]:
    """Return the formats to look for where nothing is said about them."""
    return _assumed()


@cache
def _known() -> dict[str, LogFormat]:
    texts = {name: text_format(text, name) for name, text in _TEXTS.items()}
    return {
        "istio-text": _istio_text(is_assumed=False),
        **texts,
        "istio-json": _json(_ISTIO_KEYS, "istio-json", "authority_for"),
        "asm-json": _json(_ASM_KEYS, "asm-json", "authority"),
        "asm-text": text_format(_as_text(_ASM_KEYS), "asm-text"),
    }


@cache
def _assumed() -> tuple[LogFormat, ...]:
    known = _known()
    return (
        _istio_text(is_assumed=True),
        _common_text(_OLD_ISTIO_TEXT, "istio-1.1", "istio-1.1", "istio-1.2", is_assumed=True),
        known["istio-json"],
        known["asm-json"],
        text_format(_as_text(_ASM_KEYS), "asm-text", is_assumed=True),
        known[ENVOY],
    )


def _common_text(
    tokens: tuple[Token, ...], name: str, *versions: str, is_assumed: bool
) -> TextFormat:
    """Compile what the texts of some versions have in common; each has a shape of its own."""
    texts = [text_format(_TEXTS[version], name, is_assumed=is_assumed) for version in versions]
    shapes = tuple(shape for text in texts for shape in text.shapes)
    return format_of_tokens(tokens, name, is_assumed=is_assumed, shapes=shapes)


def _istio_text(*, is_assumed: bool) -> TextFormat:
    versions = ("istio-1.23", "istio-1.8", "istio-1.3")
    return _common_text(_ISTIO_TEXT, "istio-text", *versions, is_assumed=is_assumed)


def _json(keys: Mapping[str, str], name: str, foreign: str) -> JsonFormat:
    return json_format(keys, name, foreign=frozenset((foreign,)))


def _as_text(keys: Mapping[str, str]) -> str:
    """Write JSON as a text format: what stands in it is not escaped."""
    return "{" + ",".join(f'"{key}":"{value}"' for key, value in sorted(keys.items())) + "}"
