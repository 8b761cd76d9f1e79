"""Whatever the format, whatever a caller writes, whatever is around it: the truth, or a skip."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from hypothesis import event, given, settings
from hypothesis import strategies as st

from recommender.errors import UsageError
from tests.access_logs.formats.rendering import START, render
from tests.access_logs.formats.test_text_law import cases, format_strings
from tests.access_logs.helpers import POD, read_in_format

TIME: Final = "2026-11-23T12:16:12.401123456Z"
OTHER: Final = "other-1"
FLUENT: Final = {
    "stream": "stdout",
    "kubernetes": {
        "pod_name": OTHER,
        "namespace_name": "others",
        "container_name": "istio-proxy",
    },
}
STERN: Final = {"namespace": "others", "podName": OTHER, "containerName": "istio-proxy"}
WRAPPERS: Final[Mapping[str, tuple[Callable[[str], str], str]]] = {
    "nothing": (str, POD[1]),
    "a container runtime": (lambda line: f"{TIME} stdout F {line}", POD[1]),
    "docker": (
        lambda line: json.dumps({"log": f"{line}\n", "stream": "stdout", "time": TIME}),
        POD[1],
    ),
    "kubectl": (lambda line: f"{TIME} {line}", POD[1]),
    "fluent bit": (lambda line: json.dumps({"log": f"{line}\n", **FLUENT}), OTHER),
    "stern": (lambda line: json.dumps({"message": line, **STERN}), OTHER),
}


def printed(values: Mapping[str, str | None], operator: str) -> str | None:
    """Say what an operator tells of a request: nothing where it had no value."""
    return None if values.get(operator) in (None, "", "-") else values[operator]


@settings(max_examples=200)
@given(format_strings(), st.data(), st.sampled_from(sorted(WRAPPERS)))
def test_a_line_of_any_format_in_any_wrapper_gives_the_truth_or_is_skipped(
    format_string: str, data: st.DataObject, wrapper: str
) -> None:
    values = data.draw(cases(format_string))
    wrap, pod = WRAPPERS[wrapper]
    try:
        found = read_in_format(format_string, wrap(render(format_string, values)))
    except UsageError:
        return  # the format lacks what is needed

    authority = printed(values, "%REQ(:AUTHORITY)%")
    host = authority.split(":")[0] if authority else None
    event(f"{'read' if found.lines.used else 'skipped'} in {wrapper}")
    assert found.lines.read == 1
    for request in found.requests.iter_rows(named=True):
        assert request["source_pod"] == pod
        assert request["cluster"] == printed(values, "%UPSTREAM_CLUSTER_RAW%")
        assert request["direction"] == "inbound" or request["authority"] == host
        assert request["first_seen"].isoformat().startswith(START[:-1])
