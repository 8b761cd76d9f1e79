"""Which routes a request may take, by what its call tells of it."""

import pytest

from recommender.istio.call import resolve_call
from recommender.istio.proxy import Proxy
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.resolution import Fate, OutboundCall, Resolution
from tests.istio.helpers import (
    fqdn,
    rules_of,
    scope_of,
    service,
    service_entry,
    virtual_service,
)
from tests.mesh.helpers import Object, obj

GATEWAY_API = "gateway.networking.k8s.io/v1"


def resolved(*objects: Object, **of_request: str) -> Resolution:
    """Resolve a call of cart, which other services may take."""
    rules = rules_of(service("cart"), service("v2"), *objects)
    config = ProxyConfig(rules, scope_of(rules, "a", "*/*"), Proxy("a"))
    return resolve_call(config, OutboundCall("10.0.0.1", 80, True, "cart.a", **of_request))


def routing(*routes: Object) -> Object:
    return virtual_service("vs", "a", ["cart"], http=list(routes))


def to(name: str, *matches: Object) -> Object:
    """Make a route with a name."""
    route: Object = {"name": name, "route": [{"destination": {"host": "v2"}}]}
    return {**route, "match": list(matches)} if matches else route


def names(found: Resolution) -> list[str]:
    return [route.name for route in found.routes]


SPLIT = routing(
    to("admin", {"uri": {"prefix": "/admin"}, "headers": {"x-user": {"exact": "root"}}}),
    to("write", {"uri": {"prefix": "/cart"}, "method": {"exact": "POST"}}),
    to("read", {"uri": {"prefix": "/cart"}}),
    to("other", {"authority": {"exact": "www.example"}}),
    to("rest"),
)


@pytest.mark.parametrize(
    ("method", "path", "possible"),
    [
        ("POST", "/cart/1?v=1", ["write"]),
        ("GET", "/cart/1", ["read"]),
        ("GET", "/x", ["rest"]),
        ("GET", "/admin", ["admin", "rest"]),
        (None, "/cart", ["write", "read"]),
        ("GET", None, ["admin", "read", "rest"]),
        (None, None, ["admin", "write", "read", "other", "rest"]),
    ],
)
def test_the_routes_are_those_a_request_may_take_up_to_one_that_it_must(
    method: str | None, path: str | None, possible: list[str]
) -> None:
    """Without method and path they are all of the virtual host."""
    given = {key: text for key, text in (("method", method), ("path", path)) if text}
    found = resolved(SPLIT, **given)

    assert (names(found), found.fate, found.may_miss) == (possible, Fate.ROUTED, False)


def test_a_request_that_no_route_takes_finds_none() -> None:
    found = resolved(routing(to("read", {"uri": {"exact": "/cart"}})), path="/x")

    assert (found.fate, found.may_miss) == (Fate.NO_ROUTE, True)
    assert (found.routes, found.clusters) == ((), frozenset())
    assert (found.virtual_host, found.host) == (f"{fqdn('cart.a')}:80", fqdn("cart.a"))


@pytest.mark.parametrize("of_request", [{}, {"method": "GET"}, {"path": "/cart"}])
def test_a_request_of_which_too_little_is_known_may_find_none(of_request: dict[str, str]) -> None:
    match = {"uri": {"exact": "/cart"}, "method": {"exact": "GET"}}
    found = resolved(routing(to("read", match)), **of_request)

    assert (names(found), found.fate, found.may_miss) == (["read"], Fate.ROUTED, True)


def test_the_clusters_are_those_of_the_possible_routes() -> None:
    answering = {"match": [{"uri": {"prefix": "/old"}}], "redirect": {"uri": "/cart"}}
    old, new = (resolved(routing(answering, to("rest")), path=p) for p in ("/old", "/new"))

    assert (old.fate, old.clusters) == (Fate.ANSWERED, frozenset())
    assert new.fate is Fate.ROUTED
    assert [name for name, _ in new.clusters] == ["outbound|80||v2.a.svc.cluster.local"]


