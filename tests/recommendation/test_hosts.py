"""Which hosts a workload gets, and that each is there for a reason."""

from __future__ import annotations

import pytest

from recommender.errors import UsageError
from tests.mesh.helpers import obj
from tests.recommendation.helpers import (
    Flow,
    decide,
    deployment,
    fqdn,
    headless,
    hosts,
    http_call,
    left_out,
    mesh_config,
    notes,
    of,
    pod_name,
    received,
    route_to,
    service,
    service_entry,
    tcp_call,
    virtual_service,
    web_calls,
)

WEB = f"shop/{pod_name('web')}"


def test_a_called_service_is_named_exactly_by_its_own_namespace() -> None:
    call = http_call(WEB, "cart.pay", fqdn("cart.pay"))

    assert web_calls(service("cart", "pay"), calls=[call]) == [f"pay/{fqdn('cart.pay')}"]


def test_a_workload_that_logged_and_calls_nobody_gets_the_empty_form() -> None:
    assert web_calls(service("cart"), calls=[received(WEB)]) == ["~/*"]


def test_a_workload_that_logged_nothing_gets_no_sidecar() -> None:
    answer = decide([*deployment("web"), *deployment("idle")], [received(WEB)])

    assert left_out(answer, "idle").reason == "logged nothing"
    assert left_out(answer, "idle").detail == "silence is no evidence; 1 pod with a proxy"


def test_the_own_service_stays() -> None:
    answer = decide([*deployment("web"), service("web")], [received(WEB)])

    assert hosts(answer, "web") == [f"shop/{fqdn('web.shop')}"]
    assert [r.kind for r in of(answer, "web").hosts[0].reasons] == ["own service"]


@pytest.mark.parametrize(("address", "kept"), [("10.244.0.1", True), ("10.244.9.9", False)])
def test_an_own_service_stays_that_has_the_pods_by_their_addresses(
    address: str, kept: bool
) -> None:
    endpoints = [{"address": address}]
    own = service_entry("own", "shop", ["own.corp"], resolution="STATIC", endpoints=endpoints)

    expected = ["shop/own.corp"] if kept else ["~/*"]
    assert web_calls(own, calls=[received(WEB)]) == expected


def test_a_virtual_service_that_rerouted_the_call_stays_by_its_own_namespace() -> None:
    """The log names only where the call ended; the caller said something else."""
    moved = virtual_service(
        "cart", "team", hosts=[fqdn("cart.pay")], http=[route_to(fqdn("cart-v2.new"))]
    )
    objects = [service("cart", "pay"), service("cart-v2", "new", ip="10.96.0.2"), moved]
    call = http_call(WEB, "cart.pay", fqdn("cart-v2.new"))

    assert web_calls(*objects, calls=[call]) == [
        f"pay/{fqdn('cart.pay')}",
        f"team/{fqdn('cart.pay')}",
    ]


def test_a_virtual_service_brings_everything_it_can_route_to() -> None:
    split = virtual_service("cart", hosts=["cart"], http=[route_to("cart", fqdn("cart-v2.new"))])
    objects = [
        *deployment("web"),
        service("cart"),
        service("cart-v2", "new", ip="10.96.0.2"),
        split,
    ]
    answer = decide(objects, [http_call(WEB, "cart", fqdn("cart.shop"))])

    assert hosts(answer, "web") == [f"shop/{fqdn('cart.shop')}"]
    assert of(answer, "web").services_after == 2


def test_a_route_that_leads_elsewhere_alone_keeps_its_destination() -> None:
    """A VirtualService brings its destination from the client's namespace, whoever has the name."""
    entry = service_entry("api", "shop", ["api.example.com"])
    other = service_entry("api", "pay", ["api.example.com"])
    call = http_call(WEB, "api.example.com", "api.example.com", port=80, address="9.9.9.9")

    assert web_calls(entry, other, calls=[call]) == ["shop/api.example.com"]


def test_a_route_to_an_external_name_keeps_that_beside_what_it_stands_for() -> None:
    """Unless the name is imported, the route leads to no service at all."""
    spec = {"type": "ExternalName", "externalName": fqdn("till.far"), "clusterIP": ""}
    alias = service("alias", "other", spec=spec)
    route = virtual_service("cart", hosts=["cart"], http=[route_to(fqdn("alias.other"))])
    objects = [service("cart"), service("till", "far", ip="10.96.0.2"), alias, route]

    assert web_calls(*objects, calls=[http_call(WEB, "cart", fqdn("till.far"))]) == [
        f"far/{fqdn('till.far')}",
        f"other/{fqdn('alias.other')}",
        f"shop/{fqdn('cart.shop')}",
    ]


