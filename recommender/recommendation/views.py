"""What the proxies of a workload see today, and what they would see with other hosts."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from recommender.istio.kubernetes_clusters import further_istiods
from recommender.istio.proxy import Proxy, outbound_traffic_policy
from recommender.istio.proxy_config import ProxyConfig, SharedHosts
from recommender.istio.registry import build_registry
from recommender.istio.sidecar_scope import ScopeRules, SidecarScope, select_sidecar, sidecar_scope
from recommender.mesh import EgressListener, Labels, MeshIndex, Pod, Sidecar, WorkloadId
from recommender.mesh.topology import CLUSTER_LABEL
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
    routes and DestinationRules ask for; `further` the rules as the istiods of further Kubernetes
    clusters have them, by the names of these.
    """

    rules: ScopeRules
    without_own: ScopeRules
    deciding_labels: frozenset[tuple[str, str]]
    further: Mapping[str, ScopeRules]

    def as_seen_by(self, proxy: Proxy) -> ScopeRules:
        """Return the rules as the istiod has them that a proxy asks."""
        return self.further.get(proxy.kubernetes_cluster, self.rules)


@dataclass(slots=True)
class Views:
    """Make the views of one namespace; proxies that are sent the same share one."""

    given: ViewRules
    namespace: str
    _scopes: dict[tuple[str, tuple[EgressListener, ...]], SidecarScope] = field(
        default_factory=dict
    )
    _configs: dict[tuple[object, ...], ProxyConfig] = field(default_factory=dict)
    _shared: SharedHosts = field(default_factory=SharedHosts)
    _latest: tuple[tuple[object, ...], ProxyConfig] | None = None

    @property
    def rules(self) -> ScopeRules:
        """Return the rules of the mesh as it is."""
        return self.given.rules

    def of_pods(self, pods: Iterable[tuple[str, Labels]], v6: Container[str]) -> list[View]:
        """List the distinct views of pods with these labels, in a stable order.

        Each is given with its Kubernetes cluster; those in `v6` have IPv6 addresses alone.
        """
        found: dict[tuple[object, ...], View] = {}
        deciding = self.given.deciding_labels
        distinct = {(cluster, tuple(sorted(labels.items()))) for cluster, labels in pods}
        for cluster, items in sorted(distinct):
            labels = dict(items)
            sidecar = select_sidecar(self.rules, self.namespace, labels)
            kept = {k: v for k, v in sorted(labels.items()) if (k, v) in deciding}
            key = (_name(sidecar), tuple(kept.items()), cluster)
            if key not in found:
                proxy = Proxy(self.namespace, kept, ("::",) if cluster in v6 else (), cluster)
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
        egress = (EgressListener(tuple(sorted(hosts)) or ("~/*",)),)
        policy = view.baseline.outbound_traffic_policy
        key = _key(view.proxy, egress, policy)
        in_force = self._configs.get(key)
        if in_force is not None:
            return in_force
        latest = self._latest
        if latest is None or latest[0] != key:
            rules = self.given.as_seen_by(view.proxy)
            scope = sidecar_scope(rules, self.namespace, egress)
            config = ProxyConfig(rules, scope, view.proxy, policy, self._shared)
            self._latest = latest = (key, config)
        return latest[1]

    def _config(self, proxy: Proxy, sidecar: Sidecar | None, policy: Sidecar | None) -> ProxyConfig:
        mode, _ = outbound_traffic_policy(self.rules.mesh.config, policy)
        egress = sidecar.egress if sidecar else ()
        key = _key(proxy, egress, mode)
        if key not in self._configs:
            rules, scope = self.given.as_seen_by(proxy), self._scope(proxy, egress)
            self._configs[key] = ProxyConfig(rules, scope, proxy, mode, self._shared)
        return self._configs[key]

    def _scope(self, proxy: Proxy, egress: tuple[EgressListener, ...]) -> SidecarScope:
        """Return what egress listeners let a proxy see, the same for all that ask one istiod."""
        name = proxy.kubernetes_cluster
        key = (name if name in self.given.further else "", egress)
        if key not in self._scopes:
            rules = self.given.as_seen_by(proxy)
            self._scopes[key] = sidecar_scope(rules, self.namespace, egress)
        return self._scopes[key]


def _key(proxy: Proxy, egress: tuple[EgressListener, ...], mode: str) -> tuple[object, ...]:
    """Return what tells the configurations of a namespace's proxies apart."""
    labels = tuple(proxy.labels.items())
    return (labels, proxy.addresses, proxy.kubernetes_cluster, egress, mode)


def build_view_rules(rules: ScopeRules) -> ViewRules:
    """Prepare the views of a mesh."""
    lasting = (_as_made(sidecar) for sidecar in rules.mesh.sidecars)
    without_own = rules.with_sidecars(s for s in lasting if s is not None)
    labels = rules.virtual_services.source_labels() | rules.destination_rules.selector_labels()
    further = {
        name: rules.with_registry(build_registry(rules.mesh, name))
        for name in further_istiods(rules.mesh)
    }
    return ViewRules(rules, without_own, labels, further)


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
    each = (labels for _, labels in _placed_labels(index, workload))
    return list({tuple(sorted(labels.items())): labels for labels in each}.values())


def proxy_labels(index: MeshIndex, workload: WorkloadId) -> list[tuple[str, Labels]]:
    """List the distinct labels by which istiod knows a workload's proxies.

    Each comes with its Kubernetes cluster. Of what istiod adds (`setTopologyLabels`) every value
    counts that something asks for, and none: pods come and go anywhere.
    """
    found: dict[tuple[object, ...], tuple[str, Labels]] = {}
    for cluster, labels in _placed_labels(index, workload):
        for known in index.places.labels_of(labels, cluster):
            found[(cluster, *sorted(known.items()))] = (cluster, known)
    return list(found.values())


def known_labels(cluster: str, labels: Labels) -> Labels:
    """Return the labels by which istiod knows a proxy of a Kubernetes cluster, wherever it is."""
    return {**labels, CLUSTER_LABEL: cluster} if cluster else labels


def _placed_labels(index: MeshIndex, workload: WorkloadId) -> Iterator[tuple[str, Labels]]:
    """Yield the labels of a workload's templates and pods with their Kubernetes cluster."""
    for copy in index.copies.get(workload, ()):
        if copy.template_labels is not None:
            yield copy.meta.kubernetes_cluster, copy.template_labels
    for pod in index.pods_by_workload.get(workload, ()):
        yield pod.meta.kubernetes_cluster, pod.meta.labels


def ipv6_only(pods: Iterable[Pod]) -> frozenset[str]:
    """Name the Kubernetes clusters in which pods have addresses, and all of them are IPv6."""
    addresses = [(pod.meta.kubernetes_cluster, address) for pod in pods for address in pod.ips]
    v4 = {cluster for cluster, address in addresses if ":" not in address}
    return frozenset(cluster for cluster, _ in addresses) - v4


def _name(sidecar: Sidecar | None) -> tuple[str, str]:
    return (sidecar.meta.namespace, sidecar.meta.name) if sidecar else ("", "")
