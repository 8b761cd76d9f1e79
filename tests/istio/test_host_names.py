"""Comparing host names (`Name.SubsetOf`, `Name.Matches`, `ResolveShortnameToFQDN`)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.istio.host_names import expand_short_name, is_subset, is_wildcard, overlaps

names = st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(".".join)
hosts = st.one_of(st.just("*"), names, names.map("*.{}".format))


@pytest.mark.parametrize(
    ("host", "pattern", "expected"),
    [
        ("foo.com", "foo.com", True),
        ("foo.com", "FOO.com", False),
        ("foo.com", "foo.com.", False),
        ("foo.com", "*", True),
        ("a.foo.com", "*.foo.com", True),
        ("a.b.foo.com", "*.foo.com", True),
        ("foo.com", "*.foo.com", False),
        ("*.foo.com", "*.foo.com", True),
        ("*.a.foo.com", "*.foo.com", True),
        ("*.foo.com", "*.a.foo.com", False),
        ("*.foo.com", "a.foo.com", False),
        ("*", "*.com", False),
        ("*.com", "*", True),
    ],
)
def test_a_pattern_covers_names_below_it(host: str, pattern: str, expected: bool) -> None:
    assert is_subset(host, pattern) is expected


@given(hosts, hosts, hosts)
def test_covering_is_a_partial_order_and_overlap_is_symmetric(a: str, b: str, c: str) -> None:
    assert is_subset(a, a)
    assert is_subset(a, "*")
    if is_subset(a, b) and is_subset(b, c):
        assert is_subset(a, c)
    if is_subset(a, b) and is_subset(b, a):
        assert a == b
    assert overlaps(a, b) is overlaps(b, a)
    assert overlaps(a, b) or not is_subset(a, b)


def test_a_wildcard_starts_with_a_star() -> None:
    assert (is_wildcard("*"), is_wildcard("*.a"), is_wildcard("a.*")) == (True, True, False)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("cart", "cart.shop.svc.cluster.local"),
        ("cart.shop", "cart.shop"),
        ("*", "*"),
        ("", ""),
    ],
)
def test_only_names_without_a_dot_are_completed(host: str, expected: str) -> None:
    assert expand_short_name(host, "shop", "cluster.local") == expected
