"""No call changes in istiod by the recommended Sidecars, in meshes that have something odd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from recommender.istio.sidecar_scope import build_scope_rules
from tests.istio.conformance_case import Case, ask_istiod
from tests.istio.conformance_sidecars import Scoped, changed_calls, overlapping, recommend_for
from tests.istio.judge import JudgedCall, JudgedProxy, require_go
from tests.istio.verdicts import Verdict
from tests.mesh.helpers import Object, obj, pod
from tests.recommendation.helpers import (
    NETWORKING,
    fqdn,
    route_to,
    service,
    service_entry,
    sidecar,
    virtual_service,
)

CREATED = "2026-01-01T00:00:00Z"
WEB = JudgedProxy("client", {"app": "web"}, "web-1", ("10.1.0.1",))
MACHINE = JudgedProxy("client", {"app": "web"}, "vm-1", ("10.3.0.1",))
A = service("a", "prod", port=80, ip="10.0.0.1")
B = service("b", "prod", port=8080, ip="10.0.0.2")

_Callers = Sequence[tuple[JudgedProxy, tuple[JudgedCall, ...]]]


def call(
    proxy: JudgedProxy, address: str, port: int, protocol: str = "http", host: str = ""
) -> JudgedCall:
    """Let a proxy's application make a call."""
    who = (proxy.namespace, proxy.name, proxy.labels, proxy.ips)
    return JudgedCall(*who, address=address, port=port, protocol=protocol, host=host)


def pod_of(proxy: JudgedProxy) -> Object:
    """Make the pod that a proxy is in."""
    status = {"podIP": proxy.ips[0], "phase": "Running"}
    labels = dict(proxy.labels)
    return pod(proxy.name, namespace=proxy.namespace, labels=labels, status=status)


def applied(
    objects: Iterable[Object], callers: _Callers, unseen: Iterable[Object] = ()
) -> tuple[Scoped, list[tuple[str, str]], list[Verdict]]:
    """Recommend for callers from their logs and apply that; list the calls that change.

    The dump has more than istiod sees: `unseen`.
    """
    require_go()
    made = list(objects)
    found: list[Any] = [each["metadata"] for each in made]
    names = sorted({metadata["namespace"] for metadata in found} | {"istio-system"})
    made += [obj("v1", "Namespace", name, "") for name in names]
    made.append(obj("v1", "ConfigMap", "istio", "istio-system", data={"mesh": ""}))
    aged = ({**o, "metadata": {"creationTimestamp": CREATED, **o["metadata"]}} for o in made)
    case = Case("odd", tuple(aged), tuple(callers))
    mesh = replace(case, objects=(*case.objects, *unseen)).mesh()
    (before,) = ask_istiod([case])
    scoped = recommend_for(case, mesh, build_scope_rules(mesh), before)
    (after,) = ask_istiod([scoped.after])
    return scoped, changed_calls(scoped, before, after), after


def hosts_of(scoped: Scoped, proxy: JudgedProxy) -> list[str] | None:
    """List the hosts recommended for a proxy's workload, None without a recommendation."""
    found = scoped.of_pod(proxy.namespace, proxy.name)
    return None if found is None else [entry.host for entry in found.hosts]


def test_a_virtual_machine_with_the_labels_of_pods_calls_as_before() -> None:
    spec = {"address": MACHINE.ips[0], "labels": MACHINE.labels, "serviceAccount": "web"}
    entry = obj(NETWORKING, "WorkloadEntry", "vm-1", "client", spec=spec)
    callers = [
        (WEB, (call(WEB, "10.0.0.1", 80, host="a.prod"),)),
        (MACHINE, (call(MACHINE, "10.0.0.2", 8080, host="b.prod"),)),
    ]
    scoped, changed, after = applied([A, B, pod_of(WEB), entry], callers)

    assert not changed
    assert hosts_of(scoped, WEB) is None
    assert not list(overlapping(scoped, after))


