"""Namespaces where Istio may inject though no label asks for it stay, however idle they are."""

from __future__ import annotations

import pytest

from tests.discovery.helpers import (
    decide,
    kept,
    namespace,
    needs,
)
from tests.mesh.helpers import Object, obj
from tests.recommendation.helpers import (
    deployment,
    mesh_config,
)


def webhook(name: str = "namespace", **selectors: Object) -> Object:
    """Make Istio's webhook of some name and selectors."""
    return obj(
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "istio-sidecar-injector",
        "",
        webhooks=[{"name": f"{name}.sidecar-injector.istio.io", **selectors}],
    )


NONE = {"operator": "DoesNotExist"}
UNLABELLED = {"matchExpressions": [{"key": "istio-injection", **NONE}]}
ENABLED = {"matchLabels": {"istio-injection": "enabled"}}
ASKED = {"matchLabels": {"sidecar.istio.io/inject": "true"}}
AUTO = webhook("auto", namespaceSelector=UNLABELLED)
BARE = [namespace("shop", istio_injection="disabled"), namespace("bare"), *deployment("x", "bare")]


@pytest.mark.parametrize(
    ("objects", "found"),
    [
        ([AUTO], {"default injection"}),
        ([webhook()], {"default injection"}),
        ([AUTO, namespace("attic", istio_injection="disabled")], set()),
        ([webhook(namespaceSelector=ENABLED)], set()),
        ([webhook("object", namespaceSelector=UNLABELLED, objectSelector=ASKED)], set()),
        ([{**AUTO, "webhooks": [{"name": "webhook.cert-manager.io"}]}], set()),
    ],
)
def test_where_a_webhook_asks_for_no_label_a_namespace_without_one_stays(
    objects: list[Object], found: set[str]
) -> None:
    assert needs(decide(*objects)) == found


def test_a_proxy_that_no_label_asks_for_lets_namespaces_without_labels_stay() -> None:
    """Nothing but that tells of injection by default where the dump has no webhooks."""
    guessed = decide(*BARE)
    told = decide(*BARE, webhook(namespaceSelector=ENABLED), mesh_config("{}"))
    disabled = decide(*BARE, namespace("attic", istio_injection="disabled"))

    assert needs(guessed) == {"default injection"}
    assert any("bare/deployment/x" in doubt for doubt in guessed.doubts)
    assert not kept(guessed).is_idle_but_for_proxies
    assert (needs(told), told.doubts) == (set(), ())
    assert needs(disabled) == set()


@pytest.mark.parametrize("labels", [{"sidecar.istio.io/inject": "true"}, {"istio.io/rev": "a"}])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_pod_that_asks_for_its_proxy_tells_nothing_of_others(
    labels: dict[str, str], is_known: bool
) -> None:
    asking = deployment("x", "bare", labels={"app": "x", **labels})
    asking = asking if is_known else [each for each in asking if each["kind"] == "Pod"]

    assert needs(decide(namespace("bare"), *asking)) == set()


def test_a_proxy_in_the_pod_template_tells_nothing_of_others() -> None:
    by_hand = deployment("x", "bare")
    for each in by_hand[:2]:
        each["spec"]["template"]["spec"] = by_hand[2]["spec"]

    assert needs(decide(namespace("bare"), *by_hand)) == set()


def test_a_pod_that_asked_when_its_template_did_not_tells_nothing_of_others() -> None:
    older = deployment("x", "bare")
    older[2]["metadata"]["labels"]["sidecar.istio.io/inject"] = "true"

    assert needs(decide(namespace("bare"), *older)) == set()


def asks(key: str, operator: str, *values: str) -> Object:
    """Make a requirement of a label selector."""
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


# The webhooks that Istio's chart makes for the default revision; the last one is the odd one.
CHART = {
    "rev.namespace": (
        [asks("istio.io/rev", "In", "default"), asks("istio-injection", "DoesNotExist")],
        [asks("sidecar.istio.io/inject", "NotIn", "false")],
    ),
    "rev.object": (
        [asks("istio.io/rev", "DoesNotExist"), asks("istio-injection", "DoesNotExist")],
        [asks("sidecar.istio.io/inject", "NotIn", "false"), asks("istio.io/rev", "In", "default")],
    ),
    "namespace": (
        [asks("istio-injection", "In", "enabled")],
        [asks("sidecar.istio.io/inject", "NotIn", "false")],
    ),
    "object": (
        [asks("istio-injection", "DoesNotExist"), asks("istio.io/rev", "DoesNotExist")],
        [asks("sidecar.istio.io/inject", "In", "true"), asks("istio.io/rev", "DoesNotExist")],
    ),
    "auto": (
        [
            asks("istio-injection", "DoesNotExist"),
            asks("istio.io/rev", "DoesNotExist"),
            asks("kubernetes.io/metadata.name", "NotIn", "kube-system", "kube-public"),
        ],
        [asks("sidecar.istio.io/inject", "DoesNotExist"), asks("istio.io/rev", "DoesNotExist")],
    ),
}


@pytest.mark.parametrize(("count", "found"), [(4, set()), (5, {"default injection"})])
def test_of_the_webhooks_of_istios_chart_the_one_for_every_namespace_lets_them_stay(
    count: int, found: set[str]
) -> None:
    configuration = webhook()
    configuration["webhooks"] = [
        {
            "name": f"{name}.sidecar-injector.istio.io",
            "namespaceSelector": {"matchExpressions": namespaces},
            "objectSelector": {"matchExpressions": pods},
        }
        for name, (namespaces, pods) in list(CHART.items())[:count]
    ]
    answer = decide(configuration)

    assert needs(answer) == found
    assert [need.detail for need in answer.kept[0].needs if need.kind == "default injection"] == [
        "webhook auto.sidecar-injector.istio.io"
    ] * len(found)
