"""Which labels a selector chooses, and which selectors istiod cannot use.

Source: istio pkg/config/mesh/labelselector (`LabelSelectorAsSelector`), apimachinery pkg/labels
(`NewRequirement`, `Requirement.Matches`) and pkg/api/validate/content (`IsLabelKey`,
`IsLabelValue`, `IsDNS1123Subdomain`).
"""

from __future__ import annotations

import re
from typing import Final

from recommender.mesh.mesh_config import Requirement
from recommender.mesh.objects import Labels, LabelSelector

_WITH_VALUES: Final = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}
_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
_PREFIX: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MOST_OF_PREFIX: Final = 253
_MOST_SHOWN: Final = 60


def selector_matches(selector: LabelSelector, labels: Labels) -> bool:
    """Tell whether labels fulfil every requirement, as Kubernetes label selectors do."""
    return all(_holds(key, operator, values, labels) for key, operator, values in selector)


def selector_error(selector: LabelSelector) -> str | None:
    """Say why istiod cannot use a selector, None if it can."""
    return next(filter(None, map(_requirement_error, selector)), None)


def is_label_key(key: str) -> bool:
    """Tell whether an object may have a label of this key."""
    prefix, slash, name = key.rpartition("/")
    is_fitting = len(prefix) <= _MOST_OF_PREFIX and _PREFIX.fullmatch(prefix) is not None
    return (is_fitting or not slash) and _NAME.fullmatch(name) is not None


def is_label_value(value: str) -> bool:
    """Tell whether a label may have this value."""
    return not value or _NAME.fullmatch(value) is not None


def _holds(key: str, operator: str, values: tuple[str, ...], labels: Labels) -> bool:
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    if operator == "NotIn":
        return labels.get(key) not in values
    return labels.get(key) in values


def _requirement_error(requirement: Requirement) -> str | None:
    key, operator, values = requirement
    if operator not in _WITH_VALUES:
        return f"{operator[:_MOST_SHOWN]!r} is no operator"
    if not is_label_key(key):
        return f"{key[:_MOST_SHOWN]!r} is no key of a label"
    if bool(values) is not _WITH_VALUES[operator]:
        return f"{operator} of {key[:_MOST_SHOWN]!r} has {'values' if values else 'no values'}"
    for value in values:
        if not is_label_value(value):
            return f"{value[:_MOST_SHOWN]!r} is no value of a label"
    return None
