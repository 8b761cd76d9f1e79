"""Recommendations -> Sidecar manifests: the YAML, and a folder of files that holds it."""

from recommender.sidecars.files import WrittenFiles, write_own_file, write_sidecars
from recommender.sidecars.manifest import render_namespace_sidecar, render_sidecar, render_yaml
from recommender.sidecars.names import without_unusable_names
from recommender.sidecars.refused import without_refused

__all__ = [
    "WrittenFiles",
    "render_namespace_sidecar",
    "render_sidecar",
    "render_yaml",
    "without_refused",
    "without_unusable_names",
    "write_own_file",
    "write_sidecars",
]
