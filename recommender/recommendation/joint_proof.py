"""The hosts of a workload, proved together for every kind of pod that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recommender.istio.registry import RegistryService
from recommender.istio.resolution import Fate
from recommender.recommendation.entries import without_covered
from recommender.recommendation.host_needs import HostNeed
from recommender.recommendation.hosts import Proof, Prover
from recommender.recommendation.model import Note
from recommender.recommendation.needs import CallNeeds
from recommender.recommendation.views import View

NeedsByView = Sequence[tuple[View, list[CallNeeds]]]
"""What the calls of a workload need, for each view that its proxies have."""
_GUARDS = {
    "own service",
    "provider",
    "egress proxy",
    "peer authentication",
    "pinned",
    "received",
}
_DROPPABLE = {
    "virtual service",
    "destination",
    "alias",
    "every address",
    "listener",
    "beside",
    "widened",
}


@dataclass(frozen=True, slots=True)
class JointProof:
    """Prove hosts for all views of a workload together.

    `aliased` are the services that ExternalNames stand for.
    """

    prover: Prover
    by_view: NeedsByView
    aliased: Sequence[RegistryService]

    def of(self, found: Proof) -> tuple[list[HostNeed], Sequence[CallNeeds]]:
        """Leave out hosts that a wider entry covers, as long as every call stays as it is.

        `found` is what was proved view by view. Returns the hosts that are left, and the calls that
        even they do not leave as they are.
        """
        hosts = list(found.hosts)
        fewer = without_covered(hosts, self.aliased)
        covered = {need.host for need in hosts} - {need.host for need in fewer}
        if len(self.by_view) == 1 and not covered:
            return hosts, found.unproved
        if not self._unproved(fewer):
            return fewer, []
        for host in sorted(covered):
            if self._is_spare(hosts, host):
                hosts = [need for need in hosts if need.host != host]
        return hosts, self._unproved(hosts)

    def brought_along(self, hosts: list[HostNeed]) -> list[Note]:
        """Name the hosts that others make up for, and that are kept all the same.

        Each is needed by a call of its own if that is all there is: so more log never removes
        a host.
        """
        kinds: dict[str, set[str]] = {}
        for need in hosts:
            kinds.setdefault(need.host, set()).add(need.reason.kind)
        calls = [need for _, needs in self.by_view for need in needs]
        perhaps = {h.host for need in calls for h in need.perhaps}
        own = {
            host.host
            for need in calls
            if _depends_on_service(need)
            for host in need.hosts
            if host.reason.kind == "called"
        }
        asked = sorted(
            host
            for host, found in kinds.items()
            if host not in perhaps and not found & _GUARDS
            if ("*" in host and found & _DROPPABLE) or host not in own
        )
        return [
            Note("also by itself", f"{host} is brought along by others, and kept for a call alone")
            for host in asked
            if self._is_spare(hosts, host)
        ]

    def count(self) -> int:
        """Count the ways of calling that were proved for every kind of pod.

        Where a workload is in several Kubernetes clusters it may call in other ways in one of
        them, so the most count.
        """
        fewest: dict[str, int] = {}
        for view, needs in self.by_view:
            count = len({need.outbound for need in needs if need.is_proved})
            name = view.proxy.kubernetes_cluster
            fewest[name] = min(count, fewest.get(name, count))
        return max(fewest.values())

    def _is_spare(self, hosts: list[HostNeed], host: str) -> bool:
        return all(self.prover.is_spare(view, needs, hosts, host) for view, needs in self.by_view)

    def _unproved(self, hosts: list[HostNeed]) -> list[CallNeeds]:
        return [n for view, needs in self.by_view for n in self.prover.changed(view, needs, hosts)]


def _depends_on_service(need: CallNeeds) -> bool:
    """Tell whether a call's own service is what routes it: nothing else could bring that along."""
    met = need.baseline
    return met.fate is Fate.ROUTED and met.virtual_service is None and met.alias is None
