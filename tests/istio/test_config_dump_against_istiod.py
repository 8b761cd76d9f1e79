"""What is read of a config_dump is what istiod encodes, and corrects an estimate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from recommender.config_dump import ConfigDump
from recommender.config_dump.read import parse_config_dump
from recommender.mesh import load_mesh
from recommender.pipeline import Sources, size_sidecars
from tests.istio.config_size_counts import TYPES
from tests.istio.conformance_case import ask_istiod, random_case
from tests.istio.judge import JudgedProxy, require_go, run_judge
from tests.istio.shop_calls import MESH as SHOP
from tests.istio.verdicts import Verdict

SEEDS = range(41_000, 41_008)
WITHIN = 0.02
"""How far off the encoded bytes of a type are that are told from JSON, as the report says."""


def asking(proxy: JudgedProxy) -> JudgedProxy:
    return replace(proxy, size=True, config_dump=True)


@pytest.fixture(scope="module")
def shop() -> Sequence[Verdict]:
    """Let istiod write the config_dumps of the shop's proxies."""
    require_go()
    pods = [pod for pod in load_mesh([SHOP]).pods if pod.proxy == "sidecar" and not pod.has_ended]
    proxies = [
        asking(JudgedProxy(pod.meta.namespace, pod.meta.labels, pod.meta.name, pod.ips))
        for pod in pods
    ]
    (verdicts,) = run_judge([{"mesh_dir": str(SHOP), "proxies": list(map(asdict, proxies))}])
    return verdicts


@pytest.fixture(scope="module")
def random() -> Sequence[Verdict]:
    """Let istiod write the config_dumps of the proxies of random meshes."""
    require_go()
    cases = [random_case(seed) for seed in SEEDS]
    asked = [
        replace(case, callers=tuple((asking(proxy), ()) for proxy, _ in case.callers))
        for case in cases
    ]
    return [verdict for verdicts in ask_istiod(asked) for verdict in verdicts]


def parsed(verdict: Verdict) -> ConfigDump:
    return parse_config_dump([json.dumps(verdict.config_dump).encode()], "istiod")


def sizes(verdict: Verdict) -> Iterator[tuple[str, dict[str, int], dict[str, int]]]:
    """Yield for each type the bytes of each resource as read, and as istiod encodes it."""
    found = parsed(verdict)
    for xds, name in TYPES.items():
        yield (
            xds,
            dict(found.resources[xds]),
            {each.name: each.bytes for each in getattr(verdict.size, name)},
        )


@pytest.mark.parametrize("name", ["shop", "random"])
def test_every_resource_is_read(name: str, request: pytest.FixtureRequest) -> None:
    for verdict in request.getfixturevalue(name):
        for _, read, true in sizes(verdict):
            assert read.keys() == true.keys()


@pytest.mark.parametrize("name", ["shop", "random"])
def test_the_bytes_of_a_type_are_within_two_percent(
    name: str, request: pytest.FixtureRequest
) -> None:
    for verdict in request.getfixturevalue(name):
        for xds, read, true in sizes(verdict):
            total = sum(true.values())
            assert abs(sum(read.values()) - total) <= WITHIN * total, (xds, read, true)


def test_the_estimate_for_a_proxy_of_the_shop_is_hardly_corrected(
    shop: Sequence[Verdict], tmp_path: Path
) -> None:
    path = tmp_path / "config_dump.json"
    path.write_text(json.dumps(shop[0].config_dump), encoding="utf-8")
    report = size_sidecars(Sources((SHOP.parent / "logs",), (SHOP,)), config_dump=path)
    found = report.savings.calibration
    assert found is not None

    assert found.istio_version.startswith("1.31")
    for xds, each in found.types.items():
        assert each.common > 10, xds
        assert each.only_in_dump == each.only_in_mesh == 0, xds
        assert each.factor == pytest.approx(1, abs=0.03), xds
