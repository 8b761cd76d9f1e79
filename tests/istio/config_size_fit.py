"""Fit the coefficients of `config_size` to istiod: `python -m tests.istio.config_size_fit`.

Needs Go and some minutes. Prints the fitted coefficients next to those in use, and how far both
are off: on what they were fitted to, and on meshes that had no part in it. How often a name is
repeated (`*_byte`, `domain`) is known from istiod's code and not fitted.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import ceil
from statistics import fmean
from typing import Any

from benchmarks.config_size.shape import FULL
from recommender.istio.config_size import (
    DEFAULT_COEFFICIENTS,
    SizeCoefficients,
    config_size,
)
from recommender.istio.proxy_config import ProxyConfig
from recommender.istio.size_amounts import OutboundResources, size_amounts
from tests.istio.config_size_counts import TYPES, Sample, differences
from tests.istio.config_size_samples import (
    SMALL,
    benchmark_samples,
    random_samples,
    shop_samples,
    synthetic_samples,
)
from tests.mesh.helpers import Object, obj

SEEDS = {
    "silent": range(30_000, 30_025),
    "logging as text": range(30_025, 30_050),
    "logging as JSON": range(30_050, 30_065),
    "traced": range(30_065, 30_080),
}
OTHER_SEEDS = range(31_000, 31_030)
LEAST_BYTES = 500
"""Below so many bytes an error is weighed as if there were so many."""
METRICS: Mapping[str, object] = {"defaultProviders": {"metrics": ["prometheus"]}}
"""What every installation of Istio has, but a random mesh has not."""
TEXT_LOG: Mapping[str, object] = {"accessLogFile": "/dev/stdout"}
JSON_LOG: Mapping[str, object] = {**TEXT_LOG, "accessLogEncoding": "JSON"}
TRACING: Mapping[str, object] = {
    "enableTracing": True,
    "defaultProviders": {"metrics": ["prometheus"], "tracing": ["collector"]},
    "extensionProviders": [
        {
            "name": "collector",
            "opentelemetry": {"service": "collector.tracing.svc.cluster.local", "port": 4317},
        }
    ],
}
COLLECTOR = obj(
    "v1",
    "Service",
    "collector",
    "tracing",
    created="2020-01-01T00:00:00Z",
    spec={"clusterIP": "10.96.200.1", "ports": [{"name": "grpc-otlp", "port": 4317}]},
)
SETTINGS: Mapping[str, tuple[Mapping[str, object], tuple[Object, ...]]] = {
    "silent": (METRICS, ()),
    "logging as text": ({**METRICS, **TEXT_LOG}, ()),
    "logging as JSON": ({**METRICS, **JSON_LOG}, ()),
    "traced": ({**TEXT_LOG, **TRACING}, (COLLECTOR,)),
}

Samples = dict[str, list[Sample]]


def fitted_samples() -> Samples:
    """Measure the meshes that coefficients are fitted to."""
    return {
        f"random, {name}": random_samples(SEEDS[name], *settings)
        for name, settings in SETTINGS.items()
    }


def other_samples(services: int = SMALL.services, full_benchmark: int = 0) -> Samples:
    """Measure meshes that have no part in the fit.

    Of the benchmark's mesh in full size about so many proxies count, as it takes minutes.
    """
    sizes = replace(SMALL, services=services, pods=services * 5 // 2)
    found = {
        "shop": shop_samples(),
        "shop, logs as JSON": shop_samples(_log([{"providers": [{"name": "json-log"}]}])),
        "shop, no logs": shop_samples(_log([{"disabled": True}])),
        "shop, not traced": shop_samples(lambda spec: spec.pop("tracing", None)),
        f"synthetic, {services} services": synthetic_samples(sizes),
        "benchmark, small": benchmark_samples(),
        "other random meshes": random_samples(OTHER_SEEDS, {**METRICS, **JSON_LOG}),
    }
    if full_benchmark:
        found["benchmark, full"] = benchmark_samples(FULL, full_benchmark)
    return found


def fit(samples: Sequence[Sample]) -> SizeCoefficients:
    """Fit the coefficients to single resources by least squares.

    Only proxies count that are sent the resources of the model. A coefficient that no resource is
    due to stays as it is.
    """
    found = asdict(DEFAULT_COEFFICIENTS)
    like = [s for s in samples if not s.config.scope.by_chance and not differences(s)]
    single = Counter(each for sample in like for each in single_resources(sample))
    for xds in TYPES:
        resources = [(dict(each[1]), each[2], n) for each, n in single.items() if each[0] == xds]
        names = {name for amounts, *_ in resources for name, often in amounts.items() if often}
        free = sorted(name for name in names if not _is_known(name))
        rows, targets, weights = [], [], []
        for amounts, size, number in resources:
            known = sum(found[name] * often for name, often in amounts.items() if _is_known(name))
            rows.append([amounts.get(name, 0) for name in free])
            targets.append(size - known)
            weights.append(number / max(size, LEAST_BYTES))
        found.update(zip(free, least_squares(rows, targets, weights), strict=True))
    return SizeCoefficients(**{name: round(value) for name, value in found.items()})


Single = tuple[str, tuple[tuple[str, int], ...], int]
"""An xDS type, what is counted of one of its resources, and the bytes of that in truth."""


def single_resources(sample: Sample) -> Iterator[Single]:
    """Yield what a proxy is sent, resource by resource; what every proxy has counts as one."""
    config = sample.config
    resources = OutboundResources.of(config)
    sent = {xds: {each.name: each.bytes for each in sample.sent(xds)} for xds in TYPES}
    for xds, name, only in resources.each():
        yield xds, _amounts(config, only, xds), sent[xds].pop(name)
    rest = replace(resources, clusters=(), listeners=(), routes={})
    for xds, found in sent.items():
        if found:
            yield xds, _amounts(config, rest, xds), sum(found.values())


def _amounts(
    config: ProxyConfig, resources: OutboundResources, xds: str
) -> tuple[tuple[str, int], ...]:
    amounts: Mapping[str, int] = getattr(size_amounts(config, resources), xds)
    return tuple(sorted(amounts.items()))


def least_squares(
    rows: Sequence[Sequence[float]], targets: Sequence[float], weights: Sequence[float]
) -> list[float]:
    """Solve weighted linear least squares by the normal equations."""
    size = len(rows[0])
    weighed = [(row, y, w) for row, y, w in zip(rows, targets, weights, strict=True)]
    system = [
        [
            *(sum(w * row[i] * row[j] for row, _, w in weighed) for j in range(size)),
            sum(w * row[i] * y for row, y, w in weighed),
        ]
        for i in range(size)
    ]
    for i in range(size):
        pivot = max(range(i, size), key=lambda row: abs(system[row][i]))
        system[i], system[pivot] = system[pivot], system[i]
        for k in range(size):
            if k != i:
                factor = system[k][i] / system[i][i]
                system[k] = [a - factor * b for a, b in zip(system[k], system[i], strict=True)]
    return [system[i][size] / system[i][i] for i in range(size)]


def _is_known(name: str) -> bool:
    return name.endswith("_byte") or name == "domain"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Say how far estimates of some proxies are off, as shares of the true bytes."""

    mean: float
    p50: float
    p95: float
    most: float

    @classmethod
    def of(cls, pairs: Sequence[tuple[int, int]]) -> Accuracy:
        """Compare estimated and true bytes, pair by pair."""
        errors = sorted(abs(estimate - true) / true for estimate, true in pairs if true)
        p50, p95 = (errors[ceil(len(errors) * part) - 1] for part in (0.5, 0.95))
        return cls(fmean(errors), p50, p95, errors[-1])

    def __str__(self) -> str:
        return f"{self.p50:.1%} {self.p95:.1%} ({self.most:.0%})"


