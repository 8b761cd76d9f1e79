"""Write YAML as kubectl prints it, quickly: only what JSON can hold, in block style."""

from __future__ import annotations

import json
import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9_./@=-]|:(?=[A-Za-z0-9]))*")
_NOT_TEXT = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def kubectl_yaml(value: Any) -> str:
    """The YAML of a mapping or list."""
    lines: list[str] = []
    _write(value, "", lines, {})
    return "\n".join(lines) + "\n"


def _write(value: Any, pad: str, lines: list[str], known: dict[Any, str]) -> None:
    if isinstance(value, dict):
        for key in sorted(value):
            item = value[key]
            if item and isinstance(item, dict | list):
                lines.append(f"{pad}{_scalar(key, known)}:")
                # kubectl does not indent a list below its key
                _write(item, pad if isinstance(item, list) else pad + "  ", lines, known)
            else:
                lines.append(f"{pad}{_scalar(key, known)}: {_scalar(item, known)}")
        return
    for item in value:
        if item and isinstance(item, dict | list):
            begin = len(lines)
            _write(item, pad + "  ", lines, known)
            lines[begin] = f"{pad}- {lines[begin][len(pad) + 2 :]}"
        else:
            lines.append(f"{pad}- {_scalar(item, known)}")


def _scalar(value: Any, known: dict[Any, str]) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if value not in known:
        plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT
        known[value] = value if plain else json.dumps(value, ensure_ascii=False)
    return known[value]