def test_a_service_entry_is_named_by_the_namespace_of_its_object() -> None:
    entry = service_entry("bank", "partners", ["api.bank.example"])
    call = http_call(WEB, "api.bank.example", "api.bank.example", port=80, address="9.9.9.9")

    assert web_calls(entry, calls=[call]) == ["partners/api.bank.example"]


def test_a_wildcard_service_entry_is_imported_by_its_wildcard() -> None:
    entry = service_entry("wild", "partners", ["*.example.com"], resolution="NONE")
    call = http_call(WEB, "a.example.com", "*.example.com", port=80, address="9.9.9.9")

    assert web_calls(entry, calls=[call]) == ["partners/*.example.com"]


def test_a_service_entry_with_several_addresses_keeps_every_one() -> None:
    """From 1.31 on an exact entry brings one address of a host only."""
    entry = service_entry(
        "db",
        "partners",
        ["db.example.com"],
        addresses=["10.1.1.1", "10.1.1.2"],
        ports=[{"number": 5432, "name": "tcp", "protocol": "TCP"}],
    )
    calls = [tcp_call(WEB, f"10.1.1.{n}", 5432, "db.example.com") for n in (1, 2)]

    assert "*/db.example.com" in web_calls(entry, calls=calls)


def test_a_headless_service_is_found_by_the_pod_that_was_called() -> None:
    objects = [
        headless("kafka", "data", port=9092, port_name="tcp"),
        obj(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            "kafka-1",
            "data",
            labels={"kubernetes.io/service-name": "kafka"},
            ports=[{"name": "tcp", "port": 9092}],
            endpoints=[{"addresses": ["10.244.7.7"]}],
        ),
    ]
    call = tcp_call(WEB, "10.244.7.7", 9092, fqdn("kafka.data"))

    assert web_calls(*objects, calls=[call]) == [f"data/{fqdn('kafka.data')}"]


def test_a_pod_of_a_headless_service_that_is_gone_is_no_disagreement() -> None:
    objects = [*deployment("web"), headless("kafka", "data", port=9092, port_name="tcp")]
    answer = decide(objects, [tcp_call(WEB, "10.244.7.9", 9092, fqdn("kafka.data"))])

    assert hosts(answer, "web") == [f"data/{fqdn('kafka.data')}"]
    assert notes(answer, "web") == set()


def test_an_external_name_stays_beside_what_it_stands_for() -> None:
    alias = obj(
        "v1",
        "Service",
        "db",
        "shop",
        spec={"type": "ExternalName", "externalName": fqdn("postgres.data")},
    )
    real = service("postgres", "data")
    call = http_call(WEB, "db", fqdn("postgres.data"))

    assert web_calls(alias, real, calls=[call]) == [
        f"data/{fqdn('db.shop')}",
        f"data/{fqdn('postgres.data')}",
    ]


def test_a_host_of_a_virtual_service_alone_keeps_a_listener_at_its_port() -> None:
    """Without any HTTP service at port 80 there is no listener that would route the call."""
    alone = virtual_service("old", hosts=["old.example.com"], http=[route_to("cart")])
    objects = [service("cart", port=80), service("other", port=80, ip="10.96.0.2"), alone]
    call = http_call(WEB, "old.example.com", fqdn("cart.shop"), port=80, address="9.9.9.9")

    assert web_calls(*objects, calls=[call]) == [
        f"shop/{fqdn('cart.shop')}",
        "shop/old.example.com",
    ]


def test_a_tracing_provider_stays() -> None:
    config = mesh_config(
        "extensionProviders: [{name: otel, opentelemetry: {service: otel.obs.svc.cluster.local,"
        " port: 4317}}]\ndefaultProviders: {tracing: [otel]}"
    )
    objects = [config, service("otel", "obs", port=4317, port_name="grpc")]

    assert web_calls(*objects, calls=[received(WEB)]) == [f"obs/{fqdn('otel.obs')}"]


