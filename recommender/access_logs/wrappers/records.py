"""JSON records -> lines: what log collectors, docker and SLS put around a line.

Where a record has the line as text, that is the line, whatever has been expanded beside it. Else
the line is the object that the collector made of it: the record itself, without what names the
pod, or the one object in it. A key that the format of an expanded line has is no collector's there.

The shapes are those that the shippers document or write:

- docker json-file: `{"log", "stream", "attrs", "time"}`; a line goes on where `log` has no line
  feed (moby/moby daemon/logger/jsonfilelog, jsonlog/jsonlogbytes.go `MarshalJSONBuf`);
- Fluent Bit, Fluentd: `log`, `stream`, `logtag` or `_p`, `kubernetes.{pod_name, namespace_name,
  container_name}`; expanded by Merge_Log, perhaps under Merge_Log_Key, which `log_processed` often
  is; or no more than `date` and `log` (fluent/fluent-bit plugins/filter_kubernetes/{kubernetes.c
  `pack_map_content`, kube_meta.c}; fabric8io/fluent-plugin-kubernetes_metadata_filter README.md);
- Vector: `message`, `stream`, `kubernetes.{pod_name, pod_namespace, container_name}`
  (vectordotdev/vector src/sources/kubernetes_logs/pod_metadata_annotator.rs);
- Filebeat, ECS: `message` or `json`, `stream`, `kubernetes.{pod.name, namespace, container.name}`,
  or the pod from `log.file.path` where no metadata have been added (elastic.co: Filebeat's exported
  fields, decode_json_fields, the ndjson parser of filestream);
- stern: `message`, `namespace`, `podName`, `containerName`; extjson: `pod`, `container`;
- logcli: `labels.{namespace, pod, container}`, `line`, `timestamp`; `--no-labels` leaves `labels`
  out (grafana/loki pkg/logcli/output/jsonl.go);
- logs downloaded from Grafana as JSON: `line`, `timestamp`, `date` and the labels in `fields`
  (grafana/grafana public/app/features/logs/utils.ts `logRowsToReadableJson`);
- SLS: `content` or expanded, `__raw_log__` where that failed, and `_pod_name_`, `_namespace_`,
  `_container_name_`, `_source_`, as fields or as tags `__tag__:_pod_name_` (alibabacloud.com: JSON
  format of shipped logs; aliyun/aliyun-log-python-sdk aliyun/log/pulllog_response.py
  `loggroups_to_flattern_list`);
- Elasticsearch: `_index`, `_source`, which holds a record of one of the others; elasticdump writes
  one a line (elasticsearch-dump/elasticsearch-dump lib/transports/file.js).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

import polars as pl

from recommender.access_logs.wrappers import json_text
from recommender.access_logs.wrappers.documents import without_documents
from recommender.access_logs.wrappers.line_shapes import DEFAULT_SHAPES, LineShapes
from recommender.access_logs.wrappers.names import (
    DISAGREE,
    FLAT,
    KUBERNETES,
    LABELS,
    NAMES,
    agreed,
    names_in,
    names_of_path,
)
from recommender.access_logs.wrappers.parts import AMBIGUOUS_WRAPPER, RECORD, parts_of
from recommender.access_logs.wrappers.prefixes import TIME_OF_STERN, without_runtime_prefix

# Elasticsearch holds what Fluent Bit wrote of what docker wrote.
_MOST_LAYERS: Final = 4
_BEGIN: Final = r"^(?:\{|\[\s*\{)"
_DOCKER: Final = (
    r'^\{"log":"(?P<log>[^"\\]*(?:\\.[^"\\]*)*)"(?:,"stream":"(?P<stream>stdout|stderr)")?'
    rf'(?:,"attrs":{json_text.OBJECT})?,"time":"(?P<time>[^"\\]*)"\}}$'
)
_SLS: Final = {
    "source_namespace": ("_namespace_", "__tag__:_namespace_"),
    "source_pod": ("_pod_name_", "__tag__:_pod_name_"),
    "container": ("_container_name_", "__tag__:_container_name_"),
    "stream": ("_source_", "__tag__:_source_"),
}
_SLS_MARKS: Final = ("__time__", "__source__", "__topic__", *_SLS["source_pod"])
_STERN: Final = {
    "source_namespace": ("namespace",),
    "source_pod": ("podName", "pod"),
    "container": ("containerName", "container"),
}
MEMBERS: Final = (
    "log", "message", "line", "content", "__raw_log__",
    "stream", "logtag", "_p", "kubernetes", "labels", "fields", "_source",
    "__time__", "__source__", "__topic__",
    *(name for names in (_SLS, _STERN, FLAT) for there in names.values() for name in there),
)  # fmt: skip
"""The members that tell the kind of a record, or what it says."""
_MARKS: Final = [
    f'"{name}"' for name in (*MEMBERS, "resourceLogs", "hits", "data", "streams", "logs")
]
_NAMING: Final = {"kubernetes": KUBERNETES, "labels": LABELS, "fields": LABELS}
"""The members that are objects with names."""
TEXT_MEMBERS: Final = frozenset(("log", "message", "line", "content", "__raw_log__", "_source"))
"""The members that may be the line."""
_PREFIX: Final = "member "
_OWN: Final = "\ue000"  # no key begins so
_NESTED_NAMES: Final = ("pod_name", "namespace_name", "pod_namespace", "container_name")
"""The keys inside `kubernetes` that decide, beside those that decide elsewhere too."""
_TWO_NAMES: Final = r'"(?:pod|container)"\s*:\s*\{[^{}]*"name"\s*:[^{}]*"name"\s*:'

# Filebeat knows the path of the log, whatever its processors say of the pod.
_FILE_OF_LOG: Final = (
    json_text.key("log") + r"\{[^{}]*?" + json_text.key("file") + f"({json_text.OBJECT})"
)
_OF_LOG: Final = {**dict.fromkeys(NAMES, ()), "path": ("$.path",)}

# What a collector puts beside a line that it has expanded.
_METADATA: Final = (
    "kubernetes", "kubernetes_namespace", "docker", "labels", "annotations", "agent", "ecs", "host",
    "input", "log", "container", "orchestrator", "cloud", "event", "service", "data_stream",
    "elastic_agent", "@metadata", "fields", "error",
)  # fmt: skip
_BESIDE: Final = (
    r'"(?:@?timestamp|time|date|stream|logtag|_p|tag|log|message|file|source_type|'
    + "|".join(_METADATA)
    + r')"\s*:\s*(?:null|-?[0-9][0-9.eE+-]*|'
    + json_text.STRING
    + r")|"
    + json_text.key("tags")
    + json_text.ARRAY
)
_ONE_OBJECT: Final = (
    rf"^\{{\s*(?:(?:{_BESIDE})\s*,\s*)*{json_text.STRING}\s*:\s*({json_text.OBJECT})"
    rf"(?:\s*,\s*(?:{_BESIDE}))*\s*\}}\s*$"
)
# Fluent Bit has found nothing in a line, not even who wrote it.
_DATE_AND_LOG: Final = rf'^\{{"date":[^,{{\[]+,"(?:log|message)":{json_text.STRING}\}}$'
_LINE_AND_TIME: Final = rf'^\{{"line":{json_text.STRING},"timestamp":"[0-9T:.Z+-]+"\}}$'
_LINE: Final = pl.col("line")
LIKE_RECORD: Final = _LINE.str.contains(_BEGIN) & _LINE.str.contains_any(_MARKS)
"""Whether a line looks like a record or a document of records."""


def without_records(parts: pl.DataFrame, shapes: LineShapes) -> pl.DataFrame:
    """Take lines out of records and documents of records; both frames have PART_SCHEMA.

    Nothing that begins as lines of text do that look like JSON is taken for a record.
    """
    done: list[pl.DataFrame] = []
    for _ in range(_MOST_LAYERS):
        begins = parts["line"].str.contains(_BEGIN)
        if not begins.any():
            break
        chosen = begins & parts.select(_may_be_record(shapes)).to_series()
        if not chosen.any():
            break
        if not chosen.all():
            done.append(parts.filter(~chosen))
            parts = parts.filter(chosen)
        parts = _lines_alone(pl.concat(_without_one_layer(parts, shapes)))
    return pl.concat([*done, parts])


def _may_be_record(shapes: LineShapes) -> pl.Expr:
    is_open = pl.col("wrapper").is_null() | (pl.col("wrapper") == RECORD)
    unescaped = [_LINE.str.starts_with(start) for start in shapes.unescaped_starts if start]
    return (
        is_open
        & pl.col("reason").is_null()
        & ~pl.any_horizontal(pl.lit(value=False), *unescaped)
        & _LINE.str.contains_any(_MARKS)
    )


def _without_one_layer(parts: pl.DataFrame, shapes: LineShapes) -> list[pl.DataFrame]:
    """Take one wrapper off; what has none is closed."""
    rest, found = _docker(parts)
    rest, documents = without_documents(rest, shapes)
    found += documents
    if rest.height:
        found += _records(rest, shapes)
    return [without_runtime_prefix(part) for part in found]


def _lines_alone(parts: pl.DataFrame) -> pl.DataFrame:
    """Take off the line feed at the end; a collector may have put several lines into one."""
    parts = parts.with_columns(_LINE.str.strip_suffix("\n").str.strip_suffix("\r"))
    several = parts["line"].str.contains("\n", literal=True).fill_null(value=False)
    if not several.any():
        return parts
    split = parts.filter(several).with_columns(_LINE.str.split("\n")).explode("line")
    return pl.concat([parts.filter(~several), split])


def _docker(parts: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    if not parts["line"].str.starts_with('{"log":"').any():
        return parts, []
    found = parts.with_columns(_LINE.str.extract_groups(_DOCKER).alias("found"))
    group = pl.col("found").struct
    matched = found.select(group.field("time").is_not_null()).to_series()
    text = json_text.unescaped(group.field("log"))
    docker = parts_of(
        found.filter(matched),
        line=text,
        wrapper="docker",
        stream=pl.coalesce("stream", group.field("stream")),
        tag=pl.when(text.str.ends_with("\n")).then(pl.lit("F")).otherwise(pl.lit("P")),
    )
    return parts.filter(~matched), [docker]


def _records(parts: pl.DataFrame, shapes: LineShapes) -> list[pl.DataFrame]:
    """Take lines out of records, where keys that are those of expanded lines say nothing."""
    marked = parts.with_columns(_with_own_marked(shapes).alias("line")) if shapes.own else parts
    found = _by_kind(marked, shapes)
    if not shapes.own:
        return found
    names = sorted({name for own in shapes.own for name in own.names})
    shown = json_text.without_mark(_LINE, names, _OWN)
    return [part.with_columns(shown) for part in found]


def _with_own_marked(shapes: LineShapes) -> pl.Expr:
    line = _LINE
    for own in shapes.own:
        is_line = _LINE.str.contains_any([f'"{key}"' for key in own.some])
        for key in own.always:
            is_line &= json_text.has_member(_LINE, key)
        marked = line
        for name in own.names:
            marked = json_text.with_mark(marked, name, _OWN)
        line = pl.when(is_line).then(marked).otherwise(line)
    return line


def _by_kind(parts: pl.DataFrame, shapes: LineShapes) -> list[pl.DataFrame]:
    present = set(parts["line"].str.extract_many(_MARKS).explode().unique().drop_nulls())
    there = [name for name in MEMBERS if f'"{name}"' in present]
    rows = _with_members(parts, there)
    for name, paths in _NAMING.items():
        names = names_in(rows[_PREFIX + name], paths)
        rows = rows.hstack([column.alias(f"{name}.{column.name}") for column in names])
    names = names_in(rows.select(_LINE.str.extract(_FILE_OF_LOG)).to_series(), _OF_LOG)
    rows = rows.hstack([column.alias(f"log.{column.name}") for column in names])
    kinds = rows.select(_kind()).to_series()
    found = [parts_of(rows.filter(kinds.is_null()), wrapper="text")]
    for name, kind in _kinds(shapes).items():
        chosen = kinds.eq_missing(name)
        if chosen.any():
            record = rows if chosen.all() else rows.filter(chosen)
            outer = record.select(kind.outer.alias("line"))
            twice = json_text.repeats_key(outer, "line", (*there, *_NESTED_NAMES))
            twice |= outer["line"].str.contains(_TWO_NAMES)
            found.append(_taken_out(record.with_columns(twice.alias("twice")), kind))
    return found


def _with_members(parts: pl.DataFrame, there: Sequence[str]) -> pl.DataFrame:
    """Add the members that some record has; all are null where a line is not valid JSON."""
    nothing = pl.lit(None, pl.String)
    rows = parts.with_columns(
        (json_text.object_member(_LINE, n) if n in there else nothing).alias(_PREFIX + n)
        for n in _NAMING
    )
    has_none = pl.all_horizontal(_member(n).is_null() for n in _NAMING)
    valid = ~has_none | json_text.is_json(pl.when(has_none).then(_LINE))
    line = rows.select(pl.when(valid).then(_LINE)).to_series()
    return rows.with_columns(
        (json_text.string_member(line, n) if n in there else nothing).alias(_PREFIX + n)
        for n in MEMBERS
        if n not in _NAMING
    )


def _kind() -> pl.Expr:
    found = pl.lit(None, pl.String)
    for name, kind in reversed(_KINDS.items()):
        found = pl.when(kind.known_by).then(pl.lit(name)).otherwise(found)
    return found


def _taken_out(record: pl.DataFrame, kind: _Kind) -> pl.DataFrame:
    """Take the line out of records of one kind; who wrote it, two wrappers may both say."""
    said = {
        column: agreed([pl.col(column), *kind.names.get(column, ())])
        for column in ("source_namespace", "source_pod", "container", "stream")
    }
    bad = pl.any_horizontal("twice", kind.disagree, *(differ for _, differ in said.values()))
    # A wrapper that knows the stream has taken off what the runtime put around the line.
    stream = said["stream"][0]
    last = pl.when(stream.is_null()).then(pl.lit(RECORD)).otherwise(pl.lit("text"))
    return parts_of(
        record.lazy()
        .with_columns(
            line=kind.line,
            wrapper=pl.coalesce(kind.wrapper, last),
            tag=pl.coalesce(_member("logtag"), _member("_p")).str.head(1),
            reason=pl.when(bad).then(pl.lit(AMBIGUOUS_WRAPPER)),
            **{column: value for column, (value, _) in said.items()},
        )
        .collect(engine="in-memory")
    )


def _member(name: str) -> pl.Expr:
    return pl.col(_PREFIX + name)


def _has(*names: str) -> pl.Expr:
    return pl.all_horizontal(_member(name).is_not_null() for name in names)


def _nested(name: str) -> pl.Expr:
    return _has(name) & json_text.has_nested(_LINE, name)


def _text(name: str) -> pl.Expr:
    return pl.when(~json_text.has_nested(_LINE, name)).then(_member(name).replace("", None))


def _members(**names: Sequence[str]) -> dict[str, list[pl.Expr]]:
    return {column: [_member(name) for name in there] for column, there in names.items()}


def _expanded(shapes: LineShapes) -> pl.Expr:
    """Find the object that a collector made of a line; records with a text are not searched."""
    line = pl.when(_TEXT.is_null()).then(_LINE)
    bare = json_text.without_members(line, [n for n in _METADATA if n not in shapes.members])
    named = [
        json_text.raw_member(line, name, json_text.OBJECT) for name in ("json", "log_processed")
    ]
    objects = [name for own in sorted(shapes.objects) for name in (own, _OWN + own)]
    own = [line.str.contains(json_text.inside(name) + r"\{") for name in objects]
    whole = pl.when(pl.any_horizontal(pl.lit(value=False), *own)).then(bare)
    return pl.coalesce(whole, *named, bare.str.extract(_ONE_OBJECT), bare)


def _as_expanded(record: pl.Expr) -> pl.Expr:
    """Undo what `processor_json` of SLS does: null becomes a text, and keys begin with a mark.

    In a text every quote is escaped: what is replaced stands nowhere but between members.
    """
    nulls = record.str.replace_all(r'":[ \t]*"null"', '":null')
    return nulls.str.replace_all(r'([{,][ \t]*")_([a-z][a-z_]*[a-z]":)', "${1}${2}")


@dataclass(frozen=True, slots=True)
class _Kind:
    """Say what records of a kind are known by, and what they say.

    Attributes:
        known_by: Whether a record is of the kind.
        line: The line in it.
        names: The columns of a part that it tells, each by all the ways to spell it.
        disagree: Whether names inside an object of it do.
        outer: The record without a line that is in it as JSON, spelled as it was written.
        wrapper: "text" where the line is in no other wrapper, RECORD where it is; null where the
            stream decides.
    """

    known_by: pl.Expr
    line: pl.Expr
    names: Mapping[str, Sequence[pl.Expr]] = field(default_factory=dict)
    disagree: pl.Expr = field(default_factory=lambda: pl.lit(value=False))
    outer: pl.Expr = field(default_factory=lambda: _LINE)
    wrapper: pl.Expr = field(default_factory=lambda: pl.lit(None, pl.String))


_STREAM: Final = [pl.when(_member("stream").is_in(["stdout", "stderr"])).then(_member("stream"))]
_SLS_TEXT: Final = pl.coalesce(_text("__raw_log__"), _text("content"))
_TEXT: Final = pl.coalesce(_text("log"), _text("message"))
_OF_LABELS: Final = (*NAMES, "stream")
_BEAT: Final = pl.when(_LINE.str.contains('"filebeat"', literal=True)).then(_LINE)
_IS_FILEBEAT: Final = _BEAT.str.json_path_match("$.agent.type")
_OF_FILE: Final = {
    column: [name]
    for column, name in names_of_path(_BEAT.str.json_path_match("$.log.file.path")).items()
}
_LAST: Final = pl.lit("text")
_KINDS: Final = {
    "elasticsearch": _Kind(
        known_by=_nested("_source"),
        line=json_text.raw_member(_LINE, "_source", json_text.OBJECT),
        wrapper=pl.lit(RECORD),
    ),
    "sls": _Kind(
        known_by=pl.any_horizontal(_has(name) for name in _SLS_MARKS),
        line=pl.coalesce(_SLS_TEXT, _as_expanded(_LINE)),
        names=_members(**_SLS),
        wrapper=pl.when(_SLS_TEXT.is_null()).then(_LAST),
    ),
    # stern has its lines from the API server, which has taken off what the runtime put around.
    "stern": _Kind(
        known_by=_has("message") & (_has("podName", "containerName") | _has("pod", "container")),
        line=pl.coalesce(
            json_text.raw_member(_LINE, "message", json_text.OBJECT),
            _member("message").str.replace(f"^{TIME_OF_STERN}", ""),
        ),
        names=_members(**_STERN),
        outer=json_text.without_members(_LINE, ["message"]),
        wrapper=_LAST,
    ),
    "logcli": _Kind(
        known_by=_has("line") & (_nested("labels") | _LINE.str.contains(_LINE_AND_TIME)),
        line=_member("line"),
        names={column: [pl.col(f"labels.{column}")] for column in _OF_LABELS},
        disagree=pl.col(f"labels.{DISAGREE}"),
    ),
    "grafana": _Kind(
        known_by=_has("line") & _nested("fields") & _LINE.str.contains(r'^\{\s*"line"'),
        line=_member("line"),
        names={column: [pl.col(f"fields.{column}")] for column in _OF_LABELS},
        disagree=pl.col(f"fields.{DISAGREE}"),
    ),
    "kubernetes": _Kind(
        known_by=_nested("kubernetes"),
        line=pl.coalesce(_TEXT, _expanded(DEFAULT_SHAPES)),
        names={
            **{c: [pl.col(f"kubernetes.{c}"), pl.col(f"log.{c}")] for c in KUBERNETES},
            "stream": _STREAM,
        },
        disagree=pl.col(f"kubernetes.{DISAGREE}"),
        wrapper=pl.when(_TEXT.is_null()).then(_LAST),
    ),
    "filebeat": _Kind(
        known_by=_has("message") & (_IS_FILEBEAT == "filebeat"),
        line=_member("message"),
        names={**_OF_FILE, "stream": _STREAM},
    ),
    "flat": _Kind(
        known_by=pl.any_horizontal(_has(name) for name in FLAT["source_pod"]),
        line=pl.coalesce(_TEXT, _LINE),
        names={**_members(**FLAT), "stream": _STREAM},
        wrapper=pl.when(_TEXT.is_null()).then(_LAST),
    ),
    "plain": _Kind(
        known_by=_TEXT.is_not_null()
        & (_STREAM[0].is_not_null() | _LINE.str.contains(_DATE_AND_LOG)),
        line=_TEXT,
        names={"stream": _STREAM},
    ),
}


@cache
def _kinds(shapes: LineShapes) -> Mapping[str, _Kind]:
    expanded = pl.coalesce(_TEXT, _expanded(shapes))
    return _KINDS | {"kubernetes": replace(_KINDS["kubernetes"], line=expanded)}