def test_a_host_that_only_another_revision_has_a_service_entry_of_in_that_namespace() -> None:
    """With the one that istiod does not see, the host would be looked for where it is not."""
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    endpoints = [{"address": "10.8.0.1"}]
    spec = {"resolution": "STATIC", "endpoints": endpoints, "ports": ports}
    seen, unseen = (service_entry("api", ns, ["api.ext"], **spec) for ns in ("bbb", "aaa"))
    unseen["metadata"] |= {"labels": {"istio.io/rev": "canary"}, "creationTimestamp": CREATED}
    callers = [(WEB, (call(WEB, "10.9.9.9", 80, host="api.ext"),))]
    scoped, changed, _ = applied([A, pod_of(WEB), seen], callers, [unseen])

    assert not changed
    assert hosts_of(scoped, WEB) == ["bbb/api.ext"]


def test_an_earlier_sidecar_that_istiod_still_applies_is_told() -> None:
    """It was made for the pods of `web` when only these had the label, and they logged nothing."""
    canary = JudgedProxy("client", {"app": "web", "track": "canary"}, "canary-1", ("10.1.0.2",))
    stable = JudgedProxy("client", {"app": "web", "track": "stable"}, "web-1", ("10.1.0.1",))
    tcp = service("db", "prod", port=5432, port_name="tcp", ip="10.0.0.3")
    old = sidecar("web-1", "client", hosts=["~/*"], selector={"app": "web"}, own=True)
    callers = [(canary, (call(canary, "10.0.0.3", 5432, "tcp"),))]
    scoped, changed, after = applied([tcp, pod_of(canary), pod_of(stable), old], callers)
    found = scoped.of_pod("client", "canary-1")

    assert not changed
    assert after[0].sidecar == "client/web-1"
    assert found is not None
    assert "earlier Sidecar" in {note.name for note in found.notes}


@pytest.mark.parametrize(
    ("port_name", "protocol"),
    [("http", "http"), ("grpc", "http2"), ("tcp", "tcp"), ("x", "http"), ("https", "tls")],
)
def test_a_call_that_an_earlier_sidecar_misses_is_routed_again(
    port_name: str, protocol: str
) -> None:
    a = service("a", "prod", port=80, port_name=port_name, ip="10.0.0.1")
    lacking = [f"prod/{fqdn('b.prod')}"]
    own = sidecar("web-1", "client", hosts=lacking, selector={"app": "web"}, own=True)
    made = call(WEB, "10.0.0.1", 80, protocol, host="a.prod" if "http" in protocol else "")
    scoped, _, (after,) = applied([a, B, pod_of(WEB), own], [(WEB, (made,))])

    assert hosts_of(scoped, WEB) == [f"prod/{fqdn('a.prod')}"]
    assert [c.name for c in after.calls[0].clusters] == [f"outbound|80||{fqdn('a.prod')}"]


def test_the_cluster_that_a_script_calls_is_still_there() -> None:
    name = f"outbound|80||{fqdn('a.prod')}"
    code = f'function envoy_on_request(h) h:httpCall("{name}", {{}}, "", 50) end'
    spec = {"selector": {"matchLabels": {"app": "web"}}, "lua": {"inlineCode": code}}
    script = obj("extensions.istio.io/v1alpha1", "TrafficExtension", "x", "client", spec=spec)
    web = replace(WEB, clusters=True)
    callers = [(web, (call(web, "10.0.0.2", 8080, host="b.prod"),))]
    scoped, changed, (after,) = applied([A, B, pod_of(web), script], callers)

    assert not changed
    assert hosts_of(scoped, web) == [f"prod/{fqdn('a.prod')}", f"prod/{fqdn('b.prod')}"]
    assert name in after.named


def test_a_virtual_host_that_an_envoy_filter_adds_is_still_there() -> None:
    """It is added to the routes of a port, which need a listener there."""
    cluster = f"outbound|8080||{fqdn('b.prod')}"
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}]
    patch = {
        "applyTo": "VIRTUAL_HOST",
        "match": {"context": "SIDECAR_OUTBOUND", "routeConfiguration": {"name": "80"}},
        "patch": {
            "operation": "ADD",
            "value": {"name": "magic", "domains": ["magic.example"], "routes": routes},
        },
    }
    spec = {"configPatches": [patch]}
    magic = obj("networking.istio.io/v1alpha3", "EnvoyFilter", "magic", "client", spec=spec)
    callers = [(WEB, (call(WEB, "1.2.3.4", 80, host="magic.example"),))]
    scoped, changed, _ = applied([A, B, pod_of(WEB), magic], callers)

    assert hosts_of(scoped, WEB) is not None
    assert not changed


