"""The namespaces of ConfigMaps that hold certificates of authorities for TLS.

Proxies of any namespace are sent these, where a Secret is for those of its own alone.
Source: istio model/credentials/resource.go (`ParseResourceName`), xds/sds.go
(`filterAuthorizedResources`).
"""

from __future__ import annotations

from typing import Final

from recommender.mesh import fields
from recommender.mesh.fields import Fields

_CONFIG_MAP: Final = "configmap://"


def config_map_namespaces(spec: Fields) -> tuple[str, ...]:
    """List the namespaces of the ConfigMaps that a spec names as credentials."""
    texts = (text for text in fields.values_within(spec) if isinstance(text, str))
    named = (text.removeprefix(_CONFIG_MAP) for text in texts if text.startswith(_CONFIG_MAP))
    return tuple(sorted({name.partition("/")[0] for name in named if "/" in name} - {""}))
