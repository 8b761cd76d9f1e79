"""The mesh of the benchmark, in its small size, as model and istiod are asked about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.config_size.mesh import LOGS, MESH, build_mesh
from benchmarks.config_size.shape import SMALL, Shape
from recommender.mesh import Mesh, Pod, load_mesh
from recommender.pipeline import Sources, recommend_sidecars
from recommender.report import Report
from recommender.settings import Settings
from tests.istio.judge import JudgedProxy


@dataclass(frozen=True, slots=True)
class WrittenMesh:
    """Name what was written of the mesh; the first Kubernetes cluster configures istiod."""

    folder: Path
    kubernetes_clusters: tuple[str, ...]

    @property
    def sources(self) -> Sources:
        """Return what the command is given."""
        places = (f"{name}={self.folder / MESH / name}" for name in self.kubernetes_clusters)
        return Sources((self.folder / LOGS,), tuple(places))

    def load(self) -> Mesh:
        """Load the mesh as the tool does."""
        return load_mesh(self.sources.mesh)

    def recommend(self, out: Path, granularity: str = "workload") -> Report:
        """Write Sidecars as a user would."""
        return recommend_sidecars(self.sources, out, Settings(granularity=granularity))

    def case(
        self, proxies: Iterable[JudgedProxy], sidecars: Path | None = None
    ) -> Mapping[str, object]:
        """Ask istiod about proxies, perhaps with Sidecars applied."""
        home, *others = self.kubernetes_clusters
        return {
            "mesh_dir": str(self.folder / MESH / home),
            "kubernetes_cluster": home,
            "remotes": [
                {"kubernetes_cluster": name, "mesh_dir": str(self.folder / MESH / name)}
                for name in others
            ],
            "sidecar_dir": str(sidecars) if sidecars else "",
            "proxies": [asdict(proxy) for proxy in proxies],
        }


def write_benchmark_mesh(folder: Path, shape: Shape = SMALL) -> WrittenMesh:
    """Write the mesh and its logs."""
    mesh = build_mesh(shape)
    mesh.write(folder)
    return WrittenMesh(folder, tuple(mesh.objects))


def sidecar_pods(mesh: Mesh) -> list[Pod]:
    """List the pods with a sidecar proxy that run."""
    return [pod for pod in mesh.pods if pod.proxy == "sidecar" and not pod.has_ended]