def test_a_name_that_was_called_keeps_its_address_where_a_proxy_captures_dns() -> None:
    """The ServiceEntry has the address, and a VirtualService of another namespace the route."""
    ports = [{"number": 443, "name": "tls", "protocol": "TLS"}]
    name, address = "api.corp.internal", "240.240.0.9"
    more = {"resolution": "STATIC", "endpoints": [{"address": "10.8.0.1"}], "ports": ports}
    entry = service_entry("api", "ext", [name], addresses=[address], **more)
    gateway = service("gw", "rt", port=80, ip="10.0.0.9")
    to_gateway = route_to(fqdn("gw.rt"), match=[{"port": 80}])
    route = virtual_service("api", "rt", hosts=[name], http=[to_gateway])
    web = replace(WEB, clusters=True)
    callers = [(web, (call(web, address, 80, host=name),))]
    scoped, changed, (after,) = applied([entry, gateway, route, pod_of(web)], callers)

    assert not changed
    assert hosts_of(scoped, web) == [f"ext/{name}", f"rt/{name}", f"rt/{fqdn('gw.rt')}"]
    assert after.addresses[name] == (address,)


def test_a_name_keeps_its_address_whose_call_passes_through_where_a_proxy_captures_dns() -> None:
    """The ServiceEntry has no such port, but nobody else may know the name."""
    name, address = "api.corp.internal", "10.5.5.5"
    ports = [{"number": 443, "name": "tls", "protocol": "TLS"}]
    more = {"resolution": "STATIC", "endpoints": [{"address": address}], "ports": ports}
    entry = service_entry("api", "ext", [name], addresses=[address], **more)
    web = replace(WEB, clusters=True)
    callers = [(web, (call(web, address, 8080, host=name), call(web, address, 5432, "tcp")))]
    scoped, changed, (after,) = applied([B, entry, pod_of(web)], callers)

    assert not changed
    assert hosts_of(scoped, web) == [f"ext/{name}"]
    assert after.addresses[name] == (address,)


@pytest.mark.parametrize("mode", ["hybrid", "envoy"])
def test_the_cluster_that_envoy_fetches_keys_through_is_still_there(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILOT_JWT_ENABLE_REMOTE_JWKS", mode)
    uri = f"http://{fqdn('a.prod')}:80/keys"
    rules = {"jwtRules": [{"issuer": "i", "jwksUri": uri}]}
    keys = obj("security.istio.io/v1", "RequestAuthentication", "r", "client", spec=rules)
    web = replace(WEB, clusters=True)
    callers = [(web, (call(web, "10.0.0.2", 8080, host="b.prod"),))]
    _, changed, (after,) = applied([A, B, pod_of(web), keys], callers)
    name = f"outbound|80||{fqdn('a.prod')}"

    assert not changed
    assert name in after.named
    assert name in after.clusters


def listed_by_a_slice() -> list[Object]:
    """Make a Service without a selector, whose EndpointSlice names the pod."""
    own = obj(
        "v1",
        "Service",
        "own",
        "client",
        spec={"clusterIP": "None", "ports": [{"name": "http", "port": 9090}]},
    )
    target = {"kind": "Pod", "name": WEB.name, "namespace": "client"}
    endpoint = {"addresses": list(WEB.ips), "conditions": {"ready": True}, "targetRef": target}
    slice_ = obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "own-1",
        "client",
        labels={"kubernetes.io/service-name": "own"},
        addressType="IPv4",
        endpoints=[endpoint],
        ports=[{"name": "http", "port": 9090, "protocol": "TCP"}],
    )
    return [own, slice_]


def listed_by_a_service_entry() -> list[Object]:
    """Make a ServiceEntry that has the pod's address."""
    ports = [{"number": 9090, "name": "http", "protocol": "HTTP"}]
    endpoints = [{"address": WEB.ips[0]}]
    spec = {"resolution": "STATIC", "endpoints": endpoints, "ports": ports}
    return [service_entry("own", "client", [fqdn("own.client")], **spec)]


