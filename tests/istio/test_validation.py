"""What istiod's webhook says of a Sidecar (`ValidateSidecar`)."""

from __future__ import annotations

from typing import Any

import pytest

from recommender.istio.validation import SidecarVerdict, egress_host_problem, validate_sidecar

FINE_TLS = {"mode": "SIMPLE", "serverCertificate": "c", "privateKey": "k"}
HTTPS = {"number": 9443, "protocol": "HTTPS"}


def verdict(**spec: object) -> SidecarVerdict:
    """Validate a Sidecar of the namespace shop."""
    return validate_sidecar({"metadata": {"name": "x", "namespace": "shop"}, "spec": spec})


def egress(*listeners: Any, **listener: object) -> SidecarVerdict:
    """Validate egress listeners: given ones, or one with hosts."""
    return verdict(egress=[*listeners] if listeners else [{"hosts": ["*/*"], **listener}])


def ingress(**listener: object) -> SidecarVerdict:
    """Validate an ingress listener, by default of a plain port."""
    return verdict(ingress=[{"port": {"number": 9080, "protocol": "HTTP"}, **listener}])


def pool(**settings: object) -> tuple[str, ...]:
    """Return what is wrong with connection pool settings."""
    return verdict(inboundConnectionPool=settings).errors


def test_what_the_tool_writes_is_accepted_without_a_warning() -> None:
    hosts = ["shop/cart.shop.svc.cluster.local", "*/api.example", "pay/*", "shop/*.db.example"]
    found = verdict(workloadSelector={"labels": {"app": "web"}}, egress=[{"hosts": hosts}])
    assert found == SidecarVerdict()
    assert egress(hosts=["~/*"]) == SidecarVerdict()


@pytest.mark.parametrize(
    "entry",
    ["*/*", "./*", "~/*", "~a/*", "~./x.y", "A/X.Y", "a/x.y.", "a/foo.", "a/*.y", "a/1.2.3.4."],
)
def test_host_entries_that_are_accepted(entry: str) -> None:
    assert egress_host_problem(entry) is None


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("x.y", "has no namespace"),
        ("/x.y", "is no namespace"),
        ("a.b/x.y", "is no namespace"),
        ("~~a/x.y", "is no namespace"),
        (f"{'a' * 64}/x.y", "is no namespace"),
        ("a/", "an empty name"),
        ("a/cart", "is a short name"),
        ("a/*x.y", "has a partial wildcard"),
        ("a/x.*.y", "has a partial wildcard"),
        ("a/*.*.y", "is no DNS label"),
        ("a/x_.y", "is no DNS label"),
        ("a/x..y", "is no DNS label"),
        ("a/x.y\n", "is no DNS label"),
        ("a/é.y", "is no DNS label"),
        ("a/1.2.3.4", "is an address"),
        ("a/" + ".".join(["a" * 60] * 5), "is longer than 255"),
    ],
)
def test_host_entries_that_are_refused(entry: str, problem: str) -> None:
    assert problem in str(egress_host_problem(entry))
    (error,) = egress(hosts=["shop/*", entry]).errors
    assert error.startswith("egress[0]: hosts: ")


def test_a_selector_takes_no_wildcard_and_an_empty_one_is_warned_of() -> None:
    listener = [{"hosts": ["*/*"]}]
    for labels in ({"app": "*"}, {"a*": "x"}, {"": "x"}):
        assert verdict(workloadSelector={"labels": labels}, egress=listener).errors
    empty = verdict(workloadSelector={}, egress=listener)
    assert not empty.errors
    assert "every workload" in empty.warnings[0]


def test_an_empty_spec_is_refused_and_any_setting_makes_it_fine() -> None:
    assert verdict().errors == verdict(workloadSelector={}).errors == ("the spec is empty",)
    assert validate_sidecar({}).errors == ("the spec is empty",)
    assert not verdict(outboundTrafficPolicy={}).errors
    assert not verdict(inboundConnectionPool={"tcp": {}}).errors


