"""Idle namespaces as a table: what asks for a look comes first, and commands can be copied."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from recommender.access_logs import LineCounts
from recommender.discovery import (
    DiscoveryAnswer,
    DiscoverySelectors,
    FoundNamespace,
    NamespaceNeed,
)
from recommender.discovery.model import (
    Contents,
    NeedKind,
    Proof,
    ProxySavings,
    SilentWorkload,
    Watched,
)
from recommender.mesh import MeshNote, WorkloadId
from recommender.report import (
    DiscoveryReport,
    render_discovery_json,
    render_discovery_table,
    render_discovery_yaml,
)
from recommender.report.discovery_report import label_commands, selector_objects

BY_LABEL = DiscoverySelectors(
    "labels to add",
    ((("istio-discovery", "NotIn", ("disabled",)),),),
    (),
    (),
    ("istio-discovery", "disabled"),
)


def namespace(name: str, *kinds: NeedKind, **labels: str) -> FoundNamespace:
    needs = tuple(NamespaceNeed(kind, f"detail of {kind}") for kind in kinds)
    return FoundNamespace(name, labels, Contents(1, 2, 3, {"Sidecar": 4}), needs)


def report(answer: DiscoveryAnswer, *notes: MeshNote) -> DiscoveryReport:
    return DiscoveryReport(answer, LineCounts(1, 1, ()), notes, (1, 31), False, None)


ANSWER = DiscoveryAnswer(
    idle=(namespace("attic"),),
    kept=(
        namespace("shop", "proxy", "logged"),
        namespace("mute", "proxy", "injection"),
        namespace("stray", "not in the dump"),
    ),
    hidden_already=(namespace("far"), namespace("lost", "called"), namespace("dns", "system")),
    selectors=BY_LABEL,
    evidence=None,
    proof=Proof(8, 20, 0, workloads_with_proxies=30, silent_workloads=22),
    watched_before=Watched(3, 3, 6, 9, 12),
    watched_after=Watched(2, 2, 4, 6, 8),
    savings=ProxySavings(2, 6, 4, 3, 2, 24_000_000_000, 8_000_000, 1_500, 999),
    silent=(SilentWorkload(WorkloadId("mute", "Deployment", "m"), "logged nothing"),),
    doubts=("ztunnel runs in this mesh",),
)


def lines(answer: DiscoveryAnswer, *notes: MeshNote) -> list[str]:
    return render_discovery_table(report(answer, *notes), width=200).splitlines()


def test_what_asks_for_a_look_is_warned_of() -> None:
    refused = MeshNote("left out", "Pod shop/x", 2, is_loss=True)
    assumed = MeshNote("no ConfigMap with the MeshConfig, so Istio's defaults are assumed", "x")

    assert [line for line in lines(ANSWER, refused, assumed) if line.startswith("!")] == [
        "! Istio's version is not in the mesh dump; the rules of 1.31 were used",
        "! Objects of the mesh dump that could not be used: 2",
        "! No MeshConfig in the mesh dump: Istio's defaults are assumed for what it sets",
        "! Workloads whose calls are not known: 1 – logged nothing (1)",
        "! Ztunnel runs in this mesh",
        "! Hidden already, but needed: lost",
        "! Kept since the dump has no Namespace for them: stray; dump every Namespace",
        "! Kept for their proxies alone, of which no log shows use: mute; without proxies they "
        "could be hidden",
    ]


def test_a_mesh_config_that_cannot_be_used_is_not_called_missing() -> None:
    refused = MeshNote("a MeshConfig that istiod would refuse, so defaults are assumed: x", "x")

    told = [line for line in lines(ANSWER, refused) if "MeshConfig in the mesh dump" in line]
    assert told == [
        "! The MeshConfig in the mesh dump could not be used: Istio's defaults are assumed for "
        "what it sets"
    ]


def test_doubts_stand_in_the_file_also_where_nothing_is_to_hide() -> None:
    nothing = replace(ANSWER, idle=(), selectors=DiscoverySelectors("nothing to hide", (), (), ()))

    assert "# ztunnel runs in this mesh" in render_discovery_yaml(report(nothing)).splitlines()


PARTLY = (
    "Proved in part: 20 ways of calling of 8 workloads, each ends where it did; the calls of 22 of "
    "30 workloads with proxies are not known"
)


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        (ANSWER.proof, PARTLY),
        (
            Proof(3, 1, 2, 3),
            "Proved: 1 way of calling of 3 workloads, each ends where it did, also",
        ),
    ],
)
def test_the_proof_says_at_once_how_much_is_silent(proof: Proof, told: str) -> None:
    answer = replace(ANSWER, proof=proof)
    (line,) = [line for line in lines(answer) if line.startswith("Proved")]
    yaml = render_discovery_yaml(report(answer))
    document = json.loads(render_discovery_json(report(answer)))

    assert line.startswith(told)
    assert f"# {line}\n" in yaml
    assert document["proof"] == asdict(proof)


def test_commands_come_after_a_word_on_what_is_not_proved() -> None:
    found = lines(ANSWER)
    place = found.index("Selectors, by a label to add")

    assert found[place + 1] == (
        "  Proved only in part: the calls of 22 of 30 workloads with proxies are not known."
    )
    assert not [line for line in lines(replace(ANSWER, proof=Proof(1, 1, 1))) if "alone:" in line]


def test_what_selectors_are_made_without_is_told() -> None:
    made = replace(BY_LABEL, ignored="x[1]: y", seen_by_name=("far",), unknown=("pay",))
    answer = replace(ANSWER, selectors=made)
    document = json.loads(render_discovery_json(report(answer)))["selectors"]

    for text in ("\n".join(lines(answer)), render_discovery_yaml(report(answer))):
        assert "istiod ignores those of the MeshConfig (x[1]: y)" in text
        assert "Seen by their names" in text
        assert "the dump has no Namespace for them: far" in text
        assert "No existing label can tell them apart" in text
    assert [document[name] for name in ("ignored", "seen_by_name", "unknown")] == [
        "x[1]: y",
        ["far"],
        ["pay"],
    ]


def test_what_was_not_used_of_the_dump_is_listed_the_losses_first() -> None:
    notes = (
        MeshNote("a kind that plays no part", "Event", 9),
        MeshNote("left out", "Pod shop/x", is_loss=True),
    )
    found = lines(ANSWER, *notes)
    place = found.index("Mesh dump: Istio 1.31 (assumed)")

    assert found[place + 1 : place + 3] == [
        "  left out: Pod shop/x",
        "  a kind that plays no part: Event (9)",
    ]


def test_savings_are_in_units_that_can_be_read() -> None:
    (told,) = [line for line in lines(ANSWER) if "sidecar proxies" in line]

    assert "about 2 kB → 1 kB" in told
    assert "about 24.0 GB → 8.0 MB" in told


def test_what_is_hidden_already_is_listed_the_needed_first() -> None:
    found = lines(ANSWER)
    place = found.index("Hidden already, by the selectors in force")

    assert found[place + 1 : place + 3] == [
        "  lost, which is needed: called: detail of called",
        "  far, dns",
    ]


def test_selectors_that_hide_new_namespaces_say_so() -> None:
    hiding = replace(BY_LABEL, by="existing labels", added_label=None, shows_new=False)
    told = "  A new namespace is hidden until it has such a label."

    assert told in lines(replace(ANSWER, selectors=hiding))
    assert told not in lines(ANSWER)


@pytest.mark.parametrize(
    ("labels", "ending"), [({}, ""), ({"istio-discovery": "x"}, " --overwrite")]
)
def test_commands_name_a_few_namespaces_each(labels: dict[str, str], ending: str) -> None:
    many = tuple(
        replace(namespace(f"n{number}"), labels=labels if number == 8 else {})
        for number in range(9)
    )

    assert label_commands(replace(ANSWER, idle=many)) == [
        f"kubectl label namespace n0 n1 n2 n3 n4 n5 n6 n7 istio-discovery=disabled{ending}",
        f"kubectl label namespace n8 istio-discovery=disabled{ending}",
    ]


def test_selectors_are_written_as_the_mesh_config_has_them() -> None:
    selector = (
        ("a", "In", ("x",)),
        ("b", "In", ("x", "y")),
        ("c", "Exists", ()),
        ("a", "In", ("z",)),
    )

    assert selector_objects([selector, ()]) == [
        {
            "matchLabels": {"a": "x"},
            "matchExpressions": [
                {"key": "b", "operator": "In", "values": ["x", "y"]},
                {"key": "c", "operator": "Exists"},
                {"key": "a", "operator": "In", "values": ["z"]},
            ],
        },
        {},
    ]
