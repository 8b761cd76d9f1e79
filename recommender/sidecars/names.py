"""Which names can name a Sidecar and its file."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from recommender.recommendation.model import (
    LeftOut,
    NamespaceOption,
    Recommendation,
    Recommendations,
)

SUFFIX: Final = ".yaml"
_MOST_NAMESPACE: Final = 63
# Kubernetes allows three more, but file systems end at 255 bytes with the suffix.
_MOST_NAME: Final = 255 - len(SUFFIX)
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")


def name_problem(namespace: str, name: str) -> str | None:
    """Say why Kubernetes would refuse these names, or a file cannot have them; None if fine."""
    if len(namespace) > _MOST_NAMESPACE or not _LABEL.fullmatch(namespace):
        return f"{namespace[:100]!r} is not a namespace's name (DNS-1123 label)"
    if len(name) > _MOST_NAME:
        return f"{name[:100]!r}… is too long for a file's name"
    if not _SUBDOMAIN.fullmatch(name):
        return f"{name[:100]!r} is not a name (DNS-1123 subdomain)"
    return None


def without_unusable_names(recommendations: Recommendations) -> Recommendations:
    """Leave out, with the reason, every workload whose Sidecar no file or object could be.

    A Sidecar for a whole namespace is no option then.
    """
    fine: list[Recommendation] = []
    left_out = list(recommendations.left_out)
    for recommendation in recommendations.recommended:
        problem = name_problem(recommendation.workload.namespace, recommendation.name)
        if problem is None:
            fine.append(recommendation)
        else:
            left_out.append(LeftOut(recommendation.workload, "not a Kubernetes name", problem))
    return replace(
        recommendations,
        recommended=tuple(fine),
        left_out=tuple(sorted(left_out)),
        options=tuple(map(_usable, recommendations.options)),
    )


def _usable(option: NamespaceOption) -> NamespaceOption:
    problem = option.sidecar and name_problem(option.sidecar.namespace, option.sidecar.name)
    return replace(option, sidecar=None, obstacle=problem) if problem else option
