"""The model refuses the Sidecars that istiod's webhook refuses, and warns where it warns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recommender.istio.validation import egress_host_problem
from tests.istio.conformance_manifests import VERDICTS, ValidationFindings, compare_validation
from tests.istio.judge import validations
from tests.istio.random_manifests import HOSTS, TLS_MODES, random_manifest

MANIFESTS = 8000
PROTOCOLS = (
    "grpc",
    "GRPC-Web",
    "http",
    "HTTP2",
    "HTTP_PROXY",
    "https",
    "TLS",
    "tcp",
    "udp",
    "mongo",
)
SUITES = (
    *(f"ECDHE-{k}-{cipher}" for k in ("ECDSA", "RSA") for cipher in ("AES128-SHA", "AES256-SHA")),
    *(f"ECDHE-{key}-AES128-GCM-SHA256" for key in ("ECDSA", "RSA")),
    *(f"ECDHE-{key}-AES256-GCM-SHA384" for key in ("ECDSA", "RSA")),
    *(f"ECDHE-{key}-CHACHA20-POLY1305" for key in ("ECDSA", "RSA")),
    *("AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA", "DES-CBC3-SHA"),
    *("DES-CBC-SHA", "ECDHE-RSA-DES-CBC3-SHA", "TLS_AES_128_GCM_SHA256"),
)
FILES = ("caCrl", "serverCertificate", "privateKey", "caCertificates", "credentialName")


@pytest.fixture(scope="module")
def found() -> ValidationFindings:
    """Let istiod judge random manifests."""
    return compare_validation([random_manifest(seed) for seed in range(MANIFESTS)])


def test_sidecars_are_refused_and_warned_of_as_by_istiod(found: ValidationFindings) -> None:
    count = len(found.differences)
    assert not count, f"{count} differ:\n" + "\n".join(found.differences[:10])


def test_the_manifests_are_of_every_sort(found: ValidationFindings) -> None:
    assert min(found.verdicts[verdict] for verdict in VERDICTS.values()) > 200


def test_every_word_of_the_api_means_what_it_means_to_istiod() -> None:
    found = compare_validation([{"spec": spec} for spec in _specs()])
    assert not found.differences, "\n".join(found.differences)


def test_every_host_entry_is_refused_as_by_istiod() -> None:
    asked = [{"spec": {"egress": [{"hosts": [entry]}]}} for entry in HOSTS]
    refused = [bool(answer.error) for answer in validations(asked)]
    ours = [egress_host_problem(entry) is not None for entry in HOSTS]
    assert dict(zip(HOSTS, ours, strict=True)) == dict(zip(HOSTS, refused, strict=True))


def _specs() -> Iterator[dict[str, object]]:
    """Make a spec for each protocol, cipher suite, TLS mode and kind of certificate."""
    for protocol in PROTOCOLS:
        port = {"number": 80, "protocol": protocol}
        yield {"ingress": [{"port": port, "connectionPool": {"http": {}}}]}
        yield {"ingress": [{"port": port, "tls": {}}]}
        yield {"egress": [{"port": port, "hosts": ["*/*"]}]}
    settings: list[dict[str, object]] = [{"cipherSuites": [suite]} for suite in SUITES]
    settings += [{field: "x"} for field in FILES]
    settings += [{field: ["x"]} for field in ("credentialNames", "subjectAltNames")]
    settings += [{"tlsCertificates": [{}]}]
    settings += [{"tlsCertificates": [{field: 5}]} for field in FILES[1:4]]
    for mode in TLS_MODES[:6]:
        settings.append({"mode": mode, "serverCertificate": "c", "privateKey": "k"})
        settings.append({"mode": mode, **dict.fromkeys(FILES[1:4], "x")})
    for tls in settings:
        yield {"ingress": [{"port": {"number": 443, "protocol": "TLS"}, "tls": tls}]}
