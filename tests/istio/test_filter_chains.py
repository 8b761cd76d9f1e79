"""Which listeners Envoy refuses, so that nothing is said about calls that meet one."""

from __future__ import annotations

from pathlib import Path

import pytest

from recommender.istio.filter_chains import FilterChain, are_refused
from recommender.istio.registry import ServiceKey
from tests.istio.envoy_listener import refusal, require_envoy

OVERLAP = "multiple filter chains with overlapping matching rules"
SAME = "has the same matching rules"
PARTIAL = "partial wildcards are not supported"


def chain(*subnets: str, names: tuple[str, ...] = (), plain_http: bool = False) -> FilterChain:
    key = ServiceKey("a", "s.a.svc.cluster.local")
    return FilterChain(key, subnets=subnets, server_names=names, plain_http=plain_http)


LISTENERS = {
    "one that matches all": ([chain()], ""),
    "two that match all": ([chain(names=("*",)), chain(names=("*", "a.example"))], ""),
    "different subnets": ([chain("10.0.0.0/24"), chain("10.0.1.0/24")], ""),
    "a subnet in another": ([chain("10.0.0.0/24"), chain("10.0.0.0/28")], ""),
    "one subnet in common": ([chain("10.0.0.0/24", "10.0.0.1/32"), chain("10.0.0.0/24")], OVERLAP),
    "one written otherwise": ([chain("10.0.0.0/24", "10.1.0.1"), chain("10.0.0.9/24")], OVERLAP),
    "an address and its subnet": (
        [chain("10.0.0.1"), chain("10.0.0.1/32", "10.2.0.0/16")],
        OVERLAP,
    ),
    "a subnet twice in one": ([chain("10.0.0.0/24", "10.0.0.7/24")], OVERLAP),
    "an unspecified address": ([chain("0.0.0.0/0"), chain("10.0.0.0/24")], ""),
    "two unspecified addresses": ([chain("0.0.0.0/0"), chain("0.0.0.0/8")], SAME),
    "different names": ([chain(names=("a.example",)), chain(names=("b.example",))], ""),
    "a name in a wildcard": ([chain(names=("a.example",)), chain(names=("*.example",))], ""),
    "one name in common": (
        [chain(names=("a.example", "b.example")), chain(names=("b.example", "c.example"))],
        OVERLAP,
    ),
    "one name in capitals": (
        [chain(names=("a.example", "B.example")), chain(names=("b.example", "c.example"))],
        OVERLAP,
    ),
    "one name in different subnets": (
        [chain("10.0.0.0/24", names=("a.example",)), chain("10.0.1.0/24", names=("a.example",))],
        "",
    ),
    "a name with and without a subnet": (
        [chain("10.0.0.0/24", names=("a.example",)), chain(names=("a.example",))],
        "",
    ),
    "a wildcard inside a label": ([chain(names=("*a.example",))], PARTIAL),
    "a wildcard in the middle": ([chain(names=("a.*.example",))], PARTIAL),
    "HTTP and anything else": ([chain(plain_http=True), chain("10.0.0.0/24")], ""),
    "HTTP and anything in a subnet": (
        [chain("10.0.0.0/24", plain_http=True), chain("10.0.0.0/24")],
        "",
    ),
}


@pytest.mark.parametrize("name", LISTENERS)
def test_envoy_refuses_the_listeners_that_the_model_says_it_does(name: str, tmp_path: Path) -> None:
    chains, reason = LISTENERS[name]
    said = refusal(require_envoy(), chains, tmp_path)

    assert reason in said
    assert bool(said) is bool(reason) is are_refused(chains)


@pytest.mark.parametrize("name", LISTENERS)
def test_the_model_knows_which_listeners_are_refused(name: str) -> None:
    chains, reason = LISTENERS[name]

    assert are_refused(chains) is bool(reason)
