"""Convert the MutatingWebhookConfigurations by which Istio injects proxies.

Source: istio manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml and
revision-tags-mwc.yaml, for the names of webhooks and what they choose.
"""

from __future__ import annotations

from typing import Final

from recommender.mesh import fields
from recommender.mesh.fields import Fields
from recommender.mesh.mesh_config import label_selector
from recommender.mesh.objects import InjectionWebhook, InjectionWebhooks, ObjectMeta

_INJECTOR: Final = "sidecar-injector.istio.io"


def injection_webhooks(meta: ObjectMeta, document: Fields) -> InjectionWebhooks | None:
    """Convert a MutatingWebhookConfiguration, None if it has none of Istio's webhooks.

    Raises:
        FieldError: A field has a type that Kubernetes refuses.
    """
    found = fields.each(document, "webhooks", _webhook)
    ours = tuple(webhook for webhook in found if webhook.name.endswith(_INJECTOR))
    return InjectionWebhooks(meta, ours) if ours else None


def _webhook(entry: Fields) -> InjectionWebhook:
    namespaces, pods = (
        label_selector(fields.mapping(entry, name))
        for name in ("namespaceSelector", "objectSelector")
    )
    return InjectionWebhook(fields.text(entry, "name"), namespaces, pods)
