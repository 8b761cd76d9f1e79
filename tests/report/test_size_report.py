"""What `size` prints: sums, the biggest wins first, and how sure the figures are."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from typing import Any

import pytest

from recommender.access_logs import LineCounts
from recommender.istio.config_size import ESTIMATE_ERRORS, ConfigSize
from recommender.istio.pushes import ENDPOINTS, SERVICE, ConfigKey
from recommender.report import SizeReport, render_size_json, render_size_table
from recommender.report.size_model import reach_by_kind
from recommender.savings import (
    Calibration,
    ChangeReach,
    NotEstimated,
    Price,
    Savings,
    TradeOff,
    TypeCalibration,
    WorkloadSavings,
)
from tests.report.helpers import workload
from tests.sidecars.helpers import HOSTILE

ONE = ConfigSize(*([1] * len(fields(ConfigSize))))


def size(cds: int = 1000, eds: int = 1000, lds: int = 1000, rds: int = 1000) -> ConfigSize:
    return replace(ONE, cds_bytes=cds, eds_bytes=eds, lds_bytes=lds, rds_bytes=rds)


def saving(name: str, proxies: int = 1, left_out: str = "") -> WorkloadSavings:
    """Make a workload whose proxies have 2.5 MB each before, and 25 kB with a Sidecar."""
    before = size(1_000_000, 500_000, 600_000, 400_000).times(proxies)
    after = before if left_out else size(10_000, 5_000, 6_000, 4_000).times(proxies)
    return WorkloadSavings(workload(name), proxies, before, after, before, left_out)


def report(*workloads: WorkloadSavings, **more: Any) -> SizeReport:
    reach = (
        ChangeReach(ConfigKey(SERVICE, "api.shop", "shop"), 4, 3),
        ChangeReach(ConfigKey(ENDPOINTS, "api.shop", "shop"), 4, 3),
        ChangeReach(ConfigKey(SERVICE, "idle.shop", "shop"), 4, 0),
    )
    savings = Savings(workloads, (), reach, "EndpointSlices")
    made = SizeReport(replace(savings, **more), 1, 1, LineCounts(9, 9), (), (1, 31), True)
    assert made.istio_version_known
    return made


PLAIN = (saving("shop/Deployment/web", 3), saving("shop/Deployment/api", left_out="logged nothing"))


def test_the_sums_come_first() -> None:
    lines = render_size_table(report(*PLAIN)).splitlines()

    assert lines[0] == "Configuration of 4 proxies in 2 workloads: 10.0 MB → 2.6 MB, 74.2 % less"
    assert lines[1].endswith("median: 2.5 MB → 25.0 kB; the largest: 2.5 MB → 25.0 kB")


def test_a_row_tells_the_bytes_of_a_proxy_by_type_and_what_all_are_spared() -> None:
    text = render_size_table(report(*PLAIN))
    (web,) = re.findall(r"^shop/deployment/web .*$", text, re.MULTILINE)

    assert " ".join(web.split()) == (
        "shop/deployment/web 3 2,500 → 25 1,000 → 10 500 → 5.0 600 → 6.0 400 → 4.0 7.4 MB"
    )


def test_a_workload_without_a_sidecar_says_why() -> None:
    text = render_size_table(report(*PLAIN), width=200)
    (api,) = re.findall(r"^shop/deployment/api .*$", text, re.MULTILINE)

    assert api.endswith("0 B  logged nothing")
    assert "! Workloads that get no Sidecar and keep what they have: 1, 1 proxy" in text


def test_changes_are_summed_up_by_kind() -> None:
    text = render_size_table(report(*PLAIN))
    (service,) = re.findall(r"^service .*$", text, re.MULTILINE)

    assert " ".join(service.split()) == "service 2 4.0 → 1.5 100.0 % → 37.5 % 0 → 1"
    assert "  4 → 3  service shop/api.shop" in text
    assert "idle.shop" not in text


def test_the_endpoints_of_a_service_are_not_listed_beside_it() -> None:
    text = render_size_table(report(*PLAIN))

    assert text.count("shop/api.shop") == 1


def test_every_kind_has_a_sum() -> None:
    found = reach_by_kind(report(*PLAIN).savings.reach)

    assert [(each.kind, each.changes, each.before, each.after) for each in found] == [
        ("service", 2, 8, 3),
        ("endpoints", 1, 4, 3),
    ]


def test_the_error_of_the_estimate_is_stated() -> None:
    text = " ".join(render_size_table(report(*PLAIN)).split())

    for xds, (p50, p95) in ESTIMATE_ERRORS.items():
        assert f"{xds.upper()} {100 * p50:.0f} and {100 * p95:.0f} %" in text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("none", "! EDS is not estimated: the mesh dump has neither EndpointSlices nor pods"),
        ("pods", "! No EndpointSlices in the mesh dump: the pods that Services select stand in"),
    ],
)
def test_a_dump_without_endpoints_is_told(source: str, said: str) -> None:
    assert said in render_size_table(report(*PLAIN, endpoints=source), width=200)
    assert "EndpointSlices" not in render_size_table(report(*PLAIN))


def test_no_figure_stands_for_eds_without_endpoints() -> None:
    text = render_size_table(report(*PLAIN, endpoints="none"))
    (eds,) = re.findall(r"^EDS .*$", text, re.MULTILINE)
    (web,) = re.findall(r"^shop/deployment/web .*$", text, re.MULTILINE)

    assert eds.split()[-3:] == ["–", "–", "–"]
    assert "1,000 → 10 – → – 600 → 6.0" in " ".join(web.split())


def test_what_is_not_estimated_is_counted() -> None:
    text = render_size_table(report(*PLAIN, not_estimated=(NotEstimated("gateway", 1, 2),)))

    assert "! Not estimated, gateway: 1 workload, 2 proxies" in text


def test_a_mesh_without_proxies_is_no_error() -> None:
    text = render_size_table(report())

    assert text.startswith("Configuration of 0 proxies in 0 workloads: 0 B → 0 B\n")
    assert json.loads(render_size_json(report()))["workloads"] == []


@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_the_mesh_steer_no_terminal(name: str) -> None:
    change = ChangeReach(ConfigKey(SERVICE, name, name), 4, 3)
    row = replace(PLAIN[0], workload=replace(PLAIN[0].workload, name=name))
    text = render_size_table(report(row, reach=(change,)))

    assert text.replace("\n", "").isprintable()


def calibrated(**more: Any) -> SizeReport:
    """Make a report of which a config_dump corrected CDS, and nothing else."""
    cds, none = TypeCalibration(10, 2, 1, 22_000, 20_000), TypeCalibration(0, 0, 4, 0, 0)
    web, types = PLAIN[0].workload, {"cds": cds, "eds": none, "lds": none, "rds": none}
    made = Calibration("shop", "web-1", web, "1.31.2", is_cut=False, types=types)
    return report(*PLAIN, calibration=replace(made, **more))


def test_a_correction_says_what_was_compared_and_how_far_off_it_was() -> None:
    text = render_size_table(calibrated(), width=200)
    (cds,) = re.findall(r"^CDS .*only.*$", text, re.MULTILINE)

    assert "Corrected by the config_dump of shop/web-1" in text
    assert " ".join(cds.split()) == (
        "CDS 10 20.0 kB 22.0 kB 1.10 2 only in the config_dump, 1 only in the mesh dump"
    )
    assert "! Not corrected, since it has nothing to compare: EDS, LDS, RDS; EDS takes" in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"istio_version": "1.29.1"},
            "! The proxy is of Istio 1.29.1, the rules are those of 1.31",
        ),
        ({"is_cut": True}, "! The config_dump ends early: what comes before counts"),
    ],
)
def test_a_doubt_about_the_config_dump_is_told(more: dict[str, Any], said: str) -> None:
    assert said in render_size_table(calibrated(**more))
    assert said not in render_size_table(calibrated())


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_config_dump_names_steers_no_terminal(name: str) -> None:
    text = render_size_table(calibrated(pod=name, namespace=name, istio_version=name))

    assert text.replace("\n", "").isprintable()


def test_json_has_the_correction() -> None:
    assert json.loads(render_size_json(report(*PLAIN)))["calibration"] is None
    found = json.loads(render_size_json(calibrated()))["calibration"]

    assert found["pod"] == {"namespace": "shop", "name": "web-1"}
    assert found["types"]["cds"] == {
        "common": 10,
        "only_in_dump": 2,
        "only_in_mesh": 1,
        "actual_bytes": 22_000,
        "estimated_bytes": 20_000,
        "factor": 1.1,
    }
    assert found["types"]["eds"]["factor"] == 1


def test_json_has_everything() -> None:
    found = json.loads(render_size_json(report(*PLAIN)))

    assert found["schema"] == 1
    assert found["totals"]["before"]["bytes"] == 10_000_000
    assert found["totals"]["after"]["rds_bytes"] == 3 * 4_000 + 400_000
    assert [each["saved_bytes"] for each in found["workloads"]] == [7_425_000, 0]
    assert [each["left_out"] for each in found["workloads"]] == [None, "logged nothing"]
    assert found["reach"][0] == {
        "kind": "service",
        "namespace": "shop",
        "name": "api.shop",
        "before": 4,
        "after": 3,
    }
    assert found["errors"]["cds"] == dict(zip(("p50", "p95"), ESTIMATE_ERRORS["cds"], strict=True))


def test_json_knows_no_eds_without_endpoints() -> None:
    found = json.loads(render_size_json(report(*PLAIN, endpoints="none")))

    assert found["totals"]["before"]["eds_bytes"] is None
    assert found["workloads"][0]["after"]["eds_bytes"] is None


def compared(*namespaces: str) -> SizeReport:
    """Make a report in which a namespace's own Sidecar is cheaper in the first of some."""
    low, high = Price(1, 10, 1_000_000, 20), Price(9, 90, 2_000_000, 10)
    found = [
        TradeOff(name, 9, 9, *((low, high) if place else (high, low)))
        for place, name in enumerate(namespaces)
    ]
    none = TradeOff("none", 3, 3, low, None, "nothing is proved for none/pod/a")
    return replace(report(*PLAIN), trade_offs=(*found, none), namespaces=namespaces[:1])


