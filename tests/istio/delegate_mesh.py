"""A mesh in which roots set what their delegates may set too, each at a port of its own."""

from __future__ import annotations

from tests.istio.helpers import service, virtual_service
from tests.mesh.helpers import Object

SETTINGS: Object = {
    "fault": {"delay": {"fixedDelay": "2s", "percentage": {"value": 10}}},
    "corsPolicy": {"allowOrigins": [{"exact": "https://shop.example"}], "allowMethods": ["GET"]},
    "headers": {"request": {"set": {"x-tenant": "large"}, "remove": ["x-debug", "x-internal"]}},
    "rewrite": {"uri": "/where/it/was/before"},
    "retries": {"attempts": 0},
    "timeout": "3s",
    "mirror": {"host": "s0"},
    "mirrors": [{"destination": {"host": "s1"}}],
    "directResponse": {"status": 503, "body": {"string": "closed for a while, come back later"}},
}
"""Every field that a root's route hands on (`mergeHTTPRoute`)."""
OTHER_SETTINGS: Object = {
    "fault": {"abort": {"httpStatus": 503}},
    "headers": {},
    "rewrite": {"uri": "/"},
    "retries": {"attempts": 1, "retryOn": "5xx"},
}
_TOGETHER: Object = {name: SETTINGS[name] for name in SETTINGS if name != "directResponse"}
_REDIRECT: Object = {"redirect": {"authority": "elsewhere.example", "uri": "/moved"}}
_PAIRS: tuple[tuple[Object, Object], ...] = (
    *(({name: value}, {}) for name, value in SETTINGS.items()),
    *(({name: SETTINGS[name]}, {name: value}) for name, value in OTHER_SETTINGS.items()),
    (_TOGETHER, {}),
    (SETTINGS, {}),
    (SETTINGS, _REDIRECT),
)
DELEGATES = len(_PAIRS)


def delegate_mesh() -> list[Object]:
    """Make services whose VirtualServices delegate to others, with settings of either or both."""
    made: list[Object] = []
    for number, (root, leaf) in enumerate(_PAIRS):
        name, port = f"s{number}", 8000 + number
        to: Object = {} if "redirect" in leaf else {"route": [{"destination": {"host": name}}]}
        made += [
            service(name, "a", port),
            virtual_service(
                f"root-{number}", "a", [name], http=[{"delegate": {"name": f"d{number}"}, **root}]
            ),
            virtual_service(f"d{number}", "a", [], http=[{**to, **leaf}]),
        ]
    return made