def test_a_listener_without_port_is_the_last() -> None:
    catch_all, port = {"hosts": ["*/*"]}, {"hosts": ["*/*"], "port": {"number": 80}}
    assert not egress(port, catch_all).errors
    assert egress(catch_all, port).errors == ("egress[0] has no port but is not the last listener",)
    assert len(egress(catch_all, catch_all, catch_all).errors) == 2


def test_two_listeners_do_not_share_a_port_or_a_socket() -> None:
    one, other = ({"number": 80, "name": name} for name in "ab")
    hosts = {"hosts": ["*/*"]}
    two = ({"port": one, "bind": "127.0.0.1", **hosts}, {"port": other, "bind": "::1", **hosts})
    assert egress(*two).errors == ("egress[1]: port 80 is there already",)
    assert verdict(ingress=[{"port": one}, {"port": other}]).errors
    socket = {"port": {"number": 0}, "bind": "unix:///run/x", **hosts}
    assert not egress(socket).errors
    assert egress(socket, socket).errors == ("egress[1]: 'unix:///run/x' is bound already",)


@pytest.mark.parametrize(
    "listener",
    [
        {"hosts": []},
        {"port": {"number": 65536}},
        {"port": {"number": 0}},
        {"port": {}},
        {"port": {"number": 0}, "bind": "unix:///run/"},
        {"port": {"number": 0}, "bind": "unix://run"},
        {"port": {"number": 0}, "bind": "unix://"},
        {"port": {"number": 0}, "bind": "unix://@x", "captureMode": "IPTABLES"},
        {"port": {"number": 80, "targetPort": 81}},
        {"port": {"number": 80, "name": "a.b"}},
        {"port": {"number": 80, "protocol": "h2c"}},
        {"port": {"number": 80}, "bind": "localhost"},
        {"port": {"number": 80}, "bind": "1.2.3.4%eth0"},
        {"port": {"number": 80}, "bind": "unix:///run/x"},
    ],
)
def test_egress_listeners_that_are_refused(listener: dict[str, object]) -> None:
    (error,) = egress(**listener).errors
    assert error.startswith("egress[0]: ")


@pytest.mark.parametrize(
    "listener",
    [
        {"bind": "not looked at without a port"},
        {"port": {"number": 80, "protocol": "http_proxy"}, "bind": "fe80::1%eth0"},
        {"port": {"number": 80, "protocol": ""}, "captureMode": "IPTABLES"},
        {"port": {"number": 0}, "bind": "unix://@x", "captureMode": "NONE"},
    ],
)
def test_egress_listeners_that_are_accepted(listener: dict[str, object]) -> None:
    assert egress(**listener) == SidecarVerdict()


@pytest.mark.parametrize(
    ("hosts", "warnings"),
    [
        (["a/x.y", "a/x.y"], 1),
        (["a/x.y", "a/*"], 1),
        (["a/*", "a/x.y"], 1),
        (["a/*", "a/*"], 1),
        (["./x.y", "shop/x.y"], 1),
        (["*/*", "a/x.y"], 1),
        (["*/x.y", "a/x.y"], 0),
        (["a/*.y", "a/x.y"], 0),
        (["*/*", "~a/*", "~a/*"], 0),
    ],
)
def test_hosts_that_add_nothing_are_warned_of(hosts: list[str], warnings: int) -> None:
    found = egress(hosts=hosts)
    assert not found.errors
    assert len(found.warnings) == warnings


@pytest.mark.parametrize(
    "listener",
    [
        {"port": None},
        {"port": {"number": 0}},
        {"bind": "unix:///run/x"},
        {"port": {"number": 80, "targetPort": 8080}},
        {"defaultEndpoint": "10.0.0.1:80"},
        {"defaultEndpoint": "127.0.0.1"},
        {"defaultEndpoint": "::1:80"},
        {"defaultEndpoint": ":65536"},
        {"defaultEndpoint": "unix://x"},
        {"tls": FINE_TLS},
        {"connectionPool": {}},
    ],
)
def test_ingress_listeners_that_are_refused(listener: dict[str, object]) -> None:
    (error,) = ingress(**listener).errors
    assert error.startswith("ingress[0]")


