"""A real proxy's config_dump corrects the estimates; what cannot be compared is counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from recommender.config_dump.read import parse_config_dump
from recommender.errors import InputError
from recommender.savings import Savings, measure_savings
from tests.config_dump.helpers import bootstrap, cluster, clusters, dump, endpoints, listeners
from tests.mesh.helpers import Object, mesh_of_objects
from tests.recommendation.helpers import (
    decide,
    deployment,
    fqdn,
    http_call,
    pod_name,
    service,
)

NAMES = [f"outbound|8080||{fqdn(name)}" for name in ("web.shop", "api.shop", "idle.shop")]
BUSY = http_call("shop/" + pod_name("web"), fqdn("api.shop"), fqdn("api.shop"))
WEB = f"sidecar~10.244.0.1~{pod_name('web')}.shop~shop.svc.cluster.local"
PADDING = {"metadata": {"text": "x" * 3000}}


def shop() -> list[Object]:
    objects = [*deployment("web"), *deployment("api", ip="10.244.1")]
    objects += [service(name, ip=f"10.96.0.{n}") for n, name in enumerate(("web", "api", "idle"))]
    return objects


def measured(*configs: dict[str, Any], node_id: str = WEB, version: str = "1.31.0") -> Savings:
    content = dump(bootstrap(node_id, version), *configs)
    found = parse_config_dump([content], "dump.json")
    objects = shop()
    return measure_savings(mesh_of_objects(*objects), decide(objects, [BUSY]), found)


def padded(names: Iterable[str]) -> dict[str, Any]:
    """Make clusters of about 3 kB each."""
    return clusters(*(cluster(name, **PADDING) for name in names))


def test_estimates_are_multiplied_by_what_the_proxy_has_more() -> None:
    objects = shop()
    plain = measure_savings(mesh_of_objects(*objects), decide(objects, [BUSY]))
    found = measured(padded(NAMES))
    assert found.calibration is not None
    cds = found.calibration.types["cds"]

    assert cds.common == 3
    assert cds.factor == pytest.approx(cds.actual_bytes / cds.estimated_bytes)
    assert cds.factor > 2
    for before, after in ((plain.before, found.before), (plain.after, found.after)):
        assert after.cds_bytes == pytest.approx(cds.factor * before.cds_bytes, rel=0.001)
        assert (after.eds_bytes, after.lds_bytes) == (before.eds_bytes, before.lds_bytes)
        assert after.clusters == before.clusters


def test_only_resources_that_both_have_are_compared() -> None:
    """So it does not matter that the dumps were not taken at one time."""
    found = measured(padded(NAMES[:2]), padded(["outbound|80||new.shop.svc.cluster.local"]))
    whole = measured(padded(NAMES))
    assert found.calibration is not None
    assert whole.calibration is not None
    cds = found.calibration.types["cds"]

    assert (cds.common, cds.only_in_dump, cds.only_in_mesh) == (2, 1, 1)
    assert cds.factor == pytest.approx(whole.calibration.types["cds"].factor, rel=0.02)


def test_what_has_nothing_to_do_with_scope_is_not_compared() -> None:
    others = ["inbound|80||", "BlackHoleCluster", "PassthroughCluster", "InboundPassthroughCluster"]
    found = measured(padded([*NAMES, *others]), listeners("virtualInbound", "virtualOutbound"))
    assert found.calibration is not None

    assert found.calibration.types["cds"].only_in_dump == 0
    assert found.calibration.types["lds"].only_in_dump == 0


def test_a_type_that_the_dump_lacks_is_not_corrected() -> None:
    found = measured(padded(NAMES))
    assert found.calibration is not None
    eds = found.calibration.types["eds"]

    assert (eds.common, eds.factor) == (0, 1.0)
    assert eds.only_in_mesh == 3


def test_load_assignments_are_compared() -> None:
    found = measured(endpoints(*NAMES, endpoints=[{"lb_endpoints": [{"text": "x" * 500}]}]))
    assert found.calibration is not None
    eds = found.calibration.types["eds"]

    assert eds.common == 3
    assert eds.actual_bytes > 1500
    assert eds.factor > 1


@pytest.mark.parametrize(
    ("node_id", "said"),
    [
        ("envoy", "its node id tells no pod: 'envoy'"),
        ("sidecar~1.2.3.4~stray-1.shop~x", "of shop/stray-1, which is of no workload of the mesh"),
        ("sidecar~1.2.3.4~\x1b[31m.shop~x", "is of no workload of the mesh dump"),
    ],
)
def test_a_dump_of_another_mesh_is_refused(node_id: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        measured(padded(NAMES), node_id=node_id)

    assert said in str(error.value)


def test_a_pod_that_is_gone_counts_for_its_workload() -> None:
    gone = WEB.replace(pod_name("web"), "web-7d9c5b8f6d-zzzzz")
    found = measured(padded(NAMES), node_id=gone)
    assert found.calibration is not None

    assert found.calibration.workload.name == "web"
    assert found.calibration.types["cds"].common == 3


def test_the_version_of_istio_is_kept() -> None:
    found = measured(padded(NAMES), version="1.29.3")
    assert found.calibration is not None

    assert found.calibration.istio_version == "1.29.3"
