r"""Text wrappers: a prefix before the line, or around a JSON record.

- CRI runtimes (containerd, CRI-O): `<time> <stream> <F|P> <line>`.
- `kubectl logs --prefix`: `[pod/<pod>/<container>] <line>`; `--timestamps` puts a time with nine
  digits of a second before the line.
- stern: `<pod> <container> <line>`, with the namespace in front if there are several, and with
  the colours of a terminal if it was told so; `--timestamps` puts a time before the line, also
  in JSON.
- logcli: `<time> {<label>="<value>", ...} <line>`, with spaces that put lines below each other; the
  labels that all lines have are left out, but not the braces (grafana/loki
  pkg/logcli/output/default.go, pkg/loghttp/labels.go `LabelSet.String`).
- Logs downloaded from Grafana as text: `<milliseconds>\t<time>\t<line>` (grafana/grafana
  public/app/features/inspector/utils/download.ts `downloadLogsModelAsTxt`).
- Files of Fluent Bit: `<tag>: [<time>, <record>]` (fluent/fluent-bit plugins/out_file/file.c); of
  Fluentd: `<time>\t<tag>\t<record>` (fluent/fluentd lib/fluent/plugin/formatter_out_file.rb); and
  what Fluentd prints: `<time> <tag>: <record>` (formatter_stdout.rb). The tag may tell the pod.

What Fluent Bit prints by default is not read, nor logfmt: in the first nothing is escaped
(fluent/fluent-bit lib/msgpack-c/src/objectc.c `msgpack_object_print`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from recommender.access_logs.container_paths import PROXY_CONTAINER
from recommender.access_logs.wrappers.json_text import repeats_key
from recommender.access_logs.wrappers.names import (
    DISAGREE,
    LABELS,
    NAMES,
    keys_of,
    names_in,
    names_of_path,
)
from recommender.access_logs.wrappers.parts import AMBIGUOUS_WRAPPER, RECORD, parts_of

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
_LOGCLI: Final = "logcli"
_OF_WORDS: Final = ("kubectl --prefix", "stern", _LOGCLI)
FORGEABLE_PREFIX: Final = "behind words that name a pod, which callers can write in this format"
_TAG: Final = r"(?P<tag>[A-Za-z0-9_.:/-]+)"
_FLUENT_BIT_FILE: Final = rf"^{_TAG}: \[[0-9.]+, (?P<record>\{{.*\}})\]$"
_FLUENTD_FILE: Final = rf"^{_DAY_TIME}[0-9.]*{_ZONE}\t{_TAG}\t(?P<record>\{{.*\}})$"
_FLUENTD_OUTPUT: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9} [+-][0-9]{4} "
    rf"{_TAG}: (?P<record>\{{.*\}})$"
)
_GRAFANA: Final = rf"^([0-9]{{13}}\t{_DAY_TIME}\.[0-9]{{3}}Z\t)"
_LABEL: Final = r'([A-Za-z_][A-Za-z0-9_]*)="'
_LOGCLI_PREFIX: Final = (
    rf"^(?P<prefix>{_DAY_TIME}{_ZONE} (?P<labels>\{{(?:{_LABEL}"
    r'(?:[^"\\]|\\.)*"(?:, )?)*\}) +)'
)


def _any(*patterns: str) -> str:
    """Write the pattern of what one of several matches."""
    return "|".join(f"(?:{re.sub('[?]P<[a-z_]+>', '?:', pattern)})" for pattern in patterns)


# Most lines that begin with a time are of none of these, which one look at them all tells.
_OTHER_TIME: Final = _any(_FLUENTD_FILE, _FLUENTD_OUTPUT, _LOGCLI_PREFIX, _GRAFANA, f"^{_TIME}")
LIKE_PREFIX: Final = pl.col("line").str.contains(
    _any(_CRI, _OTHER_TIME, _KUBECTL, _FLUENT_BIT_FILE, _COLOURED_STERN, _STERN)
)
"""Whether a line begins as a text wrapper does."""


def without_prefixes(stored: pl.DataFrame, *, is_forgeable: bool = False) -> pl.DataFrame:
    """Take the prefix and one carriage return off each line; gives PART_SCHEMA.

    Args:
        stored: The lines, with STORED_SCHEMA.
        is_forgeable: Callers can write the words that lines begin with. Then no such words name
            a pod: the line is skipped.
    """
    line = pl.col("line").str
    found = []
    kinds = _KINDS if stored["line"].str.contains(_BEGIN).any() else {}
    for begin, unwrapped in kinds.items():
        chosen = stored.select(line.contains(begin)).to_series()
        if chosen.any():
            found.append(unwrapped(stored if chosen.all() else stored.filter(chosen)))
            stored = stored.filter(~chosen)
    parts = pl.concat([*found, parts_of(stored)])
    of_words = pl.col("wrapper").is_in(_OF_WORDS).fill_null(value=False)
    if is_forgeable:
        reason = pl.when(of_words).then(pl.lit(FORGEABLE_PREFIX))
        parts = parts.with_columns(pl.coalesce(reason, "reason").alias("reason"))
    # A wrapper that knows the stream has taken off what the runtime put around the line.
    last = pl.when(pl.col("stream").is_null()).then(pl.lit(RECORD)).otherwise(pl.lit("text"))
    return parts.with_columns(
        line.strip_suffix("\r"),
        pl.when(pl.col("wrapper") == _LOGCLI).then(last).otherwise("wrapper").alias("wrapper"),
    )


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
    others = map(without_runtime_prefix, _other_times(parts_of(found.filter(~is_cri))))
    return pl.concat([cri, *others])


def _other_times(lines: pl.DataFrame) -> list[pl.DataFrame]:
    if not lines["line"].str.contains(_OTHER_TIME).any():
        return [lines]
    found = []
    for pattern in (_FLUENTD_FILE, _FLUENTD_OUTPUT):
        records, lines = _tagged_records(lines, pattern)
        found.append(records)
    labelled, lines = _logcli(lines)
    for pattern, wrapper in ((_GRAFANA, RECORD), (rf"^({_TIME})", "kubectl")):
        prefix = pl.col("line").str.extract(pattern)
        chosen = lines.select(prefix.is_not_null()).to_series()
        found.append(parts_of(lines.filter(chosen), line=_after(prefix), wrapper=wrapper))
        lines = lines.filter(~chosen)
    return [*found, labelled, lines]


def _tagged_records(lines: pl.DataFrame, pattern: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Take out records with a tag before them, which may be the path of the log with dots."""
    groups = lines.with_columns(pl.col("line").str.extract_groups(pattern).alias("found"))
    matched = groups.select(pl.col("found").struct.field("record").is_not_null()).to_series()
    group = pl.col("found").struct
    records = parts_of(
        groups.filter(matched),
        line=group.field("record"),
        wrapper=RECORD,
        **names_of_path(group.field("tag")),
    )
    return records, lines.filter(~matched)


