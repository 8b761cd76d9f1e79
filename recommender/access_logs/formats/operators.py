"""What each operator of Envoy may print, as far as it matters where a value ends.

Envoy escapes nothing in text. Whoever calls writes request headers, whoever answers response
headers: what they may hold is anything. What Envoy makes itself, or checks, has fewer signs; a
value that is missing prints `-`, or nothing under omitEmptyValues. An operator that is not known
may print anything.

Source: Envoy docs/root/configuration/advanced/substitution_formatter.rst. Envoy refuses requests
whose `:authority` holds a quote, a space or `|` (since 1.13), and writes no odd bytes of a server
name (since 1.30.6).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from recommender.access_logs.formats.format_string import Operator


@dataclass(frozen=True, slots=True)
class Alphabet:
    """Hold the signs of a value, as a class of a regular expression."""

    signs: str

    @property
    def pattern(self) -> str:
        """Return what matches a value."""
        return f"{self.signs}*"

    def has(self, sign: str) -> bool:
        """Tell whether a value may hold a sign."""
        return _has(self.signs, sign)

    def among(self, signs: str) -> frozenset[str]:
        """Return those of some signs that a value may hold."""
        return frozenset(re.findall(self.signs, signs))


@cache
def _has(signs: str, sign: str) -> bool:
    return re.fullmatch(signs, sign) is not None


ANYTHING: Final = Alphabet(".")
NUMBER: Final = Alphabet(r"[0-9.-]")
WORD: Final = Alphabet(r'[^\t-\r ",|]')
METHOD: Final = Alphabet(r'[^\t-\r ",]')
FLAGS: Final = Alphabet(r"[A-Za-z0-9_,-]")
AUTHORITY: Final = Alphabet(r'[^\t-\r "|]')
CLUSTER: Final = Alphabet(r'[^\t-\r ",]')
# A name that somebody gave in the configuration of the mesh.
NAME: Final = Alphabet(r'[^\t-\r"]')
NAME_WITHOUT_BAR: Final = Alphabet(r'[^\t-\r"|]')
TIME: Final = Alphabet(r"[0-9T:.Z+-]")

_OF_SERVICE: Final = rf"(?:outbound|inbound|inbound-vip)\|[0-9]+\|{WORD.pattern}\|{WORD.pattern}"
BARRED_CLUSTER: Final = f"(?:{_OF_SERVICE}|{WORD.pattern})"
"""The Envoy cluster where bars stand between values: three are in the name of a service."""
# The host of a service could be taken for such a name, and what is before it for a caller's value.
BARRED_CLUSTER_BEHIND_ANYTHING: Final = (
    rf"(?:{_OF_SERVICE}|outbound_\.{WORD.pattern}|(?:[A-Za-z_-][A-Za-z0-9_-]*)?;?)"
)
"""The same behind what may hold bars: there any other name is one without dots."""

_NUMBERS: Final = re.compile(
    r"RESPONSE_CODE|GRPC_STATUS_NUMBER|(?:UPSTREAM_)?CONNECTION_ID|UPSTREAM_REQUEST_ATTEMPT_COUNT"
    r"|(?:BYTES|PACKETS)_(?:RECEIVED|SENT|RETRANSMITTED)"
    r"|(?:REQUEST|RESPONSE)_(?:HEADERS|TRAILERS)_BYTES"
    r"|(?:UPSTREAM|DOWNSTREAM)_(?:WIRE|(?:DECOMPRESSED_)?HEADER)_BYTES_(?:SENT|RECEIVED)"
    r"|(?:[A-Z]+_)*DURATION"
    r"|(?:UPSTREAM|DOWNSTREAM(?:_DIRECT)?)_(?:LOCAL|REMOTE)_PORT"
)
_WORDS: Final = re.compile(
    r"(?:UPSTREAM_)?PROTOCOL|UPSTREAM_HOST|ACCESS_LOG_TYPE|GRPC_STATUS|UNIQUE_ID|HOSTNAME"
    r"|(?:UPSTREAM|DOWNSTREAM(?:_DIRECT)?)_(?:LOCAL|REMOTE)_ADDRESS(?:_WITHOUT_PORT)?"
    r"|(?:UPSTREAM|DOWNSTREAM)_TLS_(?:VERSION|CIPHER|SESSION_ID)"
    r"|DOWNSTREAM_PEER_FINGERPRINT_(?:1|256)|TLS_JA[34]_FINGERPRINT"
)
_REQUEST_WORDS: Final = frozenset((":method", ":scheme"))
_AUTHORITY_HEADERS: Final = frozenset((":authority", "host"))
_SERVER_NAME_ONLY: Final = re.compile(r"(?:SNI_ONLY(?::.*)?)?")


def alphabet_of(operator: Operator) -> Alphabet:
    """Return what an operator may print; times with an argument have a reader of their own."""
    name = operator.name
    if name in ("START_TIME", "EMIT_TIME") and not operator.argument:
        return TIME
    if name == "REQ":
        return _of_header(operator)
    if name in ("UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW"):
        return CLUSTER
    if name in ("RESPONSE_FLAGS", "RESPONSE_FLAGS_LONG"):
        return FLAGS
    if name == "ROUTE_NAME":
        return NAME
    if name == "REQUESTED_SERVER_NAME":
        return WORD if is_server_name(operator) else ANYTHING
    if _NUMBERS.fullmatch(name):
        return NUMBER
    return WORD if _WORDS.fullmatch(name) else ANYTHING


def is_authority(operator: Operator) -> bool:
    """Tell whether an operator prints the authority; to Envoy `host` is another name of it."""
    return operator.name == "REQ" and headers_of(operator) <= _AUTHORITY_HEADERS


def falls_back_from_authority(operator: Operator) -> bool:
    """Tell whether an operator prints the authority, and another header where there is none."""
    first, mark, other = operator.argument.lower().partition("?")
    return operator.name == "REQ" and first in _AUTHORITY_HEADERS and mark == "?" and other != ""


def is_method(operator: Operator) -> bool:
    """Tell whether an operator prints the method of a request."""
    return operator.name == "REQ" and headers_of(operator) == {":method"}


def is_server_name(operator: Operator) -> bool:
    """Tell whether an operator prints the server name of the TLS handshake and nothing else."""
    is_named = operator.name == "REQUESTED_SERVER_NAME"
    return is_named and _SERVER_NAME_ONLY.fullmatch(operator.argument) is not None


def headers_of(operator: Operator) -> frozenset[str]:
    """Return the headers that REQ may print: the one that is named, and its alternative."""
    return frozenset(header for header in operator.argument.lower().split("?") if header)


def _of_header(operator: Operator) -> Alphabet:
    if is_authority(operator):
        return AUTHORITY
    return METHOD if headers_of(operator) <= _REQUEST_WORDS else ANYTHING