def accuracies(
    samples: Sequence[Sample], coefficients: SizeCoefficients = DEFAULT_COEFFICIENTS
) -> dict[str, Accuracy]:
    """Tell the accuracy of each type, and of `all`."""
    sizes = [config_size(sample.config, coefficients) for sample in samples]
    found = {
        xds: Accuracy.of(
            [
                (size.bytes_of(xds), sample.true_bytes(xds))
                for size, sample in zip(sizes, samples, strict=True)
            ]
        )
        for xds in TYPES
    }
    pairs = [(s.bytes, sample.true_bytes()) for s, sample in zip(sizes, samples, strict=True)]
    return {**found, "all": Accuracy.of(pairs)}


def saved(
    samples: Sequence[Sample], coefficients: SizeCoefficients = DEFAULT_COEFFICIENTS
) -> list[tuple[int, int]]:
    """List what the recommended Sidecars save each proxy, by the estimate and in truth."""
    before = [sample for sample in samples if not sample.scoped]
    after = [sample for sample in samples if sample.scoped]
    return [
        (
            config_size(a.config, coefficients).bytes - config_size(b.config, coefficients).bytes,
            a.true_bytes() - b.true_bytes(),
        )
        for a, b in zip(before, after, strict=True)
    ]


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Compute Spearman's rank correlation; equal values share a rank."""
    left, right = (_ranks([pair[side] for pair in pairs]) for side in (0, 1))
    middle = (len(pairs) - 1) / 2
    covariance = sum((a - middle) * (b - middle) for a, b in zip(left, right, strict=True))
    spreads = [sum((rank - middle) ** 2 for rank in ranks) for ranks in (left, right)]
    return float(covariance / (spreads[0] * spreads[1]) ** 0.5)


