"""Single meshes in which recommended Sidecars must leave every call as it is, asked of istiod."""

from __future__ import annotations

import pytest

from recommender.istio.sidecar_scope import build_scope_rules
from tests.istio.conformance_case import Case, ask_istiod
from tests.istio.conformance_sidecars import changed_calls, recommend_for, with_sidecars
from tests.istio.helpers import (
    ISTIO,
    ROOT,
    fqdn,
    mesh_config,
    service,
    service_entry,
    sidecar,
    virtual_service,
)
from tests.istio.judge import JudgedCall, JudgedProxy
from tests.mesh.helpers import Object, obj, pod

ZONE = "topology.kubernetes.io/zone"
DB = fqdn("db.facade")
WILD = "*.ext.example"


def running(name: str, namespace: str, ip: str, **labels: str) -> Object:
    """Make a pod with a proxy that takes mTLS."""
    ready = [{"type": "Ready", "status": "True"}]
    status = {"podIP": ip, "podIPs": [{"ip": ip}], "phase": "Running", "conditions": ready}
    labels = {**labels, "security.istio.io/tlsMode": "istio"}
    return pod(name, namespace=namespace, labels=labels, status=status)


def calling(name: str, host: str, *objects: Object, **added: str) -> Case:
    """Make a mesh in which one pod calls a host; istiod has added labels to its proxy's."""
    namespaces = [
        obj("v1", "Namespace", each, "") for each in ("client", "facade", "backend", ROOT)
    ]
    made = (*namespaces, mesh_config("{}"), running("app", "client", "10.1.0.1", app="x"), *objects)
    proxy = JudgedProxy("client", {"app": "x", **added}, "app", ("10.1.0.1",))
    call = JudgedCall("client", "app", proxy.labels, proxy.ips, "10.0.0.1", 80, "http", host)
    return Case(name, made, ((proxy, (call,)),))


def endpoints_elsewhere() -> Case:
    """Make a Service with an endpoint in another namespace, whose policy is without mTLS."""
    target = {"kind": "Pod", "name": "db-0", "namespace": "backend"}
    ready, without_mtls = {"ready": True, "serving": True}, {"mtls": {"mode": "DISABLE"}}
    slice_ = obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "db-1",
        "facade",
        labels={"kubernetes.io/service-name": "db"},
        addressType="IPv4",
        endpoints=[{"addresses": ["10.2.0.1"], "conditions": ready, "targetRef": target}],
        ports=[{"name": "http-80", "port": 8080, "protocol": "TCP"}],
    )
    return calling(
        "endpoints elsewhere",
        "db.facade",
        service("db", "facade"),
        service("own", "backend", clusterIP="10.0.0.2"),
        slice_,
        running("db-0", "backend", "10.2.0.1", app="db"),
        obj("security.istio.io/v1", "PeerAuthentication", "p", "backend", spec=without_mtls),
    )


def routed_by_zone() -> Case:
    """Make a VirtualService of the client's namespace for proxies of a zone alone."""
    http = [
        {
            "match": [{"sourceLabels": {ZONE: "z1"}}],
            "timeout": "3s",
            "route": [{"destination": {"host": DB}}],
        }
    ]
    route = virtual_service("db", "client", [DB], http=http)
    return calling("routed by zone", "db.facade", service("db", "facade"), route, **{ZONE: "z1"})


def sharing(name: str, first: str, called: str) -> Case:
    """Make two Services of one port, each with a name for it; the older one is not called."""
    old, young = (
        service(host, "facade", created=age, ports=[{"name": port, "port": 80}], clusterIP=ip)
        for host, port, age, ip in (("old", first, 1, "10.0.0.2"), ("db", called, 2, "10.0.0.1"))
    )
    return calling(name, "db.facade", old, young)


def resolved_by_envoy() -> Case:
    """Make a wildcard whose names Envoy resolves behind the listener of an older Service."""
    old = service("old", "facade", created=1, clusterIP="10.0.0.2")
    wild = service_entry("wild", "facade", WILD, created=2, resolution="DYNAMIC_DNS")
    return calling("resolved by Envoy", "any.ext.example", old, wild)


def received_by_a_rule() -> Case:
    """Make a Service of the caller's own pods, whose DestinationRule limits what they receive."""
    pool = {
        "connectionPool": {"tcp": {"maxConnections": 7}, "http": {"http1MaxPendingRequests": 3}}
    }
    spec = {"host": fqdn("own.client"), "trafficPolicy": pool}
    return calling(
        "received by a rule",
        "db.facade",
        service("db", "facade"),
        service("own", "client", clusterIP="10.0.0.2", selector={"app": "x"}),
        obj(ISTIO, "DestinationRule", "own", "client", spec=spec),
    )


CASES = (
    received_by_a_rule(),
    endpoints_elsewhere(),
    routed_by_zone(),
    sharing("behind an older grpc-web", "grpc-web", "http"),
    sharing("grpc-web behind an older one", "http", "grpc-web"),
    resolved_by_envoy(),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_recommended_sidecars_leave_calls_as_they_are(case: Case) -> None:
    mesh = case.mesh()
    (before,) = ask_istiod([case])
    scoped = recommend_for(case, mesh, build_scope_rules(mesh), before)
    (after,) = ask_istiod([scoped.after])

    assert [r.workload.name for r in scoped.answer.recommended] == ["app"]
    assert not changed_calls(scoped, before, after)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_called_service_alone_would_change_them(case: Case) -> None:
    """Else the test above would hold whatever was recommended."""
    hosts = (f"facade/{DB}", f"facade/{WILD}")
    narrow = sidecar("app", "client", *hosts, selector={"app": "x"}, created=9)
    (before,), (after,) = ask_istiod([case, with_sidecars(case, [narrow])])

    assert (before.calls[0].outcome, before.inbound) != (after.calls[0].outcome, after.inbound)
