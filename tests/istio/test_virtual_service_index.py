"""VirtualServices are found by their hosts and by where they lead."""

from __future__ import annotations

import pytest

from recommender.istio.virtual_service_index import VirtualServiceIndex
from tests.istio.helpers import rules_of, virtual_service
from tests.mesh.helpers import Object


def index_of(*objects: Object) -> VirtualServiceIndex:
    return rules_of(*objects).virtual_services.visible_from("a")


def to(host: str, **more: object) -> Object:
    return {"route": [{"destination": {"host": host}}], **more}


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("one.example", {0, 1}),
        ("two.example", {1}),
        ("*.example", {0, 1}),
        ("*", {0, 1, 2}),
        ("example", set()),
        ("other.test", {2}),
    ],
)
def test_a_name_finds_those_with_a_host_that_overlaps_it(name: str, places: set[int]) -> None:
    hosts = (["One.example"], ["*.example"], ["other.test"])
    index = index_of(
        *(virtual_service(f"vs{n}", "a", each, "x.test") for n, each in enumerate(hosts))
    )

    assert index.overlapping(name) == places


def test_destinations_and_mirrors_find_what_leads_to_them_once() -> None:
    http = [to("one.test"), to("two.test", mirror={"host": "three.test"}), to("one.test")]
    index = index_of(
        virtual_service("vs", "a", ["x.test"], http=http, tcp=[to("four.test")]),
        virtual_service("other", "b", ["y.test"], "one.test"),
    )

    def names(host: str) -> list[str]:
        return sorted(vs.meta.name for vs in index.leading_to(host))

    assert names("one.test") == ["other", "vs"]
    assert names("three.test") == names("four.test") == ["vs"]
    assert names("x.test") == []


def test_a_rewrite_is_found_by_its_authority_without_the_port() -> None:
    http = [to("one.test", rewrite={"authority": "New.test:8080"}), to("one.test")]
    index = index_of(virtual_service("vs", "a", ["x.test"], http=http))

    assert [vs.meta.name for vs in index.rewriting_to("new.test")] == ["vs"]
    assert index.rewriting_to("") == index.rewriting_to("one.test") == ()
