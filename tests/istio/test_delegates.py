"""What a route that delegates hands on to the routes of its delegate (`MergeHTTPRoutes`)."""

import pytest

from recommender.istio.proxy import Proxy
from recommender.istio.routes import http_routes
from recommender.mesh import RequestMatch, Route, StringMatch
from recommender.mesh.route_settings import RouteSettings, route_settings
from tests.istio.helpers import fqdn, rules_of, virtual_service
from tests.mesh.helpers import Object

TO = {"route": [{"destination": {"host": "moved"}}]}


def merged(root: Object, *inner: Object) -> tuple[Route, ...]:
    """Merge a root's route with those of its delegate in another namespace."""
    delegating = {"delegate": {"name": "d", "namespace": "b"}, **root}
    rules = rules_of(
        virtual_service("root", "a", ["cart"], http=[delegating]),
        virtual_service("d", "b", [], http=[{**TO, **route} for route in inner]),
    )
    (found,) = rules.virtual_services.visible_from("a").ordered
    return found.routes


def test_a_delegate_s_matches_are_limited_by_the_root_s() -> None:
    root = {"uri": {"prefix": "/a"}, "port": 80, "sourceLabels": {"x": "1"}, "name": "outer"}
    leaf = {"uri": {"prefix": "/a/b"}, "method": {"exact": "GET"}, "sourceLabels": {"y": "2"}}
    (route,) = merged({"match": [root]}, {"match": [leaf]})
    (match,) = route.matches

    assert match.request == RequestMatch(
        uri=StringMatch("prefix", "/a/b"), method=StringMatch("exact", "GET")
    )
    assert (match.port, match.source_labels, match.name) == (80, {"x": "1", "y": "2"}, "outer")


def test_a_delegate_s_route_without_matches_has_those_of_the_root() -> None:
    (route,) = merged({"match": [{"uri": {"prefix": "/a"}}, {"uri": {"exact": "/b"}}]}, {})

    kinds = [match.request.uri.kind for match in route.matches if match.request.uri]
    assert kinds == ["prefix", "exact"]


def test_each_match_is_merged_with_every_one_of_the_root_that_it_fits() -> None:
    root = [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}, {"headers": {"h": {}}}]
    (route,) = merged({"match": root}, {"match": [{"uri": {"exact": "/a/1"}}]})

    assert [match.request.headers for match in route.matches] == [(), (("h", StringMatch()),)]


@pytest.mark.parametrize(
    ("root", "leaf", "fits"),
    [
        ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/a/b"}}, True),
        ({"uri": {"prefix": "/a"}}, {"uri": {"exact": "/a/b"}}, True),
        ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}, False),
        ({"uri": {"prefix": "/a"}}, {"uri": {"regex": "/a.*"}}, False),
        ({"uri": {"prefix": "/a"}}, {"uri": {}}, False),
        ({"uri": {"exact": "/a"}}, {"uri": {"exact": "/a"}}, True),
        ({"uri": {"exact": "/a"}}, {"uri": {"prefix": "/a"}}, False),
        ({"uri": {"regex": "/a"}}, {"uri": {"regex": "/a"}}, False),
        ({"uri": {"prefix": "/a"}}, {"ignoreUriCase": True}, False),
        ({"headers": {"h": {"exact": "1"}}}, {"headers": {"h": {"exact": "2"}}}, False),
        ({"headers": {"h": {"exact": "1"}}}, {"headers": {"i": {"exact": "2"}}}, True),
        ({"withoutHeaders": {"h": {"exact": "1"}}}, {"withoutHeaders": {"h": {}}}, False),
        ({"queryParams": {"h": {"exact": "1"}}}, {"queryParams": {"h": {"exact": "1"}}}, True),
        ({"method": {"exact": "GET"}}, {"method": {"exact": "PUT"}}, False),
        ({"authority": {"prefix": "a"}}, {"authority": {"exact": "a.b"}}, True),
        ({"scheme": {"exact": "http"}}, {"scheme": {"exact": "https"}}, False),
        ({"port": 80}, {"port": 81}, False),
        ({"port": 80}, {}, True),
        ({"sourceNamespace": "a"}, {"sourceNamespace": "a"}, True),
        ({"sourceNamespace": "a"}, {"method": {"exact": "GET"}}, False),
        ({}, {"sourceNamespace": "a"}, True),
        ({"sourceLabels": {"x": "1"}}, {"sourceLabels": {"x": "2"}}, False),
        ({"gateways": ["mesh", "gw"]}, {"gateways": ["mesh"]}, True),
        ({"gateways": ["a/gw"]}, {"gateways": ["mesh"]}, False),
        ({"gateways": ["mesh"]}, {"gateways": ["mesh", "gw"]}, False),
        ({"gateways": ["gw", "mesh"]}, {"gateways": ["gw"]}, False),
        ({"gateways": ["b/gw", "mesh"]}, {"gateways": ["./gw"]}, True),
        ({"gateways": ["gw.b.svc.cluster.local", "mesh"]}, {"gateways": ["gw"]}, True),
    ],
)
def test_a_route_that_fits_no_match_of_the_root_is_dropped(
    root: Object, leaf: Object, fits: bool
) -> None:
    assert bool(merged({"match": [root]}, {"match": [leaf]})) is fits


