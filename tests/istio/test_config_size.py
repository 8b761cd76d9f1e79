"""How much configuration a scope costs a proxy, without asking istiod."""

from __future__ import annotations

from dataclasses import fields

import pytest

from recommender.istio.config_size import (
    NO_CONFIG,
    ConfigSize,
    ConfigSizer,
    SizeCoefficients,
    config_size,
)
from recommender.istio.outbound_clusters import outbound_clusters
from recommender.istio.proxy import DYNAMIC_DNS, Proxy
from recommender.istio.proxy_config import ProxyConfig
from tests.istio.endpoint_mesh import (
    destination_rule,
    endpoint_mesh,
    endpoint_slice,
    entry,
    port,
    ready,
    subsets,
)
from tests.istio.helpers import (
    proxy_config,
    rules_of,
    scope_of,
    service,
    virtual_service,
)
from tests.mesh.helpers import Object, pod

NOTHING = "~/*"


def size(*objects: Object, hosts: tuple[str, ...] = ("*/*",)) -> ConfigSize:
    return config_size(proxy_config(*objects, hosts=hosts))


def endpoints(*objects: Object) -> dict[str, int]:
    """Map the names of Envoy clusters to how many endpoints they have."""
    return {each.name: len(each.endpoints) for each in outbound_clusters(proxy_config(*objects))}


def test_a_scope_of_nothing_costs_what_every_proxy_has() -> None:
    found = size(service("web", "b"), hosts=(NOTHING,))

    counted = (found.clusters, found.load_assignments, found.listeners, found.routes)
    assert counted == (0, 0, 0, 0)
    assert found.static_clusters == 3
    assert found.eds_bytes == found.rds_bytes == 0
    assert found.bytes == found.cds_bytes + found.lds_bytes > 0


def test_a_service_has_a_cluster_for_each_port_but_for_udp() -> None:
    udp = {**port("dns", 53), "protocol": "UDP"}
    found = size(service("dns", "b", ports=[udp, port("dns-tcp", 53), port("http", 80)]))

    assert (found.clusters, found.load_assignments, found.listeners) == (2, 2, 2)
    assert found.filter_chains == 1 + 2


def test_http_services_of_a_port_share_a_listener_and_its_routes() -> None:
    found = size(service("web", "b"), service("api", "b"), service("old", "b", 8080))

    assert (found.listeners, found.route_configurations) == (2, 2)
    assert found.filter_chains == 2 * 2  # one for HTTP, one for what else may come
    assert (found.virtual_hosts, found.routes) == (3 + 2, 3 + 2)  # one for each port takes the rest


def test_routes_of_a_virtual_service_are_counted_at_each_of_its_hosts() -> None:
    exact, prefix = ({"uri": {kind: "/x"}} for kind in ("exact", "prefix"))
    to = {"route": [{"destination": {"host": "web.b.svc.cluster.local"}}]}
    http = [{"match": [exact, prefix], **to}, to]
    hosts = [f"{name}.b.svc.cluster.local" for name in ("web", "api")]
    found = size(
        service("web", "b"), service("api", "b"), virtual_service("both", "b", hosts, http=http)
    )

    assert (found.virtual_hosts, found.routes) == (2 + 1, 2 * 3 + 1)


def test_an_endpoint_counts_once_and_not_while_it_terminates() -> None:
    ports, one = [port("http-80", 8080)], ready("10.244.0.1", "web-1")
    unready = ready("10.244.0.2", "web-2", ready=False, terminating=False)
    terminating = ready("10.244.0.3", "web-3", ready=False)
    found = endpoints(
        service("web", "b"),
        endpoint_slice("web", ports, [*one, *terminating]),
        endpoint_slice("web", ports, [*one, *unready], number=1),
    )

    assert found == {"outbound|80||web.b.svc.cluster.local": 2}


def test_endpoints_are_found_by_the_name_of_the_port() -> None:
    slices = endpoint_slice("web", [port("other", 80)], ready("10.244.0.1", "web-1"))

    assert endpoints(service("web", "b"), slices) == {"outbound|80||web.b.svc.cluster.local": 0}


def test_without_endpoint_slices_the_pods_that_a_service_selects_are_counted() -> None:
    pods = [
        pod(f"web-{n}", namespace="b", labels={"app": "web"}, status={"podIP": f"10.244.0.{n}"})
        for n in (1, 2)
    ]
    found = endpoints(service("web", "b", selector={"app": "web"}), *pods)

    assert found == {"outbound|80||web.b.svc.cluster.local": 2}


