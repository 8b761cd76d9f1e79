"""The proxies of a workload, by what they are sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from recommender.mesh import Labels, MeshIndex, Pod, WorkloadId
from recommender.recommendation.views import View, Views, ipv6_only, known_labels, proxy_labels


def placed_proxies(
    index: MeshIndex, views: Views, id_: WorkloadId, logged: int
) -> Iterator[tuple[View, Labels, int]]:
    """Yield the views of a workload's proxies with their labels, and how many have each.

    Where none runs now there is one, with the labels of the first to come: pods of a CronJob come
    one after another. In a dump without any pods those that `logged` count.
    """
    pods = index.pods_by_workload.get(id_, ())
    live = [pod for pod in pods if pod.proxy == "sidecar" and not pod.has_ended]
    placed = _by_labels(live)
    if not placed and logged:
        number = 1 if index.mesh.pods else logged
        placed = [(*each, number) for each in proxy_labels(index, id_)[:1]]
    v6 = ipv6_only(pods)
    for cluster, labels, number in placed:
        (view,) = views.of_pods([(cluster, labels)], v6)
        yield view, labels, number


def _by_labels(pods: Iterable[Pod]) -> list[tuple[str, Labels, int]]:
    """Count pods by their Kubernetes cluster and the labels that istiod knows them by."""
    counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
    for pod in pods:
        cluster = pod.meta.kubernetes_cluster
        counts[cluster, tuple(sorted(known_labels(cluster, pod.meta.labels).items()))] += 1
    return [(cluster, dict(items), number) for (cluster, items), number in sorted(counts.items())]
