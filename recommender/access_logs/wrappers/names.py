"""Who wrote a line, from the members of a JSON object that name the pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from recommender.access_logs.container_paths import IN_CONTAINERS, IN_PODS

Paths = Mapping[str, Sequence[str]]
"""The JSON paths of an object that may hold a value, by column."""

NAMES: Final = {"source_namespace": "namespace", "source_pod": "pod", "container": "container"}
"""The columns that name a container, and what else they are called."""

KUBERNETES: Final[Paths] = {
    "source_namespace": ("$.namespace_name", "$.pod_namespace", "$.namespace"),
    "source_pod": ("$.pod_name", "$.pod.name"),
    "container": ("$.container_name", "$.container.name"),
}
"""The object `kubernetes` of Fluent Bit, Fluentd, Vector and Filebeat."""

FLAT: Final[Mapping[str, Sequence[str]]] = {
    "source_namespace": (
        "kubernetes.namespace_name", "kubernetes.pod_namespace", "kubernetes.namespace",
        "kubernetes_namespace_name", "kubernetes_pod_namespace",
        "k8s.namespace.name", "k8s_namespace_name",
    ),
    "source_pod": (
        "kubernetes.pod_name", "kubernetes.pod.name", "kubernetes_pod_name",
        "k8s.pod.name", "k8s_pod_name",
    ),
    "container": (
        "kubernetes.container_name", "kubernetes.container.name", "kubernetes_container_name",
        "k8s.container.name", "k8s_container_name",
    ),
}  # fmt: skip
"""The keys of a record itself, as collectors and stores write them that flatten objects."""

LABELS: Final[Paths] = {
    **{
        column: (
            f"$.{name}",
            f"$.{name}_name",
            f"$.k8s_{name}_name",
            f"$.kubernetes_{name}_name",
        )
        for column, name in NAMES.items()
    },
    "stream": ("$.stream", "$.log_iostream"),
    "path": ("$.filename", "$.log_file_path"),
}
"""The labels of a stream of Loki, as promtail, Alloy, and OpenTelemetry make them."""

ATTRIBUTES: Final[Paths] = {
    column: (f"$.attributes[?(@.key=='{name}')].value.stringValue",)
    for column, name in {
        "source_namespace": "k8s.namespace.name",
        "source_pod": "k8s.pod.name",
        "container": "k8s.container.name",
        "stream": "log.iostream",
        "tag": "logtag",
        "path": "log.file.path",
    }.items()
}
"""The attributes of a resource or a record of OpenTelemetry."""

DISAGREE: Final = "disagree"


def keys_of(paths: Paths) -> tuple[str, ...]:
    """List the keys that decide where none of the paths leads into an object."""
    return tuple(path.removeprefix("$.") for there in paths.values() for path in there)


def names_of_path(path: pl.Expr) -> dict[str, pl.Expr]:
    """Read who wrote a log from the path of its file, or the tag that collectors make of it."""
    groups = [path.str.extract_groups(rf"(?:^|/){end}$").struct for end in (IN_CONTAINERS, IN_PODS)]
    return {column: pl.coalesce(g.field(name) for g in groups) for column, name in NAMES.items()}


def agreed(columns: Sequence[pl.Expr]) -> tuple[pl.Expr, pl.Expr]:
    """Return what several columns say together, and whether two of them say different things."""
    first = pl.coalesce(columns)
    others = [(column != first).fill_null(value=False) for column in columns]
    return first, pl.any_horizontal(others)


def names_in(objects: pl.Series, paths: Paths) -> pl.DataFrame:
    """Read the names in JSON objects; also whether what should be the same is not.

    Names are also those in the path of the log file. Logs repeat themselves: each distinct object
    is read once.
    """
    objects = objects.alias("object")
    candidates = {
        column: [pl.col("object").str.json_path_match(path) for path in there]
        for column, there in paths.items()
        if column != "path"
    }
    for path in paths.get("path", ()):
        text = pl.col("object").str.json_path_match(path)
        for name, value in names_of_path(text).items():
            candidates[name] = [*candidates.get(name, []), value]
    said = {column: agreed(values) for column, values in candidates.items()}
    distinct = objects.drop_nulls().unique()
    known = distinct.to_frame().select(
        "object",
        *(value.alias(column) for column, (value, _) in said.items()),
        pl.any_horizontal(differ for _, differ in said.values()).alias(DISAGREE),
    )
    found = objects.to_frame().join(known, on="object", how="left", maintain_order="left")
    return found.drop("object").with_columns(pl.col(DISAGREE).fill_null(value=False))