def test_a_service_without_a_virtual_service_takes_every_request() -> None:
    found = resolved(path="/x", method="GET")

    assert (names(found), found.may_miss) == (["default"], False)


def test_a_route_that_asks_for_any_method_does_not_end_istiod_s_list() -> None:
    found = resolved(routing(to("any", {"method": {}}), to("rest")))

    assert names(found) == ["any", "rest"]
    assert names(resolved(routing(to("any", {"method": {}}), to("rest")), path="/")) == ["any"]


def gateway_route(kind: str, *matches: Object) -> Object:
    backends = [{"name": "v2", "port": 80}]
    rules: list[Object] = [{"name": "asked", "matches": list(matches), "backendRefs": backends}]
    rules.append({"name": "rest", "backendRefs": backends})
    parent = {"group": "", "kind": "Service", "name": "cart"}
    return obj(GATEWAY_API, kind, "r", "a", spec={"parentRefs": [parent], "rules": rules})


@pytest.mark.parametrize(
    ("path", "possible"), [("/x", "asked"), ("/x/1", "asked"), ("/xx", "rest"), ("/", "rest")]
)
def test_the_path_prefix_of_an_http_route_ends_where_a_segment_does(
    path: str, possible: str
) -> None:
    route = gateway_route("HTTPRoute", {"path": {"type": "PathPrefix", "value": "/x/"}})

    assert names(resolved(route, path=path)) == [possible]


@pytest.mark.parametrize(
    ("match", "path", "possible"),
    [
        ({"service": "x.Y"}, "/x.Y/Z", ["asked"]),
        ({"service": "x.Y"}, "/x.YY/Z", ["rest"]),
        ({"service": "x.Y", "method": "Z"}, "/x.Y/Z", ["asked"]),
        ({"service": "x.Y", "method": "Z"}, "/x.Y/A", ["rest"]),
        ({"method": "Z"}, "/x.Y/Z", ["asked", "rest"]),
        ({"type": "RegularExpression", "service": "x"}, "/y/Z", ["rest"]),
        ({"type": "RegularExpression", "service": "x"}, "/x/Z", ["asked", "rest"]),
    ],
)
def test_a_grpc_method_is_a_path(match: Object, path: str, possible: list[str]) -> None:
    route = gateway_route("GRPCRoute", {"method": match})

    assert names(resolved(route, path=path, method="POST")) == possible


def test_the_method_and_headers_of_an_http_route_count() -> None:
    route = gateway_route("HTTPRoute", {"method": "POST", "headers": [{"name": "a", "value": "b"}]})

    assert names(resolved(route, method="GET")) == ["rest"]
    assert names(resolved(route, method="POST", path="/x")) == ["asked", "rest"]


def by_name_at_443(address: str, *addresses: str) -> Resolution:
    """Resolve a connection for api.example, beside a ServiceEntry for TCP that has addresses."""
    rules = rules_of(entry_at_443("api", "TLS"), entry_at_443("any", "TCP", *addresses))
    config = ProxyConfig(rules, scope_of(rules, "a", "*/*"), Proxy("a"))
    return resolve_call(config, OutboundCall(address, 443, False, server_name="api.example"))


def entry_at_443(name: str, protocol: str, *addresses: str) -> Object:
    listed = [{"number": 443, "name": protocol.lower(), "protocol": protocol}]
    return service_entry(name, "a", f"{name}.example", ports=listed, addresses=list(addresses))


@pytest.mark.parametrize(
    ("address", "subnet", "host"),
    [
        ("203.0.113.7", "0.0.0.0/0", "api.example"),
        ("203.0.113.7", "203.0.113.0/24", "any.example"),
        ("198.51.100.7", "203.0.113.0/24", "api.example"),
    ],
)
def test_a_service_entry_for_every_address_takes_no_connection_that_another_has_the_name_of(
    address: str, subnet: str, host: str
) -> None:
    """Istiod sends no subnet for `0.0.0.0/0` (`toFilterChainMatch`)."""
    assert by_name_at_443(address, subnet).host == host
