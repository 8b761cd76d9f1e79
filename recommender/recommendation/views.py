"""What the proxies of a workload see today, and what they would see with other hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from recommender.istio.call import PlainHosts, ProxyConfig
from recommender.istio.proxy import Proxy, outbound_traffic_policy
from recommender.istio.sidecar_scope import ScopeRules, SidecarScope, select_sidecar, sidecar_scope
from recommender.mesh import EgressListener, Labels, MeshIndex, Pod, Sidecar, WorkloadId
from recommender.settings import ADOPTED_ANNOTATION, OWN_LABEL, OWN_LABEL_VALUE


@dataclass(frozen=True, slots=True)
class View:
    """Hold what proxies with the same configuration see.

    `sidecar` is the one that applies today; `today` what it gives them. `baseline` is what must
    stay: the same, but if the Sidecar `is_transparent`, as this tool's own are, what would be
    without it: for one that was taken over, what it gave as it was made. `unscoped` is what no
    Sidecar would give. `egress_proxy` is the host that takes what would else pass through.
    """

    proxy: Proxy
    sidecar: Sidecar | None
    is_transparent: bool
    today: ProxyConfig
    baseline: ProxyConfig
    unscoped: ProxyConfig
    egress_proxy: str | None = None


@dataclass(frozen=True, slots=True)
class ViewRules:
    """Hold what the views of a mesh are made from.

    `without_own` is without the Sidecars of this tool; `deciding_labels` are the pod labels that
    routes and DestinationRules ask for.
    """

    rules: ScopeRules
    without_own: ScopeRules
    deciding_labels: frozenset[tuple[str, str]]


@dataclass(slots=True)
class Views:
    """Make the views of one namespace; proxies that are sent the same share one."""

    given: ViewRules
    namespace: str
    _scopes: dict[tuple[EgressListener, ...], SidecarScope] = field(default_factory=dict)
    _configs: dict[tuple[object, ...], ProxyConfig] = field(default_factory=dict)
    _plain_hosts: PlainHosts = field(default_factory=dict)
    _latest: tuple[View, tuple[str, ...], ProxyConfig] | None = None

    @property
    def rules(self) -> ScopeRules:
        """Return the rules of the mesh as it is."""
        return self.given.rules

    def of_pods(self, pods: Iterable[Mapping[str, str]], v6: bool) -> list[View]:
        """List the distinct views of pods with these labels, in a stable order."""
        found: dict[tuple[object, ...], View] = {}
        deciding = self.given.deciding_labels
        distinct = {tuple(sorted(labels.items())) for labels in pods}
        for labels in map(dict, sorted(distinct)):
            sidecar = select_sidecar(self.rules, self.namespace, labels)
            kept = {k: v for k, v in sorted(labels.items()) if (k, v) in deciding}
            key = (_name(sidecar), tuple(kept.items()))
            if key not in found:
                proxy = Proxy(self.namespace, kept, ("::",) if v6 else ())
                lasting = select_sidecar(self.given.without_own, self.namespace, labels)
                policy = sidecar if is_own(sidecar) else lasting
                _, egress_proxy = outbound_traffic_policy(self.rules.mesh.config, policy)
                found[key] = View(
                    proxy,
                    sidecar,
                    is_own(sidecar),
                    self._config(proxy, sidecar, sidecar),
                    self._config(proxy, lasting, policy),
                    self._config(proxy, None, policy),
                    egress_proxy,
                )
        return [found[key] for key in sorted(found, key=str)]

    def with_hosts(self, view: View, hosts: Iterable[str]) -> ProxyConfig:
        """Return what a view's proxies would see with these hosts and nothing else changed."""
        asked = tuple(sorted(hosts))
        latest = self._latest
        if latest is None or latest[0] is not view or latest[1] != asked:
            scope = sidecar_scope(self.rules, self.namespace, (EgressListener(asked or ("~/*",)),))
            policy = view.baseline.outbound_traffic_policy
            config = ProxyConfig(self.rules, scope, view.proxy, policy, self._plain_hosts)
            self._latest = latest = (view, asked, config)
        return latest[2]

    def _config(self, proxy: Proxy, sidecar: Sidecar | None, policy: Sidecar | None) -> ProxyConfig:
        mode, _ = outbound_traffic_policy(self.rules.mesh.config, policy)
        egress = sidecar.egress if sidecar else ()
        if egress not in self._scopes:
            self._scopes[egress] = sidecar_scope(self.rules, self.namespace, egress)
        key = (tuple(proxy.labels.items()), proxy.addresses, egress, mode)
        if key not in self._configs:
            scope = self._scopes[egress]
            config = ProxyConfig(self.rules, scope, proxy, mode, self._plain_hosts)
            self._configs[key] = config
        return self._configs[key]


def build_view_rules(rules: ScopeRules) -> ViewRules:
    """Prepare the views of a mesh."""
    lasting = (_as_made(sidecar) for sidecar in rules.mesh.sidecars)
    without_own = rules.with_sidecars(s for s in lasting if s is not None)
    labels = rules.virtual_services.source_labels() | rules.destination_rules.selector_labels()
    return ViewRules(rules, without_own, labels)


def is_own(sidecar: Sidecar | None) -> bool:
    """Tell whether a Sidecar carries this tool's label."""
    return sidecar is not None and sidecar.meta.labels.get(OWN_LABEL) == OWN_LABEL_VALUE


def _as_made(sidecar: Sidecar) -> Sidecar | None:
    """Return a Sidecar as somebody made it: one of this tool's own only if it was taken over."""
    if not is_own(sidecar):
        return sidecar
    hosts = adopted_hosts(sidecar)
    if hosts is None:
        return None
    return replace(sidecar, egress=(EgressListener(hosts),) if hosts else ())


def adopted_hosts(sidecar: Sidecar) -> tuple[str, ...] | None:
    """Read the hosts that a Sidecar had when it was taken over, None if it was not."""
    text = sidecar.meta.annotations.get(ADOPTED_ANNOTATION)
    return None if text is None else tuple(text.split())


def pod_labels(index: MeshIndex, workload: WorkloadId) -> list[Labels]:
    """List the distinct labels of a workload's pods, those to come (its template) first."""
    described = index.workloads.get(workload)
    template = described.template_labels if described else None
    pods = [pod.meta.labels for pod in index.pods_by_workload.get(workload, ())]
    each = ([template] if template is not None else []) + pods
    return list({tuple(sorted(labels.items())): labels for labels in each}.values())


def is_ipv6_only(pods: Iterable[Pod]) -> bool:
    """Tell whether pods have addresses, and all of them are IPv6."""
    addresses = [address for pod in pods for address in pod.ips]
    return bool(addresses) and all(":" in address for address in addresses)


def _name(sidecar: Sidecar | None) -> tuple[str, str]:
    return (sidecar.meta.namespace, sidecar.meta.name) if sidecar else ("", "")
