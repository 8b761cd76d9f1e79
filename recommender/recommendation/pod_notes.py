"""What the pods of a workload say against taking its logs for the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from recommender.mesh import Pod
from recommender.recommendation.model import Note


def notes_of_pods(pods: Iterable[Pod], live: Collection[Pod], logged: set[str]) -> Iterator[Note]:
    """Name pods that logged nothing, that logs do not tell apart, and that have no proxy.

    `live` are those with a proxy that runs, `logged` the names of those that logged.
    """
    names = Counter(pod.meta.name for pod in live)
    silent = sorted(name for name in names.elements() if name not in logged)
    if silent:
        detail = f"{len(silent)} of {len(live)} pods logged nothing: {', '.join(silent[:3])}"
        yield Note("silent pods", detail)
    shared = sorted(name for name, count in names.items() if name in logged and count > 1)
    if shared:
        told = f"pods of several Kubernetes clusters log as {', '.join(shared[:3])}"
        yield Note("shared pod name", f"{told}: which one did is not known")
    running = [pod for pod in pods if not pod.has_ended]
    without = sorted(pod.meta.name for pod in running if pod.proxy is None)
    if without:
        detail = f"{len(without)} of {len(running)} pods without a proxy: {', '.join(without[:3])}"
        yield Note("unproxied pods", detail)
