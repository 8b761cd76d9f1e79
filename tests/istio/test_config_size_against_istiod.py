"""What the model counts of a proxy's configuration istiod sends; the bytes are close to it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from recommender.istio.config_size import ESTIMATE_ERRORS, config_size, size_of_resources
from recommender.istio.sidecar_scope import build_scope_rules
from recommender.istio.size_amounts import OutboundResources
from tests.istio.config_size_counts import (
    STATIC,
    TYPES,
    VIRTUAL_OUTBOUND,
    Sample,
    differences,
)
from tests.istio.config_size_fit import (
    SETTINGS,
    accuracies,
    rank_correlation,
    saved,
)
from tests.istio.config_size_samples import (
    asking_for_sizes,
    benchmark_samples,
    random_samples,
    samples_of,
    shop_samples,
    synthetic_samples,
)
from tests.istio.conformance_case import RUNS, Case, ask_istiod, random_case
from tests.istio.delegate_mesh import DELEGATES, delegate_mesh
from tests.istio.endpoint_mesh import LISTENERS, endpoint_mesh, listening
from tests.istio.judge import JudgedProxy, require_go
from tests.istio.verdicts import Verdict
from tests.mesh.helpers import Object

SEEDS = range(20_000, 20_030)
UNSEEN = range(32_000, 32_020)
RETRYING = range(33_000, 33_010)


@pytest.fixture(scope="module")
def shop() -> list[Sample]:
    """Measure the shop, without and with the recommended Sidecars."""
    require_go()
    return shop_samples()


@pytest.fixture(scope="module")
def synthetic() -> list[Sample]:
    """Measure a synthetic mesh, without and with the recommended Sidecars."""
    require_go()
    return synthetic_samples()


def counted_by_istiod(sample: Sample) -> dict[str, int]:
    """Count as `ConfigSize` does what istiod sends."""
    found = {xds: sample.sent(xds) for xds in TYPES}
    clusters = [each for each in found["cds"] if each.name not in STATIC]
    listeners = [each for each in found["lds"] if each.name != VIRTUAL_OUTBOUND]
    return {
        "clusters": len(clusters),
        "static_clusters": len(found["cds"]) - len(clusters),
        "load_assignments": len(found["eds"]),
        "endpoints": sum(each.parts for each in found["eds"]),
        "listeners": len(listeners),
        "filter_chains": sum(each.parts for each in listeners),
        "route_configurations": len(found["rds"]),
        "virtual_hosts": sum(each.parts for each in found["rds"]),
        "routes": sum(each.routes for each in found["rds"]),
    }


def lasting_differences(case: Case, verdicts: Sequence[Verdict]) -> list[object]:
    """Say what differs however often istiod is asked.

    What differs in some runs only istiod leaves to chance, or its fake server was not ready.
    """
    rules = build_scope_rules(case.mesh())
    found = {
        (sample.proxy.namespace, sample.proxy.name): differences(sample)
        for sample in samples_of(case, rules, verdicts)
        if not sample.config.scope.by_chance
    }
    found = {proxy: what for proxy, what in found.items() if what}
    for again in ask_istiod([case] * RUNS) if found else ():
        for sample in samples_of(case, rules, again):
            if not differences(sample):
                found.pop((sample.proxy.namespace, sample.proxy.name), None)
    return [(case.name, *each) for each in found.items()]


def test_random_meshes_have_the_resources_that_istiod_sends() -> None:
    require_go()
    cases = [asking_for_sizes(random_case(seed), {}) for seed in SEEDS]
    answers = zip(cases, ask_istiod(cases), strict=True)
    wrong = [each for case, verdicts in answers for each in lasting_differences(case, verdicts)]

    assert not wrong, wrong[:3]


@pytest.mark.parametrize(
    ("listeners", "address"),
    [*((name, "10.243.0.1") for name in LISTENERS), ("everything", "fd00::1")],
)
def test_endpoints_of_every_kind_are_counted_as_istiod_does(listeners: str, address: str) -> None:
    require_go()
    proxy = JudgedProxy("a", {"app": "x"}, ips=(address,), size=True)
    objects = (*endpoint_mesh(), listening(*LISTENERS[listeners]))
    case = Case(listeners, objects, ((proxy, ()),))
    (verdicts,) = ask_istiod([case])

    assert lasting_differences(case, verdicts) == []


def route_bytes(case: Case) -> dict[str, tuple[int, int]]:
    """Map the route configurations of a case's only proxy to the estimate and the true bytes."""
    (verdicts,) = ask_istiod([case])
    (sample,) = samples_of(case, build_scope_rules(case.mesh()), verdicts)
    true = {each.name: each.bytes for each in sample.sent("rds")}
    routes = OutboundResources.of(sample.config).routes.items()
    alone = {name: OutboundResources(routes={name: hosts}) for name, hosts in routes}
    sizes = {name: size_of_resources(sample.config, each) for name, each in alone.items()}
    assert sizes.keys() == true.keys()
    return {name: (size.rds_bytes, true[name]) for name, size in sizes.items()}


