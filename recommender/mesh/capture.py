"""What a pod's proxy captures: its interception mode, and whether it answers for DNS.

A proxy has both from its environment, which injection fills: the pod's own annotations go before
the MeshConfig's `defaultConfig`. Source: istio's injection template
(`ISTIO_META_INTERCEPTION_MODE`, `ProxyConfig.ProxyMetadata`), pkg/kube/inject/webhook.go and
pilot/pkg/model/proxy_config.go (`proxy.istio.io/config`).
"""

from __future__ import annotations

from typing import Final

from recommender.mesh import fields
from recommender.mesh.fields import FieldError, Fields
from recommender.mesh.objects import Capture, Labels
from recommender.mesh.proxies import proxy_container
from recommender.mesh.yaml_documents import YamlError, read_yaml

_INTERCEPTION: Final = "sidecar.istio.io/interceptionMode"
_PROXY_CONFIG: Final = "proxy.istio.io/config"
_INJECTED: Final = "ISTIO_META_INTERCEPTION_MODE"
_DNS: Final = "ISTIO_META_DNS_CAPTURE"
_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))  # Go's strconv.ParseBool
# JSON's names, and those of the protobuf message.
_NAMES: Final = (("interceptionMode", "interception_mode"), ("proxyMetadata", "proxy_metadata"))
_MODES: Final = {0: "REDIRECT", 1: "TPROXY", 2: "NONE"}  # an enum may be given as its number


def capture_of(annotations: Labels, spec: Fields) -> Capture:
    """Read what the proxy of a pod, or of the pods to come of a template, captures.

    Raises:
        FieldError: A field has a type that Kubernetes refuses.
    """
    container = proxy_container(spec) or {}
    environment = {
        fields.text(each, "name"): fields.text(each, "value")
        for each in fields.mappings(container, "env")
    }
    if environment.get(_INJECTED):
        return Capture(environment[_INJECTED], environment.get(_DNS) in _TRUE)
    own = _of_annotation(annotations.get(_PROXY_CONFIG, ""))
    return Capture(annotations.get(_INTERCEPTION) or own.interception_mode, own.dns)


def capture_of_config(proxy_config: Fields) -> Capture:
    """Read what a ProxyConfig says of it.

    Raises:
        FieldError: A field has a type that istiod refuses.
    """
    mode_name, metadata_name = (
        next((name for name in names if name in proxy_config), names[0]) for names in _NAMES
    )
    mode = proxy_config.get(mode_name)
    numbered = _MODES.get(mode) if isinstance(mode, int) and not isinstance(mode, bool) else None
    dns = fields.optional_text(fields.mapping(proxy_config, metadata_name), _DNS)
    return Capture(
        numbered or fields.text(proxy_config, mode_name),
        None if dns is None else dns in _TRUE,
    )


def _of_annotation(text: str) -> Capture:
    """Read an annotation; a pod with one that cannot be read is not injected at all."""
    try:
        documents = list(read_yaml(text.encode("utf-8", "replace")))
        value = documents[0].value if documents else None
        return capture_of_config(value) if isinstance(value, dict) else Capture()
    except (YamlError, FieldError):
        return Capture()