def test_the_price_of_each_choice_is_told_the_best_wins_first() -> None:
    lines = render_size_table(compared("cheap", "dear")).splitlines()
    place = lines.index("One Sidecar for a whole namespace instead of one per workload")
    rows = [" ".join(line.split()) for line in lines[place:]]

    cheap = next(row for row in rows if row.startswith("cheap "))
    dear = next(row for row in rows if row.startswith("dear "))
    assert cheap.startswith("cheap 9 9 → 1 2.0 MB → 1.0 MB 10 → 20 ")
    assert cheap.endswith(" namespace")
    assert dear.endswith(" workload")
    assert rows.index(cheap) < rows.index(dear)
    assert "none: nothing is proved for none/pod/a" in rows


def test_each_choice_has_a_sum_and_the_one_made_is_marked() -> None:
    text = render_size_table(compared("cheap", "dear"))
    (auto,) = re.findall(r"^all: --granularity auto .*$", text, re.MULTILINE)
    (workload,) = re.findall(r"^all: --granularity workload .*$", text, re.MULTILINE)

    assert " ".join(auto.split()).startswith("all: --granularity auto 21 3 3.0 MB ")
    assert auto.endswith("as above")
    assert not workload.endswith("as above")


def test_json_has_the_prices() -> None:
    found = json.loads(render_size_json(compared("cheap", "dear")))["granularity"]

    assert [each["chosen"] for each in found["namespaces"]] == ["namespace", "workload", "workload"]
    assert [each["cheaper"] for each in found["namespaces"]] == [
        "namespace",
        "workload",
        "workload",
    ]
    assert found["namespaces"][2]["namespace_wide"] is None
    assert found["totals"]["auto"] == found["totals"]["chosen"]
    assert found["totals"]["auto"]["objects"] == 3


@pytest.mark.parametrize("version", ["1.31-alpha.5f6c1d", "v1.31.0", "1.31", ""])
def test_a_proxy_of_the_same_version_is_no_matter(version: str) -> None:
    assert "The proxy is of Istio" not in render_size_table(calibrated(istio_version=version))


def test_where_nothing_could_be_compared_nothing_is_called_corrected() -> None:
    nothing = dict.fromkeys(("cds", "eds", "lds", "rds"), TypeCalibration(0, 1, 4, 0, 0))
    text = render_size_table(calibrated(types=nothing))

    assert "\nNot corrected by the config_dump of shop/web-1\n" in text
