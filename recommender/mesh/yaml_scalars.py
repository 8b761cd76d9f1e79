"""What a plain YAML scalar means to Kubernetes.

kubectl and the API server read YAML with sigs.k8s.io/yaml: YAML 1.1 booleans, integers with Go's
base prefixes, no base-60 numbers, and timestamps that stay text. Source: sigs.k8s.io/yaml
goyaml.v2 `resolve` and yaml.go `convertToJSONableObject`.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(
        ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True
    ),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SPECIAL_STARTS = frozenset("0123456789+-.yYnNtTfFoO~")
_NUMBER_STARTS = frozenset("0123456789+-")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))", re.ASCII
)
_MOST_DIGITS = 64  # far beyond 64 bits; Python refuses to convert thousands of digits
_LEAST, _MOST = -(2**63), 2**64 - 1
_TAG_PREFIX = "tag:yaml.org,2002:"


def plain_scalar(text: str) -> Scalar:
    """Resolve an unquoted, untagged scalar.

    >>> [plain_scalar(text) for text in ("on", "0o17", "1e3", "12:30", "2026-01-02", "~")]
    [True, 15, 1000.0, '12:30', '2026-01-02', None]
    """
    if text and text[0] not in _SPECIAL_STARTS:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMBER_STARTS:
        return _number(text)
    return _fraction(text) if text[0] == "." else text


def tagged_scalar(tag: str, text: str) -> Scalar:
    """Resolve a scalar with an explicit tag; an unknown tag leaves the text.

    Raises:
        ValueError: The text does not fit its tag.
    """
    kind = tag.removeprefix(_TAG_PREFIX)
    if kind not in ("null", "bool", "int", "float"):
        return text
    value = plain_scalar(text)
    if kind == "float" and type(value) is int:
        return float(value)
    fits = {"null": value is None, "bool": isinstance(value, bool), "int": type(value) is int}
    if not fits.get(kind, isinstance(value, float)):
        raise ValueError(f"cannot read {text[:40]!r} as !!{kind}")
    return value


def key_text(key: object) -> str:
    """Write a mapping key as the JSON that Kubernetes makes of it.

    Raises:
        ValueError: The key is null, a mapping or a list.

    >>> [key_text(key) for key in (True, 80, 1.0, "a")]
    ['true', '80', '1', 'a']
    """
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, float) and key.is_integer() and abs(key) < 1e21:
        return str(int(key))
    if isinstance(key, int | float):
        return str(key)
    raise ValueError("null, a mapping and a list cannot be keys")


def _fraction(text: str) -> Scalar:
    """Resolve what begins with a point: Go has underscores there between digits alone."""
    if _FLOAT.fullmatch(text.replace("_", "")) is None:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _number(text: str) -> Scalar:
    digits = text.replace("_", "")
    integer = _INTEGER.fullmatch(digits) if len(digits) <= _MOST_DIGITS else None
    if integer is not None:
        sign, sixteen, two, eight, ten = integer.groups()
        for group, base in ((sixteen, 16), (two, 2), (eight, 8), (ten, 10)):
            if group is not None:
                value = int(sign + group, base)
                return value if _LEAST <= value <= _MOST else float(value)
    if _FLOAT.fullmatch(digits):
        number = float(digits)
        return number if math.isfinite(number) else text
    return text