def test_what_roots_hand_on_to_delegates_is_about_as_large_as_istiod_makes_it() -> None:
    """Each route configuration has one route of a delegate."""
    require_go()
    proxy = JudgedProxy("a", {}, size=True)
    found = route_bytes(Case("delegates", tuple(delegate_mesh()), ((proxy, ()),)))

    assert len(found) == DELEGATES
    assert not {name: two for name, two in found.items() if abs(two[0] - two[1]) > 0.02 * two[1]}


def test_the_routes_of_an_http_proxy_are_about_as_large_as_istiod_makes_them() -> None:
    require_go()
    proxy = JudgedProxy("a", {"app": "x"}, ips=("10.243.0.1",), size=True)
    objects = (*endpoint_mesh(), listening(*LISTENERS["HTTP proxy"]))
    estimate, true = route_bytes(Case("HTTP proxy", objects, ((proxy, ()),)))["3128"]

    assert true > 3000
    assert abs(estimate - true) < 0.02 * true


@pytest.mark.parametrize("name", ["shop", "synthetic"])
def test_a_mesh_has_the_resources_that_istiod_sends(
    name: str, request: pytest.FixtureRequest
) -> None:
    samples: list[Sample] = request.getfixturevalue(name)

    assert [found for sample in samples if (found := differences(sample))] == []


@pytest.mark.parametrize("name", ["shop", "synthetic"])
def test_the_size_counts_what_istiod_sends(name: str, request: pytest.FixtureRequest) -> None:
    samples: list[Sample] = request.getfixturevalue(name)

    for sample in samples:
        size, counted = config_size(sample.config), counted_by_istiod(sample)
        assert {what: getattr(size, what) for what in counted} == counted


@pytest.mark.parametrize("name", ["shop", "synthetic"])
def test_the_estimated_bytes_are_within_three_percent(
    name: str, request: pytest.FixtureRequest
) -> None:
    """The coefficients are fitted to random meshes alone."""
    samples: list[Sample] = request.getfixturevalue(name)
    found = accuracies(samples)

    assert found["all"].most < 0.03, found
    assert all(accuracy.mean < 0.03 for accuracy in found.values()), found


@pytest.fixture(scope="module")
def unseen() -> list[Sample]:
    """Measure random meshes that coefficients were not fitted to, some logging, some traced."""
    require_go()
    each = len(UNSEEN) // len(SETTINGS)
    seeds = (UNSEEN[n * each : (n + 1) * each] for n in range(len(SETTINGS)))
    meshes = zip(seeds, SETTINGS.values(), strict=True)
    found = (random_samples(part, config, more) for part, (config, more) in meshes)
    return [sample for samples in found for sample in samples]


@pytest.mark.parametrize("policy", [{"attempts": 0}, {"attempts": 3, "retryOn": "5xx"}])
def test_the_estimate_knows_how_a_mesh_wants_requests_tried_again(policy: Object) -> None:
    require_go()
    found = accuracies(random_samples(RETRYING, {"defaultHttpRetryPolicy": policy}))["rds"]
    p50, p95 = ESTIMATE_ERRORS["rds"]

    assert found.p50 <= p50, found
    assert found.p95 <= p95, found


@pytest.fixture(scope="module")
def benchmark() -> list[Sample]:
    """Measure the mesh of the benchmark, without and with the recommended Sidecars."""
    require_go()
    return benchmark_samples()


@pytest.mark.parametrize("name", ["shop", "synthetic", "unseen", "benchmark"])
def test_the_estimated_bytes_are_as_close_as_is_said(
    name: str, request: pytest.FixtureRequest
) -> None:
    """Nothing of these meshes had a part in the fit."""
    found = accuracies(request.getfixturevalue(name))

    for xds, (p50, p95) in ESTIMATE_ERRORS.items():
        print(f"{name}, {xds}: {found[xds]}")  # noqa: T201 - `pytest -s` shows how close they are
        assert found[xds].p50 <= p50 <= 0.03, (xds, found)
        assert found[xds].p95 <= p95 <= 0.10, (xds, found)


@pytest.mark.parametrize("name", ["shop", "synthetic", "benchmark"])
def test_workloads_are_ranked_by_what_sidecars_save_them(
    name: str, request: pytest.FixtureRequest
) -> None:
    samples: list[Sample] = request.getfixturevalue(name)

    assert rank_correlation(saved(samples)) > 0.99
