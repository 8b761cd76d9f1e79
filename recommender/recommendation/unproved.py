"""Why a workload gets no Sidecar once its calls were looked at."""

from __future__ import annotations

from collections.abc import Iterable

from recommender.istio.resolution import Fate
from recommender.mesh import WorkloadId
from recommender.recommendation.model import LeftOut
from recommender.recommendation.needs import CallNeeds

_MOST_NAMES = 3


def at_refused_listener(id_: WorkloadId, needs: Iterable[CallNeeds]) -> LeftOut | None:
    """Leave out a workload that calls at a listener which Envoy refuses.

    Where such a call goes depends on what each proxy had before, and a smaller scope may well
    give it a listener that Envoy takes.
    """
    met = {n.baseline.listener: n for n in needs if n.baseline.fate is Fate.REFUSED_LISTENER}
    if not met:
        return None
    which = f"the listener {_names(met)}, of which two filter chains match the same"
    return LeftOut(id_, "listener refused", f"calls to {_targets(met.values())} meet {which}")


def not_proved(id_: WorkloadId, unproved: Iterable[CallNeeds]) -> LeftOut:
    """Leave out a workload some of whose calls no hosts leave as they are."""
    return LeftOut(
        id_, "not proved", f"no hosts leave the calls to {_targets(unproved)} as they are"
    )


def _targets(needs: Iterable[CallNeeds]) -> str:
    return _names(n.baseline.host or n.call.authority or n.call.address or "a host" for n in needs)


def _names(found: Iterable[str]) -> str:
    """Name the first."""
    names = sorted(set(found))
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
