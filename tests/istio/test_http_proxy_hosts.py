"""The virtual hosts of a Sidecar's listener for HTTP_PROXY, without asking istiod."""

from __future__ import annotations

from recommender.istio.http_proxy_hosts import http_proxy_hosts
from recommender.istio.proxy import Proxy
from recommender.istio.sidecar_scope import sidecar_scope
from recommender.istio.virtual_hosts import VirtualHost
from recommender.mesh.objects import EgressListener
from tests.istio.helpers import (
    external_name,
    fqdn,
    rules_of,
    service,
    service_entry,
    virtual_service,
)
from tests.mesh.helpers import Object

PROXY = EgressListener(hosts=("*/*",), port=3128, port_protocol="HTTP_PROXY", bind="127.0.0.1")
TCP: Object = {"name": "tcp", "port": 90}


def hosts(*objects: Object) -> dict[str, VirtualHost]:
    """Build the virtual hosts that a proxy of the namespace `a` is sent, by name."""
    (listener,) = sidecar_scope(rules_of(*objects), "a", [PROXY]).listeners
    return {host.name: host for host in http_proxy_hosts(listener, Proxy("a"), "cluster.local")}


def clusters(host: VirtualHost) -> list[str]:
    return [cluster for route in host.routes for cluster in route.clusters]


def test_a_service_has_a_virtual_host_for_each_http_port_whatever_the_listeners_is() -> None:
    numbers: list[Object] = [{"name": "http", "port": 80}, {"name": "grpc", "port": 8080}, TCP]
    found = hosts(service("web", "b", ports=numbers))

    assert {name: clusters(host) for name, host in found.items()} == {
        f"{fqdn('web.b')}:80": [f"outbound|80||{fqdn('web.b')}"],
        f"{fqdn('web.b')}:8080": [f"outbound|8080||{fqdn('web.b')}"],
    }


def test_only_port_80_is_known_by_names_without_a_port() -> None:
    found = hosts(service("web", "b"), service("api", "b", 8080, clusterIP="10.0.0.2"))
    web, api = found[f"{fqdn('web.b')}:80"], found[f"{fqdn('api.b')}:8080"]

    assert {"web.b", "web.b:80", "10.0.0.1", "10.0.0.1:80"} <= set(web.domains)
    assert set(api.domains) == {
        f"{name}:8080" for name in (fqdn("api.b"), "api.b", "api.b.svc", "10.0.0.2")
    }


def test_a_service_of_several_ports_is_known_without_one_by_the_first_alone() -> None:
    """Where that is not 80 nothing is left of the name without a port."""
    first = hosts(service("web", "b", 8080, 80))[f"{fqdn('web.b')}:80"]

    assert first.domains
    assert all(domain.endswith(":80") for domain in first.domains)


def test_routes_of_a_virtual_service_are_at_each_port_of_its_services() -> None:
    to = [{"destination": {"host": fqdn(name)}} for name in ("one.b", "two.b")]
    found = hosts(
        service("one", "b", 81),
        service("two", "b", 80, 8080),
        virtual_service(
            "vs",
            "b",
            [fqdn("two.b"), "own.example"],
            http=[
                {"match": [{"port": 80, "uri": {"prefix": "/80"}}], "route": to[:1]},
                {"match": [{"uri": {"prefix": "/1"}}], "route": to[:1]},
                {"route": to[1:]},
            ],
        ),
    )

    # A match of a port never holds; a destination has its service's only port, or none.
    routed = [f"outbound|81||{fqdn('one.b')}", f"outbound|0||{fqdn('two.b')}"]
    assert {name: clusters(host) for name, host in found.items() if host.virtual_service} == {
        f"{fqdn('two.b')}:80": routed,
        f"{fqdn('two.b')}:8080": routed,
        "own.example:80": routed,
    }


def test_a_virtual_service_without_a_service_has_no_virtual_host() -> None:
    assert not hosts(virtual_service("vs", "b", ["own.example"], fqdn("web.b")))


def test_names_of_an_external_name_lead_to_what_it_stands_for() -> None:
    found = hosts(service("web", "b"), external_name("alias", "a", fqdn("web.b")))

    assert list(found) == [f"{fqdn('web.b')}:80"]
    assert {"alias", "alias:80"} <= set(found[f"{fqdn('web.b')}:80"].domains)


def test_a_port_of_a_service_entry_is_one_like_others() -> None:
    (found,) = hosts(service_entry("se", "b", "db.example", 8443)).values()

    assert found.domains == ("db.example:8443",)
