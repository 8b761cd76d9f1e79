"""One Sidecar for a namespace: proved for each workload, and none where others would get it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from recommender.istio.sidecar_scope import build_scope_rules
from recommender.recommendation import (
    NamespaceOption,
    NamespaceSidecar,
    Recommendations,
    choose_namespaces,
)
from recommender.recommendation.hosts import Prover
from recommender.recommendation.namespace_wide import Member, Namespace, namespace_option
from recommender.recommendation.needs import needs_of
from recommender.recommendation.views import Views, build_view_rules
from recommender.service_graph import build_service_graph, calls_of
from tests.mesh.helpers import Object, mesh_of_objects, obj
from tests.recommendation.helpers import (
    NETWORKING,
    Flow,
    decide_for,
    deployment,
    flows_of,
    fqdn,
    http_call,
    of,
    pod_name,
    received,
    service,
    sidecar,
    tcp_call,
)

SERVICES = [service(name, "back", ip=f"10.96.1.{n}") for n, name in enumerate(("a", "b", "c"))]


def caller(name: str, number: int, namespace: str = "front") -> list[Object]:
    return deployment(name, namespace, ip=f"10.244.{number}")


def call(name: str, to: str, namespace: str = "front") -> Flow:
    return http_call(f"{namespace}/{pod_name(name)}", fqdn(f"{to}.back"), fqdn(f"{to}.back"))


FRONT = [*caller("web", 1), *caller("cart", 2)]
CALLS = [call("web", "a"), call("cart", "b")]


def answer(*objects: Object, calls: list[Flow] | None = None, **settings: Any) -> Recommendations:
    mesh = mesh_of_objects(*SERVICES, *objects)
    return decide_for(mesh, CALLS if calls is None else calls, with_options=True, **settings)


def option(found: Recommendations, namespace: str = "front") -> NamespaceOption:
    (each,) = [each for each in found.options if each.namespace == namespace]
    return each


def shared(found: Recommendations, namespace: str = "front") -> NamespaceSidecar:
    each = option(found, namespace).sidecar
    assert each is not None, option(found, namespace).obstacle
    return each


def hosts(found: NamespaceSidecar) -> dict[str, tuple[str, ...]]:
    return {entry.host.partition(".")[0]: entry.workloads for entry in found.hosts}


def test_it_has_the_hosts_of_all_and_says_who_needs_each() -> None:
    found = shared(answer(*FRONT, calls=[*CALLS, call("web", "b")]))

    assert hosts(found) == {"back/a": ("web",), "back/b": ("cart", "web")}
    assert (found.name, found.origin) == ("default", "new")
    assert [id_.name for id_ in found.workloads] == ["cart", "web"]
    assert found.calls == 3
    assert set(found.services.values()) == {2}


def test_nothing_is_tried_unless_it_is_asked_for() -> None:
    found = decide_for(mesh_of_objects(*SERVICES, *FRONT), CALLS)

    assert found.options == ()
    assert len(found.recommended) == 2


def test_the_workloads_keep_their_own_recommendations_until_one_is_chosen() -> None:
    found = answer(*FRONT)
    plain = decide_for(mesh_of_objects(*SERVICES, *FRONT), CALLS)

    assert found.recommended == plain.recommended
    assert choose_namespaces(found, []) == found


def test_a_workload_without_evidence_leaves_no_option() -> None:
    found = option(answer(*FRONT, *caller("silent", 3)))

    assert found.sidecar is None
    assert found.obstacle == "nothing is proved for front/deployment/silent"


def test_a_workload_without_a_proxy_does_not_matter() -> None:
    plain = deployment("plain", "front", proxy=False, ip="10.244.3")

    assert len(shared(answer(*FRONT, *plain)).workloads) == 2


def test_a_workload_that_another_sidecar_selects_does_not_matter() -> None:
    mine = sidecar("mine", "front", hosts=["*/*"], selector={"app": "silent"})

    assert len(shared(answer(*FRONT, *caller("silent", 3), mine)).workloads) == 2


def test_an_own_sidecar_of_a_silent_workload_leaves_no_option() -> None:
    """Its file stays, but not where only the files of this run are applied."""
    own = sidecar("silent", "front", hosts=["back/*"], selector={"app": "silent"}, own=True)
    found = answer(*FRONT, *caller("silent", 3), own)
    (silent,) = [each for each in found.left_out if each.workload.name == "silent"]

    assert option(found).obstacle == "nothing is proved for front/deployment/silent"
    assert "silent" in silent.keeps


def test_an_own_sidecar_that_goes_leaves_no_option() -> None:
    """Without its file the workload would be scoped by the namespace's, which is not proved."""
    own = sidecar("odd", "front", hosts=["back/*"], selector={"app": "odd"}, own=True)
    odd = caller("odd", 3)
    odd[-1]["metadata"]["annotations"] = {
        **odd[-1]["metadata"].get("annotations", {}),
        "sidecar.istio.io/interceptionMode": "NONE",
    }
    found = answer(*FRONT, *odd, own)
    (left,) = [each for each in found.left_out if each.workload.name == "odd"]

    assert (left.reason, left.keeps) == ("calls not captured", ())
    assert option(found).obstacle == "nothing is proved for front/deployment/odd"


