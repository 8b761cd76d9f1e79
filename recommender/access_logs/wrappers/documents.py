"""Documents that hold many lines: answers of Loki and Elasticsearch, batches of OpenTelemetry.

- Loki: `data.result[].{stream, values[][time, line, more]}`, or `streams[]` as it is pushed and
  tailed; what is known of one line alone is in `more`, if it is pushed, else in
  `more.structuredMetadata` (pkg/util/marshal/query.go `encodeStream`, pkg/loghttp/entry.go);
- Elasticsearch: `hits.hits[]._source`, of several searches `responses[]`, of one in the background
  `response` (Elasticsearch's pages on _search, _msearch and _async_search);
- SLS: `data[]` of GetLogs, `logs[]` of PullLogs (aliyun-log-python-sdk getlogsresponse.py and
  pulllog_response.py; aliyun-log-cli sorts the keys), and any array of records;
- Fluent Bit: records without anything between them, `json_stream` (src/flb_pack.c
  `flb_pack_msgpack_to_json_format`);
- OTLP: `resourceLogs[].{resource, scopeLogs[].logRecords[].{body, attributes}}`; the body may be a
  record itself (`kvlistValue`), as Fluent Bit sends it (plugins/out_opentelemetry).

A document is one line of a file, and held in memory as a whole.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from recommender.access_logs.pieces import DOCUMENT_START
from recommender.access_logs.wrappers import json_text
from recommender.access_logs.wrappers.line_shapes import LineShapes
from recommender.access_logs.wrappers.names import (
    ATTRIBUTES,
    DISAGREE,
    LABELS,
    agreed,
    keys_of,
    names_in,
)
from recommender.access_logs.wrappers.parts import AMBIGUOUS_WRAPPER, RECORD, parts_of

BROKEN_DOCUMENT: Final = "a document of many lines that cannot be taken apart"

_BEGINS: Final = {
    "array": r"^\[",
    "otlp": json_text.inside("resourceLogs") + r"\[",
    "elasticsearch": json_text.inside("hits", "hits") + r"\[",
    "searches": json_text.inside("responses") + r"\[",
    "background": json_text.inside("response", "hits", "hits") + r"\[",
    "loki": json_text.inside("data", "result") + r"\[",
    "pushed": json_text.inside("streams") + r"\[",
    "sls": json_text.inside("data") + r"\[",
    "pulled": json_text.inside("logs") + r"\[",
}
"""Kinds of documents by how they begin, up to the array of what they hold."""
DOCUMENT_MEMBERS: Final = frozenset(
    ("resourceLogs", "hits", "responses", "response", "data", "streams", "logs")
)
"""The members that may hold the lines of a document."""
_DATE: Final = '{"date":'
_LOKI_VALUE: Final = (
    rf"\[\s*{json_text.STRING}\s*,\s*{json_text.STRING}\s*(?:,\s*{json_text.OBJECT}\s*)?\]"
)
_LOKI_MORE: Final = (
    rf"^\[\s*{json_text.STRING}\s*,\s*{json_text.STRING}\s*,\s*({json_text.OBJECT})\s*\]$"
)
_S: Final = r"\s*"
_KEY: Final = rf'\{{{_S}"key"{_S}:{_S}({json_text.STRING}){_S}'
_ENDS: Final = rf"{_S}\}}{_S}\}}"


def _scalar(kind: str, value: str) -> str:
    return rf'{_KEY},{_S}"value"{_S}:{_S}\{{{_S}"{kind}"{_S}:{_S}{value}{_ENDS}'


_SCALARS: Final = (
    (_scalar("stringValue", f"({json_text.STRING})"), "${1}:${2}"),
    (_scalar("intValue", '"?(-?[0-9]+)"?'), "${1}:${2}"),
    (_scalar("(?:doubleValue|boolValue)", "([0-9a-z.+-]+)"), "${1}:${2}"),
    (_scalar("(?:arrayValue|bytesValue)", json_text.VALUE), "${1}:null"),
    (rf'{_KEY}(?:,{_S}"value"{_S}:{_S}\{{{_S}\}})?{_S}\}}', "${1}:null"),
)
"""Attributes that hold no others, and how they are written as members."""
_MEMBER: Final = rf"{json_text.STRING}:{json_text.VALUE}"
_VALUES_OF_MEMBERS: Final = (
    rf'\{{{_S}(?:"values"{_S}:{_S}\[({_S}(?:{_MEMBER}(?:{_S},{_S}{_MEMBER})*)?){_S}\])?{_S}\}}'
)
_NESTED: Final = rf'^{_KEY},{_S}"value"{_S}:{_S}\{{{_S}"kvlistValue"'
_LIST_OF_MEMBERS: Final = _scalar("kvlistValue", _VALUES_OF_MEMBERS)
_MOST_NESTED: Final = 6
_OTHER_VALUES: Final = ("intValue", "doubleValue", "boolValue")
_NAMES: Final = ("source_namespace", "source_pod", "container")
_TEXT: Final = pl.col("line")


def without_documents(
    parts: pl.DataFrame, shapes: LineShapes
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Take documents apart; return what is none, and the lines of each kind of document.

    A line of JSON may have a member that a document has, and in it what callers write.
    """
    found: list[pl.DataFrame] = []
    is_record = _TEXT.str.starts_with(_DATE) & ~_several_records()
    is_document = _TEXT.str.contains(DOCUMENT_START) & ~is_record & ~_is_line(shapes)
    starts = parts.select(is_document.fill_null(value=False)).to_series()
    if not starts.any():
        return parts, found
    documents, parts = parts.filter(starts), parts.filter(~starts)
    documents, records = _without_streams_of_records(documents)
    found += records
    kinds = documents.select(_kind()).to_series()
    parts = pl.concat([parts, documents.filter(kinds.is_null())])
    for kind, begin in _BEGINS.items():
        chosen = documents.filter(kinds == kind)
        if chosen.height:
            valid = chosen.select(json_text.is_json(_TEXT)).to_series()
            tail = _TEXT.str.replace(begin, "[")
            array = tail.str.extract_all(json_text.ARRAY).list.first()
            items, broken = _exploded(chosen.filter(valid), array)
            found += [_broken(chosen.filter(~valid)), broken, *_TAKEN_APART[kind](items)]
    return parts, found