@pytest.mark.parametrize("listed", [listed_by_a_slice, listed_by_a_service_entry])
def test_limits_of_a_service_hold_for_pods_that_are_its_endpoints_by_address(
    listed: Callable[[], list[Object]],
) -> None:
    """They are those of its DestinationRule, for the requests that its pods receive."""
    pool = {"http": {"http2MaxRequests": 7}}
    spec = {"host": fqdn("own.client"), "trafficPolicy": {"connectionPool": pool}}
    rule = obj(NETWORKING, "DestinationRule", "own", "client", spec=spec)
    web = replace(WEB, config_dump=True)
    callers = [(web, (call(web, "10.0.0.1", 80, host="a.prod"),))]
    scoped, changed, (after,) = applied([A, *listed(), rule, pod_of(web)], callers)

    assert not changed
    assert hosts_of(scoped, web) == [f"client/{fqdn('own.client')}", f"prod/{fqdn('a.prod')}"]
    (inbound,) = (
        each["cluster"]
        for part in (after.config_dump or {})["configs"]
        for each in part.get("dynamic_active_clusters", ())
        if each["cluster"]["name"] == "inbound|9090||"
    )
    assert inbound["circuit_breakers"]["thresholds"][0]["max_requests"] == 7


def test_limits_of_an_own_service_hold_that_a_virtual_service_alone_brings() -> None:
    """It is exported to another namespace alone, where no entry of its own brings it."""
    exported = {"networking.istio.io/exportTo": "prod"}
    own = service("web", "client", port=9090, ip="10.0.0.30", annotations=exported)
    route = virtual_service("x", "client", hosts=["x.ext"], http=[route_to(fqdn("web.client"))])
    pool = {"http": {"http2MaxRequests": 7}}
    spec = {"host": fqdn("web.client"), "trafficPolicy": {"connectionPool": pool}}
    rule = obj(NETWORKING, "DestinationRule", "own", "client", spec=spec)
    callers = [(WEB, (call(WEB, "10.0.0.1", 80, host="a.prod"),))]
    scoped, changed, _ = applied([A, own, route, rule, pod_of(WEB)], callers)

    assert not changed
    assert hosts_of(scoped, WEB) == ["client/x.ext", f"prod/{fqdn('a.prod')}"]


def test_limits_of_an_own_host_hold_where_another_namespace_has_the_service_in_scope() -> None:
    """The DestinationRule is looked for by the host name of what is in scope."""
    ports = [{"number": 9090, "name": "http", "protocol": "HTTP"}]
    more = {"resolution": "STATIC", "ports": ports}
    pods = {**more, "endpoints": [{"address": WEB.ips[0]}]}
    own = service_entry("own", "client", ["own.ext"], exportTo=["prod"], **pods)
    other = service_entry("own", "aaa", ["own.ext"], endpoints=[{"address": "10.8.0.1"}], **more)
    pool = {"http": {"http2MaxRequests": 7}}
    spec = {"host": "own.ext", "trafficPolicy": {"connectionPool": pool}}
    rule = obj(NETWORKING, "DestinationRule", "own", "client", spec=spec)
    callers = [(WEB, (call(WEB, "10.0.0.1", 80, host="a.prod"),))]
    scoped, changed, _ = applied([A, own, other, rule, pod_of(WEB)], callers)

    assert not changed
    assert hosts_of(scoped, WEB) == ["aaa/own.ext", f"prod/{fqdn('a.prod')}"]


def script_that_calls(cluster: str) -> Object:
    """Make a script that calls an Envoy cluster for each request of the web pods."""
    code = f'function envoy_on_request(h) h:httpCall("{cluster}", {{}}, "", 50) end'
    return obj(
        "extensions.istio.io/v1alpha1",
        "TrafficExtension",
        "x",
        "client",
        spec={"selector": {"matchLabels": {"app": "web"}}, "lua": {"inlineCode": code}},
    )


def test_the_cluster_that_a_script_calls_is_of_the_same_service_as_before() -> None:
    """Another namespace has a service of that name too, which no proxy was sent."""
    name = fqdn("a.prod")
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    more = {"resolution": "STATIC", "endpoints": [{"address": "10.8.0.1"}], "ports": ports}
    other = service_entry("a", "aaa", [name], **more)
    script = script_that_calls(f"outbound|80||{name}")
    callers = [(WEB, (call(WEB, "10.0.0.2", 8080, host="b.prod"),))]
    scoped, changed, (after,) = applied([A, B, other, pod_of(WEB), script], callers)

    assert not changed
    assert hosts_of(scoped, WEB) == [f"prod/{name}", f"prod/{fqdn('b.prod')}"]
    assert f"prod/{name}" in {f"{s.namespace}/{s.hostname}" for s in after.services}


