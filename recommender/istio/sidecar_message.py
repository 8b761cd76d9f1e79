"""The fields of a Sidecar's spec.

Source: istio.io/api networking/v1alpha3 (sidecar.proto, gateway.proto, destination_rule.proto,
virtual_service.proto).
"""

from __future__ import annotations

from typing import Final

from recommender.istio.api_fields import (
    DURATION,
    FLAG,
    INT32,
    TEXT,
    TEXTS_BY_NAME,
    UINT32,
    enum,
    listed,
    message,
)

_PORT: Final = message(number=UINT32, protocol=TEXT, name=TEXT, targetPort=UINT32)
_CAPTURE_MODE: Final = enum("DEFAULT", "IPTABLES", "NONE")
_TLS_VERSION: Final = enum("TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3")
_CERTIFICATE: Final = message(serverCertificate=TEXT, privateKey=TEXT, caCertificates=TEXT)
_TLS: Final = message(
    httpsRedirect=FLAG,
    mode=enum(
        "PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"
    ),
    serverCertificate=TEXT,
    privateKey=TEXT,
    caCertificates=TEXT,
    caCrl=TEXT,
    credentialName=TEXT,
    credentialNames=listed(TEXT),
    caCertCredentialName=TEXT,
    tlsCertificates=listed(_CERTIFICATE),
    subjectAltNames=listed(TEXT),
    verifyCertificateSpki=listed(TEXT),
    verifyCertificateHash=listed(TEXT),
    minProtocolVersion=_TLS_VERSION,
    maxProtocolVersion=_TLS_VERSION,
    cipherSuites=listed(TEXT),
    insecureSkipVerify=FLAG,
)
_CONNECTION_POOL: Final = message(
    tcp=message(
        maxConnections=INT32,
        connectTimeout=DURATION,
        tcpKeepalive=message(probes=UINT32, time=DURATION, interval=DURATION),
        maxConnectionDuration=DURATION,
        idleTimeout=DURATION,
    ),
    http=message(
        http1MaxPendingRequests=INT32,
        http2MaxRequests=INT32,
        maxRequestsPerConnection=INT32,
        maxRetries=INT32,
        idleTimeout=DURATION,
        h2UpgradePolicy=enum("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"),
        useClientProtocol=FLAG,
        maxConcurrentStreams=INT32,
        http2KeepAlive=message(interval=DURATION, timeout=DURATION),
    ),
)
_INGRESS: Final = message(
    port=_PORT,
    bind=TEXT,
    captureMode=_CAPTURE_MODE,
    defaultEndpoint=TEXT,
    tls=_TLS,
    connectionPool=_CONNECTION_POOL,
)
_EGRESS: Final = message(port=_PORT, bind=TEXT, captureMode=_CAPTURE_MODE, hosts=listed(TEXT))
_DESTINATION: Final = message(host=TEXT, subset=TEXT, port=message(number=UINT32))

SIDECAR: Final = message(
    workloadSelector=message(labels=TEXTS_BY_NAME),
    ingress=listed(_INGRESS),
    egress=listed(_EGRESS),
    inboundConnectionPool=_CONNECTION_POOL,
    outboundTrafficPolicy=message(
        mode=enum("REGISTRY_ONLY", "ALLOW_ANY"), egressProxy=_DESTINATION
    ),
)