def _is_line(shapes: LineShapes) -> pl.Expr:
    """Tell lines of formats that have a member of documents, however deep it is."""
    found = [
        pl.all_horizontal(_TEXT.str.json_path_match(f'$["{key}"]').is_not_null() for key in always)
        for always in shapes.like_documents
    ]
    return pl.any_horizontal(pl.lit(value=False), *found)


def _without_streams_of_records(
    parts: pl.DataFrame,
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Take records apart that follow each other; from the first on there is but one way to."""
    chosen = parts.select(_several_records()).to_series()
    if not chosen.any():
        return parts, []
    array = pl.concat_str(pl.lit("["), _TEXT, pl.lit("]"))
    items, broken = _exploded(parts.filter(chosen), array)
    return parts.filter(~chosen), [broken, *_records(items)]


def _several_records() -> pl.Expr:
    return _TEXT.str.starts_with(_DATE) & _TEXT.str.contains(f"}}{_DATE}", literal=True)


def _kind() -> pl.Expr:
    found = pl.lit(None, pl.String)
    for kind, begin in reversed(_BEGINS.items()):
        found = pl.when(_TEXT.str.contains(begin)).then(pl.lit(kind)).otherwise(found)
    return found


def _broken(parts: pl.DataFrame) -> pl.DataFrame:
    return parts_of(parts, line="", wrapper="text", reason=BROKEN_DOCUMENT)


def _exploded(parts: pl.DataFrame, array: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make a row of each object of an array, in the column `item`; and list what has no array."""
    rows = parts.with_columns(json_text.elements(array).alias("item"))
    broken = rows["item"].is_null()
    items = rows.filter(~broken & (rows["item"].list.len() > 0)).explode("item")
    return items, _broken(rows.filter(broken))


def _records(items: pl.DataFrame) -> list[pl.DataFrame]:
    return [parts_of(items, line=pl.col("item"), wrapper=RECORD)]


def _loki(items: pl.DataFrame) -> list[pl.DataFrame]:
    item, values = pl.col("item"), pl.col("values")
    rows = items.with_columns(
        json_text.raw_member(item, "stream", json_text.OBJECT).alias("labels"),
        json_text.raw_member(item, "values", json_text.ARRAY).alias("values"),
    )
    whole = values.str.replace_all(_LOKI_VALUE, "").str.contains(r"^\[[\s,]*\]$")
    rows = _named(rows, "labels", names_in(rows["labels"], LABELS)).with_columns(
        pl.when(whole).then(values.str.extract_all(_LOKI_VALUE)).alias("values")
    )
    odd = rows["values"].is_null()
    lines = rows.filter(~odd & (rows["values"].list.len() > 0)).explode("values")
    taken = lines.with_columns(values.str.json_path_match("$[1]").alias("line"))
    return [parts_of(_with_metadata(taken)), _broken(rows.filter(odd))]


def _with_metadata(lines: pl.DataFrame) -> pl.DataFrame:
    """Add the names that are said of a line alone; what was parsed out of it names nobody."""
    more = lines.select(pl.col("values").str.extract(_LOKI_MORE)).to_series()
    if more.null_count() == lines.height:
        return lines
    own = more.to_frame("more").select(
        pl.coalesce(
            json_text.raw_member(pl.col("more"), "structuredMetadata", json_text.OBJECT), "more"
        )
    )
    said = names_in(own.to_series(), LABELS)
    twice = json_text.repeats_key(more.fill_null("").to_frame("more"), "more", _DECIDING)
    return _named_alone(lines, said, twice)


def _named_alone(lines: pl.DataFrame, said: pl.DataFrame, twice: pl.Series) -> pl.DataFrame:
    """Add what is said of each line alone, and why it is of no use if two names disagree."""
    names = [name for name in (*_NAMES, "stream", "tag") if name in said.columns]
    merged = {name: agreed([pl.col(name), pl.lit(said[name])]) for name in names}
    bad = pl.any_horizontal(
        pl.lit(twice), pl.lit(said[DISAGREE]), *(differ for _, differ in merged.values())
    )
    return lines.with_columns(
        *(value.alias(name) for name, (value, _) in merged.items()),
        pl.coalesce("reason", pl.when(bad).then(pl.lit(AMBIGUOUS_WRAPPER))).alias("reason"),
    )


def _otlp(rows: pl.DataFrame) -> list[pl.DataFrame]:
    item = pl.col("item")
    broken = []
    resource = rows.select(json_text.raw_member(item, "resource", json_text.OBJECT)).to_series()
    rows = _named(rows.with_columns(resource.alias("resource")), "resource", _attributes(resource))
    twice = pl.when(_twins("resource")).then(pl.lit(AMBIGUOUS_WRAPPER))
    rows = rows.with_columns(pl.coalesce("reason", twice).alias("reason"))
    for name in ("scopeLogs", "logRecords"):
        array = json_text.raw_member(item, name, json_text.ARRAY).fill_null("[]")
        rows, more = _exploded(rows, array)
        broken.append(more)
    twins = rows.select(_twins("item")).to_series()
    both = _named_alone(rows, _attributes(rows["item"]), twins)
    body = item.str.json_path_match("$.body.stringValue").replace("", None)
    lines = both.with_columns(body.alias("line"))
    expanded = lines["line"].is_null()
    fields = _objects_of(lines.filter(expanded))
    return [parts_of(lines.filter(~expanded)), parts_of(fields), *broken]


def _twins(column: str) -> pl.Expr:
    """Tell whether an attribute that names the pod comes twice."""
    return pl.any_horizontal(
        pl.col(column).str.count_matches(json_text.key("key") + f'"{name}"') > 1
        for name in ("k8s.namespace.name", "k8s.pod.name", "k8s.container.name", "log.file.path")
    )


def _attributes(objects: pl.Series) -> pl.DataFrame:
    return names_in(objects, ATTRIBUTES)


def _objects_of(records: pl.DataFrame) -> pl.DataFrame:
    """Write the attributes of records, or the members of their bodies, as a JSON object each."""
    item, value = pl.col("item"), pl.col("member")
    values = item.str.json_path_match("$.body.kvlistValue.values")
    attributes = pl.coalesce(values, item.str.json_path_match("$.attributes"))
    rows = records.with_row_index("record").with_columns(
        json_text.elements(attributes).alias("member")
    )
    text = value.str.json_path_match("$.value.stringValue")
    other = [value.str.json_path_match(f"$.value.{kind}") for kind in _OTHER_VALUES]
    shown = (
        pl.when(text.is_not_null())
        .then(json_text.quoted(text))
        .otherwise(pl.coalesce(*other, _nested_object(value), pl.lit("null")))
    )
    name = json_text.quoted(value.str.json_path_match("$.key"))
    members = (
        rows.select("record", "member")
        .filter(pl.col("member").list.len() > 0)
        .explode("member")
        .group_by("record")
        .agg(pl.concat_str(name, pl.lit(":"), shown).str.join(",").alias("members"))
    )
    line = pl.concat_str(pl.lit("{"), pl.col("members").fill_null(""), pl.lit("}"))
    return (
        rows.drop("member")
        .join(members, on="record", how="left", maintain_order="left")
        .with_columns(line.alias("line"))
    )


def _nested_object(value: pl.Expr) -> pl.Expr:
    """Write attributes inside an attribute as an object, without lists.

    In valid JSON a quote inside a text is escaped: what is replaced is never a part of one.
    """
    there = pl.when(value.str.contains(_NESTED)).then(value)
    text = there.str.extract("^" + _scalar("kvlistValue", f"({json_text.OBJECT})") + "$", 2)
    for pattern, written in _SCALARS:
        text = text.str.replace_all(pattern, written)
    for _ in range(_MOST_NESTED):
        text = text.str.replace_all(_LIST_OF_MEMBERS, "${1}:{${2}}")
    members = text.str.extract(rf"^{_VALUES_OF_MEMBERS}$")
    return "{" + members + "}"


def _named(rows: pl.DataFrame, column: str, names: pl.DataFrame) -> pl.DataFrame:
    """Add the names that an object gives, and why a row is of no use if they disagree."""
    twice = json_text.repeats_key(
        rows.with_columns(pl.col(column).fill_null("")), column, _DECIDING
    )
    reason = pl.when(twice | names[DISAGREE]).then(pl.lit(AMBIGUOUS_WRAPPER))
    stream = names["stream"]
    # A wrapper that knows the stream has taken off what the runtime put around the line.
    wrapper = pl.when(stream.is_null()).then(pl.lit(RECORD)).otherwise(pl.lit("text"))
    added = names.drop(DISAGREE).get_columns()
    return rows.with_columns(*added, reason.alias("reason"), wrapper.alias("wrapper"))


_DECIDING: Final = keys_of(LABELS)
_TAKEN_APART: Final = {
    "array": _records,
    "otlp": _otlp,
    "elasticsearch": _records,
    "searches": _records,
    "background": _records,
    "loki": _loki,
    "pushed": _loki,
    "sls": _records,
    "pulled": _records,
}
