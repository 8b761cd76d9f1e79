"""What istiod accepts as the TLS settings of a Sidecar's ingress listener.

Source: istio pkg/config/validation/validation.go (`ValidateSidecar`, `validateTLSOptions`),
pkg/config/security/security.go (`IsValidCipherSuite`). What `ValidateSidecar` refuses in every
case, such as a credentialName, is not also refused for what it is combined with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from recommender.istio.api_fields import Message

TLS_PROTOCOLS: Final = ("https", "tls")
_UNSUPPORTED: Final = (
    "subjectAltNames",
    "httpsRedirect",
    "credentialName",
    "credentialNames",
    "tlsCertificates",
)
_WITH_CERTIFICATE: Final = ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL")
_CERTIFICATES: Final = (
    "caCrl",
    "serverCertificate",
    "privateKey",
    "caCertificates",
    "tlsCertificates",
    "credentialName",
    "credentialNames",
)
_MOST_CERTIFICATES: Final = 2
_CIPHER_SUITES: Final = frozenset(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-SHA",
        "AES256-SHA",
        "DES-CBC3-SHA",
    )
)


def tls_errors(tls: Message, protocol: str) -> Iterator[str]:
    """Yield why istiod would refuse TLS settings for a port of a protocol."""
    for field in _UNSUPPORTED:
        if tls[field]:
            yield f"{field} is not supported in a Sidecar"
    if tls["mode"] in ("ISTIO_MUTUAL", "AUTO_PASSTHROUGH"):
        yield f"mode {tls['mode']} is not supported in a Sidecar"
    if protocol.lower() not in TLS_PROTOCOLS:
        yield "the port's protocol is neither HTTPS nor TLS"
    if tls["mode"] not in _WITH_CERTIFICATE:
        return
    needed = ["serverCertificate", "privateKey"]
    needed += [] if tls["mode"] == "SIMPLE" else ["caCertificates"]
    for field in needed:
        if not tls[field]:
            yield f"mode {tls['mode']} requires {field}"
    if tls["mode"] == "SIMPLE" and tls["caCrl"]:
        yield "caCrl is not supported with mode SIMPLE"


def tls_warnings(tls: Message) -> Iterator[str]:
    """Yield what istiod would accept but warn of."""
    suites = tls["cipherSuites"]
    if tls["minProtocolVersion"] in ("TLSV1_0", "TLSV1_1") and not suites:
        yield f"minProtocolVersion {tls['minProtocolVersion']} needs compatible cipherSuites"
    if any(not _is_cipher_suite(suite) for suite in suites):
        yield "an unknown cipher suite is ignored"
    known = [suite for suite in suites if _is_cipher_suite(suite)]
    if len(set(known)) < len(known):
        yield "a repeated cipher suite is ignored"
    if tls["mode"] in ("PASSTHROUGH", "AUTO_PASSTHROUGH") and any(map(tls.get, _CERTIFICATES)):
        yield f"mode {tls['mode']} ignores certificates"
    fetched = tls["credentialName"] or tls["credentialNames"]
    many = len(tls["tlsCertificates"]) > _MOST_CERTIFICATES
    if tls["mode"] in _WITH_CERTIFICATE and many and not fetched:
        yield f"more than {_MOST_CERTIFICATES} certificates"


def _is_cipher_suite(name: str) -> bool:
    """Tell whether a name is one of a suite, or looks like an operator by its first byte."""
    if name in ("", "ALL") or not chr(name.encode(errors="replace")[0]).isalnum():
        return True
    return name in _CIPHER_SUITES
