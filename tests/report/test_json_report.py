"""What a program reads: every fact of the report, in one shape, whatever text it holds."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from typing import Any

import pytest

from recommender.recommendation.model import HostReason, Note, Recommendations
from recommender.report import json_report, render_json, render_table
from recommender.report.model import totals_of
from tests.report.helpers import example, report
from tests.report.test_table import hostile_report
from tests.sidecars.helpers import HOSTILE, evidence, host, recommendation


def parsed(text: str) -> dict[str, Any]:
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def leaves(value: object) -> Iterator[object]:
    """Yield every value in a dataclass, a mapping or a list; of a mapping the keys too."""
    if is_dataclass(value):
        for field in fields(value):
            yield from leaves(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield key
            yield from leaves(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from leaves(entry)
    else:
        yield value


def test_a_recommendation_reads_like_this() -> None:
    reason = HostReason("called", "cart", evidence())
    made = recommendation(
        hosts=[host("./cart.example", reason)],
        notes=(Note("thin evidence", "1 day"),),
        other_spec={"ingress": [], "a": float("inf")},
    )
    found = parsed(render_json(report(recommendations=Recommendations((made,)))))
    seen = {
        "requests": 24,
        "errors": 1,
        "first_seen": "2026-11-17T06:30:00.000Z",
        "last_seen": "2026-11-24T23:59:59.250Z",
        "days": 8,
    }

    assert found["schema"] == 1
    assert found["recommended"] == [
        {
            "workload": {"namespace": "shop", "kind": "Deployment", "name": "checkout"},
            "sidecar": {"namespace": "shop", "name": "checkout"},
            "origin": "new",
            "selector": {"app": "checkout"},
            "hosts": [
                {
                    "host": "./cart.example",
                    "reasons": [{"kind": "called", "detail": "cart", "evidence": seen}],
                }
            ],
            "kept_fields": ["a", "ingress"],
            "evidence": seen,
            "calls": 5,
            "services_before": 911,
            "services_after": 3,
            "pods": 3,
            "pods_logged": 2,
            "notes": [{"name": "thin evidence", "detail": "1 day"}],
        }
    ]


def test_every_value_of_a_report_is_in_it() -> None:
    made = replace(example(), istio_version=(1, 1))
    document = parsed(render_json(made))
    wanted = {value for value in leaves(made) if not isinstance(value, datetime)}

    assert wanted <= set(leaves(document))
    assert document["istio"] == {"version": "1.1", "known": False}


def test_every_number_and_name_of_the_table_is_in_it() -> None:
    document = parsed(render_json(example()))
    counts = {len(v) for v in document.values() if isinstance(v, list)}
    known = {str(v) for v in leaves(document)} | {str(count) for count in counts}
    table = render_table(example(), width=400)
    figures = {
        word.replace(",", "") for word in re.findall(r"(?<![\w.\-/:])\d[\d,]{2,}(?!\S)", table)
    }
    skipped = document["lines"]["read"] - document["lines"]["used"]
    logged = sum(pod["requests"] for pod in document["unknown_pods"])
    unseen = sum(spot["requests"] for spot in document["blind_spots"])

    assert len(figures) > 15
    assert figures <= known | {str(skipped), str(logged), str(unseen)}
    for entry in (*document["recommended"], *document["left_out"]):
        workload = entry["workload"]
        assert f"{workload['namespace']}/{workload['kind'].lower()}/{workload['name']}" in table


def test_the_documented_shape_is_the_shape() -> None:
    document = parsed(render_json(example()))
    described = re.findall(r"^(\w+)(?:\[\])? {2,}", json_report.__doc__ or "", re.MULTILINE)
    keys = {key for key in leaves_keys(document) if key not in ("app",)}
    words = set(re.findall(r"\w+", json_report.__doc__ or ""))

    assert described == list(document)
    assert keys <= words


def leaves_keys(value: object) -> Iterator[str]:
    """Yield the key of every object in a JSON document."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield from leaves_keys(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from leaves_keys(entry)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_foreign_text_comes_back_as_it_was_and_cannot_steer_a_terminal(hostile: str) -> None:
    text = render_json(hostile_report(hostile))

    assert text.isascii()
    assert all(char == "\n" or char.isprintable() for char in text)
    assert parsed(text)["recommended"][0]["notes"] == [{"name": hostile, "detail": hostile}]


def test_it_ends_with_one_line_break_and_is_the_same_every_time() -> None:
    text = render_json(example())

    assert text.endswith("}\n")
    assert text == render_json(example())
    assert parsed(render_json(report(written=None, out=None)))["written"] is None


def test_totals_sum_up_what_is_recommended() -> None:
    made = (
        recommendation("a/Pod/a", services_before=10, services_after=1),
        recommendation("a/Pod/b", services_before=20, services_after=4, evidence=None),
        recommendation("a/Pod/c", services_before=90, services_after=2, origin="own"),
        recommendation("a/Pod/d", services_before=90, services_after=8, origin="adopted"),
    )
    totals = totals_of(Recommendations(made))

    assert (totals.new, totals.own, totals.adopted, totals.requests) == (2, 1, 1, 72)
    assert (totals.services_before, totals.services_after) == (210, 15)
    assert (totals.median_services_before, totals.median_services_after) == (20, 2)
    assert totals_of(Recommendations()).median_services_after == 0