def test_one_match_that_fits_none_drops_the_whole_route() -> None:
    leaves = [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}]

    assert not merged({"match": [{"uri": {"prefix": "/a"}}]}, {"match": leaves})


def test_names_are_joined() -> None:
    routes = merged({"name": "root"}, {}, {"name": "leaf"})

    assert [route.name for route in routes] == ["root", "root-leaf"]


def test_a_delegate_has_the_root_s_mirrors_and_rewrite_where_it_has_none() -> None:
    one, own = {"mirror": {"host": "m"}}, {"mirror": {"host": "own"}}
    several = {"mirrors": [{"destination": {"host": "n"}}]}
    rewrite = {"rewrite": {"authority": "r.example"}}

    def mirrors(root: Object, leaf: Object) -> list[str]:
        (route,) = merged(root, leaf)
        return [mirror.host for mirror in route.mirrors]

    assert mirrors(one, {}) == [fqdn("m.a")]
    assert mirrors(one, own) == [fqdn("own.b")]
    assert mirrors(several, own) == [fqdn("own.b"), fqdn("n.a")]
    assert mirrors(one, several) == [fqdn("m.a"), fqdn("n.b")]
    assert [r.rewrite_authority for r in merged(rewrite, {})] == ["r.example"]
    assert [r.rewrite_authority for r in merged(rewrite, {"rewrite": {"uri": "/x"}})] == [""]


def test_a_delegate_has_the_authority_of_the_root_s_headers_where_it_has_no_headers() -> None:
    root: Object = {"headers": {"request": {"set": {"host": "r.example"}}}}

    def authorities(leaf: Object) -> list[tuple[str, ...]]:
        return [route.authorities for route in merged(root, leaf)]

    assert authorities({}) == [("r.example",)]
    assert authorities({"headers": {}}) == [()]
    assert authorities({"rewrite": {"authority": "own"}}) == [("own", "r.example")]


SETTINGS: Object = {
    "fault": {"abort": {"httpStatus": 503}},
    "corsPolicy": {"allowOrigins": [{"exact": "https://a.example"}]},
    "headers": {"request": {"set": {"x-a": "1"}}},
    "rewrite": {"uri": "/of/the/root"},
    "retries": {"attempts": 1, "retryOn": "5xx"},
    "directResponse": {"status": 503, "body": {"string": "closed"}},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_delegate_has_the_root_s_setting_where_it_has_none(name: str) -> None:
    others = {other: value for other, value in SETTINGS.items() if other != name}
    (route,) = merged(SETTINGS, others)

    assert route.settings == route_settings(SETTINGS)
    assert route.destinations


@pytest.mark.parametrize("name", SETTINGS)
def test_a_delegate_s_own_setting_counts_alone_even_if_it_is_empty(name: str) -> None:
    """Nothing within a setting is merged: not one header with another."""
    (own,) = merged({name: SETTINGS[name]}, {name: {}})

    assert own.settings == route_settings({name: {}})


def test_what_destinations_set_for_themselves_stays_with_them() -> None:
    headers: Object = {"request": {"remove": ["x"]}}
    to: Object = {"destination": {"host": "moved"}, "headers": headers}
    (route,) = merged({"headers": {}}, {"route": [to]})

    assert route.settings == route_settings({"headers": {}, "route": [to]})


def test_a_root_s_redirect_is_not_handed_on() -> None:
    """The webhook refuses it, but istiod has what was stored without."""
    (route,) = merged({"redirect": {"uri": "/x"}}, {})

    assert route.settings == RouteSettings()


def test_a_root_s_direct_response_goes_before_where_a_delegate_sends_requests() -> None:
    closed = {"directResponse": {"status": 503}}
    rules = rules_of(
        virtual_service("root", "a", ["cart"], http=[{"delegate": {"name": "d"}, **closed}]),
        virtual_service("d", "a", [], http=[{**TO, "mirror": {"host": "m"}}]),
    )
    (vs,) = rules.virtual_services.visible_from("a").ordered
    (built,) = http_routes(vs, Proxy("a"), 80, lambda _: None)

    assert [d.host for route in vs.routes for d in route.destinations] == [fqdn("moved.a")]
    assert (built.clusters, built.mirrors) == ((), ())