def _ranks(values: Sequence[float]) -> list[float]:
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    return [fmean(places[value]) for value in values]


def report(fitted: Samples, others: Samples) -> Iterator[str]:
    """Yield the lines of the report."""
    new = fit([sample for samples in fitted.values() for sample in samples])
    yield f"{'coefficient':<28}{'in use':>9}{'fitted':>9}"
    for field in fields(SizeCoefficients):
        values = (getattr(each, field.name) for each in (DEFAULT_COEFFICIENTS, new))
        yield f"{field.name:<28}" + "".join(f"{value:>9.0f}" for value in values)
    for title, coefficients in (("in use", DEFAULT_COEFFICIENTS), ("fitted", new)):
        yield ""
        yield f"coefficients {title}: error of the bytes per proxy, p50 and p95 (largest)"
        yield f"{'':<40}{'proxies':>8}" + "".join(f"{xds:>18}" for xds in (*TYPES, "all"))
        for kind, sets in (("fitted to", fitted), ("not fitted to", others)):
            for name, samples in sets.items():
                found = accuracies(samples, coefficients).values()
                shares = "".join(str(each).rjust(18) for each in found)
                yield f"{kind}: {name}".ljust(40) + f"{len(samples):>8}{shares}"
    yield ""
    yield "rank correlation (Spearman) of estimated and true bytes that Sidecars save"
    for name, samples in {**fitted, **others}.items():
        if any(sample.scoped for sample in samples):
            yield f"{name:<46}{rank_correlation(saved(samples)):>8.4f}"


def _log(entries: list[dict[str, Any]]) -> Callable[[dict[str, Any]], object]:
    def change(spec: dict[str, Any]) -> None:
        if "accessLogging" in spec:
            spec["accessLogging"] = entries

    return change


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, fit and print."""
    parser = argparse.ArgumentParser(prog="tests.istio.config_size_fit", description=__doc__)
    parser.add_argument("--services", type=int, default=SMALL.services, metavar="N")
    parser.add_argument("--full-benchmark", type=int, default=0, metavar="PROXIES")
    chosen = parser.parse_args(arguments)
    others = other_samples(chosen.services, chosen.full_benchmark)
    for line in report(fitted_samples(), others):
        print(line)  # noqa: T201 - this is a command
    return 0


if __name__ == "__main__":
    sys.exit(main())
