"""Log sources -> batches of requests, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import polars as pl

from recommender.access_logs.files import (
    PIECE_BYTES,
    STANDARD_INPUT,
    Piece,
    find_log_files,
    read_pieces,
)
from recommender.access_logs.formats import LogFormat, assumed_formats, parse_lines, text_starts
from recommender.access_logs.line_counts import LineCounts, SkippedLines, count_lines
from recommender.access_logs.object_storage import ObjectStorage
from recommender.access_logs.requests import REQUEST_SCHEMA, requests_of
from recommender.access_logs.wrappers import UNESCAPED_STARTS, no_parts, unwrap
from recommender.access_logs.writers import SourcePod, with_writers
from recommender.errors import InputError


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Hold some requests, with REQUEST_SCHEMA, and the counts of the lines they come from."""

    requests: pl.DataFrame
    lines: LineCounts


def read_access_logs(
    sources: Sequence[str | Path],
    *,
    stdin: BinaryIO | None = None,
    source_pod: SourcePod | None = None,
    storage: ObjectStorage | None = None,
    formats: Sequence[LogFormat] | None = None,
    batch_bytes: int = PIECE_BYTES,
) -> Iterator[LogBatch]:
    """Read access logs as batches of requests; every line is either a request or counted.

    Args:
        sources: Files, folders, globs, URLs of object storage, and `-` for `stdin`.
        stdin: The standard input.
        source_pod: Namespace and name of the pod that wrote the lines of which neither a wrapper
            nor the path tells it; or the namespace of pods that wrappers name without it.
        storage: What finds and opens objects; without it S3 is found as boto3 does, but no OSS.
        formats: The log formats that lines may have; the known defaults if None.
        batch_bytes: How much text to hold at a time, about.

    Raises:
        InputError: Nothing at all can be read.
    """
    storage = storage or ObjectStorage()
    if stdin is None and STANDARD_INPUT in map(str, sources):
        raise InputError("there is no standard input to read", where=STANDARD_INPUT)
    files, lost = find_log_files(sources, storage)
    pieces = (p for file in files for p in read_pieces(file, stdin, storage, size=batch_bytes))
    read = partial(_batch, source_pod=source_pod, formats=formats or assumed_formats())
    return _batches(pieces, lost, read, batch_bytes)


_Read = Callable[[list[Piece], pl.DataFrame], tuple[LogBatch, pl.DataFrame]]


def _batches(
    pieces: Iterator[Piece],
    skipped: list[SkippedLines],
    read: _Read,
    batch_bytes: int,
) -> Iterator[LogBatch]:
    if skipped:
        yield LogBatch(REQUEST_SCHEMA.to_frame(), count_lines(0, skipped))
    begun = no_parts()
    held: list[Piece] = []
    held_bytes = 0
    for piece in pieces:
        held.append(piece)
        held_bytes += len(piece.data)
        if held_bytes >= batch_bytes:
            batch, begun = read(held, begun)
            yield batch
            held, held_bytes = [], 0
    if held:
        yield read(held, begun)[0]


def _batch(
    pieces: list[Piece],
    begun: pl.DataFrame,
    source_pod: SourcePod | None,
    formats: Sequence[LogFormat],
) -> tuple[LogBatch, pl.DataFrame]:
    names = list(dict.fromkeys(piece.file for piece in pieces))
    places = {file: place for place, file in enumerate(names)}
    stored = _stored_lines(pieces, [places[piece.file] for piece in pieces])
    unfinished = None if pieces[-1].is_last else places[pieces[-1].file]
    unescaped = (*UNESCAPED_STARTS, *text_starts(formats))
    lines, begun = unwrap(stored, begun, unfinished, unescaped)
    lines = with_writers(lines, names, source_pod)
    begun = begun.with_columns(pl.lit(0, pl.Int64).alias("file"))

    usable = pl.col("reason").is_null()
    no_use = lines.filter(~usable)
    parsed = parse_lines(lines.filter(usable).drop("reason"), formats)
    requests = requests_of(parsed)
    columns = ("file", "number", "reason")
    no_use = pl.concat([no_use.select(columns), requests.filter(~usable).select(columns)])
    used = requests.filter(usable).select(*REQUEST_SCHEMA)
    lost = [entry for piece in pieces for entry in piece.skipped]
    total = used.select(pl.col("requests").sum()).item()
    counts = count_lines(total, [*lost, *_skipped(no_use, [f.name for f in names])])
    return LogBatch(used, counts), begun


def _stored_lines(pieces: list[Piece], files: list[int]) -> pl.DataFrame:
    """Split pieces into lines, at line feeds alone: other line ends may be part of a line."""
    ended = (p.data if p.data.endswith(b"\n") or not p.data else p.data + b"\n" for p in pieces)
    text = _text(b"".join(ended))
    counts = pl.DataFrame(
        {"file": files, "first": [p.first_line for p in pieces], "n": [p.lines for p in pieces]},
        schema={"file": pl.Int64, "first": pl.Int64, "n": pl.Int64},
    ).filter(pl.col("n") > 0)
    places = counts.select(
        "file", pl.int_ranges("first", pl.col("first") + pl.col("n")).alias("number")
    ).explode("number")
    lines = text.str.split("\n").explode().head(places.height)
    return places.with_columns(lines.alias("line"))


def _text(data: bytes) -> pl.Series:
    """Decode UTF-8, with a sign in place of bytes that are none."""
    # Slices that fit a processor's cache take a tenth of the time of one text.
    slices = (part.decode("utf-8", "replace").encode() for part in _slices(data, 1 << 14))
    return pl.Series([b"".join(slices)], dtype=pl.Binary).cast(pl.String)


def _slices(data: bytes, size: int) -> Iterator[bytes]:
    """Cut data into slices of at least some size, after line feeds, which end any character."""
    begin = 0
    while begin < len(data):
        end = data.find(b"\n", begin + size) + 1 or len(data)
        yield data[begin:end]
        begin = end


def _skipped(no_use: pl.DataFrame, names: list[str]) -> list[SkippedLines]:
    """Count lines by reason; the example is the first by file and number."""
    first = pl.struct("file", "number").sort().first()
    counts = no_use.group_by("reason").agg(pl.len(), first.alias("first"))
    return [
        SkippedLines(reason, lines, f"{names[first['file']]}:{first['number']}")
        for reason, lines, first in counts.iter_rows()
    ]
