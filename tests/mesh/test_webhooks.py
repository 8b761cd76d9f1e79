"""Istio's injection webhooks: which namespaces and pods they are asked about."""

from __future__ import annotations

from recommender.mesh.objects import InjectionWebhook, InjectionWebhooks, ObjectMeta
from tests.mesh.helpers import Object, mesh_of_clusters, mesh_of_objects, notes_of, obj


def configuration(*webhooks: Object, name: str = "istio") -> Object:
    version = "admissionregistration.k8s.io/v1"
    return obj(version, "MutatingWebhookConfiguration", name, "", webhooks=list(webhooks))


def test_webhooks_of_istio_are_read_with_their_selectors() -> None:
    unlabelled = {"matchExpressions": [{"key": "istio-injection", "operator": "DoesNotExist"}]}
    mesh = mesh_of_objects(
        configuration(
            {"name": "auto.sidecar-injector.istio.io", "namespaceSelector": unlabelled},
            {"name": "other.example", "namespaceSelector": {}},
            {"name": "sidecar-injector.istio.io", "objectSelector": {"matchLabels": {"a": "b"}}},
        )
    )

    assert mesh.injection_webhooks == (
        InjectionWebhooks(
            ObjectMeta("", "istio"),
            (
                InjectionWebhook(
                    "auto.sidecar-injector.istio.io",
                    (("istio-injection", "DoesNotExist", ()),),
                ),
                InjectionWebhook("sidecar-injector.istio.io", (), (("a", "In", ("b",)),)),
            ),
        ),
    )


def test_webhooks_of_others_are_nothing_to_note() -> None:
    mesh = mesh_of_objects(configuration({"name": "webhook.cert-manager.io"}))

    assert mesh.injection_webhooks == ()
    assert not notes_of(mesh, "targetRefs")
    assert not notes_of(mesh, "plays no part")


def test_each_kubernetes_cluster_has_its_own_webhooks() -> None:
    ours = configuration({"name": "sidecar-injector.istio.io"})
    mesh = mesh_of_clusters(east=[ours], west=[ours])

    assert [each.meta.kubernetes_cluster for each in mesh.injection_webhooks] == ["east", "west"]
    assert mesh.elsewhere == ()
