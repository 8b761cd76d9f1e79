"""The judge says of the recorded shop what real proxies did, and tells what Sidecars change."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from fixtures.shop import flows, shop
from tests.istio.judge import JudgedCall, compare, resolutions
from tests.istio.shop_calls import MESH, shop_calls

LOGS = Path(shop.__file__).parent / "logs"


def frontend_sidecar(folder: Path, *hosts: str) -> Path:
    """Write a Sidecar for the shop's frontend."""
    listed = "".join(f'    - "{host}"\n' for host in hosts)
    text = (
        "apiVersion: networking.istio.io/v1\nkind: Sidecar\n"
        "metadata:\n  name: frontend\n  namespace: shop\n"
        "spec:\n  workloadSelector:\n    labels:\n      app: frontend\n"
        f"  egress:\n  - hosts:\n{listed}"
    )
    Path(folder, "frontend.yaml").write_text(text, encoding="utf-8")
    return folder


def changed(sidecars: Path) -> set[str]:
    """Name what is called by the frontend's calls that a folder of Sidecars changes."""
    calls = [call for call in shop_calls() if call.pod.startswith("frontend-")]
    return {d.call.host.partition(":")[0] for d in compare(MESH, sidecars, calls)}


def logged() -> dict[tuple[str, str], set[str]]:
    """Map workload and called name to the Envoy clusters that the real proxies logged."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for flow in flows.read(LOGS):
        name = flow.server_name if flow.authority == "-" else flow.authority
        found[flow.workload, name].add(flow.cluster)
    return found


def called(call: JudgedCall) -> tuple[str, str]:
    """Name a call as its log line does."""
    workloads = {pod.key: pod.workload.key for pod in shop.all_pods()}
    return workloads[f"{call.namespace}/{call.pod}"], call.host or call.sni or "-"


def test_calls_resolve_to_the_clusters_that_real_proxies_logged() -> None:
    calls = shop_calls()
    proxies = logged()
    (resolved,) = resolutions([(MESH, calls)])
    assert calls
    for call, resolution in zip(calls, resolved, strict=True):
        assert resolution.clusters, call
        assert {cluster.name for cluster in resolution.clusters} <= proxies[called(call)], call
        assert all(cluster.exists for cluster in resolution.clusters)


def test_no_sidecar_and_a_sidecar_for_everything_change_nothing(tmp_path: Path) -> None:
    for name, hosts in (("none", ()), ("everything", ("*/*",))):
        folder = tmp_path / name
        folder.mkdir()
        assert changed(frontend_sidecar(folder, *hosts) if hosts else folder) == set()


def test_a_call_whose_host_is_missing_is_told(tmp_path: Path) -> None:
    folder = frontend_sidecar(tmp_path, "shop/*", "loyalty/*")
    assert changed(folder) == set()
    folder = frontend_sidecar(
        tmp_path, *(f"shop/{n}.shop.svc.cluster.local" for n in ("users", "catalog"))
    )
    assert changed(folder) == {"cart", "cart.shop", "cart.shop.svc.cluster.local", "checkout.shop"}


def test_without_go_the_judge_is_skipped_unless_it_is_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("REQUIRE_ISTIOD", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs `go` on PATH"):
        resolutions([(MESH, shop_calls())])
    monkeypatch.setenv("REQUIRE_ISTIOD", "1")
    with pytest.raises(pytest.fail.Exception, match="needs `go` on PATH"):
        resolutions([(MESH, shop_calls())])