@pytest.mark.parametrize(
    "endpoint", ["", ":80", "127.0.0.1:+080", "[::1]:80", "[]:80", "unix:///x", "unix://@x"]
)
def test_default_endpoints_that_are_accepted(endpoint: str) -> None:
    assert ingress(defaultEndpoint=endpoint) == SidecarVerdict()


@pytest.mark.parametrize(
    "tls",
    [
        {"mode": "SIMPLE", "serverCertificate": "c"},
        {"mode": "SIMPLE", "privateKey": "k"},
        {**FINE_TLS, "mode": "MUTUAL"},
        {**FINE_TLS, "mode": "OPTIONAL_MUTUAL"},
        {**FINE_TLS, "caCrl": "x"},
        {"mode": "ISTIO_MUTUAL"},
        {"mode": "AUTO_PASSTHROUGH"},
        {**FINE_TLS, "subjectAltNames": ["x"]},
        {**FINE_TLS, "httpsRedirect": True},
        {"credentialName": "x"},
        {"credentialNames": ["x"]},
        {"tlsCertificates": [{}]},
    ],
)
def test_tls_settings_that_are_refused(tls: dict[str, object]) -> None:
    assert len(ingress(port=HTTPS, tls=tls).errors) == 1


def test_tls_settings_that_are_accepted_or_warned_of() -> None:
    mutual = {**FINE_TLS, "mode": "MUTUAL", "caCertificates": "a", "caCrl": "r"}
    for tls in (FINE_TLS, mutual, {}, {**FINE_TLS, "cipherSuites": ["", "ALL", "+x"]}):
        assert ingress(port=HTTPS, tls=tls) == SidecarVerdict()
    for more in (
        {"minProtocolVersion": "TLSV1_1"},
        {"cipherSuites": ["NULL"]},
        {"cipherSuites": ["AES128-SHA", "AES128-SHA"]},
        {"mode": "PASSTHROUGH"},
    ):
        found = ingress(port=HTTPS, tls={**FINE_TLS, **more})
        assert not found.errors
        assert len(found.warnings) == 1
    three = {"mode": "SIMPLE", "tlsCertificates": [FINE_TLS] * 3}
    assert len(ingress(port=HTTPS, tls=three).warnings) == 1
    assert not ingress(port=HTTPS, tls={**three, "credentialName": "x"}).warnings


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"http": {"maxRetries": -1}},
        {"http": {"maxConcurrentStreams": -1}},
        {"http": {"idleTimeout": "0s"}},
        {"http": {"idleTimeout": "1.0005s"}},
        {"http": {"h2UpgradePolicy": "UPGRADE", "useClientProtocol": True}},
        {"http": {"http2KeepAlive": {"interval": "1s"}}},
        {"http": {"http2KeepAlive": {"timeout": "1s"}}},
        {"http": {"http2KeepAlive": {"timeout": "1s", "interval": "1us"}}},
        {"tcp": {"maxConnections": -1}},
        {"tcp": {"connectTimeout": "999us"}},
        {"tcp": {"maxConnectionDuration": "-1s"}},
        {"tcp": {"idleTimeout": "-1ms"}},
        {"tcp": {"tcpKeepalive": {"time": "0"}}},
        {"tcp": {"tcpKeepalive": {"interval": "1us"}}},
    ],
)
def test_connection_pools_that_are_refused(settings: dict[str, object]) -> None:
    assert len(pool(**settings)) == 1
    (error,) = ingress(connectionPool=settings).errors
    assert error.startswith("ingress[0]: connectionPool: ")


def test_connection_pools_that_are_accepted() -> None:
    assert not pool(tcp={"idleTimeout": "0s"})  # none at all, unlike the others
    assert not pool(tcp={"idleTimeout": "-999us", "connectTimeout": "1h2m3.004s"})
    keep_alive = {"interval": "1ms", "timeout": "1ms"}
    assert not pool(http={"http2KeepAlive": keep_alive, "useClientProtocol": True})
    assert not pool(http={"h2UpgradePolicy": "UPGRADE"})