def test_an_own_sidecar_that_another_workload_takes_leaves_no_option() -> None:
    """It chooses the silent workload today, and will choose another one alone."""
    own = sidecar("web", "front", hosts=["back/*"], selector={"tier": "x"}, own=True)
    web, silent = (
        deployment(name, "front", labels={"app": name, "tier": "x"}, ip=f"10.244.{number}")
        for number, name in enumerate(("web", "silent"), 1)
    )
    found = answer(*web, *silent, *caller("cart", 3), own)

    assert of(found, "web").name == "web"
    assert option(found).obstacle == "nothing is proved for front/deployment/silent"


def test_a_pod_that_logged_and_is_unknown_leaves_no_option() -> None:
    """Its calls decide nothing, and the namespace's Sidecar would scope its like."""
    lost = http_call("front/lost-7d9c5b8f6d-b2xxz", fqdn("c.back"), fqdn("c.back"))
    found = option(answer(*FRONT, calls=[*CALLS, lost]))

    assert found.obstacle == ("nothing is proved for the unknown pod front/lost-7d9c5b8f6d-b2xxz")
    elsewhere = {**lost, "source_namespace": "back"}
    assert shared(answer(*FRONT, calls=[*CALLS, elsewhere]))


@pytest.mark.parametrize(
    ("kind", "annotations", "said"),
    [
        ("WorkloadGroup", {}, "the virtual machines of front/vm"),
        ("WorkloadEntry", {"istio.io/autoRegistrationGroup": "x"}, "the virtual machine front/vm"),
    ],
)
def test_a_virtual_machine_leaves_no_option(
    kind: str, annotations: dict[str, str], said: str
) -> None:
    spec: Object = {"address": "10.1.1.1"} if kind == "WorkloadEntry" else {"template": {}}
    machine = obj(NETWORKING, kind, "vm", "front", spec=spec, annotations=annotations)

    assert option(answer(*FRONT, machine)).obstacle == f"nothing is proved for {said}"


def test_a_workload_entry_that_no_proxy_made_does_not_matter() -> None:
    entry = obj(NETWORKING, "WorkloadEntry", "vm", "front", spec={"address": "10.1.1.1"})

    assert shared(answer(*FRONT, entry))


def test_a_sidecar_for_the_whole_namespace_is_left_alone() -> None:
    mine = sidecar("mine", "front", hosts=["*/*"])

    for adopt in (False, True):
        found = option(answer(*FRONT, mine, adopt=adopt))
        assert found.obstacle == "front/mine is for the whole namespace already"


def test_the_root_namespace_has_none_since_it_would_be_the_whole_meshs() -> None:
    found = option(
        answer(
            *caller("web", 1, "istio-system"),
            *caller("cart", 2, "istio-system"),
            calls=[call("web", "a", "istio-system"), call("cart", "b", "istio-system")],
        ),
        "istio-system",
    )
    assert found.obstacle == "the root namespace's would be that of the whole mesh"


def test_one_workload_alone_has_nobody_to_share_with() -> None:
    assert "fewer than two" in option(answer(*caller("web", 1), calls=CALLS[:1])).obstacle


def test_an_adopted_sidecar_stays_with_its_workload() -> None:
    mine = sidecar("mine", "front", hosts=["*/*"], selector={"app": "web"})
    found = answer(*FRONT, *caller("more", 3), mine, calls=[*CALLS, call("more", "c")], adopt=True)

    assert [id_.name for id_ in shared(found).workloads] == ["cart", "more"]
    chosen = choose_namespaces(found, ["front"])
    assert (of(chosen, "web").name, of(chosen, "web").selector) == ("mine", {"app": "web"})


def test_different_settings_of_existing_sidecars_leave_no_option() -> None:
    policy = {"mode": "REGISTRY_ONLY"}
    mine = sidecar(
        "web",
        "front",
        hosts=["*/*"],
        selector={"app": "web"},
        own=True,
        outboundTrafficPolicy=policy,
    )

    assert "different settings" in option(answer(*FRONT, mine)).obstacle


