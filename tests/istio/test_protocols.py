"""Which protocol a port has (`ConvertProtocol`, `protocol.Parse`)."""

import pytest

from recommender.istio.protocols import Protocol, kubernetes_port_protocol, protocol_of
from recommender.mesh.objects import ServicePort


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("http", Protocol.HTTP),
        ("HTTP-web", Protocol.HTTP),
        ("http2-api", Protocol.HTTP),
        ("grpc", Protocol.HTTP),
        ("grpc-web-x", Protocol.GRPC_WEB),
        ("https", Protocol.TLS),
        ("tls-x", Protocol.TLS),
        ("tcp-db", Protocol.TCP),
        ("redis", Protocol.TCP),
        ("mongo", Protocol.MONGO),
        ("mysql", Protocol.MYSQL),
        ("", Protocol.SNIFFED),
        ("rest", Protocol.SNIFFED),
        ("httpx", Protocol.SNIFFED),
        ("web-http", Protocol.SNIFFED),
    ],
)
def test_the_first_word_of_a_port_s_name_tells_the_protocol(name: str, expected: Protocol) -> None:
    assert kubernetes_port_protocol(ServicePort(8080, name)) is expected


@pytest.mark.parametrize(
    ("app_protocol", "expected"),
    [
        ("http", Protocol.HTTP),
        ("HTTPS", Protocol.TLS),
        ("kubernetes.io/h2c", Protocol.HTTP),
        ("kubernetes.io/ws", Protocol.HTTP),
        ("kubernetes.io/wss", Protocol.TLS),
        ("company.example/own", Protocol.SNIFFED),
    ],
)
def test_app_protocol_wins_over_the_name(app_protocol: str, expected: Protocol) -> None:
    port = ServicePort(8080, "tcp", app_protocol=app_protocol)
    assert kubernetes_port_protocol(port) is expected


@pytest.mark.parametrize("number", [25, 53, 3306, 27017])
def test_servers_that_speak_first_are_tcp_unless_the_name_tells(number: int) -> None:
    assert kubernetes_port_protocol(ServicePort(number, "db")) is Protocol.TCP
    assert kubernetes_port_protocol(ServicePort(number, "http-db")) is Protocol.HTTP


def test_udp_is_udp_whatever_its_name() -> None:
    assert kubernetes_port_protocol(ServicePort(80, "http", "UDP")) is Protocol.UDP


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("HTTP", Protocol.HTTP),
        ("grpc", Protocol.HTTP),
        ("TLS", Protocol.TLS),
        ("", Protocol.SNIFFED),
    ],
)
def test_a_service_entry_declares_its_protocol(declared: str, expected: Protocol) -> None:
    assert protocol_of(declared) is expected


def test_requests_are_seen_on_http_and_sniffed_ports() -> None:
    assert [p for p in Protocol if p.may_be_http] == [
        Protocol.HTTP,
        Protocol.GRPC_WEB,
        Protocol.HTTP_PROXY,
        Protocol.SNIFFED,
    ]
