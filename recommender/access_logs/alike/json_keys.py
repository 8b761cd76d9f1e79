"""Which keys of flat JSON objects are needed.

JSON without escapes is read in one way, and what the formats of JSON say of a line follows from
the values of some keys. So lines are alike that have the same values there, whatever the other
keys hold. A key that no format and no wrapper is known to write makes a line one that is looked
at by itself.

A format of text may look like JSON. Where no value holds a quote its lines are JSON, too, and it
reads in them what JSON says, if each of its operators is the value of a key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from recommender.access_logs.alike.actions import Action, action_of
from recommender.access_logs.formats import JsonFormat, LogFormat, TextFormat, Value
from recommender.access_logs.wrappers import MEMBERS

_MOST_KEYS: Final = 250
# What SLS puts beside the members of a line that it has expanded.
_OF_SLS: Final = (
    "__pack_meta__",
    "__tag__:__client_ip__",
    "__tag__:__hostname__",
    "__tag__:__pack_id__",
    "__tag__:__path__",
    "__tag__:__receive_time__",
    "__tag__:__user_defined_id__",
    "__tag__:_container_ip_",
    "__tag__:_image_name_",
    "__tag__:_node_ip_",
    "__tag__:_node_name_",
    "__tag__:_pod_uid_",
    "_container_ip_",
    "_image_name_",
    "_node_ip_",
    "_node_name_",
    "_pod_uid_",
    "_time_",
)
# These differ in each line; that they are there tells the kind of the wrapper.
_TIMES: Final = ("__time__",)


def keys_of(formats: Sequence[LogFormat]) -> Mapping[str, Action]:
    """Say what becomes of each known key; nothing where that cannot be told for all formats."""
    found: list[Mapping[str, Action]] = []
    for log_format in formats:
        if isinstance(log_format, JsonFormat):
            found.append(_of_json(log_format))
        elif not log_format.start or log_format.start.startswith("{"):
            columns = _columns_of_look_alike(log_format)
            if columns is None:
                return {}
            found.append({key: action_of(column) for key, column in columns.items()})
    return _merged(found)


def _of_json(log_format: JsonFormat) -> dict[str, Action]:
    actions = {
        **dict.fromkeys(log_format.all_keys, Action.SKIPPED),
        **dict.fromkeys(log_format.foreign, Action.PRESENT),
    }
    for leaf in log_format.leaves:
        is_value = len(leaf.path) == 1 and leaf.template is None
        actions[str(leaf.path[0])] = action_of(leaf.column) if is_value else Action.NEEDED
    if log_format.fields.time.groups is not None:
        actions = {k: Action.NEEDED if a == Action.TIME else a for k, a in actions.items()}
    return actions


def _columns_of_look_alike(text_format: TextFormat) -> dict[str, str | None] | None:
    """Read a format of text as a flat object whose values are operators or constants."""
    values: list[Value] = []
    text = ""
    for part in text_format.shapes[0]:
        if isinstance(part, Value):
            text += f"%{len(values)}%"
            values.append(part)
        else:
            text += part
    places = {f"%{place}%": value.column for place, value in enumerate(values)}
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or text_format.fields.time.groups is not None:
        return None
    texts = {key: value for key, value in found.items() if isinstance(value, str)}
    if sorted(value for value in texts.values() if value in places) != sorted(places):
        return None
    return {key: places.get(texts.get(key, "")) for key in found}


def _merged(found: Sequence[Mapping[str, Action]]) -> dict[str, Action]:
    """Put what several formats and all wrappers need together."""
    merged: dict[str, Action] = {}
    for actions in found:
        for key, action in actions.items():
            merged[key] = _both(merged.get(key, action), action)
    times = [key for key, action in merged.items() if action == Action.TIME]
    if len(times) != 1 or Action.CLUSTER not in merged.values():
        return {}
    of_wrappers = dict.fromkeys(MEMBERS, Action.NEEDED) | dict.fromkeys(_TIMES, Action.PRESENT)
    for key in merged.keys() & of_wrappers.keys():
        of_wrappers[key] = Action.NEEDED
    if times[0] in of_wrappers:
        return {}
    merged = dict.fromkeys(_OF_SLS, Action.SKIPPED) | merged | of_wrappers
    return merged if len(merged) <= _MOST_KEYS and _are_plain(merged) else {}


def _both(one: Action, other: Action) -> Action:
    if Action.SKIPPED in (one, other):
        return max(one, other)
    return one if one == other else Action.NEEDED


def _are_plain(keys: Iterable[str]) -> bool:
    return all(json.dumps(key, ensure_ascii=False) == f'"{key}"' for key in keys)
