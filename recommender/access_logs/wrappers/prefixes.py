r"""Text wrappers: a prefix before the line, or around a JSON record.

- CRI runtimes (containerd, CRI-O): `<time> <stream> <F|P> <line>`.
- `kubectl logs --prefix`: `[pod/<pod>/<container>] <line>`; `--timestamps` puts a time with nine
  digits of a second before the line.
- stern: `<pod> <container> <line>`, with the namespace in front if there are several, and with
  the colours of a terminal if it was told so; `--timestamps` puts a time before the line, also
  in JSON.
- Files of Fluent Bit (`<tag>: [<time>, <record>]`) and Fluentd (`<time>\t<tag>\t<record>`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from recommender.access_logs.container_paths import PROXY_CONTAINER
from recommender.access_logs.wrappers.parts import RECORD, parts_of

_DAY_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
_ZONE: Final = r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
_CRI: Final = rf"^({_DAY_TIME}[0-9.]*{_ZONE} (?:stdout|stderr) [FP](?::[^ ]*)? )"
_CRI_STREAM: Final = r" (stdout|stderr) "
_CRI_TAG: Final = r" ([FP])(?::[^ ]*)? $"
# The kubelet writes nine digits (RFC3339NanoFixed), Envoy three: a format may begin with its time.
_TIME: Final = rf"{_DAY_TIME}\.[0-9]{{9}}{_ZONE} "
_NAME: Final = r"[a-z0-9][a-z0-9.-]*"
_KUBECTL: Final = (
    rf"^(?P<prefix>\[pod/(?P<source_pod>{_NAME})/(?P<container>{_NAME})\] (?:{_TIME})?)"
)
TIME_OF_STERN: Final = rf"(?:{_TIME}|[0-9]{{2}}-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}} )"
_COLOUR: Final = r"\x1b\[[0-9;]*m"
# Without colours only the name of the container tells such a line from other words.
_STERN: Final = (
    rf"^(?P<prefix>(?:(?P<source_namespace>{_NAME}) )?(?P<source_pod>{_NAME}) "
    rf"(?P<container>{PROXY_CONTAINER}) {TIME_OF_STERN}?)"
)
_COLOURED_STERN: Final = (
    rf"^(?P<prefix>(?:(?:{_COLOUR})+(?P<source_namespace>{_NAME})(?:{_COLOUR})+ )?"
    rf"(?:{_COLOUR})+(?P<source_pod>{_NAME})(?:{_COLOUR})+ "
    rf"(?:{_COLOUR})+(?P<container>{_NAME})(?:{_COLOUR})+ {TIME_OF_STERN}?)"
)
_FLUENT_BIT_FILE: Final = r"^[A-Za-z0-9_.:/-]+: \[[0-9.]+, (\{.*\})\]$"
_FLUENTD_FILE: Final = rf"^{_DAY_TIME}[0-9.]*{_ZONE}\t[A-Za-z0-9_./-]+\t(\{{.*\}})$"


def without_prefixes(stored: pl.DataFrame) -> pl.DataFrame:
    """Take the prefix and one carriage return off each line; gives PART_SCHEMA."""
    line = pl.col("line").str
    found = []
    kinds = _KINDS if stored["line"].str.contains(_BEGIN).any() else {}
    for begin, unwrapped in kinds.items():
        chosen = stored.select(line.contains(begin)).to_series()
        if chosen.any():
            found.append(unwrapped(stored if chosen.all() else stored.filter(chosen)))
            stored = stored.filter(~chosen)
    parts = pl.concat([*found, parts_of(stored)])
    return parts.with_columns(line.strip_suffix("\r"))


def _after(prefix: pl.Expr) -> pl.Expr:
    """Cut a prefix off; it is ASCII, so its characters are its bytes."""
    return pl.col("line").str.slice(prefix.str.len_bytes().fill_null(0))


def _times(lines: pl.DataFrame) -> pl.DataFrame:
    """Take off the prefixes that begin with a time."""
    prefix = pl.col("prefix")
    found = lines.with_columns(pl.col("line").str.extract(_CRI).alias("prefix"))
    is_cri = found["prefix"].is_not_null()
    cri = parts_of(
        found.filter(is_cri),
        line=_after(prefix),
        wrapper="cri",
        stream=prefix.str.extract(_CRI_STREAM),
        tag=prefix.str.extract(_CRI_TAG),
    )
    if is_cri.all():
        return cri
    rest = found.filter(~is_cri)
    record = pl.col("line").str.extract(_FLUENTD_FILE)
    time = pl.col("line").str.extract(rf"^({_TIME})")
    rest = parts_of(
        rest,
        line=pl.coalesce(record, _after(time)),
        wrapper=pl.when(record.is_not_null())
        .then(pl.lit(RECORD))
        .when(time.is_not_null())
        .then(pl.lit("kubectl")),
    )
    return pl.concat([cri, rest])


def without_runtime_prefix(parts: pl.DataFrame, wrapper: str) -> pl.DataFrame:
    """Take the prefix of a CRI runtime off the lines that a collector took as they were."""
    chosen = parts.select(
        (pl.col("wrapper") == wrapper) & pl.col("line").str.contains(_CRI) & pl.col("tag").is_null()
    ).to_series()
    if not chosen.any():
        return parts
    prefix = pl.col("line").str.extract(_CRI)
    return parts.with_columns(
        pl.when(chosen).then(value).otherwise(name).alias(name)
        for name, value in {
            "line": _after(prefix),
            "stream": prefix.str.extract(_CRI_STREAM),
            "tag": prefix.str.extract(_CRI_TAG),
            "wrapper": pl.lit("text"),
        }.items()
    )


def _kubectl(lines: pl.DataFrame) -> pl.DataFrame:
    return _by_groups(lines, "kubectl", [_KUBECTL])


def _words(lines: pl.DataFrame) -> pl.DataFrame:
    record = pl.col("line").str.extract(_FLUENT_BIT_FILE)
    is_record = lines.select(record.is_not_null())["line"]
    records = parts_of(lines.filter(is_record), line=record, wrapper=RECORD)
    if is_record.all():
        return records
    stern = _by_groups(lines.filter(~is_record), "stern", [_COLOURED_STERN, _STERN])
    return pl.concat([records, stern])


def _by_groups(lines: pl.DataFrame, wrapper: str, patterns: list[str]) -> pl.DataFrame:
    """Take off prefixes that name the pod; the groups of a pattern are named as columns are."""
    found = []
    for pattern in patterns:
        groups = lines.with_columns(pl.col("line").str.extract_groups(pattern).alias("found"))
        groups = groups.unnest("found")
        matched = groups["prefix"].is_not_null()
        found.append(
            parts_of(groups.filter(matched), line=_after(pl.col("prefix")), wrapper=wrapper)
        )
        lines = lines.filter(~matched)
    return pl.concat([*found, parts_of(lines)])


_BEGIN: Final = r"^(?:[0-9a-z\x1b]|\[pod/)"
_KINDS: Final[dict[str, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    r"^[0-9]": _times,
    r"^\[pod/": _kubectl,
    r"^[a-z\x1b]": _words,
}
"""What takes off a prefix, by how the line begins."""
