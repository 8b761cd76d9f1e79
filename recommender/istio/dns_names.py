"""Which names istiod takes for DNS names.

Source: istio pkg/config/labels/instance.go (`IsDNS1123Label`, `IsWildcardDNS1123Label`),
pkg/config/validation/agent/validation.go (`ValidateFQDN`, `ValidateWildcardDomain`,
`ValidateDNS1123Labels`).
"""

from __future__ import annotations

import re
from typing import Final

_LABEL: Final = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?", re.ASCII)
_LABELS: Final = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*", re.ASCII)
_WILDCARD_LABEL: Final = re.compile(rf"\*|(\*-?)?{_LABEL.pattern}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+", re.ASCII)
_MOST_LABEL, _MOST_NAME, _MOST_NUMBER = 63, 255, 2**63 - 1
_MOST_SHOWN: Final = 100


def is_dns_label(text: str) -> bool:
    """Tell whether a text is a DNS label; capitals are allowed."""
    return _LABEL.fullmatch(text) is not None


def fqdn_problem(name: str) -> str | None:
    """Say why a text is no fully qualified domain name, None if it is one."""
    return _length_problem(name) or _labels_problem(name, name)


def wildcard_domain_problem(name: str) -> str | None:
    """Say why a text is no domain name whose first label may be or begin with `*`."""
    problem = _length_problem(name)
    if problem:
        return problem
    first, dot, rest = name.partition(".")
    if len(first) > _MOST_LABEL or not _WILDCARD_LABEL.fullmatch(first):
        return _bad_label(name, first)
    return _labels_problem(name, rest) if dot else None


def _length_problem(name: str) -> str | None:
    if not name:
        return "an empty name"
    if len(name) > _MOST_NAME:
        return f"{name[:_MOST_SHOWN]}… is longer than {_MOST_NAME} characters"
    return None


def _labels_problem(name: str, labels: str) -> str | None:
    """Check the labels; the last may be empty, and a number only where Go has no such integer."""
    last = labels.rpartition(".")[2]
    if _NUMBER.fullmatch(last) and int(last) <= _MOST_NUMBER:
        return f"{name[:_MOST_SHOWN]} is an address or ends in a number"
    checked = labels if last else labels[:-1]
    if not labels or _LABELS.fullmatch(checked):
        return None
    wrong = next(label for label in checked.split(".") if not is_dns_label(label))
    return _bad_label(name, wrong)


def _bad_label(name: str, label: str) -> str:
    return f"{name[:_MOST_SHOWN]}: {label[:_MOST_SHOWN]!r} is no DNS label"
