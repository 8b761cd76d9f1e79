"""What a user is told beside the answer: what it does not see, and what it depends on."""

from __future__ import annotations

import pytest

from tests.discovery.helpers import decide, decide_for, idle, kept, mesh_objects, namespace, needs
from tests.mesh.helpers import Object, mesh_of_clusters, obj
from tests.recommendation.helpers import deployment, mesh_config

ISTIO = "networking.istio.io/v1"


def test_proxies_of_which_no_log_shows_use_are_told_from_others() -> None:
    attic = namespace("attic", istio_injection="enabled")
    answer = decide(attic, *deployment("idler", "attic"))

    assert kept(answer).is_idle_but_for_proxies
    assert not kept(answer, "shop").is_idle_but_for_proxies
    assert ("attic/deployment/idler", "logged nothing") in {
        (str(each.workload), each.reason) for each in answer.silent
    }


def test_a_registry_only_policy_is_told() -> None:
    answer = decide(mesh_config("outboundTrafficPolicy: {mode: REGISTRY_ONLY}"))

    assert any("REGISTRY_ONLY" in doubt for doubt in answer.doubts)
    assert decide(mesh_config("{}")).doubts == ()


def test_the_proof_says_of_how_many_workloads_the_logs_tell_nothing() -> None:
    """A workload without pods counts if its pods to come get a proxy, one without proxies never."""
    busy = namespace("busy", istio_injection="enabled")
    more = [busy, *deployment("mute"), *deployment("idler", "busy", pods=0)]
    proof = decide(*more).proof

    assert (proof.workloads, proof.calls) == (1, 1)
    assert (proof.silent_workloads, proof.workloads_with_proxies) == (2, 3)
    assert decide().proof.silent_workloads == 0


def test_virtual_machines_are_told_since_no_log_tells_their_calls() -> None:
    answer = decide(obj(ISTIO, "WorkloadGroup", "vm", spec={}))

    assert any("virtual machines" in doubt for doubt in answer.doubts)


def test_what_would_configure_an_istiod_of_another_kubernetes_cluster_stays_with_a_doubt() -> None:
    gateway = obj(ISTIO, "Gateway", "g", "attic", spec={})
    here, there = mesh_objects(mesh_config("{}")), [gateway, *map(namespace, ("shop", "attic"))]
    answer = decide_for(mesh_of_clusters(east=here, west=there))
    equal = decide_for(mesh_of_clusters(east=[*here, gateway], west=there))

    assert needs(answer) == {"elsewhere"}
    assert "Gateway g in west" in kept(answer).needs[0].detail
    assert any("other Kubernetes clusters than east" in doubt for doubt in answer.doubts)
    assert (needs(equal), equal.doubts) == ({"gateway"}, ())


def test_other_mesh_configs_are_told_since_the_selectors_are_made_from_one_alone() -> None:
    canary = obj("v1", "ConfigMap", "istio-canary", "istio-system", data={"mesh": "{}"})
    revisions = decide(mesh_config("{}"), canary)
    trusting = mesh_objects(mesh_config("trustDomain: a"))
    clusters = decide_for(mesh_of_clusters(east=trusting, west=[mesh_config("trustDomain: b")]))

    for answer, where in ((revisions, "istio-canary"), (clusters, "MeshConfig in west")):
        assert any(f"{where}): the selectors are made" in doubt for doubt in answer.doubts)
    assert decide(mesh_config("{}")).doubts == ()


@pytest.mark.parametrize("unread", [[], [mesh_config("1")]])
def test_a_mesh_config_that_is_not_known_is_a_doubt(unread: list[Object]) -> None:
    answer = decide(*unread)

    assert idle(answer) == ["attic"]
    assert ["without the MeshConfig" in doubt for doubt in answer.doubts] == [True]