def test_http_settings_for_a_port_that_is_not_http_are_warned_of() -> None:
    settings = {"http": {"maxRetries": 1}}
    assert ingress(connectionPool=settings) == SidecarVerdict()
    found = ingress(port={"number": 80, "protocol": "TCP"}, connectionPool=settings)
    assert not found.errors
    assert len(found.warnings) == 1


@pytest.mark.parametrize(
    "policy",
    [
        {"mode": 3},  # the number of ALLOW_ANY_DYNAMIC_DNS
        {"egressProxy": {"host": "x.y", "port": {"number": 80}}},
        {"mode": "ALLOW_ANY", "egressProxy": {"host": "x.y"}},
        {"mode": "ALLOW_ANY", "egressProxy": {"host": "*.x.y", "port": {"number": 80}}},
        {"mode": "ALLOW_ANY", "egressProxy": {"host": "x.y", "port": {}}},
        {
            "mode": "ALLOW_ANY",
            "egressProxy": {"host": "x.y", "port": {"number": 80}, "subset": "a.b"},
        },
    ],
)
def test_traffic_policies_that_are_refused(policy: dict[str, object]) -> None:
    (error,) = verdict(outboundTrafficPolicy=policy).errors
    assert error.startswith("outboundTrafficPolicy: ")


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ([], "spec is a list, expected an object"),
        ({"egress": {}}, "egress is an object, expected a list"),
        ({"egress": [{"hosts": [5]}]}, "egress[0].hosts[0] is a number, expected text"),
        (
            {"egress": [{"port": {"number": "x"}}]},
            "egress[0].port.number is 'x', expected a whole number from 0 to 4294967295",
        ),
        (
            {"outboundTrafficPolicy": {"mode": "ALLOW_ANY_DYNAMIC_DNS"}},
            "outboundTrafficPolicy.mode is 'ALLOW_ANY_DYNAMIC_DNS', "
            "expected one of REGISTRY_ONLY, ALLOW_ANY",
        ),
        (
            {"inboundConnectionPool": {"tcp": {"idleTimeout": "1d"}}},
            "inboundConnectionPool.tcp.idleTimeout is '1d', expected a duration",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_and_named(spec: object, error: str) -> None:
    assert validate_sidecar({"spec": spec}).errors == (error,)


def test_istiods_leniency_is_known() -> None:
    """It takes numbers in text, enums as numbers, null for nothing, and fields it does not know."""
    port: dict[str, object] = {
        "number": "80",
        "targetPort": "null",
        "protocol": None,
        "unknown": [],
    }
    listener = {"port": port, "captureMode": 1, "hosts": ["*/*"], "unknown": 5}
    assert verdict(egress=[listener], ingress=None, unknown={}) == SidecarVerdict()
    assert egress(port={"number": 80.0}) == SidecarVerdict()
    assert egress(port={"number": "080"}).errors
    assert verdict(egress=[None]).errors == ("egress[0]: hosts is empty",)
    assert verdict(egress=[{"hosts": [None]}]).errors


@pytest.mark.parametrize(
    "metadata",
    [
        5,
        {"namespace": 5},
        {"annotations": {"a": 5}},
        {"annotations": {"istio.io/dry-run": "true"}},
        {"annotations": {"internal.istio.io/parents": "x"}},
    ],
)
def test_metadata_that_is_refused(metadata: object) -> None:
    spec = {"egress": [{"hosts": ["*/*"]}]}
    assert len(validate_sidecar({"metadata": metadata, "spec": spec}).errors) == 1


def test_messages_stay_short_whatever_the_manifest_holds() -> None:
    long = "x" * 5000
    for spec in (
        {"egress": [{"hosts": [f"a/{long}", f"{long}/x.y", long]}]},
        {"workloadSelector": {"labels": {f"*{long}": long}}},
        {"egress": [{"port": {"number": long}}]},
        {"ingress": [{"port": {"number": 80, "name": long, "protocol": long}, "bind": long}]},
    ):
        errors = validate_sidecar({"spec": spec}).errors
        assert errors
        assert max(map(len, errors)) < 300