def test_a_subset_has_the_endpoints_with_its_labels() -> None:
    found = endpoints(*endpoint_mesh())

    web = {name: count for name, count in found.items() if "|80|" in name and "web" in name}
    host = "web.b.svc.cluster.local"
    assert web == {
        f"outbound|80||{host}": 5,
        f"outbound|80|v1|{host}": 2,
        f"outbound|80|v2|{host}": 2,
        f"outbound|80|none|{host}": 0,
    }


def test_hosts_have_the_endpoints_that_istiod_sends_or_envoy_resolves() -> None:
    """`test_config_size_against_istiod.py` compares the same mesh with istiod."""
    found = endpoints(*endpoint_mesh())

    hosts = {name.partition("|")[2]: n for name, n in found.items() if name.endswith(".example")}
    assert hosts == {
        "80||static.example": 3 * 2,  # each once for each address
        "80|v1|static.example": 3,
        "80||chosen.example": 3 + 2,  # pods and WorkloadEntries, but for one that is a name
        "80||unix.example": 1,
        "80||dns.example": 2,
        "80|v1|dns.example": 1,
        "81||dns.example": 1,  # the younger ServiceEntry's, with the host itself
        "80||chosen-dns.example": 3 + 3,
        "80||turns.example": 1,  # the oldest
        "443||turns.example": 1,
        "5000||none.example": 0,
        "80||*.wild.example": 0,
        "443||*.wild.example": 0,
    }


def test_a_host_that_is_resolved_by_dns_has_no_cluster_without_endpoints() -> None:
    found = endpoints(
        entry("own", "DNS"),
        entry("nobody", "DNS", workloadSelector={"labels": {"app": "nobody"}}),
        subsets("own", "own.example", none="v9"),
    )

    assert found == {"outbound|80||own.example": 1}


def test_endpoints_of_a_host_with_several_addresses_are_sent_for_each() -> None:
    one = [{"address": "10.2.0.1"}]
    found = endpoints(entry("x", "STATIC", addresses=["10.1.0.1", "10.1.0.2"], endpoints=one))

    assert found == {"outbound|80||x.example": 2}


def test_a_proxy_that_resolves_unknown_hosts_has_a_cluster_for_it() -> None:
    found = config_size(proxy_config(policy=DYNAMIC_DNS))

    assert found.static_clusters == 4


def test_sizes_can_be_multiplied_and_summed_up() -> None:
    one = size(service("web", "b"))

    assert one.times(2) == one.plus(one)
    assert one.times(2).bytes == 2 * one.bytes
    assert NO_CONFIG.plus(one) == one


def test_other_coefficients_give_other_bytes() -> None:
    made = proxy_config(service("web", "b"))
    zero = {field.name: 0.0 for field in fields(SizeCoefficients)}
    per_byte = SizeCoefficients(**{**zero, "service_name_byte": 2})

    assert config_size(made, SizeCoefficients(**zero)).bytes == 0
    assert config_size(made, per_byte).bytes == 2 * len("web.b.svc.cluster.local" + "web" + "b")


@pytest.mark.parametrize("hosts", [("b/web.b.svc.cluster.local",), ("./*", "b/*")])
def test_less_scope_costs_less(hosts: tuple[str, ...]) -> None:
    objects = (service("web", "b"), service("api", "b"), service("other", "c", 8080))

    assert size(*objects, hosts=hosts).bytes < size(*objects).bytes


def test_a_sizer_says_of_every_configuration_what_is_said_of_it_alone() -> None:
    """Also where namespaces use other DestinationRules, and where clusters were met before."""
    rule = destination_rule("in", connectionPool={"tcp": {"idleTimeout": "5s"}})
    hidden = destination_rule("mem", outlierDetection={"interval": "1s"})
    hidden["spec"]["exportTo"] = ["."]
    rules = rules_of(*endpoint_mesh(), service("in", "b"), service("mem", "b"), rule, hidden)
    scopes = [
        (namespace, scope_of(rules, namespace, *hosts))
        for namespace in ("a", "b")
        for hosts in (("*/*",), ("b/in.b.svc.cluster.local",), ("./*", "b/*"))
    ]
    made = [ProxyConfig(rules, scope, Proxy(name), "ALLOW_ANY") for name, scope in scopes]
    sizer = ConfigSizer()

    assert [sizer.size(each) for each in made * 2] == [config_size(each) for each in made * 2]
    assert len({each.bytes for each in map(config_size, made)}) > 3