@pytest.mark.parametrize("named", ["aaa/", "obs/"])
def test_a_provider_keeps_the_service_that_its_envoy_cluster_is_of(named: str) -> None:
    """That is the one of the name in scope, whichever the MeshConfig names."""
    collector = fqdn("otel.obs")
    config = mesh_config(
        "defaultProviders: {tracing: [o]}\n"
        "extensionProviders: [{name: o, opentelemetry: "
        f"{{service: {named}{collector}, port: 80}}}}]"
    )
    other = service_entry("otel", "aaa", [collector])
    objects = [*deployment("web"), service("otel", "obs", port=80), other, config]

    assert hosts(decide(objects, [received(WEB)]), "web") == [f"obs/{collector}"]


def test_a_wasm_plugin_keeps_what_it_calls_for_the_workloads_that_it_selects() -> None:
    plugin = obj(
        "extensions.istio.io/v1alpha1",
        "WasmPlugin",
        "authz",
        spec={
            "selector": {"matchLabels": {"app": "web"}},
            "pluginConfig": {"cluster": f"outbound|8080||{fqdn('auth.other')}"},
        },
    )
    auth = service("auth", "other", ip="10.96.0.2")
    both = [*deployment("api"), *deployment("web", ip="10.245.0")]
    calls = [http_call(f"shop/{pod_name(n)}", "cart", fqdn("cart.shop")) for n in ("api", "web")]
    answer = decide([*both, service("cart"), auth, plugin], calls)

    assert hosts(answer, "api") == [f"shop/{fqdn('cart.shop')}"]
    assert hosts(answer, "web") == [f"other/{fqdn('auth.other')}", f"shop/{fqdn('cart.shop')}"]


@pytest.mark.parametrize(
    ("address", "kept"), [("240.240.0.9", True), ("192.0.2.9", False)], ids=["its own", "another"]
)
def test_a_service_entry_stays_that_gave_a_called_name_its_address(
    address: str, kept: bool
) -> None:
    """With DNS capture the proxy answers so only for what its listeners import."""
    name = "api.corp.internal"
    ports = [{"number": 443, "name": "tls", "protocol": "TLS"}]
    entry = service_entry("api", "ext", [name], addresses=["240.240.0.9"], ports=ports)
    route = virtual_service("api", "rt", hosts=[name], http=[route_to("gw")])
    objects = [*deployment("web"), entry, route, service("gw", "rt", port=80)]
    call = http_call(WEB, name, fqdn("gw.rt"), port=80, address=address)

    found = hosts(decide(objects, [call]), "web")
    assert found == [*[f"ext/{name}"] * kept, f"rt/{name}", f"rt/{fqdn('gw.rt')}"]


@pytest.mark.parametrize("host", ["api.corp.internal", "*.corp.internal"])
@pytest.mark.parametrize(
    "call",
    [
        http_call(WEB, "api.corp.internal", address="10.5.5.5", cluster="PassthroughCluster"),
        tcp_call(WEB, "10.5.5.5", 5432, cluster="PassthroughCluster"),
    ],
    ids=["request", "connection"],
)
def test_a_service_entry_stays_that_gave_its_address_to_a_call_that_passes_through(
    call: Flow, host: str
) -> None:
    """It has no such port, but without it the name may be nobody's."""
    ports = [{"number": 443, "name": "tls", "protocol": "TLS"}]
    entry = service_entry("api", "ext", [host], addresses=["10.5.5.5"], ports=ports)

    found = hosts(decide([*deployment("web"), entry], [call]), "web")
    assert found == [f"ext/{host}"]


def test_a_service_entry_needs_not_stay_for_the_address_of_what_takes_the_call() -> None:
    ports = [{"number": 443, "name": "tls", "protocol": "TLS"}]
    entry = service_entry("api", "ext", ["api.ext"], addresses=["10.96.0.1"], ports=ports)
    call = http_call(WEB, "cart", fqdn("cart.shop"))

    assert web_calls(service("cart"), entry, calls=[call]) == [f"shop/{fqdn('cart.shop')}"]


def test_a_kubernetes_service_needs_not_stay_for_its_address() -> None:
    """Where a proxy does not answer, the DNS of Kubernetes says the same."""
    name = fqdn("api.ext")
    api = service("api", "ext", port=443, port_name="https", ip="10.96.0.9")
    route = virtual_service("api", "rt", hosts=[name], http=[route_to("gw")])
    objects = [*deployment("web"), api, route, service("gw", "rt", port=80)]
    call = http_call(WEB, name, fqdn("gw.rt"), port=80, address="10.96.0.9")

    assert hosts(decide(objects, [call]), "web") == [f"rt/{name}", f"rt/{fqdn('gw.rt')}"]