def _logcli(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Take off the time and the labels that logcli prints; what is in a label is escaped."""
    groups = lines.with_columns(pl.col("line").str.extract_groups(_LOGCLI_PREFIX).alias("found"))
    group = pl.col("found").struct
    matched = groups.select(group.field("prefix").is_not_null()).to_series()
    if not matched.any():
        return parts_of(lines.clear()), lines
    chosen = groups.filter(matched)
    labels = group.field("labels").str.replace_all(_LABEL, '"${1}":"')
    as_json = chosen.select(labels.alias("labels"))
    said = names_in(as_json["labels"], LABELS)
    twice = repeats_key(as_json, "labels", keys_of(LABELS))
    bad = pl.when(pl.lit(said[DISAGREE] | twice)).then(pl.lit(AMBIGUOUS_WRAPPER))
    labelled = parts_of(
        chosen,
        line=_after(group.field("prefix")),
        wrapper=_LOGCLI,
        reason=bad,
        **{name: pl.lit(said[name]) for name in (*NAMES, "stream")},
    )
    return labelled, lines.filter(~matched)


def without_runtime_prefix(parts: pl.DataFrame) -> pl.DataFrame:
    """Take the prefix of a CRI runtime off the lines that a collector took as they were."""
    is_open = pl.col("wrapper").is_in([RECORD, _LOGCLI]).fill_null(value=False)
    chosen = parts.select(
        is_open & pl.col("line").str.contains(_CRI) & pl.col("tag").is_null()
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
    return _by_groups(lines, {_KUBECTL: "kubectl --prefix"})


def _words(lines: pl.DataFrame) -> pl.DataFrame:
    records, lines = _tagged_records(lines, _FLUENT_BIT_FILE)
    if lines.is_empty():
        return records
    stern = _by_groups(lines, {_COLOURED_STERN: "coloured stern", _STERN: "stern"})
    return pl.concat([records, stern])


def _by_groups(lines: pl.DataFrame, patterns: Mapping[str, str]) -> pl.DataFrame:
    """Take off prefixes that name the pod; the groups of a pattern are named as columns are."""
    found = []
    for pattern, wrapper in patterns.items():
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