@pytest.mark.parametrize(
    "made",
    [
        route_to(fqdn("alias.other")),
        route_to(fqdn("a.prod"), mirror={"host": fqdn("alias.other")}),
    ],
    ids=["route", "mirror"],
)
def test_a_route_that_leads_to_an_external_name_leads_there_as_before(made: Object) -> None:
    spec = {"type": "ExternalName", "externalName": fqdn("c.far"), "ports": [{"port": 80}]}
    alias = obj("v1", "Service", "alias", "other", spec=spec)
    route = virtual_service("a", "prod", hosts=[fqdn("a.prod")], http=[made])
    c = service("c", "far", port=80, ip="10.0.0.3")
    callers = [(WEB, (call(WEB, "10.0.0.1", 80, host="a.prod"),))]
    scoped, changed, _ = applied([A, c, alias, route, pod_of(WEB)], callers)

    assert not changed
    assert hosts_of(scoped, WEB) == [
        f"far/{fqdn('c.far')}",
        f"other/{fqdn('alias.other')}",
        f"prod/{fqdn('a.prod')}",
    ]


def test_an_external_name_without_ports_that_a_tcp_route_leads_to_is_no_host_to_ask_for() -> None:
    """The route brings it along, whatever port it names."""
    spec = {"type": "ExternalName", "externalName": fqdn("new.prod")}
    alias = obj("v1", "Service", "old", "prod", spec=spec)
    to_alias = {"route": [{"destination": {"host": "old", "port": {"number": 5432}}}]}
    route = virtual_service("db", "prod", hosts=["db"], tcp=[to_alias])
    db, new = (
        service(name, "prod", port=5432, port_name="tcp", ip=ip)
        for name, ip in (("db", "10.0.0.1"), ("new", "10.0.0.2"))
    )
    callers = [(WEB, (call(WEB, "10.0.0.1", 5432, "tcp"),))]
    scoped, changed, _ = applied([db, new, alias, route, pod_of(WEB)], callers)

    assert not changed
    assert hosts_of(scoped, WEB) == [f"prod/{fqdn('db.prod')}", f"prod/{fqdn('new.prod')}"]


def test_an_external_name_that_a_tls_connection_is_for_is_asked_for_by_its_name() -> None:
    spec = {"type": "ExternalName", "externalName": "api.example"}
    alias = obj("v1", "Service", "old", "client", spec=spec)
    ports = [{"number": 443, "name": "tls", "protocol": "TLS"}]
    api = service_entry("api", "prod", ["api.example"], ports=ports)
    by_alias, by_name = (
        replace(call(WEB, "203.0.113.7", 443, "tls"), sni=name)
        for name in (fqdn("old.client"), "api.example")
    )
    scoped, changed, _ = applied([api, alias, pod_of(WEB)], [(WEB, (by_alias,))])

    assert not changed
    assert hosts_of(scoped, WEB) == ["prod/api.example", f"prod/{fqdn('old.client')}"]

    scoped, _, _ = applied([api, alias, pod_of(WEB)], [(WEB, (by_name,))])
    assert hosts_of(scoped, WEB) == ["prod/api.example"]


def test_the_cluster_that_a_script_calls_is_still_there_for_one_of_several_objects() -> None:
    """An exact entry would bring the oldest alone, which has another port."""
    more = {"resolution": "STATIC", "endpoints": [{"address": "10.8.0.1"}]}
    ports = [{"number": number, "name": "http", "protocol": "HTTP"} for number in (80, 81)]
    first, second = (
        service_entry(f"api-{port['number']}", "ext", ["api.ext"], ports=[port], **more)
        for port in ports
    )
    second["metadata"]["creationTimestamp"] = "2026-01-01T00:00:09Z"
    script = script_that_calls("outbound|81||api.ext")
    web = replace(WEB, clusters=True)
    callers = [(web, (call(web, "10.0.0.2", 8080, host="b.prod"),))]
    scoped, changed, (after,) = applied([B, first, second, pod_of(web), script], callers)

    assert not changed
    assert hosts_of(scoped, web) == ["*/api.ext", f"prod/{fqdn('b.prod')}"]
    assert "outbound|81||api.ext" in after.clusters