def test_pinned_hosts_stay() -> None:
    answer = decide([*deployment("web")], [received(WEB)], pinned_hosts=("a/b.example",))

    assert hosts(answer, "web") == ["a/b.example"]


@pytest.mark.parametrize("host", ["foo", "a b/x.example", "a/../x.example", "a/cart"])
def test_a_pinned_host_that_istiod_would_refuse_is_an_error(host: str) -> None:
    with pytest.raises(UsageError, match="pinned_hosts"):
        decide(deployment("web"), [received(WEB)], pinned_hosts=(host,))


@pytest.mark.parametrize("host", ["~/*", "~/cart.example", "~shop/*"])
def test_a_pin_that_would_leave_hosts_out_is_an_error(host: str) -> None:
    with pytest.raises(UsageError, match="leaves hosts out"):
        decide(deployment("web"), [received(WEB)], pinned_hosts=(host,))


def test_a_service_that_shares_a_tcp_port_without_address_is_told_apart() -> None:
    """Two ServiceEntries without addresses fight for 0.0.0.0:5432: the older one has every call."""
    tcp = [{"number": 5432, "name": "tcp", "protocol": "TCP"}]
    older = service_entry("a", "one", ["a.example.com"], ports=tcp)
    newer = service_entry("b", "two", ["b.example.com"], ports=tcp)
    call = tcp_call(WEB, "9.9.9.9", 5432, "a.example.com")

    assert web_calls(older, newer, calls=[call]) == ["one/a.example.com"]


def test_a_call_to_the_own_address_needs_nothing() -> None:
    own = tcp_call(WEB, "10.244.0.1", 9000)

    assert web_calls(service("cart"), calls=[own]) == ["~/*"]


def test_a_name_that_no_sidecar_may_hold_is_widened_to_its_namespace() -> None:
    entry = service_entry("short", "partners", ["legacy"], addresses=["10.1.1.1"])
    call = http_call(WEB, "legacy", "legacy", port=80, address="10.1.1.1")

    assert web_calls(entry, calls=[call]) == ["partners/*"]


def test_a_host_that_another_makes_up_for_is_named() -> None:
    """A connection that is no HTTP ends at the listener that all proxies of a port share."""
    ports = [{"number": 3128, "name": "proxy", "protocol": "HTTP_PROXY"}]
    objects = [service_entry(x, "out", [f"{x}.example.com"], ports=ports) for x in ("a", "b")]
    failed = tcp_call(WEB, "203.0.113.7", 3128, direction="unrouted")
    asked = http_call(WEB, "b.example.com", "b.example.com", port=3128, address="203.0.113.7")

    alone = decide([*deployment("web"), *objects], [failed])
    both = decide([*deployment("web"), *objects], [failed, asked])

    assert hosts(alone, "web") == ["out/a.example.com"]
    assert hosts(both, "web") == ["out/a.example.com", "out/b.example.com"]
    assert "also by itself" not in notes(alone, "web")
    assert "also by itself" in notes(both, "web")


def test_a_call_at_a_listener_that_envoy_refuses_leaves_the_workload_out() -> None:
    """A proxy that had the listener before still routes the call, one that starts does not."""
    common = "10.96.0.0/16"
    routes = [
        {"match": [{"destinationSubnets": [common, "10.0.0.0/8"]}], **route_to("cart")},
        {"match": [{"destinationSubnets": [common, "10.96.0.1"]}], **route_to("cart-v2")},
    ]
    objects = [
        *deployment("web"),
        service("cart", port=5432, port_name="tcp-db"),
        service("cart-v2", ip="10.96.0.2", port=5432, port_name="tcp-db"),
        virtual_service("cart", hosts=["cart"], tcp=routes),
    ]
    call = tcp_call(WEB, "10.96.0.1", 5432, fqdn("cart-v2.shop"))
    answer = decide(objects, [call])

    assert left_out(answer, "web").reason == "listener refused"
    assert left_out(answer, "web").detail == (
        f"calls to {fqdn('cart.shop')} meet the listener 10.96.0.1_5432, "
        "of which two filter chains match the same"
    )
    assert hosts(decide([*objects[:-1]], [call]), "web")