def members(*names: str) -> tuple[list[Member], Prover]:
    """Prove workloads, of which web has had nothing in scope and says what nobody looks into.

    HTTP services that others call make a listener at its port, which would look.
    """
    opaque = tcp_call(f"front/{pod_name('web')}", "192.0.2.7", 8080, cluster="PassthroughCluster")
    objects = [*SERVICES, *(each for n, name in enumerate(names) for each in caller(name, n))]
    calls = [opaque, *(call(name, "b") for name in names if name != "web")]
    mesh = mesh_of_objects(*objects)
    graph, rules = build_service_graph(flows_of(calls), mesh), build_scope_rules(mesh)
    views = Views(build_view_rules(rules), "front")
    made = []
    for each in decide_for(mesh, calls).recommended:
        (view,) = views.of_pods([("", {"app": each.workload.name})], frozenset())
        if each.workload.name == "web":
            view = replace(view, baseline=views.with_hosts(view, []))
        needs = [needs_of(found, view, rules) for found in calls_of(graph, each.workload)]
        kept = tuple(need for one in needs for need in one.hosts)
        made.append(Member(each, kept, ((view, needs),)))
    return made, Prover(views, rules.registry)


def optional(*names: str) -> NamespaceOption:
    found, prover = members(*names)
    return namespace_option(found, [], Namespace("front", (), False, set()), prover, [])


def test_a_workload_whose_calls_another_host_would_change_keeps_its_own_sidecar() -> None:
    found = optional("web", "cart", "more").sidecar
    assert found is not None

    assert [id_.name for id_ in found.workloads] == ["cart", "more"]
    assert set(hosts(found)) == {"back/b"}


def test_two_that_harm_each_other_do_not_share() -> None:
    found = optional("web", "cart")

    assert found.sidecar is None
    assert "no two workloads" in found.obstacle


@pytest.mark.parametrize("selector", [{"app": "silent"}, {"app": "nobody"}])
def test_a_name_that_is_taken_is_not_used(selector: dict[str, str]) -> None:
    mine = sidecar("default", "front", hosts=["*/*"], selector=selector)
    objects = [*FRONT, mine, *(caller("silent", 3) if "silent" in selector.values() else ())]

    assert shared(answer(*objects)).name == "namespace-default"


def test_a_workload_may_have_the_name() -> None:
    found = answer(*FRONT, *caller("default", 3), calls=[*CALLS, call("default", "c")])

    assert shared(found).name == "namespace-default"


def test_the_next_run_knows_its_own_again() -> None:
    first = shared(answer(*FRONT))
    own = sidecar(first.name, "front", hosts=[entry.host for entry in first.hosts], own=True)
    found = answer(*FRONT, own)
    again = shared(found)

    assert (again.name, again.origin, again.hosts) == (first.name, "own", first.hosts)
    assert of(found, "web").hosts == of(answer(*FRONT), "web").hosts
    assert of(found, "web").services_before == 2


def test_a_silent_workload_below_the_namespaces_own_sidecar_keeps_its_file() -> None:
    own = sidecar("default", "front", hosts=["back/*"], own=True)
    found = answer(*FRONT, *caller("silent", 3), own)
    (silent,) = [each for each in found.left_out if each.workload.name == "silent"]

    assert option(found).sidecar is None
    assert "default" in silent.keeps


def test_those_that_share_say_so() -> None:
    chosen = choose_namespaces(answer(*FRONT), ["front"])
    web = of(chosen, "web")

    assert (web.name, web.selector) == ("default", {})
    assert web.hosts == shared(chosen).hosts
    assert (web.services_before, web.services_after) == (3, 2)
    (note,) = [note for note in web.notes if note.name == "namespace-wide"]
    assert note.detail == (
        "front/default scopes it with 1 other, and every new workload of the namespace"
    )


def test_a_workloads_own_sidecar_that_is_still_there_is_told() -> None:
    """It comes before the namespace's, and no later run changes it."""
    own = sidecar("web", "front", hosts=["back/*"], selector={"app": "web"}, own=True)
    default = sidecar("default", "front", hosts=["back/*"], own=True)
    chosen = choose_namespaces(answer(*FRONT, own, default), ["front"])
    told = {
        each.workload.name: [n.detail for n in each.notes if n.name == "earlier Sidecar"]
        for each in chosen.recommended
    }

    assert told == {"web": ["front/web applies instead until you delete it"], "cart": []}


def test_none_is_chosen_where_a_workload_lost_its_recommendation() -> None:
    found = answer(*FRONT)
    lost = replace(found, recommended=found.recommended[:1])

    assert choose_namespaces(lost, ["front"]).namespace_sidecars == ()


def test_ingress_listeners_of_workloads_are_not_given_to_new_ones() -> None:
    own = [
        sidecar(name, "front", hosts=["back/*"], selector={"app": name}, own=True)
        for name in ("web", "cart")
    ]
    for each in own:
        each["spec"]["ingress"] = [
            {
                "port": {"number": 9080, "protocol": "HTTP", "name": "http"},
                "defaultEndpoint": "127.0.0.1:8080",
            }
        ]

    assert "ingress listeners" in option(answer(*FRONT, *own)).obstacle


def test_where_nobody_calls_anybody_a_new_workload_would_have_nothing() -> None:
    heard = [received(f"front/{pod_name(name)}") for name in ("web", "cart")]
    found = answer(*FRONT, calls=heard)

    assert "nothing in scope" in option(found).obstacle
