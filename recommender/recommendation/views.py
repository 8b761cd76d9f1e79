"""What the proxies of a workload see today, and what they would see with other hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from recommender.istio.call import ProxyConfig
from recommender.istio.proxy import Proxy, outbound_traffic_policy
from recommender.istio.sidecar_scope import ScopeRules, select_sidecar, sidecar_scope
from recommender.mesh import EgressListener, Labels, MeshIndex, Pod, Sidecar, WorkloadId
from recommender.settings import ADOPTED_ANNOTATION, OWN_LABEL, OWN_LABEL_VALUE


@dataclass(frozen=True, slots=True)
class View:
    """Hold what proxies with the same configuration see.

    `sidecar` is the one that applies today; `today` what it gives them. `baseline` is what must
    stay: the same, but if the Sidecar `is_transparent` as if it were not there. This tool's own
    ones are, but for those taken over from somebody. `unscoped` is what no Sidecar would give.
    """

    proxy: Proxy
    sidecar: Sidecar | None
    is_transparent: bool
    today: ProxyConfig
    baseline: ProxyConfig
    unscoped: ProxyConfig


@dataclass(slots=True)
class Views:
    """Make the views of a mesh; proxies that are sent the same share one.

    `deciding_labels` are the keys of pod labels that routes and DestinationRules ask for.
    """

    rules: ScopeRules
    without_own: ScopeRules
    deciding_labels: frozenset[str]
    _configs: dict[tuple[object, ...], ProxyConfig] = field(default_factory=dict)

    def of_pods(self, namespace: str, pods: Iterable[Mapping[str, str]], v6: bool) -> list[View]:
        """List the distinct views of pods with these labels, in a stable order."""
        found: dict[tuple[object, ...], View] = {}
        for labels in pods:
            sidecar = select_sidecar(self.rules, namespace, labels)
            kept = {key: labels[key] for key in sorted(self.deciding_labels & labels.keys())}
            key = (_name(sidecar), tuple(kept.items()))
            if key not in found:
                proxy = Proxy(namespace, kept, ("::",) if v6 else ())
                lasting = select_sidecar(self.without_own, namespace, labels)
                policy = sidecar if is_own(sidecar) else lasting
                transparent = is_own(sidecar) and not is_adopted(sidecar)
                found[key] = View(
                    proxy,
                    sidecar,
                    transparent,
                    self._config(proxy, sidecar, sidecar),
                    self._config(proxy, lasting, policy),
                    self._config(proxy, None, policy),
                )
        return [found[key] for key in sorted(found, key=str)]

    def with_hosts(self, view: View, hosts: Iterable[str]) -> ProxyConfig:
        """Return what a view's proxies would see with these hosts and nothing else changed."""
        listener = EgressListener(hosts=tuple(sorted(hosts)) or ("~/*",))
        scope = sidecar_scope(self.rules, view.proxy.namespace, (listener,))
        policy = view.baseline.outbound_traffic_policy
        return ProxyConfig(self.rules, scope, view.proxy, policy)

    def _config(self, proxy: Proxy, sidecar: Sidecar | None, policy: Sidecar | None) -> ProxyConfig:
        mode, _ = outbound_traffic_policy(self.rules.mesh.config, policy)
        key = (proxy.namespace, tuple(proxy.labels.items()), proxy.addresses, _name(sidecar), mode)
        if key not in self._configs:
            scope = sidecar_scope(self.rules, proxy.namespace, sidecar.egress if sidecar else ())
            self._configs[key] = ProxyConfig(self.rules, scope, proxy, mode)
        return self._configs[key]


def build_views(rules: ScopeRules) -> Views:
    """Prepare the views of a mesh."""
    lasting = tuple(s for s in rules.sidecars if not is_own(s) or is_adopted(s))
    without_own = rules.with_sidecars(lasting)
    labels = rules.virtual_services.source_labels() | rules.destination_rules.selector_labels()
    return Views(rules, without_own, labels)


def is_own(sidecar: Sidecar | None) -> bool:
    """Tell whether a Sidecar carries this tool's label."""
    return sidecar is not None and sidecar.meta.labels.get(OWN_LABEL) == OWN_LABEL_VALUE


def is_adopted(sidecar: Sidecar | None) -> bool:
    """Tell whether a Sidecar of this tool was made by hand once."""
    return sidecar is not None and ADOPTED_ANNOTATION in sidecar.meta.annotations


def pod_labels(index: MeshIndex, workload: WorkloadId) -> list[Labels]:
    """List the labels of a workload's pods, those to come (its template) first."""
    described = index.workloads.get(workload)
    template = described.template_labels if described else None
    pods = [pod.meta.labels for pod in index.pods_by_workload.get(workload, ())]
    return ([template] if template is not None else []) + pods


def is_ipv6_only(pods: Iterable[Pod]) -> bool:
    """Tell whether pods have addresses, and all of them are IPv6."""
    addresses = [address for pod in pods for address in pod.ips]
    return bool(addresses) and all(":" in address for address in addresses)


def _name(sidecar: Sidecar | None) -> tuple[str, str]:
    return (sidecar.meta.namespace, sidecar.meta.name) if sidecar else ("", "")
