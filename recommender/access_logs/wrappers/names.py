"""Who wrote a line, from the members of a JSON object that name the pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

Paths = Mapping[str, Sequence[str]]
"""The JSON paths of an object that may hold a value, by column."""

KUBERNETES: Final[Paths] = {
    "source_namespace": ("$.namespace_name", "$.pod_namespace", "$.namespace"),
    "source_pod": ("$.pod_name", "$.pod.name"),
    "container": ("$.container_name", "$.container.name"),
}
"""The object `kubernetes` of Fluent Bit, Fluentd, Vector and Filebeat."""

_LABELS: Final = {
    "source_namespace": "namespace",
    "source_pod": "pod",
    "container": "container",
}
LABELS: Final[Paths] = {
    **{
        column: (
            f"$.{name}",
            f"$.{name}_name",
            f"$.k8s_{name}_name",
            f"$.kubernetes_{name}_name",
        )
        for column, name in _LABELS.items()
    },
    "stream": ("$.stream", "$.log_iostream"),
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
    }.items()
}
"""The attributes of a resource or a record of OpenTelemetry."""

DISAGREE: Final = "disagree"


def agreed(columns: Sequence[pl.Expr]) -> tuple[pl.Expr, pl.Expr]:
    """Return what several columns say together, and whether two of them say different things."""
    first = pl.coalesce(columns)
    others = [(column != first).fill_null(value=False) for column in columns]
    return first, pl.any_horizontal(others)


def names_in(objects: pl.Series, paths: Paths) -> pl.DataFrame:
    """Read the names in JSON objects; also whether what should be the same is not.

    Logs repeat themselves: each distinct object is read once.
    """
    objects = objects.alias("object")
    said = {
        column: agreed([pl.col("object").str.json_path_match(path) for path in there])
        for column, there in paths.items()
    }
    distinct = objects.drop_nulls().unique()
    known = distinct.to_frame().select(
        "object",
        *(value.alias(column) for column, (value, _) in said.items()),
        pl.any_horizontal(differ for _, differ in said.values()).alias(DISAGREE),
    )
    found = objects.to_frame().join(known, on="object", how="left", maintain_order="left")
    return found.drop("object").with_columns(pl.col(DISAGREE).fill_null(value=False))
